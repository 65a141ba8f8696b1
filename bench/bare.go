package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// bareSQLite is a connection to SQLite and nothing around it: the driver that the event store uses, without database/sql,
// with statements that stay prepared.
type bareSQLite struct {
	conn     driver.Conn
	prepared map[string]*bareStatement
}

type bareStatement struct {
	driver.Stmt
	args []driver.NamedValue
}

// openBare opens a database as durable as the event store is, and tuned: a large cache, rare checkpoints.
func openBare(path string) (*bareSQLite, error) {
	conn, err := (&sqlite.Driver{}).Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	b := &bareSQLite{conn: conn, prepared: map[string]*bareStatement{}}
	for _, pragma := range []string{"journal_mode = wal", "synchronous = full", "cache_size = -65536", "wal_autocheckpoint = 32768"} {
		if err := b.exec("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		got := ""
		err := b.query("PRAGMA "+pragma, func(r []driver.Value) { got = fmt.Sprint(r[0]) })
		if err == nil && got != want {
			err = fmt.Errorf("%s is %s, not %s", pragma, got, want)
		}
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *bareSQLite) statement(query string, args []driver.Value) (*bareStatement, error) {
	s := b.prepared[query]
	if s == nil {
		prepared, err := b.conn.Prepare(query)
		if err != nil {
			return nil, err
		}
		s = &bareStatement{Stmt: prepared}
		b.prepared[query] = s
	}
	s.args = s.args[:0]
	for i, value := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return s, nil
}

func (b *bareSQLite) exec(query string, args ...driver.Value) error {
	s, err := b.statement(query, args)
	if err != nil {
		return err
	}
	_, err = s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	return err
}

// query calls each for every row, whose values are overwritten by the next.
func (b *bareSQLite) query(query string, each func([]driver.Value), args ...driver.Value) (err error) {
	s, err := b.statement(query, args)
	if err != nil {
		return err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for row := make([]driver.Value, len(rows.Columns())); ; each(row) {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// number runs a query for one integer.
func (b *bareSQLite) number(query string) (n int64, err error) {
	err = b.query(query, func(r []driver.Value) { n, _ = r[0].(int64) })
	return n, err
}

func (b *bareSQLite) close() error {
	var errs []error
	for _, s := range b.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, b.conn.Close())...)
}

// block is what a bare durable write appends: a page of 4 KiB.
var block = make([]byte, 4096)

// bareFile is a file that grows by a block at a time, each durable before the next.
type bareFile struct{ *os.File }

func openBareFile(folder string) (bareFile, error) {
	f, err := os.Create(filepath.Join(folder, "blocks"))
	return bareFile{f}, err
}

func (f bareFile) append() error {
	if _, err := f.Write(block); err != nil {
		return err
	}
	return flush(f.File)
}
