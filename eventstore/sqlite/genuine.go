package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// checkSchema refuses a database to whose tables another hand has added or changed something: a trigger could keep
// events out, an index could show others, without a byte of an event being touched.
func checkSchema(c connection) error {
	want, err := genuineSchema()
	if err != nil {
		return err
	}
	have, err := schemaOf(c)
	if err != nil {
		return err
	}
	if !maps.Equal(want, have) {
		return errSchema
	}
	var keys []string
	err = c.query("SELECT key FROM meta ORDER BY key", func(r row) error {
		keys = append(keys, r.text(0))
		return nil
	})
	if err != nil {
		return err
	}
	// "pending" is there while a new log has no head yet, "through" in the copy of another log.
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == pending || key == "through" })
	if !slices.Equal(keys, []string{"epoch", "id", "indexed"}) {
		return errSchema
	}
	return nil
}

var errSchema = &DamageError{"its tables, indexes or triggers are not those of an event store: another program has changed it; restore a backup"}

// genuineSchema returns what the migrations of this release make of an empty database.
func genuineSchema() (schema map[string]string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	held, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c := &conn{db: db, held: held, statements: map[string]*statement{}}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, step := range migrations {
		if err := step(c); err != nil {
			return nil, err
		}
	}
	return schemaOf(c)
}

func schemaOf(c connection) (map[string]string, error) {
	schema := map[string]string{}
	err := c.query("SELECT type, name, tbl_name, sql FROM sqlite_schema", func(r row) error {
		schema[r.text(0)+" "+r.text(1)+" on "+r.text(2)] = fmt.Sprint(r[3])
		return nil
	})
	return schema, err
}
