package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rolewise/domain"
)

// checkRefusal demands no error for an empty code, else an Invalid refusal with that code at that field.
func checkRefusal(t *testing.T, err error, code, field string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want the refusal %s", err, code)
	}
	if refusal.Kind != domain.Invalid || refusal.Code != code || refusal.Field != field {
		t.Errorf("kind %d, %s at %s; want kind %d, %s at %s", refusal.Kind, refusal.Code, refusal.Field, domain.Invalid, code, field)
	}
}

func TestCheckText(t *testing.T) {
	tests := []struct {
		name, text string
		min, max   int
		code       string
	}{
		{"at the minimum", "ab", 2, 4, ""},
		{"below the minimum", "a", 2, 4, "invalid_length"},
		{"at the maximum", "abcd", 2, 4, ""},
		{"above the maximum", "abcde", 2, 4, "invalid_length"},
		{"runes count, not bytes, at the maximum", "äöüß", 2, 4, ""},
		{"runes count, not bytes, below the minimum", "ä", 2, 4, "invalid_length"},
		{"empty where it may be", "", 0, 4, ""},
		{"empty where it may not be", "", 1, 4, "invalid_length"},
		{"blanks where it may be empty", "  ", 0, 4, ""},
		{"blanks where it may not be empty", "  ", 1, 4, "invalid_length"},
		{"blanks of other kinds", "\u00a0\u3000", 1, 4, "invalid_length"},
		{"emoji", "👩🎓", 1, 4, ""},
		{"right-to-left script", "שלום", 1, 4, ""},
		{"combining accents", "e\u0301a", 1, 4, ""},
		{"invalid UTF-8", "a\xffb", 1, 4, "invalid_text"},
		{"half a surrogate", "a\xed\xa0\x80", 1, 9, "invalid_text"},
		{"the hidden is named before the length", "\x00", 2, 4, "invalid_text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRefusal(t, domain.CheckText("/name", tt.text, tt.min, tt.max), tt.code, "/name")
		})
	}
}

// TestCheckTextHidden has both ends of each range of characters that do not show, and their visible neighbours.
func TestCheckTextHidden(t *testing.T) {
	hidden := []rune{
		0, '\t', '\n', '\r', 0x1f, 0x7f, 0x9f, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b, 0x200d, 0x200f,
		0x2028, 0x202a, 0x202e, 0x2060, 0x2066, 0x206f, 0x3164, 0xfeff, 0xffa0, 0xfffd, 0xe0000, 0xe0041, 0xe007f,
	}
	shown := []rune{
		' ', '~', 0xa0, 0xac, 0xae, 0x34e, 0x350, 0x61b, 0x61d, 0x115e, 0x1161, 0x180d, 0x180f, 0x200a, 0x2010, 0x2027,
		0x202f, 0x205f, 0x2070, 0x3163, 0x3165, 0xfefe, 0xff9f, 0xffa1, 0xfffc, 0xfffe, 0x1f600, 0xdffff, 0xe0080,
	}
	for _, r := range hidden {
		t.Run(fmt.Sprintf("%U is refused", r), func(t *testing.T) {
			checkRefusal(t, domain.CheckText("/name", "a"+string(r)+"b", 1, 9), "invalid_text", "/name")
		})
	}
	for _, r := range shown {
		t.Run(fmt.Sprintf("%U is accepted", r), func(t *testing.T) {
			checkRefusal(t, domain.CheckText("/name", "a"+string(r)+"b", 1, 9), "", "")
		})
	}
}

func TestCheckLines(t *testing.T) {
	tests := []struct{ name, text, code string }{
		{"nothing", "", ""},
		{"line breaks and tabs", "a\r\n\tb", ""},
		{"at the maximum", strings.Repeat("ä", 8), ""},
		{"above the maximum", strings.Repeat("ä", 9), "invalid_length"},
		{"other controls", "a\x0bb", "invalid_text"},
		{"a line separator", "a\u2028b", "invalid_text"},
		{"a direction mark", "a\u202eb", "invalid_text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRefusal(t, domain.CheckLines("/text", tt.text, 8), tt.code, "/text")
		})
	}
}

