package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Result codes of SQLite that an operator can do something about (https://sqlite.org/rescode.html).
const (
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeConstraint = 19
	codeNotADB     = 26

	codeNoRoomForIndex = 4874 // SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log
)

// code returns the primary result code of SQLite in an error, 0 if there is none.
func code(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code() & 0xff
	}
	return 0
}

// passing tells whether a failure of the database may pass by itself, leaving what is on the disk as it was.
func passing(err error) bool {
	var coded interface{ Code() int }
	if errors.As(err, &coded) && coded.Code() == codeNoRoomForIndex {
		return true
	}
	switch code(err) {
	case codeFull, codeBusy, codeLocked:
		return true
	}
	return false
}

// explain turns the trouble with a file into one sentence that says what to do.
func explain(path string, err error) error {
	advice := ""
	switch code(err) {
	case codeConstraint:
		advice = "contradicts itself: run audit verify, and restore a backup"
	case codeBusy, codeLocked:
		advice = "is in use by another program: stop that one first"
	case codeReadOnly:
		advice = "cannot be written: check the permissions of the file and its folder"
	case codeIO:
		if passing(err) {
			advice = "cannot grow: free some space on the disk"
			break
		}
		advice = "cannot be read or written: check the disk"
	case codeCorrupt:
		advice = "is damaged: restore a backup"
	case codeFull:
		advice = "cannot grow: free some space on the disk"
	case codeCantOpen:
		advice = "cannot be opened: check that its folder exists and is permitted"
	case codeNotADB:
		advice = "is not a database: choose another path or restore a backup"
	}
	switch {
	case advice != "":
	case errors.Is(err, fs.ErrNotExist):
		advice = "cannot be opened: check that its folder exists"
	case errors.Is(err, fs.ErrPermission):
		advice = "cannot be opened: check the permissions of the file and its folder"
	case errors.Is(err, syscall.ENOSPC):
		advice = "cannot be opened: free some space on the disk"
	default:
		return fmt.Errorf("event store %s: %w", path, err)
	}
	return &fileError{text: "event store " + path + " " + advice, cause: err}
}

// fileError shows the operator's sentence and keeps the cause for errors.As.
type fileError struct {
	text  string
	cause error
}

func (e *fileError) Error() string { return fmt.Sprintf("%s (%v)", e.text, e.cause) }
func (e *fileError) Unwrap() error { return e.cause }
