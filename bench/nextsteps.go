package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// nextSteps are designs that the store does not have, as bare loops: they tell what a log would gain whose events are not
// rows of their own.
type nextSteps struct {
	db    *bareSQLite
	file  *os.File
	bytes []byte // of 64 events with their hashes, as one piece
	rows  int64
	at    int64
}

// preallocated is the size of the file that is written over and over.
const preallocated = 64 << 20

func openNextSteps(s *suite) (*nextSteps, error) {
	folder, err := s.scratch("next")
	if err != nil {
		return nil, err
	}
	event := bytes.Join([][]byte{eventMetadata, eventData, someHash, someHash, make([]byte, 16+24)}, nil) // an id and some numbers
	n := &nextSteps{bytes: bytes.Repeat(event, manyWriters)}
	if n.db, err = openBare(filepath.Join(folder, "batches.db")); err != nil {
		return nil, err
	}
	if err := n.db.exec("CREATE TABLE batches (first INTEGER PRIMARY KEY, events BLOB NOT NULL)"); err != nil {
		return nil, errors.Join(err, n.db.close())
	}
	if n.file, err = os.Create(filepath.Join(folder, "log")); err != nil {
		return nil, errors.Join(err, n.db.close())
	}
	for range preallocated / len(block) {
		if _, err := n.file.Write(block); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	if err := n.file.Sync(); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// row inserts 64 events as one row.
func (n *nextSteps) row() error {
	n.rows++
	return n.db.exec("INSERT INTO batches (first, events) VALUES (?, ?)", n.rows, n.bytes)
}

// block writes 64 events over the next part of the file.
func (n *nextSteps) block() error {
	if n.at+int64(len(n.bytes)) > preallocated {
		n.at = 0
	}
	if _, err := n.file.WriteAt(n.bytes, n.at); err != nil {
		return err
	}
	n.at += int64(len(n.bytes))
	return flush(n.file)
}

func (n *nextSteps) measure(name string, write func() error, slice time.Duration) contender {
	return func(_ context.Context, into samples) error {
		done, start := 0, time.Now()
		for ; time.Since(start) < slice; done += manyWriters {
			if err := write(); err != nil {
				return err
			}
		}
		into.rate(name, done, time.Since(start))
		return nil
	}
}

func (n *nextSteps) close() error { return errors.Join(n.file.Close(), n.db.close()) }
