package kurrent_test

import (
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

// clock stands still, at seconds since 1970.
func clock(seconds int64) kurrent.Option {
	return kurrent.Clock(func() time.Time { return time.Unix(seconds, 0) })
}

// backedUp is a front whose log has three events, and a backup of it.
func backedUp(t *testing.T) (f *front, copied string) {
	t.Helper()
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "log.db"), filepath.Join(folder, "backup.db")
	f = startFrontOn(t, path)
	s := open(t, f.ConnectionString())
	if _, err := s.Info(bounded(t)); err != nil { // names the log
		t.Fatal(err)
	}
	must(t, s, stream("x"), eventstore.NoStream, events(3)...)
	if err := sqlite.Backup(bounded(t), path, copied); err != nil {
		t.Fatal(err)
	}
	return f, copied
}

// again copies a backup, so that it can be restored once more.
func again(t *testing.T, copied string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "restored.db")
	if err := sqlite.Backup(bounded(t), copied, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// restore puts a server of the backup, in a new epoch and with events of its own, in the place of another.
func restore(t *testing.T, f *front, copied string) *front {
	t.Helper()
	f.Stop()
	restored := startFrontOn(t, again(t, copied), kurrenttest.Listen(f.Address()))
	s := open(t, restored.ConnectionString())
	if _, err := s.NewEpoch(bounded(t)); err != nil {
		t.Fatal(err)
	}
	must(t, s, stream("x"), 2, events(20)...)
	return restored
}

// following is a follower that has reached the end of the log.
func following(t *testing.T, s *kurrent.Store) func() (eventstore.Page, error, bool) {
	t.Helper()
	next, stop := iter.Pull2(s.Follow(bounded(t), 0, eventstore.Filter{}))
	t.Cleanup(stop)
	for {
		page, err, _ := next()
		if err != nil {
			t.Fatal(err)
		}
		if page.Live {
			return next
		}
	}
}

// endsRestored expects a follower to end with ErrRestored, without an event.
func endsRestored(t *testing.T, next func() (eventstore.Page, error, bool)) {
	t.Helper()
	for {
		page, err, more := next()
		switch {
		case errors.Is(err, eventstore.ErrRestored):
			return
		case err != nil || !more:
			t.Fatalf("ended with %v", err)
		case len(page.Events) > 0:
			t.Fatalf("went on with %d events up to %s", len(page.Events), page.Through)
		}
	}
}

// TestRestoredTwice restores one backup two times.
func TestRestoredTwice(t *testing.T) {
	_, copied := backedUp(t)
	var last eventstore.Info
	for i, now := range []int64{1_800_000_000, 1_800_000_777} {
		f := startFrontOn(t, again(t, copied))
		info, err := open(t, f.ConnectionString(), clock(now)).NewEpoch(bounded(t))
		if err != nil || info.Epoch != int(now) {
			t.Errorf("restored at %d: %+v, %v", now, info, err)
		}
		seen, err := open(t, f.ConnectionString()).Info(bounded(t))
		if err != nil || seen.ID != info.ID || seen.Epoch != info.Epoch {
			t.Errorf("another sees %+v, %v, want %+v", seen, err, info)
		}
		if i > 0 && (info.ID != last.ID || info.Epoch == last.Epoch) {
			t.Errorf("two restores of one backup are %+v and %+v", last, info)
		}
		last = info
		info, err = open(t, f.ConnectionString(), clock(5)).NewEpoch(bounded(t)) // a clock that goes backwards
		if err != nil || info.Epoch != seen.Epoch+1 {
			t.Errorf("after epoch %d: %+v, %v", seen.Epoch, info, err)
		}
	}
}

// TestFollowEndsAtARestore lets no follower go on with a log that became another one.
func TestFollowEndsAtARestore(t *testing.T) {
	t.Run("told of while it runs", func(t *testing.T) {
		f, _ := backedUp(t)
		s := open(t, f.ConnectionString())
		next := following(t, s)
		other := open(t, f.ConnectionString())
		if _, err := other.NewEpoch(bounded(t)); err != nil {
			t.Fatal(err)
		}
		must(t, other, stream("y"), eventstore.NoStream, event("A"))
		endsRestored(t, next)
		for _, err := range s.Follow(bounded(t), 0, eventstore.Filter{}) { // as those do who try again
			if !errors.Is(err, eventstore.ErrRestored) {
				t.Errorf("the next one: %v", err)
			}
			break
		}
		if all, _ := followTo(t, open(t, f.ConnectionString()), 0, live); len(all) != 4 {
			t.Errorf("a new process follows %d events, want 4", len(all))
		}
	})
	t.Run("found when it comes back", func(t *testing.T) {
		f, copied := backedUp(t)
		s := open(t, f.ConnectionString())
		must(t, s, stream("x"), 2, events(7)...)
		next := following(t, s)
		restore(t, f, copied)
		endsRestored(t, next)
	})
	t.Run("between two followers", func(t *testing.T) {
		f, copied := backedUp(t)
		s := open(t, f.ConnectionString())
		if _, err := s.Info(bounded(t)); err != nil {
			t.Fatal(err)
		}
		restore(t, f, copied)
		next, stop := iter.Pull2(s.Follow(bounded(t), 0, eventstore.Filter{}))
		defer stop()
		endsRestored(t, next)
	})
	t.Run("of a log without a name", func(t *testing.T) { // it goes on when the log gets one
		f := startFront(t)
		next := following(t, open(t, f.ConnectionString()))
		other := open(t, f.ConnectionString())
		if _, err := other.Info(bounded(t)); err != nil {
			t.Fatal(err)
		}
		must(t, other, stream("x"), eventstore.NoStream, event("A"))
		for {
			page, err, _ := next()
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Events) == 1 {
				return
			}
		}
	})
}

