package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// manyPlans returns the path of a closed store with events of three plans in twenty streams, half of them indexed.
func manyPlans(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, indexAfter(50))
	for i := range 200 {
		stream := eventstore.StreamID{Category: "role", Plan: fmt.Sprint("plan-", i%20%3), ID: fmt.Sprint(i % 20)}
		must(t, s, stream, eventstore.Revision(i/20-1), event(fmt.Sprint("data ", i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// damaged expects Verify to find damage and to say where.
func damaged(t *testing.T, path, what string) {
	t.Helper()
	_, err := Verify(t.Context(), path, nil)
	var damage *DamageError
	if !errors.As(err, &damage) && code(err) != codeCorrupt {
		t.Fatalf("got %v, want damage", err)
	}
	if !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want one line with %q", err, what)
	}
}

func TestVerify(t *testing.T) {
	path := manyPlans(t)
	last := 0
	v, err := Verify(t.Context(), path, func(done, total int) {
		if done < last || done > total {
			t.Errorf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	})
	if err != nil || v.Events != 200 || v.Plans != 3 || v.Last != 200 || v.Head.Hash != v.Hash || v.Head.Count != 200 || last != 200 {
		t.Fatalf("got %+v, %v; progress ended at %d", v, err, last)
	}
	s := open(t, path)
	again, err := s.Verify(t.Context(), nil)
	if err != nil || again.Hash != v.Hash || again.Store != s.info.ID {
		t.Errorf("an open store: got %+v, %v", again, err)
	}
	must(t, s, role("new"), eventstore.NoStream, event(""))
	if more, err := s.Verify(t.Context(), nil); err != nil || more.Hash == v.Hash || more.Events != 201 {
		t.Errorf("after one more event: got %+v, %v", more, err)
	}
}

// TestVerifyUnderLoad verifies beside appends, as an auditor of a running system does.
func TestVerifyUnderLoad(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(64), CheckpointAfter(8))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Append(t.Context(), role(fmt.Sprint(i%37)), eventstore.Revision(i/37-1), event("x")); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 20 {
		if _, err := s.Verify(t.Context(), nil); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	close(stop)
	<-done
}

// TestTampering shows for each way to change a log that Verify finds it (SPEC AUD-4).
func TestTampering(t *testing.T) {
	for name, test := range map[string]struct{ sql, finds string }{
		"data edited":            {"UPDATE events SET data = CAST('x' AS BLOB) WHERE position = 57", "position 57 (revision 2 of role-plan-1.16) does not fit the chain of its plan"},
		"metadata edited":        {"UPDATE events SET metadata = CAST('[]' AS BLOB) WHERE position = 57", "position 57"},
		"id edited":              {"UPDATE events SET id = randomblob(16) WHERE position = 57", "position 57"},
		"revision edited":        {"UPDATE events SET revision = 99 WHERE position = 57", "position 57"},
		"type renamed":           {"UPDATE types SET name = 'B'", "position 1 "},
		"stream renamed":         {"UPDATE streams SET name = 'role-plan-1.hidden' WHERE name = 'role-plan-1.16'", "role-plan-1.hidden"},
		"moved to another plan":  {"UPDATE streams SET name = 'role-plan-2.16x' WHERE name = 'role-plan-1.16'", "belongs to two plans"},
		"event removed":          {"DELETE FROM events WHERE position = 57", "position 58 (revision 2 of role-plan-2.17) does not fit the chain of the store"},
		"end removed":            {"DELETE FROM events WHERE position > 190", "ends at position 190, but events up to position 200 were acknowledged until"},
		"last event replaced":    {"UPDATE events SET hash = randomblob(32) WHERE position = 200", "position 200 is not the one that was acknowledged"},
		"events swapped":         {"UPDATE events SET position = CASE position WHEN 58 THEN -57 ELSE -58 END WHERE position IN (57, 58); UPDATE events SET position = -position WHERE position < 0", "position 57"},
		"event inserted":         {"INSERT INTO events SELECT 201, stream, revision + 1, plan, plan_seq + 3, type, randomblob(16), plan_hash, hash, metadata, data FROM events WHERE position = 200", "position 201"},
		"links dropped":          {"UPDATE events SET plan_hash = x'' WHERE position = 57", "do not fit together"},
		"hidden from its stream": {"DELETE FROM by_stream WHERE position = 57", "indexes do not find"},
		"hidden from its plan":   {"DELETE FROM by_plan WHERE position = 57", "indexes do not find"},
		"index points elsewhere": {"UPDATE by_stream SET position = 58 WHERE position = 57", "indexes do not find"},
		"number in its plan":     {"UPDATE events SET plan_seq = 999 WHERE position = 57", "is number 999 of its plan"},
		"plan points elsewhere":  {"UPDATE by_plan SET position = 58 WHERE position = 57", "indexes do not find"},
		"plans swapped":          {"UPDATE plans SET name = CASE name WHEN 'plan-0' THEN 'x1' WHEN 'plan-1' THEN 'plan-0' ELSE name END; UPDATE plans SET name = 'plan-1' WHERE name = 'x1'", "tables of names do not fit"},
		"plan renamed":           {"UPDATE plans SET name = 'gone' WHERE name = 'plan-1'", "tables of names do not fit"},
		"stream too many":        {"INSERT INTO streams SELECT max(id) + 1, 'role-plan-0.new' FROM streams", "tables of names do not fit"},
		"type too many":          {"INSERT INTO types SELECT max(id) + 1, 'B' FROM types", "tables of names do not fit"},
		"indexed beyond the end": {"UPDATE meta SET value = '999999' WHERE key = 'indexed'", "indexes do not find"},
		"more in meta":           {"INSERT INTO meta VALUES ('x', '1')", "another program has changed it"},
		"a trigger":              {"CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END", "another program has changed it"},
		"an index":               {"CREATE INDEX i ON events (stream, revision, data)", "another program has changed it"},
		"a view":                 {"CREATE VIEW v AS SELECT * FROM events", "another program has changed it"},
		"a column":               {"ALTER TABLE events ADD COLUMN x", "another program has changed it"},
		"text for bytes":         {"UPDATE events SET data = CAST(data AS TEXT) WHERE position = 57", "do not fit together"},
		"text for a number":      {"UPDATE by_stream SET revision = 'x' WHERE position = 57", "indexes do not find"},
		"index says more":        {"INSERT INTO by_stream VALUES (99, 0, 57)", "indexes do not find"},
	} {
		t.Run(name, func(t *testing.T) {
			path := manyPlans(t)
			execute(t, path, test.sql)
			damaged(t, path, test.finds)
		})
	}
	t.Run("a chain made anew", func(t *testing.T) {
		path := manyPlans(t)
		execute(t, path, "UPDATE events SET data = CAST('x' AS BLOB) WHERE position = 57")
		relink(t, path)
		damaged(t, path, "position 200 is not the one that was acknowledged")
		s, err := Open(t.Context(), path)
		if err == nil {
			_ = s.Close()
			t.Error("the store opened")
		}
	})
}

// TestNamesBothWays changes the name of a stream in one of the two places where it stands, its order being kept.
func TestNamesBothWays(t *testing.T) {
	path := manyPlans(t)
	execute(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	places := regexp.MustCompile(`role-plan-1\.16\b`).FindAllIndex(whole, -1)
	if len(places) != 2 {
		t.Fatalf("the name stands at %v", places)
	}
	for _, place := range places {
		changed := slices.Clone(whole)
		changed[place[1]-1] = '7'
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("changed at %d: %v", place[0], err)
		}
	}
}

// relink computes all links anew, as one would who wants to hide a change.
func relink(t *testing.T, path string) {
	t.Helper()
	c, err := connect(t.Context(), path, readerCache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	rows := newRows(t.Context(), 1000)
	var inPlan []int64
	err = c.query("SELECT "+columns+", e.plan FROM events e ORDER BY e.position", func(r row) error {
		inPlan = append(inPlan, r.int(7))
		return rows.add(r)
	})
	if err := errors.Join(err, rows.named(c, newNames())); err != nil {
		t.Fatal(err)
	}
	links, store, plans := chain.NewLinker(), chain.Hash{}, map[int64]chain.Hash{}
	for i := range rows.events {
		e := &rows.events[i]
		plan := links.Plan(plans[inPlan[i]], e)
		plans[inPlan[i]], store = plan, links.Store(store, e.Position, plan)
		if err := c.exec("UPDATE events SET plan_hash = ?, hash = ? WHERE position = ?", plan[:], store[:], int64(e.Position)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHead(t *testing.T) {
	spoil := func(t *testing.T, path string, change func(slots []byte) []byte) {
		t.Helper()
		b, err := os.ReadFile(headPath(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(headPath(path), change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("missing", func(t *testing.T) {
		path := manyPlans(t)
		if err := os.Remove(headPath(path)); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is missing: put back the one from a copy")
		damaged(t, path, "both chains of its 200 events hold, up to position 200, but nothing proves that this is its end")
		if head, err := AcceptHead(t.Context(), path); err != nil || head.Count != 200 {
			t.Errorf("accepted %+v, %v", head, err)
		}
		if v, err := Verify(t.Context(), path, nil); err != nil || v.Behind != 0 {
			t.Errorf("after that: %+v, %v", v, err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		path := manyPlans(t)
		spoil(t, path, func(b []byte) []byte { b[5] ^= 1; b[slotSize+5] ^= 1; return b })
		refused(t, path, "head file is damaged")
	})
	for slot := range 2 {
		t.Run(fmt.Sprint("torn write of slot ", slot), func(t *testing.T) {
			path := manyPlans(t)
			spoil(t, path, func(b []byte) []byte { clear(b[slot*slotSize+100 : (slot+1)*slotSize]); return b })
			s := open(t, path)
			if n := len(history(t, s)); n != 200 {
				t.Errorf("the log has %d events", n)
			}
			must(t, s, role("x"), eventstore.NoStream, event(""))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if head, err := ReadHead(path); err != nil || head.Position != 201 {
				t.Errorf("head is %+v, %v", head, err)
			}
		})
	}
	t.Run("of another installation", func(t *testing.T) {
		path, other := manyPlans(t), manyPlans(t)
		if err := os.Rename(headPath(other), headPath(path)); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "another installation")
	})
	t.Run("database gone", func(t *testing.T) {
		for _, gone := range []func(string) error{os.Remove, func(path string) error { return os.Truncate(path, 0) }} {
			path := manyPlans(t)
			if err := gone(path); err != nil {
				t.Fatal(err)
			}
			refused(t, path, "is empty, but 200 events were acknowledged")
		}
	})
	t.Run("end of the log lost", func(t *testing.T) {
		path := manyPlans(t)
		execute(t, path, "DELETE FROM events WHERE position > 190")
		refused(t, path, "events up to position 200 were acknowledged until")
	})
	t.Run("behind the log", func(t *testing.T) {
		path := manyPlans(t)
		earlier, err := os.ReadFile(headPath(path))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		must(t, s, role("x"), eventstore.NoStream, event(""))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		spoil(t, path, func([]byte) []byte { return earlier }) // as after a crash between the commit and its head
		s = open(t, path)
		if head, err := ReadHead(path); err != nil || head.Position != 201 || head.Count != 201 {
			t.Errorf("head is %+v, %v", head, err)
		}
		must(t, s, role("x"), 0, event(""))
	})
	t.Run("cannot be written", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "events.db")
		s := open(t, path)
		e := event("acknowledged late")
		inWriter(s, func(connection) error { return s.writer.acks.file.file.Close() })
		var unavailable *eventstore.UnavailableError
		if _, err := s.Append(t.Context(), role("x"), eventstore.NoStream, e); !errors.As(err, &unavailable) || !unavailable.Unknown {
			t.Fatalf("got %v", err)
		}
		if _, err := s.Append(t.Context(), role("y"), eventstore.NoStream, event("")); !errors.As(err, &unavailable) {
			t.Fatalf("the next append got %v", err)
		}
		if n := len(history(t, s)); n != 0 {
			t.Errorf("followers saw %d events that nobody was told of", n)
		}
		_ = s.Close()
		s = open(t, path)
		must(t, s, role("x"), eventstore.NoStream, e)
		if n := len(history(t, s)); n != 1 {
			t.Errorf("the log has %d events", n)
		}
	})
}

// TestUpgrade opens a log of the first schema, which had no chains and no head.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	c, err := connect(t.Context(), path, readerCache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(migrations[0](c), name(c), c.exec(`PRAGMA user_version = 1;
		INSERT INTO plans VALUES (1, 'acme'), (2, 'zeta');
		INSERT INTO types VALUES (1, 'A');
		INSERT INTO streams VALUES (1, 'role-acme.x'), (2, 'role-zeta.x');
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
		INSERT INTO events SELECT i + 1, i % 2 + 1, i / 2, i % 2 + 1, i / 2 + 1, 1, randomblob(16), CAST('{}' AS BLOB), CAST('data ' || i AS BLOB) FROM n`), c.close()); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	for i, e := range history(t, s) {
		if string(e.Data) != fmt.Sprint("data ", i) || e.Revision != eventstore.Revision(i/2) {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
	must(t, s, role("x"), 1249, event(""))
	v, err := s.Verify(t.Context(), nil)
	if err != nil || v.Events != 2501 || v.Head.Count != 2501 {
		t.Errorf("got %+v, %v", v, err)
	}
}

// TestUpgradeCutOff opens a log that was brought to this schema by a process that died before it wrote the head.
func TestUpgradeCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	c, err := connect(t.Context(), path, readerCache, inspect)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(migrations[0](c), name(c), c.exec(`PRAGMA user_version = 1;
		INSERT INTO plans VALUES (1, 'acme'); INSERT INTO types VALUES (1, 'A'); INSERT INTO streams VALUES (1, 'role-acme.x');
		INSERT INTO events VALUES (1, 1, 0, 1, 1, 1, randomblob(16), x'7b7d', x'78')`), migrate(c), c.close()); err != nil {
		t.Fatal(err)
	}
	for again := range 3 {
		if again == 1 { // the head was made, and the process died before it said so
			execute(t, path, "INSERT INTO meta VALUES ('pending', '1')")
		}
		s := open(t, path)
		if n := len(history(t, s)); n != 1 {
			t.Errorf("the log has %d events", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "is missing: put back")
}

// TestForeignDatabaseIsLeftAlone refuses the database of another program without writing to it, nor to its log.
func TestForeignDatabaseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "songs.db")
	other, err := connect(t.Context(), path, readerCache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.close() }()
	if err := other.exec("CREATE TABLE songs (title TEXT)"); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, end := range []string{"", "-wal"} {
		if err := os.Chtimes(path+end, old, old); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, path, "another program: choose another path")
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(path + end); err != nil || !info.ModTime().Equal(old) {
			t.Errorf("%s was written to: %v", path+end, err)
		}
	}
}

func TestHeadText(t *testing.T) {
	h := Head{Store: "ab", Epoch: 3, Count: 7, Position: 9, Hash: chain.Hash{1, 2, 3}, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	slot := make([]byte, slotSize)
	encodeHead(slot, h)
	if got, ok := decodeHead(slot); !ok || got != h {
		t.Errorf("got %+v", got)
	}
	for i := range strings.LastIndex(string(slot), "\n") {
		slot[i] ^= 4
		if got, ok := decodeHead(slot); ok {
			t.Fatalf("a flipped bit at %d went unnoticed: %+v", i, got)
		}
		slot[i] ^= 4
	}
}
