package catalogimport

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rolewise/domain"
)

// Names of the tables, and of the columns that are read.
const (
	occupationTable = "Occupation Data.txt"
	skillTable      = "Skills.txt"
	technologyTable = "Technology Skills.txt"

	codeColumn        = "O*NET-SOC Code"
	titleColumn       = "Title"
	descriptionColumn = "Description"
	elementColumn     = "Element ID"
	nameColumn        = "Element Name"
	scaleColumn       = "Scale ID"
	valueColumn       = "Data Value"
	suppressColumn    = "Recommend Suppress"
	irrelevantColumn  = "Not Relevant"
	exampleColumn     = "Example"
	commodityColumn   = "Commodity Title"
	hotColumn         = "Hot Technology"
)

// occupation is what the tables say about one occupation.
type occupation struct {
	code, title, description string
	line                     int                // of its first row in Skills.txt
	ratings                  map[string]*rating // by element id
	technologies             map[string]int     // line by name, those marked hot
}

// rating is what Skills.txt says about one skill in one occupation, from two rows: one on each scale.
type rating struct {
	element           string
	importance, level measure
	irrelevant        bool
}

// measure is a value on the scale of importance (1 to 5) or of level (0 to 7). Line 0: there is none.
type measure struct {
	value      float64
	suppressed bool // O*NET recommends to suppress it, since it rests on too few or too different answers
	line       int
}

// tables is what an import needs of the three files. Its size grows with occupations times skills, not with rows.
type tables struct {
	occupations  map[string]*occupation
	elements     map[string]string          // name by element id
	technologies map[string]map[string]bool // commodity titles by name
	report       *Report
}

// readTables reads the three files; what is wrong in single rows goes to the report.
func readTables(dir string, report *Report) (*tables, error) {
	t := &tables{
		occupations: map[string]*occupation{}, elements: map[string]string{},
		technologies: map[string]map[string]bool{}, report: report,
	}
	skills := []string{codeColumn, titleColumn, elementColumn, nameColumn, scaleColumn, valueColumn, suppressColumn, irrelevantColumn}
	if err := t.each(dir, skillTable, skills, t.skill); err != nil {
		return nil, err
	}
	if len(t.occupations) == 0 {
		return nil, &TableError{File: skillTable, Reason: "has no usable row"}
	}
	if err := t.each(dir, occupationTable, []string{codeColumn, titleColumn, descriptionColumn}, t.occupation); err != nil {
		return nil, err
	}
	if err := t.each(dir, technologyTable, []string{codeColumn, exampleColumn, commodityColumn, hotColumn}, t.technology); err != nil {
		return nil, err
	}
	t.pair()
	return t, nil
}

