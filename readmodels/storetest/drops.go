package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

func testDrop(t *testing.T, s *suite) {
	neighbour := *s
	neighbour.scope.Partition++
	for _, each := range []*suite{s, &neighbour} {
		b := each.batch(0, 5)
		b.Fence, b.Checkpoint.StoreID, b.Checkpoint.Epoch = 8, "store", 2
		b.Put[alice], b.Put[coders] = []byte("a"), []byte("c")
		b.Add = []readmodels.Entry{{Index: names, Value: "x"}, {Index: names, Value: "y"}}
		each.commit(t, b)
	}
	for _, built := range []readmodels.Checkpoint{{}, {StoreID: "store", Epoch: 1}, {StoreID: "store", Epoch: 3}, {StoreID: "other", Epoch: 2}} {
		if err := s.Drop(s.ctx, s.scope, built); err != nil {
			t.Fatal(err)
		}
		equal(t, "what was built from elsewhere", s.get(t, alice, coders), []string{"a", "c"})
		equal(t, "its position", s.position(t), 5)
	}
	for range 2 { // what is empty can be emptied
		if err := s.Drop(s.ctx, s.scope, readmodels.Checkpoint{Position: 3, StoreID: "store", Epoch: 2}); err != nil {
			t.Fatal(err)
		}
		equal(t, "documents", s.get(t, alice, coders), []string{"<none>", "<none>"})
		equalTexts(t, "entries", s.entries(t, names, readmodels.Range{}), []string{})
		if at, err := s.Checkpoint(s.ctx, s.scope); err != nil || at != (readmodels.Checkpoint{}) {
			t.Errorf("checkpoint %+v, %v", at, err)
		}
	}
	equal(t, "documents of the neighbour", neighbour.get(t, alice, coders), []string{"a", "c"})
	equal(t, "its position", neighbour.position(t), 5)

	// An older lease stays fenced off.
	b := s.batch(0, 1)
	b.Fence = 7
	var fenced *readmodels.FencedError
	if err := s.Commit(s.ctx, b); !errors.As(err, &fenced) {
		t.Errorf("an older lease got %v", err)
	}
	b.Fence = 9
	s.commit(t, b)
}

// testDropRace lets several begin a scope anew at once, as processes do that start after the log was restored: each
// drops what it saw of the epoch before and projects from where the scope then stands. Every page counts once.
func testDropRace(t *testing.T, s *suite) {
	const builders, rounds, pages, plans = 4, 6, 3, 1_500
	for epoch := range rounds {
		seen, err := s.Checkpoint(s.ctx, s.scope)
		if err != nil {
			t.Fatal(err)
		}
		errs := make([]error, builders)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = s.rebuild(seen, epoch, pages, plans) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		want := make([]string, plans)
		for i := range want {
			want[i] = fmt.Sprintf("doc %q %q %q %d", counter(i).Plan, counter(i).Collection, counter(i).ID, pages)
		}
		equalTexts(t, "counts", Lines(s.ctx, t, s.Store, s.scope), want)
	}
}

func counter(i int) readmodels.Key {
	return readmodels.Key{Plan: fmt.Sprintf("%06d", i), Collection: "pages", ID: "count"}
}

// rebuild drops what was seen and counts pages, each in a document of each plan.
func (s *suite) rebuild(seen readmodels.Checkpoint, epoch int, pages eventstore.Position, plans int) error {
	if err := s.Drop(s.ctx, s.scope, seen); err != nil {
		return err
	}
	keys := make([]readmodels.Key, plans)
	for i := range keys {
		keys[i] = counter(i)
	}
	for {
		at, err := s.Checkpoint(s.ctx, s.scope)
		if err != nil || at.Position == pages {
			return err
		}
		if at.Position > 0 && at.Epoch != epoch {
			return fmt.Errorf("after the drop the scope stands at %+v", at)
		}
		values, err := s.Get(s.ctx, s.scope, keys...)
		if err != nil {
			return err
		}
		b := s.batch(at.Position, at.Position+1)
		b.Checkpoint.StoreID, b.Checkpoint.Epoch = "store", epoch
		for i, value := range values {
			count, _ := strconv.Atoi(string(value))
			b.Put[keys[i]] = strconv.AppendInt(nil, int64(count)+1, 10)
		}
		var step *readmodels.OutOfStepError
		if err := s.Commit(s.ctx, b); err != nil && !errors.As(err, &step) {
			return err
		}
	}
}
