package sqlite

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"rolewise/eventstore"
)

// applicationID stands in the header of the file and tells it from the databases of other programs.
const applicationID = 0x526f6c65 // "Role"

// migrations build the schema, one version after the other; those of a release are never edited, only followed.
//
// Positions, the numbers of streams, types and plans, revisions and plan_seq are all without gaps, so that a missing
// row is noticed. plan_seq counts the events of a plan from 1.
var migrations = []string{
	`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
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
	CREATE UNIQUE INDEX events_by_plan ON events (plan, plan_seq);`,
}

// inspect refuses a database that is not an event store, or one of a newer release, before anything in it is changed.
func inspect(c connection) error {
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
	for _, script := range migrations[version:] {
		if err := c.exec(script); err != nil {
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

// identity reads who the store is and how far it goes.
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
	last, _, err := one(c, "SELECT max(position) FROM events")
	info.Head = eventstore.Position(last)
	return info, err
}
