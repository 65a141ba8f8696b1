package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"rolewise/eventstore/sqlite"
)

const verifyMethod = `The whole log is verified: each link of both chains is computed again, every event is looked for in both
indexes, and SQLite checks its own pages; nobody else uses the store. The limit: SELECT of all columns of all events through
the same driver on a bare connection to the same file, its rows read and dropped. Verification reads the log, hashes it and
reads the indexes side by side: the cores are processor time divided by time. The file is in the memory of the system.
Noise: with two cores anything else that runs takes part of what verification can use.`

func benchVerify(ctx context.Context, s *suite) (a area, err error) {
	log, err := s.fill(ctx)
	if err != nil {
		return a, err
	}
	db, err := openBare(log.path)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	a = area{Title: "Verify", Method: verifyMethod, Rows: []row{
		{"verify", "verify", "SELECT all columns", "select", perSecond},
		{"cores in use", "verify cores", "SELECT all columns", "select cores", cores},
	}}
	a.samples, err = s.compare(ctx,
		func(ctx context.Context, into samples) error {
			start, cpu := time.Now(), cpuTime()
			v, err := sqlite.Verify(ctx, log.path, nil)
			if err == nil && int(v.Events) != log.events() {
				err = fmt.Errorf("%d events were verified, and there are %d", v.Events, log.events())
			}
			into.busy("verify", log.events(), time.Since(start), cpuTime()-cpu)
			return err
		},
		func(_ context.Context, into samples) error {
			start, cpu := time.Now(), cpuTime()
			events := 0
			err := db.query("SELECT * FROM events ORDER BY position", func([]driver.Value) { events++ })
			into.busy("select", events, time.Since(start), cpuTime()-cpu)
			return err
		},
	)
	return a, err
}

// busy keeps a rate, and how many cores it took.
func (s samples) busy(name string, done int, took, cpu time.Duration) {
	s.rate(name, done, took)
	s[name+" cores"] = append(s[name+" cores"], cpu.Seconds()/took.Seconds())
}

// cores writes how many cores were busy.
func cores(v float64) string { return fmt.Sprintf("%.2f", v) }
