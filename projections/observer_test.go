package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// watcher keeps what it is told.
type watcher struct {
	mu            sync.Mutex
	pages, events int
	folding       time.Duration
	others        []string
}

func (w *watcher) Applied(_ readmodels.Scope, events int, folding time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages++
	w.events += events
	w.folding += folding
}

func (w *watcher) Parked(scope readmodels.Scope)    { w.note("parked", scope) }
func (w *watcher) BegunAnew(scope readmodels.Scope) { w.note("begun anew", scope) }

func (w *watcher) note(what string, scope readmodels.Scope) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.others = append(w.others, fmt.Sprint(what, " ", scope))
}

func TestObserver(t *testing.T) {
	events := generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 300})
	all, half := cut(events, 0, len(events)), cut(events, 0, len(events)/2)
	now := fixed{ID: "log", Epoch: 2, Head: all.Through}
	plain := projections.All()[0]
	poisoned := plain.Hooked(func(f *projections.Fold, apply func() error) error {
		if f.Position == events[len(events)-1].Position || f.Type == "PlanCreated" {
			return errors.New("cannot be applied")
		}
		return apply()
	})
	observed := func(t *testing.T, p *projections.Projection, log fixed, models readmodels.Store) (*projections.Projector, *watcher) {
		t.Helper()
		w := &watcher{}
		projector, err := projections.NewProjector(t.Context(), p, log, models, projections.WithObserver(nil), projections.WithObserver(w))
		if err != nil {
			t.Fatal(err)
		}
		return projector, w
	}
	t.Run("OPS-3 pages", func(t *testing.T) {
		projector, w := observed(t, plain, now, memory.New())
		applied(t, projector, half)
		applied(t, projector, half) // was committed already
		applied(t, projector, cut(events, len(events)/2, len(events)))
		if w.pages != 2 || w.events != len(events) || w.folding <= 0 || len(w.others) > 0 {
			t.Errorf("told %+v", w)
		}
	})
	t.Run("OPS-3 OPS-5 streams that are parked", func(t *testing.T) {
		projector, w := observed(t, poisoned, now, memory.New())
		applied(t, projector, all)
		held, _ := projector.Held()
		if want := slices.Repeat([]string{"parked " + plain.Scope.String()}, held); held == 0 || !slices.Equal(w.others, want) {
			t.Errorf("%d are held, told %q", held, w.others)
		}
	})
	anew := []string{"begun anew " + plain.Scope.String()}
	t.Run("OPS-3 a read model of an earlier epoch", func(t *testing.T) {
		models := memory.New()
		applied(t, starts(t, plain, fixed{ID: "log", Epoch: 1, Head: all.Through}, models), all)
		if _, w := observed(t, plain, now, models); !slices.Equal(w.others, anew) {
			t.Errorf("told %q", w.others)
		}
	})
	t.Run("OPS-3 a read model that has lost its data", func(t *testing.T) {
		models := memory.New()
		projector, w := observed(t, plain, now, models)
		applied(t, projector, all)
		if err := models.Drop(t.Context(), plain.Scope, readmodels.Checkpoint{StoreID: "log", Epoch: 2}); err != nil {
			t.Fatal(err)
		}
		if lost, err := projector.Lost(t.Context()); !lost || err != nil || !slices.Equal(w.others, anew) {
			t.Errorf("lost %v, %v; told %q", lost, err, w.others)
		}
	})
}
