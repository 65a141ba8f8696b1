package eventstore_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"rolewise/eventstore"
)

func TestParseStreamID(t *testing.T) {
	tests := []struct {
		name string
		want eventstore.StreamID
	}{
		{"plan-acme.plan", eventstore.StreamID{Category: "plan", Plan: "acme", ID: eventstore.PlanWide}},
		{"role-a-b-c.01890a5d", eventstore.StreamID{Category: "role", Plan: "a-b-c", ID: "01890a5d"}},
		{"role---.x", eventstore.StreamID{Category: "role", Plan: "--", ID: "x"}},
		{"results-acme.m.s", eventstore.StreamID{Category: "results", Plan: "acme", ID: "m.s"}},
		{"email-acme.a-b/c d\n😀", eventstore.StreamID{Category: "email", Plan: "acme", ID: "a-b/c d\n😀"}},
		{"x-" + strings.Repeat("9", 40) + "." + strings.Repeat("i", 1024), eventstore.StreamID{Category: "x", Plan: strings.Repeat("9", 40), ID: strings.Repeat("i", 1024)}},
	}
	for _, tt := range tests {
		t.Run(tt.name[:min(len(tt.name), 30)], func(t *testing.T) {
			got, err := eventstore.ParseStreamID(tt.name)
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, tt.want)
			}
			if got.String() != tt.name {
				t.Errorf("written %q, read %q", got.String(), tt.name)
			}
		})
	}
}

func TestParseStreamIDRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                      "",
		"no plan":                      "role",
		"no id":                        "role-acme",
		"an id instead of a plan":      "role.acme-x",
		"an empty category":            "-acme.x",
		"an empty plan":                "role-.x",
		"an empty id":                  "role-acme.",
		"a category in upper case":     "Role-acme.x",
		"a category with a digit":      "role2-acme.x",
		"a system stream":              "$ce-acme.x",
		"a category with a tilde":      "role~-acme.x",
		"a plan with a tilde":          "role-a~c.x",
		"a plan of one character":      "role-a.x",
		"a plan of 41 characters":      "role-" + strings.Repeat("a", 41) + ".x",
		"a plan in upper case":         "role-aCme.x",
		"a plan with an underscore":    "role-a_c.x",
		"an id of 1,025 bytes":         "role-acme." + strings.Repeat("a", 1025),
		"an id that is no UTF-8":       "role-acme.\xff",
		"an id with a zero byte":       "role-acme.a\x00b",
		"a category with a line break": "role\n-acme.x",
	}
	for name, stream := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := eventstore.ParseStreamID(stream)
			var invalid *eventstore.InvalidError
			if !errors.As(err, &invalid) {
				t.Errorf("got %+v, %v, want an InvalidError", got, err)
			}
		})
	}
}

func TestParsePosition(t *testing.T) {
	for text, want := range map[string]eventstore.Position{"0": 0, "1": 1, "9007199254740993": 9007199254740993, "18446744073709551615": math.MaxUint64} {
		t.Run(text, func(t *testing.T) {
			got, err := eventstore.ParsePosition(text)
			if err != nil || got != want || got.String() != text {
				t.Errorf("got %d (%s), %v", got, got, err)
			}
		})
	}
	for _, text := range []string{"", "-1", "+1", " 1", "1 ", "01", "00", "1.0", "1e3", "0x1", "1_000", "١", "18446744073709551616"} {
		t.Run("refuse "+text, func(t *testing.T) {
			got, err := eventstore.ParsePosition(text)
			var invalid *eventstore.InvalidError
			if !errors.As(err, &invalid) {
				t.Errorf("got %d, %v, want an InvalidError", got, err)
			}
		})
	}
}

func FuzzParseStreamID(f *testing.F) {
	for _, seed := range []string{"", "role-acme.x", "a-b-c.d.e", "role-acme.\xff", "role-acme.\x00", "-.", "$all", "x--- .x", "role-acme"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := eventstore.ParseStreamID(name)
		if err != nil {
			return
		}
		if s.String() != name {
			t.Errorf("read %q, written %q", name, s.String())
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%q was read, but is not valid: %v", name, err)
		}
	})
}

// FuzzStreamID shows that no two valid ids share a name.
func FuzzStreamID(f *testing.F) {
	f.Add("role", "acme", "x")
	f.Add("a", "b-c", "d.e")
	f.Add("a-b", "c.d", "")
	f.Fuzz(func(t *testing.T, category, plan, id string) {
		s := eventstore.StreamID{Category: category, Plan: plan, ID: id}
		got, err := eventstore.ParseStreamID(s.String())
		if s.Validate() == nil && (err != nil || got != s) {
			t.Errorf("written %+v, read %+v, %v", s, got, err)
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"", "0", "01", "+1", "-0", "18446744073709551615", "18446744073709551616", "1e3"} {
		f.Add(seed, uint64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, text string, number uint64) {
		if p, err := eventstore.ParsePosition(text); err == nil && p.String() != text {
			t.Errorf("read %q, written %q", text, p.String())
		}
		if p, err := eventstore.ParsePosition(eventstore.Position(number).String()); err != nil || p != eventstore.Position(number) {
			t.Errorf("written %d, read %d, %v", number, p, err)
		}
	})
}
