package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// An event of the store benchmarks has 400 bytes, of which the type takes a number only.
const (
	eventType     = "SkillIQMeasured"
	dataBytes     = 250
	metadataBytes = 150
)

var (
	eventData     = []byte(`{"d":"` + strings.Repeat("d", dataBytes-8) + `"}`)
	eventMetadata = filledWith('m', metadataBytes)
)

func filledWith(b byte, n int) []byte {
	filled := make([]byte, n)
	for i := range filled {
		filled[i] = b
	}
	return filled
}

// random makes numbers and event ids, repeatably, and cheaply enough not to be measured.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(2026, seed)) }

func randomID(r *rand.Rand) (id uuid.UUID) {
	binary.LittleEndian.PutUint64(id[:], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}

func someEvent(r *rand.Rand) eventstore.Event {
	return eventstore.Event{ID: randomID(r), Type: eventType, Data: eventData, Metadata: eventMetadata}
}

// streamName names a stream of one of fifty plans.
func streamName(i int) eventstore.StreamID {
	return eventstore.StreamID{Category: "results", Plan: fmt.Sprintf("plan-%d", i%50), ID: fmt.Sprintf("0190a1b2-c3d4-7e5f-8a6b-%012d", i)}
}

// filled is the log of the store benchmarks: streams of twenty events, which were appended in twenty rounds and so lie
// apart, then streams of one event each. Those come last, since the indexes lack the end of a log.
type filled struct {
	path    string // closed; to be copied by who appends to it
	streams []eventstore.StreamID
	long    []eventstore.StreamID
}

// fill makes the log at the first call.
func (s *suite) fill(ctx context.Context) (*filled, error) {
	if s.filled != nil {
		return s.filled, nil
	}
	folder, err := s.scratch("filled")
	if err != nil {
		return nil, err
	}
	f := &filled{path: filepath.Join(folder, "events.db")}
	for i := range s.streams + s.twenties {
		f.streams = append(f.streams, streamName(i))
	}
	f.streams, f.long = f.streams[:s.streams], f.streams[s.streams:]
	store, err := sqlite.Open(ctx, f.path)
	if err != nil {
		return nil, err
	}
	for expected := eventstore.NoStream; expected < 19 && err == nil; expected++ {
		err = appendToEach(ctx, store, f.long, expected)
	}
	if err == nil {
		err = appendToEach(ctx, store, f.streams, eventstore.NoStream)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, fmt.Errorf("fill the log: %w", err)
	}
	s.say("log of %s events filled", thousands(float64(f.events())))
	s.filled = f
	return f, nil
}

// appendToEach appends an event to every stream, many at a time.
func appendToEach(ctx context.Context, store eventstore.Store, streams []eventstore.StreamID, expected eventstore.Revision) error {
	const writers = 256
	group, ctx := errgroup.WithContext(ctx)
	for w := range writers {
		group.Go(func() error {
			r := random(uint64(w) + uint64(expected+2)<<32)
			for i := w; i < len(streams); i += writers {
				if _, err := store.Append(ctx, streams[i], expected, someEvent(r)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// events is how many the log has.
func (f *filled) events() int { return len(f.streams) + 20*len(f.long) }

// copyTo copies the log with its head, so that others still find it as it was.
func (f *filled) copyTo(path string) error {
	return errors.Join(copyFile(f.path, path), copyFile(f.path+".head", path+".head"))
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}
