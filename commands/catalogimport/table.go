package catalogimport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLine bounds a line of a table, in bytes; the longest that O*NET has published has about 1,000.
const maxLine = 64 << 10

// TableError says that a table cannot be read at all. A single wrong row never causes it: that is a Rejection.
type TableError struct {
	File   string
	Line   int // from 1; 0: the file as a whole
	Reason string
	Err    error
}

func (e *TableError) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s line %d", e.File, e.Line)
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", at, e.Reason, e.Err)
	}
	return at + ": " + e.Reason
}

func (e *TableError) Unwrap() error { return e.Err }

// table reads a file of tab separated values as O*NET publishes them: a header, CRLF or LF at the end of lines, and no
// quoting, so that a quote is a character like any other. Columns are found by name, in whatever order they stand.
type table struct {
	name    string
	file    *os.File
	lines   *bufio.Reader
	line    int
	columns []string
	index   map[string]int
}

// row is one line of a table, good until the next one is read.
type row struct {
	table  *table
	line   int
	fields []string
}

// openTable opens a table and checks that its header has the wanted columns.
func openTable(dir, name string, wanted ...string) (*table, error) {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, &TableError{File: name, Reason: "cannot be opened", Err: err}
	}
	t := &table{name: name, file: file, lines: bufio.NewReaderSize(file, maxLine), index: map[string]int{}}
	if err := t.header(wanted); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return t, nil
}

func (t *table) header(wanted []string) error {
	text, err := t.text()
	if errors.Is(err, io.EOF) {
		return &TableError{File: t.name, Line: 1, Reason: "the file is empty: a header is missing"}
	}
	if err != nil {
		return err
	}
	t.columns = strings.Split(strings.TrimPrefix(text, "\ufeff"), "\t")
	for i, column := range t.columns {
		if _, twice := t.index[column]; twice {
			return &TableError{File: t.name, Line: 1, Reason: fmt.Sprintf("column %q stands there twice", column)}
		}
		t.index[column] = i
	}
	for _, column := range wanted {
		if !slices.Contains(t.columns, column) {
			return &TableError{File: t.name, Line: 1, Reason: fmt.Sprintf("column %q is missing; there are %q", column, t.columns)}
		}
	}
	return nil
}

// text returns the next line without its end, or io.EOF.
func (t *table) text() (string, error) {
	t.line++
	line, err := t.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", &TableError{File: t.name, Line: t.line, Reason: fmt.Sprintf("the line is longer than %d bytes", maxLine)}
	case errors.Is(err, io.EOF) && len(line) == 0:
		return "", io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		return "", &TableError{File: t.name, Line: t.line, Reason: "cannot be read", Err: err}
	}
	return string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))), nil
}

// next returns the next row that is not blank, or io.EOF.
func (t *table) next() (row, error) {
	for {
		text, err := t.text()
		if err != nil {
			return row{}, err
		}
		if text != "" {
			return row{table: t, line: t.line, fields: strings.Split(text, "\t")}, nil
		}
	}
}

func (t *table) close() error { return t.file.Close() }

// complete tells whether the row has as many fields as the header.
func (r row) complete() bool { return len(r.fields) == len(r.table.columns) }

// get returns the field of a wanted column.
func (r row) get(column string) string { return r.fields[r.table.index[column]] }

// reject makes the report's entry for a field of the row.
func (r row) reject(column, value, reason string) Rejection {
	return Rejection{File: r.table.name, Line: r.line, Column: column, Value: strings.Clone(value), Reason: reason}
}
