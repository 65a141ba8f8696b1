package domain_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"rolewise/domain"
	"rolewise/domain/events"
)

func TestEveryTextIsTagged(t *testing.T) {
	for folder, c := range catalogs {
		t.Run("AUD-6 "+folder, func(t *testing.T) {
			if got := c.Untagged(); len(got) != 0 {
				t.Errorf("no usable personal tag: %v", got)
			}
		})
	}
}

func TestPersonalFields(t *testing.T) {
	want := map[string][]domain.Personal{
		"MemberInvited": {{Field: "name", Subject: "member"}, {Field: "email", Subject: "member"}, {Field: "title", Subject: "member"}},
		"MemberProfileChanged": {
			{Field: "name", Subject: "member"}, {Field: "title", Subject: "member"}, {Field: "location", Subject: "member"}, {Field: "department", Subject: "member"},
		},
		"MemberEmailChanged": {{Field: "email", Subject: "member"}},
		"MemberAssigned":     {{Field: "message", Subject: "member"}},
		"MemberUnassigned":   {{Field: "message", Subject: "member"}},
		"CommandAccepted":    {{Field: "message", Subject: "command"}},
		"SkillIQInvalidated": {{Field: "reason", Subject: "member"}},
	}
	got := events.All.PersonalFields()
	for name, fields := range want {
		t.Run("AUD-6 "+name, func(t *testing.T) {
			if !slices.Equal(got[name], fields) {
				t.Errorf("personal fields %v, want %v", got[name], fields)
			}
		})
	}
	t.Run("AUD-6 no other event", func(t *testing.T) {
		for name, fields := range got {
			if want[name] == nil {
				t.Errorf("%s has personal fields %v", name, fields)
			}
		}
	})
}

// TestUntagged has a field of each kind that holds text, without a usable tag, among others that need none.
func TestUntagged(t *testing.T) {
	type status string
	type inner struct {
		Text   string
		Tagged string `personal:"-"`
		Buried string `personal:"member"` // PersonalFields looks at the event's own fields only
	}
	type noted struct {
		Member  domain.MemberID `json:"member"`
		Status  status
		Count   int
		Flag    bool
		When    time.Time
		Scores  map[domain.SkillID]int
		Public  string `personal:"-"`
		Private string `json:"private" personal:"member"`
		Words   []string
		Words2  [2]string
		Note    *string
		Keys    map[string]int
		Values  map[status]string
		Any     any
		Raw     json.RawMessage
		Inner   inner
		Inners  []inner
		Nobody  string   `json:"nobody" personal:"person"` // the event has no field "person"
		List    []string `json:"list" personal:"member"`   // not a string
		Whole   inner    `json:"whole" personal:"member"`
		Plain   string
	}
	got := domain.NewCatalog(domain.Type[noted]("Noted")).Untagged()
	want := []string{
		"Noted.Words", "Noted.Words2", "Noted.Note", "Noted.Keys", "Noted.Values", "Noted.Any", "Noted.Raw",
		"Noted.Inner.Text", "Noted.Inner.Buried", "Noted.Inners.Text", "Noted.Inners.Buried",
		"Noted.Nobody", "Noted.List", "Noted.Whole", "Noted.Plain",
	}
	for _, field := range want {
		t.Run("AUD-6 "+field, func(t *testing.T) {
			if !slices.Contains(got, field) {
				t.Error("not reported")
			}
		})
	}
	t.Run("AUD-6 nothing else", func(t *testing.T) {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("untagged %v\nwant %v", got, want)
		}
	})
}