// each calls use with every complete row that has a valid occupation code.
func (t *tables) each(dir, name string, wanted []string, use func(row, string)) (err error) {
	in, err := openTable(dir, name, wanted...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	for {
		r, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !r.complete() {
			t.report.reject(r.reject("", "", fmt.Sprintf("has %d fields where the header has %d", len(r.fields), len(in.columns))))
			continue
		}
		if code := r.get(codeColumn); validCode.MatchString(code) {
			use(r, strings.Clone(code))
		} else {
			t.report.reject(r.reject(codeColumn, code, "must look like 15-1132.00"))
		}
	}
}

var validCode = regexp.MustCompile(`^[0-9]{2}-[0-9]{4}\.[0-9]{2}$`)

// skill takes in a row of Skills.txt.
func (t *tables) skill(r row, code string) {
	element, name, title := strings.Clone(r.get(elementColumn)), strings.Clone(r.get(nameColumn)), r.get(titleColumn)
	value, low, high := r.get(valueColumn), 0.0, maxLevel
	onImportance := r.get(scaleColumn) == "IM"
	if onImportance {
		low, high = 1, 5
	}
	number, err := strconv.ParseFloat(value, 64)
	known, seen := t.elements[element]
	switch {
	case element == "" || len(element) > 100:
		t.report.reject(r.reject(elementColumn, element, "must have 1 to 100 characters"))
	case !onImportance && r.get(scaleColumn) != "LV":
		t.report.reject(r.reject(scaleColumn, r.get(scaleColumn), "must be IM or LV"))
	case err != nil || !(number >= low && number <= high): // so that what is no number at all is refused too
		t.report.reject(r.reject(valueColumn, value, fmt.Sprintf("must be a number from %g to %g", low, high)))
	case !flag(r.get(suppressColumn)):
		t.report.reject(r.reject(suppressColumn, r.get(suppressColumn), "must be Y, N or empty"))
	case !flag(r.get(irrelevantColumn)):
		t.report.reject(r.reject(irrelevantColumn, r.get(irrelevantColumn), "must be Y, N or empty"))
	case !t.textFits(r, nameColumn, name, 200) || !t.textFits(r, titleColumn, title, 200):
	case seen && known != name:
		t.report.reject(r.reject(nameColumn, name, fmt.Sprintf("element %s is %q in an earlier row", element, known)))
	default:
		t.elements[element] = name
		t.rate(r, code, title, element, onImportance, number)
	}
}

func (t *tables) rate(r row, code, title, element string, onImportance bool, number float64) {
	o := t.occupations[code]
	if o == nil {
		o = &occupation{code: code, title: strings.Clone(title), line: r.line, ratings: map[string]*rating{}, technologies: map[string]int{}}
		t.occupations[code] = o
	}
	s := o.ratings[element]
	if s == nil {
		s = &rating{element: element}
		o.ratings[element] = s
	}
	scale := &s.level
	if onImportance {
		scale = &s.importance
	}
	if scale.line > 0 {
		t.report.reject(r.reject(elementColumn, element, fmt.Sprintf("the occupation has this skill on this scale in line %d already", scale.line)))
		return
	}
	*scale = measure{value: number, suppressed: r.get(suppressColumn) == "Y", line: r.line}
	s.irrelevant = s.irrelevant || r.get(irrelevantColumn) == "Y"
}

// occupation takes in a row of Occupation Data.txt. Occupations without a row in Skills.txt become no role.
func (t *tables) occupation(r row, code string) {
	title, description := r.get(titleColumn), r.get(descriptionColumn)
	o := t.occupations[code]
	switch {
	case o == nil:
		t.report.WithoutSkills++
	case !t.textFits(r, titleColumn, title, 200) || !t.textFits(r, descriptionColumn, description, 10_000):
	case o.description != "":
		t.report.reject(r.reject(codeColumn, code, "the occupation is described in an earlier row"))
	default:
		o.title, o.description = strings.Clone(title), strings.Clone(description)
	}
}

// technology takes in a row of Technology Skills.txt.
func (t *tables) technology(r row, code string) {
	name, hot, o := r.get(exampleColumn), r.get(hotColumn), t.occupations[code]
	switch {
	case !flag(hot):
		t.report.reject(r.reject(hotColumn, hot, "must be Y, N or empty"))
	case hot != "Y":
	case !t.textFits(r, exampleColumn, name, 200) || !t.textFits(r, commodityColumn, r.get(commodityColumn), 200):
	case o == nil:
		t.report.Unmatched++
	case o.technologies[name] == 0: // one technology may stand under several commodities
		o.technologies[strings.Clone(name)] = r.line
		fallthrough
	default:
		if t.technologies[name] == nil {
			t.technologies[strings.Clone(name)] = map[string]bool{}
		}
		t.technologies[name][strings.Clone(r.get(commodityColumn))] = true
	}
}

// pair drops ratings that have a value on one scale only: without importance there is nothing to choose by, without
// level nothing to measure against.
func (t *tables) pair() {
	for _, o := range t.sorted() {
		for _, s := range o.sorted() {
			switch {
			case s.importance.line == 0:
				t.report.reject(Rejection{File: skillTable, Line: s.level.line, Column: scaleColumn, Value: "LV", Reason: "the occupation has no importance (IM) for this skill"})
			case s.level.line == 0:
				t.report.reject(Rejection{File: skillTable, Line: s.importance.line, Column: scaleColumn, Value: "IM", Reason: "the occupation has no level (LV) for this skill"})
			default:
				continue
			}
			delete(o.ratings, s.element)
		}
		if o.description == "" {
			t.report.Undescribed = append(t.report.Undescribed, o.code)
		}
	}
}

// sorted returns the occupations by code.
func (t *tables) sorted() []*occupation {
	all := make([]*occupation, 0, len(t.occupations))
	for _, o := range t.occupations {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *occupation) int { return strings.Compare(a.code, b.code) })
	return all
}

// sorted returns the ratings by element.
func (o *occupation) sorted() []*rating {
	all := make([]*rating, 0, len(o.ratings))
	for _, s := range o.ratings {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *rating) int { return strings.Compare(a.element, b.element) })
	return all
}

func (t *tables) textFits(r row, column, text string, most int) bool {
	err := domain.CheckText("/text", text, 1, most)
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		t.report.reject(r.reject(column, text, refusal.Message))
	}
	return err == nil
}

func flag(s string) bool { return s == "Y" || s == "N" || s == "" }

// maxLevel is the top of the scale LV, which starts at 0.
const maxLevel = 7.0

// scale maps a level of O*NET (0 to 7) to the thresholds of a benchmark, see ONET.
func scale(level float64) [3]int {
	mid := min(max(int(math.Round(level/maxLevel*300)), 1), 299)
	return [3]int{max(mid-levelDistance, 0), mid, min(mid+levelDistance, 300)}
}

// levelDistance lies between two thresholds of an imported benchmark: 20 % of the scale.
const levelDistance = 60
