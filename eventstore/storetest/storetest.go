// Package storetest is the contract of eventstore.Store, run against every store and every decorator.
//
// It assumes nothing that only one store can give: positions may have gaps, and a fresh store may hold events of
// others before the first position that a test looks at.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// Option tells the contract what else can be tried with a store.
type Option func(*suite)

// Reopen lets the contract close a store and open it again on the same data.
func Reopen(again func(t *testing.T, s eventstore.Store) eventstore.Store) Option {
	return func(c *suite) { c.reopen = again }
}

// Shared says that every store which open returns is on the same log, such as that of a server that is there already:
// each subtest then writes to plans of its own.
func Shared() Option { return func(c *suite) { c.shared = true } }

// Streams says how many streams the contract makes; otherwise 10,000.
func Streams(n int) Option { return func(c *suite) { c.streams = n } }

type suite struct {
	open   func(t *testing.T) eventstore.Store
	reopen func(t *testing.T, s eventstore.Store) eventstore.Store
	shared bool

	streams int
}

// Run checks a store against the contract. open is called for each subtest, which closes the store that it gets.
// With ROLEWISE_TORTURE=1 in the environment the volumes are ten times as large: 100,000 streams instead of 10,000.
func Run(t *testing.T, open func(t *testing.T) eventstore.Store, options ...Option) {
	c := &suite{open: open, streams: volume(10_000)}
	for _, option := range options {
		option(c)
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *session)
	}{
		{"append and read", appendAndRead},
		{"optimistic concurrency", optimisticConcurrency},
		{"one winner among many", oneWinner},
		{"atomic append of several events", atomicAppend},
		{"positions in commit order", commitOrder},
		{"repeated append", repeatedAppend},
		{"repeated append, all at once", repeatedAtOnce},
		{"partly matching repeat", partlyMatching},
		{"invalid appends", invalidAppends},
		{"sizes", sizes},
		{"hostile stream ids", hostileIDs},
		{"bytes belong to the caller", callersBytes},
		{"many streams", manyStreams},
		{"follow from history to live", historyToLive},
		{"follow in pages", followPages},
		{"follow at the head", followHead},
		{"follow with a filter", followFilter},
		{"filter in live state", filterLive},
		{"many followers", manyFollowers},
		{"cancellation", cancellation},
		{"info", info},
		{"close", closing},
		{"close under load", closingUnderLoad},
		{"reopen", reopening},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience(t)) // ends a test that hangs
			defer cancel()
			s := &session{Store: c.open(t), ctx: ctx, suite: c, plan: Plan}
			if c.shared {
				s.plan += "-" + uuid.NewString()[:8]
			}
			defer func() { _ = s.Close() }()
			test.run(t, s)
		})
	}
}

// Patience names the variable of the environment that says how long a subtest may take, such as 10s.
const Patience = "ROLEWISE_CONTRACT_PATIENCE"

func patience(t *testing.T) time.Duration {
	text := os.Getenv(Patience)
	if text == "" {
		return 3 * time.Minute
	}
	bound, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", Patience, err)
	}
	return bound
}

// session is one store under test.
type session struct {
	eventstore.Store
	ctx   context.Context
	suite *suite
	plan  string // of the streams that it writes to, unless a test is about plans
}

// volume returns n, or ten times as many when torture is wanted.
func volume(n int) int {
	if os.Getenv("ROLEWISE_TORTURE") == "1" {
		return 10 * n
	}
	return n
}

// Plan is the plan of the streams that the contract writes to, or how its name begins on a shared log.
const Plan = "contract"

func (s *session) stream(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: "role", Plan: s.plan, ID: id}
}

// event makes an event with an id of its own.
func event(kind, data string) eventstore.Event {
	metadata := eventstore.Metadata{Plan: Plan, Actor: "system:storetest", Schema: 1}
	return eventstore.Event{ID: uuid.New(), Type: kind, Data: []byte(data), Metadata: metadata.Encode()}
}

func events(n int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = event("Counted", fmt.Sprintf(`{"n":%d}`, i))
	}
	return all
}

// must appends and expects success.
func (s *session) must(t *testing.T, id eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) eventstore.Position {
	t.Helper()
	p, err := s.Append(s.ctx, id, expected, events...)
	if err != nil {
		t.Fatalf("append to %s at %d: %v", id, expected, err)
	}
	if p == 0 {
		t.Fatalf("append to %s at %d: position 0", id, expected)
	}
	return p
}

