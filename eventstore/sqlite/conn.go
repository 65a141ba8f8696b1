package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver, used through the interfaces of database/sql/driver
)

// row receives the columns of one result row. The values are the row's own and may be kept.
type row []driver.Value

func (r row) int(column int) int64 {
	n, _ := r[column].(int64)
	return n
}

func (r row) text(column int) string {
	s, _ := r[column].(string)
	return s
}

func (r row) bytes(column int) []byte {
	b, _ := r[column].([]byte)
	return b
}

// is tells whether the columns have the types that kinds says: i, b and t for integers, bytes and text.
func (r row) is(kinds string) bool {
	for i, kind := range kinds {
		ok := false
		switch kind {
		case 'i':
			_, ok = r[i].(int64)
		case 'b':
			_, ok = r[i].([]byte)
		case 't':
			_, ok = r[i].(string)
		}
		if !ok {
			return false
		}
	}
	return true
}

// connection is the whole of what the store needs from a SQLite driver: statements that stay prepared.
// It belongs to one goroutine at a time.
type connection interface {
	// exec runs a statement to its end.
	exec(query string, args ...any) error
	// query calls each for every row of the result, until it returns an error; errStop ends the query without one.
	// The row is overwritten by the next.
	query(query string, each func(row) error, args ...any) error
	close() error
}

// errStop is returned by a row function that has seen enough.
var errStop = errors.New("enough rows")

// maxPrepared bounds the statements that a connection keeps prepared; filtered scans differ from filter to filter.
const maxPrepared = 64

// conn is a connection of its own, taken out of database/sql, so that each call goes straight to the driver.
type conn struct {
	db         *sql.DB
	held       *sql.Conn
	statements map[string]*statement
}

type statement struct {
	driver.Stmt
	query driver.StmtQueryContext
	exec  driver.StmtExecContext
	args  []driver.NamedValue
}

// pragmas are set on every connection and read back, since SQLite ignores what it does not know.
// Writers wait for nobody: the lock file keeps other writers away.
var pragmas = []struct{ name, set, want string }{
	{"busy_timeout", "5000", "5000"},
	{"journal_mode", "wal", "wal"},
	{"synchronous", "full", "2"},
	{"wal_autocheckpoint", "200000", "200000"}, // in pages; the store checkpoints long before, beside the commits
	{"foreign_keys", "on", "1"},
	{"trusted_schema", "off", "0"},
}

// connect opens a connection to the database file, which first may be looked at as it is, and proves its pragmas.
func connect(ctx context.Context, path string, cachePages int, look func(connection) error) (*conn, error) {
	name := &url.URL{Scheme: "file", Path: path}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	held, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c := &conn{db: db, held: held, statements: map[string]*statement{}}
	if look != nil {
		err = look(c)
	}
	if err == nil {
		err = c.prepare(cachePages)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *conn) prepare(cachePages int) error {
	for _, p := range pragmas {
		if err := c.exec("PRAGMA " + p.name + " = " + p.set); err != nil {
			return fmt.Errorf("set %s: %w", p.name, err)
		}
	}
	if err := c.exec(fmt.Sprintf("PRAGMA cache_size = %d", cachePages)); err != nil {
		return fmt.Errorf("set cache_size: %w", err)
	}
	for _, p := range pragmas {
		got := ""
		err := c.query("PRAGMA "+p.name, func(r row) error {
			got = fmt.Sprint(r[0])
			return nil
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", p.name, err)
		}
		if got != p.want {
			return fmt.Errorf("%s is %q where %q is needed: the file system may not support it", p.name, got, p.want)
		}
	}
	return nil
}

// statement returns a prepared statement. Pragmas and transaction control are not worth keeping but harmless.
func (c *conn) statement(query string) (*statement, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	if len(c.statements) >= maxPrepared {
		c.finalize()
	}
	var stmt driver.Stmt
	err := c.held.Raw(func(raw any) (err error) {
		stmt, err = raw.(driver.Conn).Prepare(query)
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &statement{Stmt: stmt, args: make([]driver.NamedValue, 0, 8)}
	s.query, _ = stmt.(driver.StmtQueryContext)
	s.exec, _ = stmt.(driver.StmtExecContext)
	if s.query == nil || s.exec == nil {
		return nil, errors.Join(errors.New("the SQLite driver lacks context statements"), stmt.Close())
	}
	c.statements[query] = s
	return s, nil
}

func (s *statement) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, value := range args {
		if b, ok := value.([]byte); ok && b == nil {
			value = []byte{} // an empty blob, not NULL
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return s.args
}

// No context goes to the driver: it would cost a goroutine for each call, and all calls are short. Callers look at
// their context between calls and between rows.

func (c *conn) exec(query string, args ...any) error {
	s, err := c.statement(query)
	if err != nil {
		return err
	}
	return c.held.Raw(func(any) error {
		_, err := s.exec.ExecContext(context.Background(), s.bind(args))
		return err
	})
}

func (c *conn) query(query string, each func(row) error, args ...any) error {
	s, err := c.statement(query)
	if err != nil {
		return err
	}
	return c.held.Raw(func(any) (err error) {
		rows, err := s.query.QueryContext(context.Background(), s.bind(args))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		values := make(row, len(rows.Columns()))
		for {
			switch err := rows.Next(values); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			switch err := each(values); {
			case errors.Is(err, errStop):
				return nil
			case err != nil:
				return err
			}
		}
	})
}

func (c *conn) finalize() {
	for query, s := range c.statements {
		_ = c.held.Raw(func(any) error { return s.Close() })
		delete(c.statements, query)
	}
}

func (c *conn) close() error {
	c.finalize()
	return errors.Join(c.held.Close(), c.db.Close())
}

// one runs a query for a single integer; found is false without a row or with NULL.
func one(c connection, query string, args ...any) (n int64, found bool, err error) {
	err = c.query(query, func(r row) error {
		n, found = r[0].(int64)
		return errStop
	}, args...)
	return n, found, err
}

// list writes integers for an IN clause.
func list(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, id)
	}
	return b.String()
}
