package domain

import (
	"strconv"
	"strings"
	"time"
)

// Ids are UUIDs in their lower-case text form, one Go type for each kind of thing, so that they cannot be mixed up.
type (
	PlanID   string
	MemberID string
	TeamID   string
	SkillID  string
	RoleID   string

	CategoryID string // of roles
)

// CatalogPlan is the vendor's own plan, readable by all.
const CatalogPlan PlanID = "catalog"

// CheckID refuses an id that is not a UUID in canonical lower-case form.
func CheckID[ID ~string](field string, id ID) error {
	s := string(id)
	ok := len(s) == 36
	for i := 0; ok && i < len(s); i++ {
		switch i {
		case 8, 13, 18, 23:
			ok = s[i] == '-'
		default:
			ok = strings.IndexByte("0123456789abcdef", s[i]) >= 0
		}
	}
	if !ok {
		return Invalidf(field, "invalid_id", "must be a UUID in lower case, such as 01890a5d-ac96-774b-bcce-b302099a8057")
	}
	return nil
}

// CheckText refuses a text that is empty, too long, or holds characters that do not show: controls, zero-width and
// bidirectional marks, which make one name look like another. min and max count runes.
func CheckText(field, text string, min, max int) error {
	n := 0
	for _, r := range text {
		n++
		if hidden(r) {
			return Invalidf(field, "invalid_text", "must not contain control, zero-width or direction characters")
		}
	}
	if n < min || n > max || (min > 0 && strings.TrimSpace(text) == "") {
		return Invalidf(field, "invalid_length", "must have %d to %d characters", min, max)
	}
	return nil
}

// CheckLines is CheckText for running text, where line breaks and tabs may stand.
func CheckLines(field, text string, max int) error {
	return CheckText(field, strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(text), 0, max)
}

func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // controls
	case r == 0xfffd: // what invalid UTF-8 decodes to
	case r == 0x00ad, r == 0x061c, r == 0x180e, r == 0xfeff: // soft hyphen, Arabic mark, Mongolian separator, BOM
	case r >= 0x200b && r <= 0x200f: // zero-width characters and direction marks
	case r >= 0x2028 && r <= 0x202e: // separators, embeddings and overrides
	case r >= 0x2060 && r <= 0x206f: // joiners, isolates
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0: // grapheme joiner, Hangul fillers
	case r >= 0xe0000 && r <= 0xe007f: // tags
	default:
		return false
	}
	return true
}

// CheckPast refuses a time before 1970 or more than five minutes after now (SPEC MSR-1): clocks differ, but not more.
func CheckPast(field string, t, now time.Time) error {
	if t.UTC().Year() < 1970 {
		return Invalidf(field, "invalid_time", "must not be before 1970")
	}
	if t.After(now.Add(5 * time.Minute)) {
		return Invalidf(field, "time_in_future", "must not be in the future")
	}
	return nil
}

// ItemField is the JSON pointer of a field of the i-th item of a list: ItemField("/teams", 2, "team") is "/teams/2/team".
func ItemField(list string, i int, name string) string {
	return ItemPointer(list, i) + "/" + name
}

// ItemPointer is the JSON pointer of the i-th item of a list.
func ItemPointer(list string, i int) string { return list + "/" + strconv.Itoa(i) }
