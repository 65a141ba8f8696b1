package readside

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
)

// crashing is a store at whose commits the projector's process ends now and then, as far as the projector can tell:
// it gets no answer, forgets what it had in memory, and goes on where the store stands.
type crashing struct {
	readmodels.Store
	commits atomic.Int64
	commit  func(ctx context.Context, store readmodels.Store, b readmodels.Batch, crash bool) error
}

var errCrash = &readmodels.UnavailableError{Err: errors.New("the process has ended")}

func (c *crashing) Commit(ctx context.Context, b readmodels.Batch) error {
	return c.commit(ctx, c.Store, b, c.commits.Add(1)%4 == 0)
}

// whole commits as the store does; the crash comes before or after.
func whole(ctx context.Context, store readmodels.Store, b readmodels.Batch, crash bool) error {
	if crash && uint64(b.After)%2 == 0 {
		return errCrash
	}
	if err := store.Commit(ctx, b); err != nil {
		return err
	}
	if crash {
		return errCrash
	}
	return nil
}

// dataFirst commits the data, and then the checkpoint apart from it.
func dataFirst(ctx context.Context, store readmodels.Store, b readmodels.Batch, crash bool) error {
	data := b
	data.Checkpoint.Position = b.After
	if err := store.Commit(ctx, data); err != nil {
		return err
	}
	if crash {
		return errCrash
	}
	return store.Commit(ctx, readmodels.Batch{Scope: b.Scope, After: b.After, Checkpoint: b.Checkpoint, Fence: b.Fence})
}

// checkpointFirst commits the checkpoint, and then the data apart from it.
func checkpointFirst(ctx context.Context, store readmodels.Store, b readmodels.Batch, crash bool) error {
	if err := store.Commit(ctx, readmodels.Batch{Scope: b.Scope, After: b.After, Checkpoint: b.Checkpoint, Fence: b.Fence}); err != nil {
		return err
	}
	if crash {
		return errCrash
	}
	b.After = b.Checkpoint.Position
	return store.Commit(ctx, b)
}

// twice counts every page two times.
func twice() func(context.Context, readmodels.Store, readmodels.Batch, bool) error {
	counted := map[readmodels.Scope]readmodels.Checkpoint{}
	return func(ctx context.Context, store readmodels.Store, b readmodels.Batch, _ bool) error {
		if counted[b.Scope] != b.Checkpoint {
			counted[b.Scope] = b.Checkpoint
			b.Checkpoint.Position = b.After
			return errors.Join(store.Commit(ctx, b), errCrash)
		}
		return store.Commit(ctx, b)
	}
}

// TestVariants folds a real log by a projector that commits as it should, and by others that do not: the comparison must
// find each of these.
func TestVariants(t *testing.T) {
	t.Parallel()
	w := &world{folder: t.TempDir(), load: &load{}}
	w.fill(t)
	w.connection = startFront(t, w.folder+"/events.db")
	w.openLog(t)
	want := replay(t, w.log)
	for name, tt := range map[string]struct {
		commit func(context.Context, readmodels.Store, readmodels.Batch, bool) error
		bad    bool
	}{
		"as it should be":                  {whole, false},
		"data before checkpoint, separate": {dataFirst, true},
		"checkpoint before data, separate": {checkpointFirst, true},
		"every page counted a second time": {twice(), true},
	} {
		t.Run(name, func(t *testing.T) {
			live, err := redis.Open(t.Context(), redistest.Start(t))
			if err != nil {
				t.Fatal(err)
			}
			defer live.Close()
			fold(t, w.log, &crashing{Store: live, commit: tt.commit}, 23)
			wrong := differences(dump(t, live), want)
			t.Logf("%d of %d lines differ", len(wrong), want.lines())
			if !tt.bad && len(wrong) > 0 {
				t.Errorf("%q", wrong[:min(3, len(wrong))])
			}
			if tt.bad && len(wrong) == 0 {
				t.Error("not found")
			}
		})
	}
}