// TestInfoAfterAnotherRestore tells two restores apart also where both wrote at the same place.
func TestInfoAfterAnotherRestore(t *testing.T) {
	f, copied := backedUp(t)
	s := open(t, f.ConnectionString(), clock(1000))
	if _, err := s.NewEpoch(bounded(t)); err != nil {
		t.Fatal(err)
	}
	restore(t, f, copied)
	if info, err := s.Info(bounded(t)); !errors.Is(err, eventstore.ErrRestored) {
		t.Errorf("got %+v, %v", info, err)
	}
}

// TestReadOnly reads a log and never writes, not even its name.
func TestReadOnly(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString(), kurrent.ReadOnly())
	wantHead := func(want eventstore.Position) {
		t.Helper()
		if info, err := f.store.Info(bounded(t)); err != nil || info.Head != want {
			t.Errorf("the log goes to %s (%v), want %s", info.Head, err, want)
		}
	}
	refuses := func() {
		t.Helper()
		var invalid *eventstore.InvalidError
		if _, err := s.Append(bounded(t), stream("x"), eventstore.NoStream, event("A")); !errors.As(err, &invalid) {
			t.Errorf("append: %v", err)
		}
		if _, err := s.NewEpoch(bounded(t)); !errors.As(err, &invalid) {
			t.Errorf("new epoch: %v", err)
		}
	}
	if info, err := s.Info(bounded(t)); err == nil || !strings.Contains(err.Error(), "this KurrentDB holds no log of Rolewise yet: check the address") {
		t.Errorf("a log without a name: %+v, %v", info, err)
	}
	refuses()
	wantHead(0)
	named, err := open(t, f.ConnectionString()).Info(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Info(bounded(t)); err != nil || info != named {
		t.Errorf("got %+v, %v, want %+v", info, err, named)
	}
	refuses()
	wantHead(1)
}

// TestForeignIdentity refuses an identity that says nothing.
func TestForeignIdentity(t *testing.T) {
	for name, data := range map[string][]string{
		"no name":                        {`{}`},
		"no JSON":                        {`x`},
		"an epoch that is not told":      {`{"id":"a"}`, `{}`},
		"an epoch that was there before": {`{"id":"a"}`, `{"epoch":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t)
			client := plainClient(t, f.ConnectionString())
			for _, d := range data {
				if _, err := client.AppendToStream(bounded(t), kurrent.IdentityStream.String(), esdb.AppendToStreamOptions{},
					esdb.EventData{EventType: "Foreign", Data: []byte(d)}); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, f.ConnectionString())
			if info, err := s.Info(bounded(t)); err == nil || !strings.Contains(err.Error(), "was not written by Rolewise") {
				t.Errorf("got %+v, %v", info, err)
			}
			for _, err := range s.Follow(bounded(t), 0, eventstore.Filter{}) {
				if err == nil || !strings.Contains(err.Error(), "was not written by Rolewise") {
					t.Errorf("follow: %v", err)
				}
				break
			}
		})
	}
}
