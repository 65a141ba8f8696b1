package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

const memoryMethod = `The most memory that a process has had at once (resident set), and the most its Go heap held, garbage
included, for three processes on each of two logs: one that appends the whole log (many writers, four events an append), one
that follows it from the beginning to the end, and one that verifies it. Each is a process of its own. In place of a limit
stands the same process on the smaller log: memory is flat if the larger log needs no more than the smaller one and a
constant. Both logs have the same number of streams, %s, because a store remembers streams, up to a million of them: a
log of more streams takes more memory until that many are known, and none after that. Taken once, not in rounds. Noise: the
garbage collector lets the heap grow to twice of what lives before it collects.`

// leastEvents is the smallest log whose memory is worth a look.
const leastEvents = 20_000

// sizedLog is a log of a given size, with what it took to append it.
type sizedLog struct {
	path   string // closed
	events int
	used   used
}

// used is what a process has needed.
type used struct {
	Events   int
	Seconds  float64
	Heap     int64 // bytes, the most at once
	Resident int64 // the same
}

func benchMemory(ctx context.Context, s *suite) (area, error) {
	a := area{Title: "Memory", Method: fmt.Sprintf(memoryMethod, thousands(float64(s.sizedStreams()))), samples: samples{}}
	small, large := "on "+thousands(float64(s.small))+" events", "on "+thousands(float64(s.large))+" events"
	for _, what := range []string{"a store that appends", "a follower", "verify"} {
		for _, kind := range []string{"resident", "heap"} {
			name := what + ", " + kind
			a.Rows = append(a.Rows, row{name + ", " + large, name + large, "the same " + small, name + small, megabytes})
		}
	}
	for _, of := range []struct {
		events int
		name   string
	}{{s.small, small}, {s.large, large}} {
		log, err := s.logOf(ctx, of.events)
		if err != nil {
			return a, err
		}
		a.took("a store that appends", of.name, log.used)
		for _, as := range []struct{ role, what string }{{followRole, "a follower"}, {verifyRole, "verify"}} {
			var u used
			if err := runRole(ctx, &u, as.role, log.path); err != nil {
				return a, err
			}
			if u.Events != of.events {
				return a, fmt.Errorf("%s saw %d events of %d", as.what, u.Events, of.events)
			}
			s.say("%s %s: %s", as.what, of.name, perSecond(float64(u.Events)/u.Seconds))
			a.took(as.what, of.name, u)
		}
	}
	return a, nil
}

func (a area) took(what, log string, u used) {
	a.samples[what+", resident"+log] = []float64{float64(u.Resident)}
	a.samples[what+", heap"+log] = []float64{float64(u.Heap)}
}

// megabytes writes a number of bytes.
func megabytes(v float64) string { return thousands(v/(1<<20)) + " MiB" }

// sizedStreams is how many streams the sized logs have, all of which occur in the smallest.
func (s *suite) sizedStreams() int {
	return max(fillWriters, min(s.small, s.opened)/4/fillWriters*fillWriters)
}

// bytesEach is what an event takes on the disk, indexes included, rounded up.
const bytesEach = 800

// logOf makes a log of so many events at the first call.
func (s *suite) logOf(ctx context.Context, events int) (*sizedLog, error) {
	if log := s.sized[events]; log != nil {
		return log, nil
	}
	folder, err := s.scratch("sized")
	if err != nil {
		return nil, err
	}
	if need, free := int64(events)*bytesEach+1<<30, freeBytes(folder); free < need {
		return nil, fmt.Errorf("a log of %s events needs %.1f GiB in %s, which has %.1f GiB: free some, choose another folder with -dir, or give fewer -events",
			thousands(float64(events)), float64(need)/(1<<30), s.folder, float64(free)/(1<<30))
	}
	log := &sizedLog{path: filepath.Join(folder, "events.db"), events: events}
	if err := runRole(ctx, &log.used, fillRole, log.path, strconv.Itoa(s.sizedStreams()), strconv.Itoa(events)); err != nil {
		return nil, err
	}
	s.say("log of %s events filled, %s", thousands(float64(events)), perSecond(float64(events)/log.used.Seconds))
	s.sized[events] = log
	return log, nil
}

const (
	fillWriters = 256
	fillBatch   = 4 // events in an append
)

// runFill appends a log: every stream in turn, then streams at random.
func runFill(args []string) (err error) {
	streams, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	events, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	return using(func(ctx context.Context) (int, error) {
		store, err := sqlite.Open(ctx, args[0])
		if err != nil {
			return 0, err
		}
		group, inside := errgroup.WithContext(ctx)
		for w := range fillWriters {
			share := events / fillWriters
			if w < events%fillWriters {
				share++
			}
			group.Go(func() error { return fillShare(inside, store, w, streams/fillWriters, share) })
		}
		err = group.Wait()
		return events, errors.Join(err, store.Close())
	})
}

// fillShare appends the events of one writer, who has streams of its own.
func fillShare(ctx context.Context, store eventstore.Store, writer, streams, events int) error {
	r := random(uint64(writer))
	heads := make([]eventstore.Revision, streams)
	for n := 0; events > 0; n++ {
		i := n
		if n >= streams {
			i = r.IntN(streams)
		}
		batch := make([]eventstore.Event, min(fillBatch, events))
		for k := range batch {
			batch[k] = someEvent(r)
		}
		if _, err := store.Append(ctx, streamName(i*fillWriters+writer), heads[i]-1, batch...); err != nil {
			return err
		}
		heads[i] += eventstore.Revision(len(batch))
		events -= len(batch)
	}
	return nil
}

// runFollow follows a log to its end.
func runFollow(args []string) error {
	return using(func(ctx context.Context) (events int, err error) {
		store, err := sqlite.OpenReadOnly(ctx, args[0])
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		for page, err := range store.Follow(ctx, 0, eventstore.Filter{}) {
			if err != nil {
				return 0, err
			}
			events += len(page.Events)
			if page.Live {
				break
			}
		}
		return events, nil
	})
}

// runVerify verifies a log.
func runVerify(args []string) error {
	return using(func(ctx context.Context) (int, error) {
		v, err := sqlite.Verify(ctx, args[0], nil)
		return int(v.Events), err
	})
}

// using does some work and tells what this process needed for it.
func using(work func(context.Context) (events int, err error)) error {
	ctx := context.Background()
	stop, heap := make(chan struct{}), make(chan int64)
	go func() { heap <- watchHeap(stop) }()
	start := time.Now()
	events, err := work(ctx)
	took := time.Since(start)
	close(stop)
	u := used{Events: events, Seconds: took.Seconds(), Heap: <-heap, Resident: peakMemory()}
	if err != nil {
		return err
	}
	return tell(u)
}

// watchHeap returns the most bytes that objects took on the heap.
func watchHeap(stop <-chan struct{}) (most int64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		metrics.Read(sample)
		most = max(most, int64(sample[0].Value.Uint64()))
		select {
		case <-stop:
			return most
		case <-ticker.C:
		}
	}
}
