package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// applicationID stands in the header of the file and tells it from the databases of other programs.
const applicationID = 0x526f6c65 // "Role"

// migrations build the schema, one version after the other; those of a release are never edited, only followed.
//
// The numbers of streams, types and plans, revisions and plan_seq are all without gaps, so that a missing row is noticed;
// positions too, unless the log is the copy of another. plan_seq counts the events of a plan from 1.
var migrations = []func(connection) error{
	script(`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
	CREATE TABLE plans (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
	CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
	CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
	CREATE TABLE events (
		position INTEGER PRIMARY KEY,
		stream   INTEGER NOT NULL,
		revision INTEGER NOT NULL,
		plan     INTEGER NOT NULL,
		plan_seq INTEGER NOT NULL,
		type     INTEGER NOT NULL,
		id       BLOB NOT NULL,
		metadata BLOB NOT NULL,
		data     BLOB NOT NULL
	);
	CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
	CREATE UNIQUE INDEX events_by_plan ON events (plan, plan_seq);`),
	chained,
}

// script returns a migration of SQL alone.
func script(statements string) func(connection) error {
	return func(c connection) error { return c.exec(statements) }
}

// chained gives every event its links in the chains of its plan and of the store, and takes the indexes out of the
// way of appends.
func chained(c connection) error {
	err := c.exec(`ALTER TABLE events RENAME TO unchained;
	CREATE TABLE events (
		position  INTEGER PRIMARY KEY,
		stream    INTEGER NOT NULL,
		revision  INTEGER NOT NULL,
		plan      INTEGER NOT NULL,
		plan_seq  INTEGER NOT NULL,
		type      INTEGER NOT NULL,
		id        BLOB NOT NULL,
		plan_hash BLOB NOT NULL,
		hash      BLOB NOT NULL,
		metadata  BLOB NOT NULL,
		data      BLOB NOT NULL
	);
	CREATE TABLE by_stream (stream INTEGER, revision INTEGER, position INTEGER NOT NULL, PRIMARY KEY (stream, revision)) WITHOUT ROWID;
	CREATE TABLE by_plan (plan INTEGER, plan_seq INTEGER, position INTEGER NOT NULL, PRIMARY KEY (plan, plan_seq)) WITHOUT ROWID;
	INSERT INTO by_stream SELECT stream, revision, position FROM unchained ORDER BY stream, revision;
	INSERT INTO by_plan SELECT plan, plan_seq, position FROM unchained ORDER BY plan, plan_seq;
	INSERT INTO meta SELECT 'indexed', coalesce(max(position), 0) FROM unchained;
	INSERT INTO meta VALUES ('pending', '1')`)
	if err != nil {
		return err
	}
	links, names := chain.NewLinker(), newNames()
	plans := map[int64]chain.Hash{}
	var store chain.Hash
	for after := eventstore.Position(0); ; {
		rows := newRows(context.Background(), 1000)
		var inPlans []struct{ plan, sequence int64 }
		err := c.query("SELECT "+columns+", e.plan, e.plan_seq FROM unchained e WHERE e.position > ? ORDER BY e.position", func(r row) error {
			inPlans = append(inPlans, struct{ plan, sequence int64 }{r.int(7), r.int(8)})
			return rows.add(r)
		}, int64(after))
		if err == nil {
			err = rows.named(c, names)
		}
		if err != nil {
			return err
		}
		if len(inPlans) == 0 {
			return c.exec("DROP TABLE unchained")
		}
		for i := range rows.events {
			e, of := &rows.events[i], inPlans[i]
			plans[of.plan] = links.Plan(plans[of.plan], e)
			store = links.Store(store, e.Position, plans[of.plan])
			keys := indexed{rows.numbers[i].stream, int64(e.Revision), of.plan, of.sequence, int64(e.Position)}
			if err := insert(c, keys, rows.numbers[i].kind, &e.Event, plans[of.plan], store); err != nil {
				return err
			}
			after = e.Position
		}
	}
}

// leastVersion is the release of SQLite that repaired the last known corruption of a database with a write-ahead log.
const leastVersion = "3.51.3"

// inspect refuses a database that is not an event store, or one of a newer release, before anything in it is changed.
func inspect(c connection) error {
	recent := false
	err := c.query("SELECT sqlite_version()", func(r row) error {
		recent = atLeast(r.text(0), leastVersion)
		return nil
	})
	if err == nil && !recent {
		err = errors.New("this program was built with a SQLite older than " + leastVersion + ", which may corrupt it: build it anew")
	}
	if err != nil {
		return err
	}
	id, _, err := one(c, "PRAGMA application_id")
	if err != nil {
		return err
	}
	tables, _, err := one(c, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	version, _, err := one(c, "PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case tables > 0 && id != applicationID:
		return errForeign
	case version > int64(len(migrations)):
		return fmt.Errorf("it was written by a newer release (schema %d, this release knows %d): use that release",
			version, len(migrations))
	}
	return nil
}

// atLeast compares versions of three numbers.
func atLeast(version, least string) bool {
	var have, want [3]int
	for text, into := range map[string]*[3]int{version: &have, least: &want} {
		if n, err := fmt.Sscanf(text, "%d.%d.%d", &into[0], &into[1], &into[2]); n < 3 || err != nil {
			return false
		}
	}
	return slices.Compare(have[:], want[:]) >= 0
}

var errForeign = errors.New("it is the database of another program: choose another path")

// migrate brings the schema to this release's version, in one transaction.
func migrate(c connection) (err error) {
	version, _, err := one(c, "PRAGMA user_version")
	if err != nil || version == int64(len(migrations)) {
		return err
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.exec("ROLLBACK"))
		}
	}()
	for _, step := range migrations[version:] {
		if err := step(c); err != nil {
			return err
		}
	}
	if version == 0 {
		if err := name(c); err != nil {
			return err
		}
	}
	if err := c.exec("PRAGMA user_version = " + strconv.Itoa(len(migrations))); err != nil {
		return err
	}
	return c.exec("COMMIT")
}

// name gives a new store its identity.
func name(c connection) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	if err := c.exec("INSERT INTO meta (key, value) VALUES ('id', ?), ('epoch', '1')", hex.EncodeToString(id)); err != nil {
		return err
	}
	return c.exec("PRAGMA application_id = " + strconv.Itoa(applicationID))
}

// identity reads who the store is.
func identity(c connection) (eventstore.Info, error) {
	info := eventstore.Info{}
	err := c.query("SELECT key, value FROM meta", func(r row) (err error) {
		switch r.text(0) {
		case "id":
			info.ID = r.text(1)
		case "epoch":
			info.Epoch, err = strconv.Atoi(r.text(1))
		}
		return err
	})
	if err != nil {
		return info, err
	}
	if info.ID == "" || info.Epoch < 1 {
		return info, errors.New("it lacks its identity: restore a backup")
	}
	return info, nil
}

// reach reads how far the log goes beyond a head.
func reach(c connection, h Head) (Head, error) {
	err := c.query("SELECT position, hash FROM events WHERE position > ? ORDER BY position", func(r row) (err error) {
		h.Count++
		h.Position = eventstore.Position(r.int(0))
		h.Hash, err = hashOf(r.bytes(1))
		return err
	}, int64(h.Position))
	return h, err
}
