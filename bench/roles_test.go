package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rolewise/eventstore/sqlite"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		os.Exit(ending(roles[os.Args[1]](os.Args[2:])))
	}
	os.Exit(m.Run())
}

func smallSuite(t *testing.T) *suite {
	size := quick
	size.rounds, size.slice, size.small, size.opened, size.large = 1, 10*time.Millisecond, 2_000, 2_001, 2_001
	return &suite{size: size, folder: t.TempDir(), log: io.Discard, sized: map[int]*sizedLog{}}
}

// TestMemory fills a log in one process and reads it in others.
func TestMemory(t *testing.T) {
	a, err := benchMemory(t.Context(), smallSuite(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.missing(); err != nil {
		t.Error(err)
	}
	for name, values := range a.samples {
		if values[0] < 1<<16 {
			t.Errorf("%s took %v bytes", name, values[0])
		}
	}
}

func TestLogThatDoesNotFit(t *testing.T) {
	s := smallSuite(t)
	if _, err := s.logOf(t.Context(), 1<<40); err == nil && freeBytes(s.folder) < 1<<40 {
		t.Error("a log of a petabyte was begun")
	}
}

// TestKilled shows that a store is killed in the middle of appends, and then opened as it was left.
func TestKilled(t *testing.T) {
	s := smallSuite(t)
	log, err := s.logOf(t.Context(), s.opened)
	if err != nil {
		t.Fatal(err)
	}
	var left crashed
	if err := runRole(t.Context(), &left, crashRole, log.path, fmt.Sprint(s.sizedStreams()), "1048576"); err != nil {
		t.Fatal(err)
	}
	if left.Unindexed < nearlyAll {
		t.Errorf("only %d events were not indexed", left.Unindexed)
	}
	before, err := os.Stat(log.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []string{"store", "bare"} {
		var o opened
		if err := runRole(t.Context(), &o, openRole, log.path, with, "die"); err != nil {
			t.Fatal(err)
		}
		if int64(o.Events) < left.Unindexed || o.Events <= s.opened || o.Seconds <= 0 {
			t.Errorf("opened %s: %+v", with, o)
		}
	}
	after, err := os.Stat(log.path + "-wal")
	if err != nil || after.Size() != before.Size() {
		t.Errorf("the write-ahead log had %d bytes and has %v: %v", before.Size(), after, err)
	}
	if _, err := sqlite.Verify(t.Context(), log.path, nil); err != nil {
		t.Error(err)
	}
}

func TestWire(t *testing.T) {
	s := smallSuite(t)
	s.streams, s.twenties = 256, 8
	a, err := benchWire(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.missing(); err != nil {
		t.Error(err)
	}
}

func TestRoleThatFails(t *testing.T) {
	var u used
	if err := runRole(t.Context(), &u, verifyRole, filepath.Join(t.TempDir(), "none.db")); err == nil {
		t.Errorf("got %+v", u)
	}
}
