package domain_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/apikey"
	"rolewise/domain/assignment"
	"rolewise/domain/category"
	"rolewise/domain/command"
	"rolewise/domain/events"
	"rolewise/domain/member"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/reactor"
	"rolewise/domain/reservation"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
)

// catalogs has one catalog for each folder of the domain that declares one.
var catalogs = map[string]*domain.Catalog{
	"plan": plan.Events, "member": member.Events, "team": team.Events, "skill": skill.Events, "role": role.Events,
	"assignment": assignment.Events, "results": results.Events, "progress": progress.Events, "apikey": apikey.Events,
	"reservation": reservation.Events, "seats": seats.Events, "command": command.Events, "reactor": reactor.Events,
	"category": category.Events, "pathway": pathway.Events,
}

func TestEveryCatalogIsTested(t *testing.T) {
	declared := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "." {
			return err
		}
		source, err := os.ReadFile(path)
		if strings.Contains(string(source), "domain.NewCatalog(") {
			declared[filepath.Dir(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(catalogs)), slices.Sorted(maps.Keys(declared)); !slices.Equal(got, want) {
		t.Errorf("tested: %v\ndeclared: %v", got, want)
	}
}

// TestCategories pins the first part of every stream's name: another one would lose sight of what is stored.
func TestCategories(t *testing.T) {
	for want, got := range map[string]string{
		"plan": plan.Category, "member": member.Category, "teams": team.Category, "seats": seats.Category, "skill": skill.Category, "role": role.Category,
		"assignment": assignment.Category, "results": results.Category, "progress": progress.Category, "apikey": apikey.Category,
		"email": reservation.EmailCategory, "title": reservation.TitleCategory, "command": command.Category,
		"reactor": reactor.Category, "categories": category.Category, "pathways": pathway.Category,
	} {
		t.Run(want, func(t *testing.T) {
			if got != want {
				t.Errorf("category %q, want %q", got, want)
			}
		})
	}
}

func TestAllEvents(t *testing.T) {
	count := 0
	for folder, c := range catalogs {
		count += len(c.Types())
		for _, want := range c.Types() {
			if !slices.ContainsFunc(events.All.Types(), func(got domain.EventType) bool { return got.Name == want.Name && got.Schema == want.Schema }) {
				t.Errorf("%s of %s is not among all events", want.Name, folder)
			}
		}
	}
	if got := len(events.All.Types()); got != count {
		t.Errorf("%d event types in all, the catalogs have %d", got, count)
	}
	names := events.All.Types()
	if !slices.IsSortedFunc(names, func(a, b domain.EventType) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("types are not sorted by name")
	}
}

// Two types, and a third that lives in two versions: v1 had one name, v2 has two, v3 counts them.
type (
	opened struct{}
	closed struct{}
	named  struct {
		First string `json:"first"`
		Last  string `json:"last"`
		Names int    `json:"names"`
		Big   int64  `json:"big"`
	}
)

func splitName(data map[string]any) map[string]any {
	data["first"], data["last"], _ = strings.Cut(data["name"].(string), " ")
	delete(data, "name")
	return data
}

func countNames(data map[string]any) map[string]any {
	data["names"] = 2
	return data
}

func TestCatalogUpcasts(t *testing.T) {
	c := domain.NewCatalog(domain.Type[opened]("Opened"), domain.Type[named]("Named", splitName, countNames))
	const big = 1<<53 + 1 // the first integer that a float64 cannot hold
	want := named{First: "Ada", Last: "Lovelace", Names: 2, Big: big}
	tests := []struct {
		name   string
		event  string
		schema int
		data   string
		want   any
		fails  bool // with another error than ErrUnknownEvent
	}{
		{"version 1 goes through both upcasts", "Named", 1, `{"name":"Ada Lovelace","big":9007199254740993}`, want, false},
		{"version 2 goes through the second", "Named", 2, `{"first":"Ada","last":"Lovelace","big":9007199254740993}`, want, false},
		{"version 3 goes through none", "Named", 3, `{"first":"Ada","last":"Lovelace","names":2,"big":9007199254740993}`, want, false},
		{"a field that a newer writer added is passed over", "Opened", 1, `{"by":"Ada"}`, opened{}, false},
		{"version 4 is unknown", "Named", 4, `{}`, nil, false},
		{"version 0 is unknown", "Named", 0, `{}`, nil, false},
		{"another name is unknown", "Closed", 1, `{}`, nil, false},
		{"an old version that is no JSON", "Named", 1, `{`, nil, true},
		{"an old version that is no object", "Named", 1, `[]`, nil, true},
		{"a current version that is no JSON", "Named", 3, `{`, nil, true},
		{"a current version of another type", "Named", 3, `{"first":1}`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Decode(tt.event, tt.schema, []byte(tt.data))
			if !reflect.DeepEqual(got, tt.want) && err == nil {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil && errors.Is(err, domain.ErrUnknownEvent) == tt.fails {
				t.Errorf("error %v, want ErrUnknownEvent: %t", err, !tt.fails)
			}
		})
	}
	t.Run("what is written is of the newest version", func(t *testing.T) {
		name, schema, data, err := c.Encode(want)
		if err != nil || name != "Named" || schema != 3 {
			t.Fatalf("encoded as %s version %d, %v", name, schema, err)
		}
		if got, err := c.Decode(name, schema, data); err != nil || got != want {
			t.Errorf("decoded %+v, %v", got, err)
		}
	})
	t.Run("a type of no catalog is not written", func(t *testing.T) {
		if _, _, _, err := c.Encode(closed{}); err == nil {
			t.Error("encoded")
		}
		if _, ok := c.Lookup(closed{}); ok {
			t.Error("found")
		}
	})
	t.Run("what JSON cannot hold is not written", func(t *testing.T) {
		type odd struct{ C chan int }
		if _, _, _, err := domain.NewCatalog(domain.Type[odd]("Odd")).Encode(odd{C: make(chan int)}); err == nil {
			t.Error("encoded")
		}
	})
	t.Run("a type is found by its value", func(t *testing.T) {
		if got, ok := c.Lookup(named{}); !ok || got.Name != "Named" || got.Schema != 3 {
			t.Errorf("found %+v, %t", got, ok)
		}
	})
}

func TestCatalogRefusesDoubles(t *testing.T) {
	one := domain.NewCatalog(domain.Type[opened]("Opened"))
	tests := map[string]func(){
		"one name for two types":               func() { domain.NewCatalog(domain.Type[opened]("Opened"), domain.Type[closed]("Opened")) },
		"two names for one type":               func() { domain.NewCatalog(domain.Type[opened]("Opened"), domain.Type[opened]("Closed")) },
		"one name in two catalogs":             func() { domain.Join(one, domain.NewCatalog(domain.Type[closed]("Opened"))) },
		"one type in two catalogs, other name": func() { domain.Join(one, domain.NewCatalog(domain.Type[opened]("Closed"))) },
	}
	for name, declare := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			declare()
		})
	}
}