func TestCheckID(t *testing.T) {
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	tests := []struct {
		name string
		id   domain.RoleID
		ok   bool
	}{
		{"a UUID", id, true},
		{"of zeros", "00000000-0000-0000-0000-000000000000", true},
		{"of the last digits", "ffffffff-ffff-ffff-ffff-ffffffffffff", true},
		{"empty", "", false},
		{"upper case", domain.RoleID(strings.ToUpper(id)), false},
		{"a character short", domain.RoleID(id[:35]), false},
		{"a character long", id + "0", false},
		{"a letter beyond f", domain.RoleID("g" + id[1:]), false},
		{"a character before 0", domain.RoleID("/" + id[1:]), false},
		{"without hyphens", domain.RoleID(strings.ReplaceAll(id, "-", "0")), false},
		{"a hyphen at a digit's place", domain.RoleID("-" + id[1:]), false},
		{"in braces", domain.RoleID("{" + id[2:] + "}"), false},
		{"36 bytes of other letters", domain.RoleID(strings.Repeat("é", 18)), false},
		{"with a stream's separator", "01890a5d.ac96-774b-bcce-b302099a8057", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code := "invalid_id"
			if tt.ok {
				code = ""
			}
			checkRefusal(t, domain.CheckID("/role", tt.id), code, "/role")
		})
	}
	for _, at := range []int{8, 13, 18, 23} {
		t.Run(fmt.Sprintf("a digit for the hyphen at %d", at), func(t *testing.T) {
			checkRefusal(t, domain.CheckID("/role", domain.RoleID(id[:at]+"0"+id[at+1:])), "invalid_id", "/role")
		})
	}
}

func TestCheckPast(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	first := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		time time.Time
		code string
	}{
		{"MSR-1 now", now, ""},
		{"MSR-1 five minutes ahead", now.Add(5 * time.Minute), ""},
		{"MSR-1 a nanosecond more", now.Add(5*time.Minute + 1), "time_in_future"},
		{"MSR-1 five minutes ahead in another zone", now.Add(5 * time.Minute).In(time.FixedZone("east", 14*3600)), ""},
		{"MSR-1 the start of 1970", first, ""},
		{"MSR-1 a nanosecond before 1970", first.Add(-1), "invalid_time"},
		{"MSR-1 1970 in its zone, 1969 in UTC", first.Add(-time.Hour).In(time.FixedZone("east", 7200)), "invalid_time"},
		{"MSR-1 1969 in its zone, 1970 in UTC", first.In(time.FixedZone("west", -7200)), ""},
		{"MSR-1 no time", time.Time{}, "invalid_time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRefusal(t, domain.CheckPast("/measured_at", tt.time, now), tt.code, "/measured_at")
		})
	}
}

func TestPointers(t *testing.T) {
	if got := domain.ItemField("/teams", 12, "team_role"); got != "/teams/12/team_role" {
		t.Errorf("field %q", got)
	}
	if got := domain.ItemPointer("/teams", 0); got != "/teams/0" {
		t.Errorf("pointer %q", got)
	}
}

func TestError(t *testing.T) {
	missing := domain.Missing("role")
	at := missing.At("/source")
	tests := []struct{ name, got, want string }{
		{"without a field", missing.Error(), "role_not_found: there is no such role"},
		{"with a field", at.Error(), "role_not_found at /source: there is no such role"},
		{"At leaves the error it is called on", missing.Field, ""},
		{"a formatted message", domain.Invalidf("/n", "out_of_range", "at most %d", 3).Error(), "out_of_range at /n: at most 3"},
		{"a formatted conflict", domain.Conflictf("too_many", "at most %d", 3).Error(), "too_many: at most 3"},
		{"the code of a refusal", domain.CodeOf(at), "role_not_found"},
		{"the code within a chain", domain.CodeOf(fmt.Errorf("decide: %w", at)), "role_not_found"},
		{"the code of another error", domain.CodeOf(errors.New("disk full")), ""},
		{"the code of none", domain.CodeOf(nil), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("%q, want %q", tt.got, tt.want)
			}
		})
	}
	if missing.Kind != domain.NotFound || domain.Conflictf("x", "y").Kind != domain.Conflict {
		t.Error("wrong kind")
	}
}
