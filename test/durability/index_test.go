package durability

import (
	"context"
	"iter"
	"path/filepath"
	"slices"
	"testing"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// holey is a store whose indexes miss an event, though its log has it.
type holey struct {
	eventstore.Store
	stream, plan eventstore.Position // what Read misses, and what Follow of a plan does; 0: nothing
}

func (h holey) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for e, err := range h.Store.Read(ctx, stream, from) {
			if e.Position != h.stream && !yield(e, err) {
				return
			}
		}
	}
}

func (h holey) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range h.Store.Follow(ctx, after, filter) {
			if filter.Plan != "" {
				page.Events = slices.DeleteFunc(slices.Clone(page.Events), func(e eventstore.Recorded) bool { return e.Position == h.plan })
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// TestCheckOfIndexes shows that the checker reads streams and plans by themselves too.
func TestCheckOfIndexes(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), storeName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := load{Seed: 1, Writers: 4, Streams: 5, Largest: 1000, Large: 10}
	notes, err := openLedger(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &crew{load: l, store: store, ledger: notes, acknowledged: func(writer int) {
		if writer == 0 {
			cancel() // one is enough of the first, the others have what they have
		}
	}}
	b := newBook(notes.file.Name(), l)
	if err := c.run(ctx, b.next()); err != nil {
		t.Fatal(err)
	}
	if err := settle(t.Context(), store, l, b); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		store eventstore.Store
		clean bool
	}{
		"nothing is missing":        {store, true},
		"a stream misses its event": {holey{Store: store, stream: 1}, false},
		"a plan misses its event":   {holey{Store: store, plan: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := check(t.Context(), tt.store, l, b)
			if err != nil || f.clean() != tt.clean {
				t.Errorf("%s, %v: %q", &f, err, f.complaints)
			}
		})
	}
	if err := notes.close(); err != nil {
		t.Fatal(err)
	}
}
