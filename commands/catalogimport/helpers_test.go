package catalogimport_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/commands/catalogimport"
	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

const sampleDir = "testdata/onet"

func openStore(t *testing.T) eventstore.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newHandler(store eventstore.Store) *commands.Handler {
	return commands.New(store, time.Now, []byte("a key for tests"))
}

// importDir imports with a handler of its own, so that nothing is known but what the store has.
func importDir(t *testing.T, store eventstore.Store, dir string) catalogimport.Report {
	t.Helper()
	report, err := catalogimport.ONET(t.Context(), newHandler(store), dir, catalogimport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func roleOf(t *testing.T, store eventstore.Store, code string) role.State {
	t.Helper()
	state, err := newHandler(store).Role(t.Context(), domain.CatalogPlan, domain.RoleID(catalogimport.ID("role", code)))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// contents returns each stream's events as text. Ids and times of events are chance and left out, and so is how often a
// title had to be reserved.
func contents(t *testing.T, store eventstore.Store) map[string]string {
	t.Helper()
	streams := map[string]*strings.Builder{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for page, err := range store.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Stream.Category == "title" {
				continue
			}
			name := e.Stream.String()
			if streams[name] == nil {
				streams[name] = &strings.Builder{}
			}
			fmt.Fprintf(streams[name], "%s %s\n", e.Type, e.Data)
		}
		if page.Live {
			break
		}
	}
	texts := map[string]string{}
	for name, text := range streams {
		texts[name] = text.String()
	}
	return texts
}

// countTypes counts the events of contents by type.
func countTypes(contents map[string]string) map[string]int {
	counts := map[string]int{}
	for _, text := range contents {
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, " ")
			counts[name]++
		}
	}
	return counts
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	names := maps.Clone(got)
	maps.Copy(names, want)
	wrong := 0
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			if wrong++; wrong <= 3 {
				t.Errorf("stream %s is\n%sinstead of\n%s", name, got[name], want[name])
			}
		}
	}
	if wrong > 3 {
		t.Errorf("and %d more streams differ", wrong-3)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// failing is a store that stops taking events after some appends, in the way of a crash: with lost, the append that
// fails was committed all the same.
type failing struct {
	eventstore.Store
	left atomic.Int64
	lost bool
}

var errCrash = errors.New("the store is gone")

func (f *failing) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	left := f.left.Add(-1)
	if left >= 0 || (left == -1 && f.lost) {
		position, err := f.Store.Append(ctx, stream, expected, events...)
		if left >= 0 || err != nil {
			return position, err
		}
	}
	return 0, &eventstore.UnavailableError{Unknown: f.lost, Err: errCrash}
}

// crash starts an import that breaks off after some appends.
func crash(t *testing.T, store eventstore.Store, dir string, appends int) {
	t.Helper()
	broken := &failing{Store: store, lost: appends%2 == 1}
	broken.left.Store(int64(appends))
	_, err := catalogimport.ONET(t.Context(), newHandler(broken), dir, catalogimport.Options{})
	if !errors.Is(err, errCrash) {
		t.Fatalf("the import ended with %v after %d appends", err, appends)
	}
}

// summary is the head of a report, without its lists.
func summary(r catalogimport.Report) string {
	head, _, _ := strings.Cut(r.String(), "Roles where")
	return head
}
