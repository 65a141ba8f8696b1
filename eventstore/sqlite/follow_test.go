package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolewise/eventstore"
)

// TestFallingBehind lets a live follower sleep until memory has passed it by, and catch up out of the database.
func TestFallingBehind(t *testing.T) {
	for _, filter := range []eventstore.Filter{{}, {Plan: "acme"}, {PageSize: 100}} {
		s := open(t, filepath.Join(t.TempDir(), "events.db"))
		const batches, each = 30, 400
		seen := 0
		for page, err := range s.Follow(t.Context(), 0, filter) {
			if err != nil {
				t.Fatalf("follow: %v", err)
			}
			if page.Live && page.Through == 0 {
				for i := range batches {
					batch := make([]eventstore.Event, each)
					for j := range batch {
						batch[j] = event(fmt.Sprint(i*each + j))
					}
					must(t, s, role("x"), eventstore.Revision(i*each-1), batch...)
				}
				if _, _, ok := s.tail.after(0); ok {
					t.Fatal("memory holds more than it should")
				}
			}
			for _, e := range page.Events {
				if string(e.Data) != fmt.Sprint(seen) {
					t.Fatalf("event %s where %d was due", e.Data, seen)
				}
				seen++
			}
			if seen == batches*each {
				break
			}
		}
	}
}

// TestTailBounds keeps memory within its bytes too.
func TestTailBounds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	for i := range 40 {
		must(t, s, role("x"), eventstore.Revision(i-1), event(strings.Repeat("x", 1_000_000)))
	}
	if s.tail.bytes > recentBytes || len(s.tail.recent) > 17 || len(s.tail.recent) < 10 {
		t.Errorf("memory holds %d events of %d bytes", len(s.tail.recent), s.tail.bytes)
	}
	if n := len(history(t, s)); n != 40 {
		t.Errorf("followed %d events, want 40", n)
	}
}

// TestNoDatabaseAtTheHead follows live while no connection can be had.
func TestNoDatabaseAtTheHead(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	for range cap(s.pool.slots) {
		s.pool.slots <- struct{}{}
	}
	n := 0
	for page, err := range s.Follow(t.Context(), 0, eventstore.Filter{Plan: "acme", Types: []string{"A"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page.Events); n == 10 {
			break
		}
		must(t, s, role("x"), eventstore.Revision(n-1), event(""))
	}
	for range cap(s.pool.slots) {
		<-s.pool.slots
	}
}

func TestFollowBeyondTheEnd(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	must(t, s, role("x"), eventstore.NoStream, event(""))
	for _, err := range s.Follow(t.Context(), 2, eventstore.Filter{}) {
		var invalid *eventstore.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "another log") {
			t.Errorf("got %v", err)
		}
	}
}

// TestQueryPlans holds the queries to their indexes: nothing is sorted, and only the log itself is ever scanned.
func TestQueryPlans(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(1))
	must(t, s, role("x"), eventstore.NoStream, event(""), event(""))
	must(t, s, eventstore.StreamID{Category: "role", Plan: "zeta", ID: "x"}, eventstore.NoStream, event(""))
	must(t, s, role("y"), eventstore.NoStream, event(""))
	spy := &spying{}
	for _, filter := range []eventstore.Filter{
		{}, {Plan: "acme"}, {Types: []string{"A"}}, {Prefixes: []string{"role-a", "x"}},
		{Plan: "acme", Types: []string{"A"}, Prefixes: []string{"role-acme."}},
	} {
		err := s.pool.with(t.Context(), func(c connection) (err error) {
			spy.connection, spy.plan = c, nil
			scan := newScan(filter, false)
			rows := newRows(t.Context(), 10)
			if filter.Plan != "" {
				_, err = scan.plan(spy, rows, filter.Plan, 1, 3)
			} else {
				_, err = scan.log(spy, rows, 1, 3)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(spy.plan, "\n")
		want := "SEARCH e USING INTEGER PRIMARY KEY"
		if filter.Plan != "" {
			want = "SEARCH i USING PRIMARY KEY (plan=? AND plan_seq>? AND plan_seq<?"
		}
		if !strings.Contains(plan, want) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("filter %+v runs as\n%s", filter, plan)
		}
	}
}

// spying asks SQLite how it would run each query.
type spying struct {
	connection
	plan []string
}

func (s *spying) query(query string, each func(row) error, args ...any) error {
	err := s.connection.query("EXPLAIN QUERY PLAN "+query, func(r row) error {
		s.plan = append(s.plan, r.text(3))
		return nil
	}, args...)
	return errors.Join(err, s.connection.query(query, each, args...))
}

// TestCheckpoints writes until the write-ahead log has started over a few times, which takes a checkpoint of all of it.
func TestCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, CheckpointAfter(100))
	last := uint32(0)
	for i, restarts := 0, 0; restarts < 3; i++ {
		if i == 20_000 {
			t.Fatal("the write-ahead log only grows")
		}
		must(t, s, role("x"), eventstore.Revision(i-1), event(strings.Repeat("x", 4000)))
		if now := generation(t, path+"-wal"); now != last {
			last = now
			restarts++
		}
	}
	history(t, s)
}

// generation returns the number that a write-ahead log gets each time it starts over (https://sqlite.org/walformat.html).
func generation(t *testing.T, path string) uint32 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, 16)
	if _, err := f.ReadAt(header, 0); err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(header[12:])
}
