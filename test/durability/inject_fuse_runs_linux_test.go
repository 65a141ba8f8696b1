package durability

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// faults are those that a run chooses from, each with how many calls of its kind come in a run, about.
var faults = []struct {
	fault
	calls int
}{
	{fault{file: "-wal", call: "sync", errno: syscall.EIO}, 30},
	{fault{file: "", call: "sync", errno: syscall.EIO}, 2},
	{fault{file: ".head", call: "sync", errno: syscall.EIO}, 30},
	{fault{file: "-wal", call: "write", errno: 0}, 150},
	{fault{file: "-wal", call: "write", errno: syscall.ENOSPC}, 150},
	{fault{file: ".head", call: "write", errno: 0}, 30},
	{fault{file: "-wal", call: "write", errno: syscall.EIO}, 150},
	{fault{file: "", call: "write", errno: syscall.EIO}, 60},
	{fault{file: "", call: "write", errno: syscall.ENOSPC}, 60},
	{fault{file: "", call: "write", errno: 0}, 60},
	{fault{file: "-wal", call: "sync", errno: syscall.ENOSPC}, 30},
	{fault{file: "", call: "sync", errno: syscall.ENOSPC}, 3},
	{fault{file: ".head", call: "write", errno: syscall.EIO}, 30},
	{fault{file: ".head", call: "write", errno: syscall.ENOSPC}, 30},
	{fault{file: ".head", call: "sync", errno: syscall.ENOSPC}, 30},
	{fault{file: "-wal", call: "unlink", errno: syscall.EIO}, 1},
	// In the opening of a new store.
	{fault{file: ".head.new", call: "write", errno: syscall.EIO}, 3},
	{fault{file: ".head.new", call: "write", errno: 0}, 3},
	{fault{file: ".head.new", call: "sync", errno: syscall.EIO}, 3},
	{fault{file: ".head.new", call: "rename", errno: syscall.EIO}, 1},
	{fault{file: folder, call: "sync", errno: syscall.EIO}, 3},
}

// pick chooses when a fault comes.
func pick(random *rand.Rand, n int) fault {
	one := faults[n%len(faults)]
	one.after, one.lasting = random.IntN(one.calls), random.IntN(2) == 0
	return one.fault
}

// TestFailingDisk makes calls on the files of a store fail under 16 writers: writes and fsyncs of the database, its
// write-ahead log and its head. Nothing acknowledged may be lost, nothing begun after a failed fsync may be
// acknowledged, reads go on, what was refused for certain is not there, and what has no answer settles when it is
// repeated after the store was opened again.
func TestFailingDisk(t *testing.T) {
	random, seed := seeded(t)
	var f *failing
	runs, struck, acknowledged, arrived := cycles(3, 42), 0, 0, 0
	for n := range runs {
		fault := pick(random, n)
		if n%5 == 0 || n%len(faults) > 15 {
			f = newFailing(t, seed+uint64(n))
		}
		before, _ := f.book.count()
		r, d := f.mounted(t, fault, honest)
		after, _ := f.book.count()
		t.Logf("%s: struck %d times; %d acknowledged, %d arrived without", fault, d.hits, after-before, r.findings.arrived)
		if !r.clean() {
			t.Errorf("%s: %s", fault, &r)
		}
		if d.hits > 0 {
			struck++
		}
		acknowledged, arrived = acknowledged+after-before, arrived+r.findings.arrived
	}
	t.Logf("%d of %d faults struck; %d appends acknowledged, %d arrived without", struck, runs, acknowledged, arrived)
	if struck < runs/2 || acknowledged < runs {
		t.Error("there were hardly any faults or appends")
	}
}

// TestFailingDiskIsNoticed runs stores that take errors lightly on the same disks.
func TestFailingDiskIsNoticed(t *testing.T) {
	random, seed := seeded(t)
	tests := []struct {
		name    string
		fault   fault
		from    int
		bad     string
		settler func(eventstore.Store) eventstore.Store
		noticed func(*found) bool
	}{
		{badSwallows, fault{file: "-wal", call: "write", errno: syscall.EIO}, 100, badSwallows, honest, func(r *found) bool { return r.findings.lost > 0 }},
		{badGoesOn, fault{file: "-wal", call: "sync", errno: syscall.EIO}, 10, badGoesOn, honest, func(r *found) bool { return r.late > 0 }},
		{"its repeat is an append of its own", fault{file: ".head", call: "sync", errno: syscall.EIO}, 10, "",
			func(store eventstore.Store) eventstore.Store { return forgetful{store} }, func(r *found) bool { return r.resettled.doubled > 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const most = 20
			for n := range most {
				f := newFailing(t, seed+uint64(n))
				f.work.Bad = tt.bad
				tt.fault.after = tt.from + random.IntN(20)
				r, _ := f.mounted(t, tt.fault, tt.settler)
				if tt.noticed(&r) {
					t.Logf("found after %d runs: %s", n+1, &r)
					return
				}
			}
			t.Errorf("%d runs were not noticed", most)
		})
	}
}

// forgetful is a store that does not recognise a repeat.
type forgetful struct{ eventstore.Store }

func (f forgetful) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	other := append([]eventstore.Event(nil), events...)
	for i := range other {
		other[i].ID = uuid.New()
	}
	return f.Store.Append(ctx, stream, expected, other...)
}