// read returns the events of a stream from a revision on.
func (s *session) read(t *testing.T, id eventstore.StreamID, from eventstore.Revision) []eventstore.Recorded {
	t.Helper()
	var all []eventstore.Recorded
	for e, err := range s.Read(s.ctx, id, from) {
		if err != nil {
			t.Fatalf("read %s: %v", id, err)
		}
		if e.Stream != id || e.Revision != from+eventstore.Revision(len(all)) {
			t.Fatalf("read %s from %d: event %d is revision %d of %s", id, from, len(all), e.Revision, e.Stream)
		}
		if len(all) > 0 && e.Position <= all[len(all)-1].Position {
			t.Fatalf("read %s: position %s follows %s", id, e.Position, all[len(all)-1].Position)
		}
		all = append(all, e)
	}
	return all
}

func (s *session) head(t *testing.T) eventstore.Position {
	t.Helper()
	info, err := s.Info(s.ctx)
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	return info.Head
}

// checker verifies that pages follow each other as they should.
type checker struct {
	through eventstore.Position
	filter  eventstore.Filter
	live    bool
}

func (c *checker) check(p eventstore.Page) error {
	switch {
	case p.After != c.through:
		return fmt.Errorf("page begins after %s where the one before ended at %s", p.After, c.through)
	case p.Through < p.After:
		return fmt.Errorf("page goes back from %s to %s", p.After, p.Through)
	case p.Through > p.Head:
		return fmt.Errorf("page goes through %s, beyond the head %s", p.Through, p.Head)
	case p.Live != (p.Through == p.Head):
		return fmt.Errorf("page through %s of %s says live=%v", p.Through, p.Head, p.Live)
	case c.filter.PageSize > 0 && len(p.Events) > c.filter.PageSize:
		return fmt.Errorf("page has %d events, asked for %d", len(p.Events), c.filter.PageSize)
	case c.live && p.Through == p.After:
		return errors.New("page in live state covers nothing")
	}
	last := p.After
	for _, e := range p.Events {
		if e.Position <= last || e.Position > p.Through {
			return fmt.Errorf("event at %s in a page (%s, %s] after %s", e.Position, p.After, p.Through, last)
		}
		last = e.Position
	}
	c.through = p.Through
	c.live = c.live || p.Live
	return nil
}

// follow collects the events after a position until enough says so, which sees each page.
func (s *session) follow(after eventstore.Position, filter eventstore.Filter, enough func(eventstore.Page) bool) ([]eventstore.Recorded, error) {
	var all []eventstore.Recorded
	c := checker{through: after, filter: filter}
	for page, err := range s.Follow(s.ctx, after, filter) {
		if err != nil {
			return all, err
		}
		if err := c.check(page); err != nil {
			return all, err
		}
		all = append(all, page.Events...)
		if enough(page) {
			return all, nil
		}
	}
	return all, errors.New("follow ended without an error")
}

// history collects the events after a position up to the present end.
func (s *session) history(t *testing.T, after eventstore.Position, filter eventstore.Filter) []eventstore.Recorded {
	t.Helper()
	all, err := s.follow(after, filter, func(p eventstore.Page) bool { return p.Live })
	if err != nil {
		t.Fatalf("follow after %s: %v", after, err)
	}
	return all
}

// same compares what was appended with what came back.
func same(t *testing.T, got []eventstore.Recorded, want []eventstore.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d events, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.ID != w.ID || g.Type != w.Type || !slices.Equal(g.Data, w.Data) || !slices.Equal(g.Metadata, w.Metadata) {
			t.Fatalf("event %d: got %s %s %.80q %.80q, want %s %s %.80q %.80q",
				i, g.ID, g.Type, g.Data, g.Metadata, w.ID, w.Type, w.Data, w.Metadata)
		}
	}
}

// conflict expects a ConflictError and checks what it says.
func conflict(t *testing.T, err error, want, have eventstore.Revision) {
	t.Helper()
	var c *eventstore.ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("got %v, want a conflict", err)
	}
	if c.Want != want || c.Have != have {
		t.Fatalf("conflict says want %d have %d; should be want %d have %d", c.Want, c.Have, want, have)
	}
}
