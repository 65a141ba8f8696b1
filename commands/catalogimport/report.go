package catalogimport

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Rejection is a row that was left out, or a value that was refused, with the reason.
type Rejection struct {
	File   string
	Line   int    // from 1
	Column string // empty: the row as a whole
	Value  string
	Reason string
}

func (r Rejection) String() string {
	at := fmt.Sprintf("%s line %d", r.File, r.Line)
	if r.Column != "" {
		at += fmt.Sprintf(", %s %q", r.Column, shorten(r.Value))
	}
	return at + ": " + r.Reason
}

// TooFew is an occupation where fewer than three skills are important enough, so that the three most important were
// taken instead.
type TooFew struct {
	Code, Title string
	Qualifying  int      // 0 to 2
	Taken       []string // names, most important first
}

// maxListed bounds the rejections that a report lists, so that tables full of faults cannot fill the memory.
const maxListed = 1000

// Report says what an import found, and what it changed.
type Report struct {
	Roles        int // occupations with skills
	Skills       int // of O*NET
	Technologies int // marked hot in at least one of the occupations
	Required     int // required skills of all roles, each with a benchmark
	Optional     int // optional skills of all roles

	WithoutSkills int      // rows of Occupation Data.txt without skills: they become no role
	Unmatched     int      // rows of hot technologies of occupations without skills
	Undescribed   []string // codes of occupations that have skills but no usable row in Occupation Data.txt
	TooFew        []TooFew // by code
	Doubtful      []string // required skills whose level, though not the importance, O*NET recommends to suppress

	Unchanged int            // roles that were already as the tables say
	Published int            // role versions published by this run
	Events    map[string]int // events appended by this run, by type

	Rejected   []Rejection // the first 1,000
	Rejections int         // all of them
}

func (r *Report) reject(x Rejection) {
	r.Rejections++
	if len(r.Rejected) < maxListed {
		r.Rejected = append(r.Rejected, x)
	}
}

func (r *Report) count(events []string) {
	for _, name := range events {
		r.Events[name]++
	}
	r.Published = r.Events["RolePublished"]
}

// sort puts the rejections in the order of the tables, whichever worker met them first.
func (r *Report) sort() {
	slices.SortStableFunc(r.Rejected, func(a, b Rejection) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Column, b.Column), strings.Compare(a.Value, b.Value))
	})
}

// Appended is the number of events that the run appended.
func (r Report) Appended() int {
	total := 0
	for _, n := range r.Events {
		total += n
	}
	return total
}

// String returns the report as text for people.
func (r Report) String() string {
	var b strings.Builder
	_, _ = r.WriteTo(&b) // a builder never fails
	return b.String()
}

// WriteTo writes the report as text for people.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "O*NET: %d roles with %d required and %d optional skills, from %d skills and %d hot technologies\n",
		r.Roles, r.Required, r.Optional, r.Skills, r.Technologies)
	fmt.Fprintf(&b, "This run appended %d events; %d role versions published, %d roles unchanged\n", r.Appended(), r.Published, r.Unchanged)
	for _, name := range slices.Sorted(maps.Keys(r.Events)) {
		fmt.Fprintf(&b, "  %7d  %s\n", r.Events[name], name)
	}
	fmt.Fprintf(&b, "Left out: %d occupations without skills, %d rows of technologies of such occupations\n", r.WithoutSkills, r.Unmatched)
	if len(r.Undescribed) > 0 {
		fmt.Fprintf(&b, "Occupations without a description, titled as in %s: %s\n", skillTable, strings.Join(r.Undescribed, ", "))
	}
	r.writeTooFew(&b)
	if len(r.Doubtful) > 0 {
		fmt.Fprintf(&b, "Benchmarks that rest on a level which O*NET recommends to suppress: %d\n", len(r.Doubtful))
		for _, text := range r.Doubtful {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	fmt.Fprintf(&b, "Rejected: %d\n", r.Rejections)
	for _, x := range r.Rejected {
		fmt.Fprintf(&b, "  %s\n", x)
	}
	if more := r.Rejections - len(r.Rejected); more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (r Report) writeTooFew(b *strings.Builder) {
	none := 0
	for _, t := range r.TooFew {
		if t.Qualifying == 0 {
			none++
		}
	}
	fmt.Fprintf(b, "Roles where fewer than three skills qualify (importance of at least %g): %d, of which %d have none; the three most important were taken\n",
		minImportance, len(r.TooFew), none)
	for _, t := range r.TooFew {
		fmt.Fprintf(b, "  %s %s: %d qualify; taken %s\n", t.Code, t.Title, t.Qualifying, strings.Join(t.Taken, ", "))
	}
}

func shorten(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return s
}
