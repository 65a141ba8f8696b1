package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// refusing is a store whose commits fail while it is told so.
type refusing struct {
	readmodels.Store
	refuses atomic.Bool
}

var errRefused = errors.New("refused")

func (s *refusing) Commit(ctx context.Context, b readmodels.Batch) error {
	if s.refuses.Load() {
		return errRefused
	}
	return s.Store.Commit(ctx, b)
}

type logOf eventstore.Info

func (l logOf) Info(context.Context) (eventstore.Info, error) { return eventstore.Info(l), nil }

// teamsCreated is a page of the log in which each event creates a team.
func teamsCreated(after, through eventstore.Position, live bool) *page {
	p := eventstore.Page{After: after, Through: through, Live: live}
	for at := after + 1; at <= through; at++ {
		meta := eventstore.Metadata{Plan: "acme", Time: time.Unix(int64(at), 0), Schema: 1}
		p.Events = append(p.Events, eventstore.Recorded{
			Event:    eventstore.Event{Type: "TeamCreated", Data: fmt.Appendf(nil, `{"team":"t%d","name":"x"}`, at), Metadata: meta.Encode()},
			Stream:   eventstore.StreamID{Category: "teams", Plan: "acme", ID: "acme"},
			Revision: eventstore.Revision(at), Position: at,
		})
	}
	return decode(p, func(string) bool { return true })
}

// TestFailedCommitOnItsWay lets commits fail that nobody waits for, while somebody asks where the read model stands.
func TestFailedCommitOnItsWay(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	store := &refusing{Store: memory.New()}
	projector, err := NewProjector(ctx, directory(), logOf{ID: "log", Epoch: 1, Head: 10_000}, store)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{projector: projector}
	apply := func(p *page) {
		t.Helper()
		if err := w.apply(ctx, p, now); err != nil {
			t.Fatal(err)
		}
	}
	fail := func(p *page) {
		t.Helper()
		store.refuses.Store(true)
		apply(p)
		<-projector.flight.done
		store.refuses.Store(false)
	}
	stands := func(want eventstore.Position) {
		t.Helper()
		if at := w.from(); at != want {
			t.Fatalf("stands at %s, want %s", at, want)
		}
	}
	fail(teamsCreated(0, worthwhile, false))
	_ = projector.Position()
	if err := w.apply(ctx, teamsCreated(worthwhile, worthwhile+10, false), now); !errors.Is(err, errRefused) {
		t.Fatalf("the page after one that was not committed: %v", err)
	}
	stands(0)

	apply(teamsCreated(0, worthwhile, false))
	if err := projector.Land(ctx); err != nil {
		t.Fatal(err)
	}
	fail(teamsCreated(worthwhile, 2*worthwhile, false))
	apply(teamsCreated(2*worthwhile, 2*worthwhile+10, false)) // gathered
	_ = projector.Position()
	if _, err := w.rest(ctx, now.Add(time.Second)); !errors.Is(err, errRefused) {
		t.Fatalf("events gathered after a page that was not committed: %v", err)
	}
	stands(worthwhile)

	apply(teamsCreated(worthwhile, 2*worthwhile+3, false))
	apply(teamsCreated(2*worthwhile, 2*worthwhile+10, false))   // split otherwise
	apply(teamsCreated(2*worthwhile+5, 2*worthwhile+11, false)) // while some of it is gathered
	if len(w.waiting) != 8 {
		t.Errorf("%d events were gathered, want each of eight once", len(w.waiting))
	}
	apply(teamsCreated(2*worthwhile+11, 2*worthwhile+12, true))
	stands(2*worthwhile + 12)
	lines := 0
	count := func(line string) error {
		if !strings.Contains(line, `"changes"`) { // not the positions of what changed last
			lines++
		}
		return nil
	}
	if err := store.Dump(ctx, projector.projection.Scope, count); err != nil || lines != 3*(2*worthwhile+12) {
		t.Errorf("%d lines, want a document and two entries for each of %d teams: %v", lines, 2*worthwhile+12, err)
	}
}
