package storetest_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/eventstore/storetest"
)

// bad is a good store with one promise broken. The functions that are nil leave the good store's methods as they are.
type bad struct {
	eventstore.Store
	append func(ctx context.Context, s eventstore.Store, stream eventstore.StreamID, expected eventstore.Revision, events []eventstore.Event) (eventstore.Position, error)
	read   func(ctx context.Context, s eventstore.Store, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error]
	filter func(f eventstore.Filter) eventstore.Filter                          // changes what is asked for
	page   func(n int, p *eventstore.Page, f eventstore.Filter)                 // changes the nth page
	ended  func(ctx context.Context, n int, err error) (report error, yes bool) // changes how a Follow ends
	info   func(i eventstore.Info, err error) (eventstore.Info, error)
	name   func(id eventstore.StreamID) eventstore.StreamID // changes where a stream is kept
}

func (b *bad) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	if b.name != nil {
		stream = b.name(stream)
	}
	if b.append != nil {
		return b.append(ctx, b.Store, stream, expected, events)
	}
	return b.Store.Append(ctx, stream, expected, events...)
}

func (b *bad) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if b.read != nil {
		return b.read(ctx, b.Store, stream, from)
	}
	if b.name == nil {
		return b.Store.Read(ctx, stream, from)
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		for e, err := range b.Store.Read(ctx, b.name(stream), from) {
			e.Stream = stream
			if !yield(e, err) {
				return
			}
		}
	}
}

func (b *bad) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	asked := filter
	if b.filter != nil {
		filter = b.filter(filter)
	}
	return func(yield func(eventstore.Page, error) bool) {
		n := 0
		for page, err := range b.Store.Follow(ctx, after, filter) {
			n++
			if err != nil && b.ended != nil {
				report, yes := b.ended(ctx, n, err)
				if !yes {
					return
				}
				err = report
			}
			if err == nil && b.page != nil {
				page.Events = slices.Clone(page.Events)
				b.page(n, &page, asked)
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

func (b *bad) Info(ctx context.Context) (eventstore.Info, error) {
	i, err := b.Store.Info(ctx)
	if b.info != nil {
		return b.info(i, err)
	}
	return i, err
}

// known are the bad stores, each with the test of the contract that must notice it.
var known = map[string]struct {
	test  string
	store func() bad
}{
	"read leaves out the last event":         {"append and read", func() bad { return bad{read: withoutLast} }},
	"read begins one too late":               {"append and read", func() bad { return bad{read: fromNext} }},
	"expectations are ignored":               {"optimistic concurrency", func() bad { return bad{append: wherever} }},
	"two may win":                            {"one winner among many", func() bad { return bad{append: wherever} }},
	"a batch is appended in pieces":          {"atomic append of several events", func() bad { return bad{append: inPieces} }},
	"a repeat gives the present end":         {"repeated append", func() bad { return bad{append: presentEnd} }},
	"one matching id makes a repeat":         {"partly matching repeat", func() bad { return bad{append: anyMatch} }},
	"the newest event is enough to match":    {"partly matching repeat", func() bad { return bad{append: lastMatch} }},
	"too large is no typed error":            {"sizes", func() bad { return bad{append: untyped} }},
	"large events are cut":                   {"sizes", func() bad { return bad{append: cut} }},
	"the caller's bytes are kept":            {"bytes belong to the caller", keepBytes},
	"names are folded to lower case":         {"hostile stream ids", func() bad { return bad{name: lower} }},
	"names are cut at 255 bytes":             {"hostile stream ids", func() bad { return bad{name: short} }},
	"names lose spaces at their ends":        {"hostile stream ids", func() bad { return bad{name: trimmed} }},
	"a page misses an event":                 {"follow in pages", func() bad { return bad{page: missOne} }},
	"a page has its events in another order": {"follow in pages", func() bad { return bad{page: swapTwo} }},
	"an event comes twice":                   {"follow in pages", func() bad { return bad{page: doubleOne} }},
	"pages are larger than asked for":        {"follow in pages", func() bad { return bad{filter: anySize} }},
	"types are not filtered":                 {"follow with a filter", func() bad { return bad{filter: anyType} }},
	"prefixes are not filtered":              {"follow with a filter", func() bad { return bad{filter: anyPrefix} }},
	"plans are not filtered":                 {"follow with a filter", func() bad { return bad{filter: anyPlan} }},
	"filtered events do not move Through":    {"filter in live state", func() bad { return bad{page: throughLast} }},
	"Live is said too early":                 {"follow with a filter", func() bad { return bad{page: alwaysLive} }},
	"an event is missed where live begins":   {"positions in commit order", func() bad { return bad{page: missAtSeam} }},
	"a canceled follow ends without a word":  {"cancellation", func() bad { return bad{ended: silent} }},
	"a canceled follow has its own error":    {"cancellation", func() bad { return bad{ended: ownError} }},
	"a canceled read ends without a word":    {"cancellation", func() bad { return bad{read: cutShort} }},
	"an ended context is not looked at":      {"cancellation", func() bad { return bad{append: deaf} }},
	"a repeat is not recognised":             {"repeated append", func() bad { return bad{append: otherIDs} }},
	"a canceled append cannot be settled":    {"cancellation", func() bad { return bad{append: otherIDs} }},
	"all stores have one identity":           {"info", func() bad { return bad{info: sameID} }},
	"a closed store says something else":     {"close", func() bad { return bad{info: otherError} }},
}

const badStore, goodStore = "STORETEST_BAD", "the good store"

// complaint is what a failed test says first.
var complaint = regexp.MustCompile(`[a-z]+\.go:[0-9]+: .*`)

// TestUnderContract runs the contract on the store that the environment names; TestContractBites starts it.
func TestUnderContract(t *testing.T) {
	name := os.Getenv(badStore)
	if name == "" {
		t.Skip("run by TestContractBites")
	}
	storetest.Run(t, func(t *testing.T) eventstore.Store {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		b := bad{}
		if name != goodStore {
			b = known[name].store()
		}
		b.Store = s
		return &b
	})
}

// TestContractBites expects that the contract refuses each bad store, by the test that is for it, and takes the good one.
func TestContractBites(t *testing.T) {
	if os.Getenv(badStore) != "" {
		t.Skip("started by itself")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	contract := func(t *testing.T, store string, tests ...string) (passed bool, said string) {
		t.Helper()
		pattern := "^TestUnderContract$/^(" + strings.Join(tests, "|") + ")$"
		// What waits for an event that never comes is ended by the time limit; the good store is far below it.
		command := exec.CommandContext(t.Context(), program, "-test.run", pattern, "-test.v", "-test.timeout", "60s")
		command.Env = append(os.Environ(), badStore+"="+store, storetest.Patience+"=5s", "ROLEWISE_TORTURE=")
		out, err := command.CombinedOutput()
		for _, test := range tests {
			if !strings.Contains(string(out), "=== RUN   TestUnderContract/"+strings.ReplaceAll(test, " ", "_")) {
				t.Fatalf("the contract has no test %q:\n%s", test, out)
			}
		}
		return err == nil, string(out)
	}
	var tests []string
	for name, b := range known {
		tests = append(tests, b.test)
		t.Run(name, func(t *testing.T) {
			passed, out := contract(t, name, b.test)
			if passed || !strings.Contains(out, "--- FAIL: TestUnderContract/") {
				t.Errorf("the contract's test %q does not notice it:\n%s", b.test, out)
			}
			t.Logf("noticed: %s", complaint.FindString(out))
		})
	}
	slices.Sort(tests)
	t.Run(goodStore, func(t *testing.T) {
		if passed, out := contract(t, goodStore, slices.Compact(tests)...); !passed {
			t.Errorf("the contract refuses it:\n%s", out)
		}
	})
}

type (
	ctx      = context.Context
	store    = eventstore.Store
	streamID = eventstore.StreamID
	revision = eventstore.Revision
	position = eventstore.Position
	event    = eventstore.Event
	recorded = iter.Seq2[eventstore.Recorded, error]
)

func withoutLast(ctx ctx, s store, id streamID, from revision) recorded {
	return func(yield func(eventstore.Recorded, error) bool) {
		var held []eventstore.Recorded
		for e, err := range s.Read(ctx, id, from) {
			if err != nil || len(held) > 0 && !yield(held[0], nil) {
				yield(eventstore.Recorded{}, err)
				return
			}
			held = []eventstore.Recorded{e}
		}
	}
}

func fromNext(ctx ctx, s store, id streamID, from revision) recorded {
	if from > 0 {
		from++
	}
	return s.Read(ctx, id, from)
}

// cutShort ends a read whose context has ended as if the stream had ended.
func cutShort(ctx ctx, s store, id streamID, from revision) recorded {
	return func(yield func(eventstore.Recorded, error) bool) {
		first := true
		for e, err := range s.Read(ctx, id, from) {
			if !first && ctx.Err() != nil || !yield(e, err) {
				return
			}
			first = false
		}
	}
}

func wherever(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	for {
		p, err := s.Append(ctx, id, expected, events...)
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) {
			return p, err
		}
		expected = conflict.Have
	}
}

func inPieces(ctx ctx, s store, id streamID, expected revision, events []event) (p position, err error) {
	for _, e := range events {
		if p, err = s.Append(ctx, id, expected, e); err != nil {
			return p, err
		}
		expected++
	}
	return p, err
}

func presentEnd(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	if _, err := s.Append(ctx, id, expected, events...); err != nil {
		return 0, err
	}
	i, err := s.Info(ctx)
	return i.Head, err
}

// matching takes an append for a repeat if the events at some places have the ids of the append.
func matching(ctx ctx, s store, id streamID, expected revision, events []event, places ...int) (position, error) {
	p, err := s.Append(ctx, id, expected, events...)
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) {
		return p, err
	}
	for e, failed := range s.Read(ctx, id, expected+1) {
		if i := int(e.Revision - expected - 1); failed == nil && i < len(events) && slices.Contains(places, i) && events[i].ID == e.ID {
			return e.Position, nil
		}
	}
	return p, err
}

func anyMatch(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	return matching(ctx, s, id, expected, events, 0)
}

func lastMatch(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	return matching(ctx, s, id, expected, events, len(events)-1)
}

func untyped(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	p, err := s.Append(ctx, id, expected, events...)
	if err != nil {
		err = errors.New(err.Error())
	}
	return p, err
}

func cut(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	events = slices.Clone(events)
	for i := range events {
		if n := len(events[i].Data); n == eventstore.MaxAppend-3 {
			events[i].Data = events[i].Data[:n-1]
		}
	}
	return s.Append(ctx, id, expected, events...)
}

func deaf(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	return s.Append(context.WithoutCancel(ctx), id, expected, events...)
}

func otherIDs(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
	events = slices.Clone(events)
	for i := range events {
		if events[i].ID != uuid.Nil {
			events[i].ID = uuid.New()
		}
	}
	return s.Append(ctx, id, expected, events...)
}

// keepBytes keeps the caller's slices and gives them out again.
func keepBytes() bad {
	var mu sync.Mutex
	kept := map[string]event{}
	return bad{
		append: func(ctx ctx, s store, id streamID, expected revision, events []event) (position, error) {
			mu.Lock()
			for _, e := range events {
				kept[e.ID.String()] = e
			}
			mu.Unlock()
			return s.Append(ctx, id, expected, events...)
		},
		page: func(_ int, p *eventstore.Page, _ eventstore.Filter) {
			mu.Lock()
			defer mu.Unlock()
			for i, e := range p.Events {
				p.Events[i].Event = kept[e.ID.String()]
			}
		},
	}
}

func lower(id streamID) streamID { id.ID = strings.ToLower(id.ID); return id }

func short(id streamID) streamID { id.ID = id.ID[:min(len(id.ID), 255)]; return id }

func trimmed(id streamID) streamID {
	if text := strings.TrimSpace(id.ID); text != "" {
		id.ID = text
	}
	return id
}

func missOne(_ int, p *eventstore.Page, _ eventstore.Filter) {
	if len(p.Events) > 30 {
		p.Events = slices.Delete(p.Events, 17, 18)
	}
}

func swapTwo(_ int, p *eventstore.Page, _ eventstore.Filter) {
	if len(p.Events) > 2 {
		p.Events[1], p.Events[2] = p.Events[2], p.Events[1]
	}
}

func doubleOne(_ int, p *eventstore.Page, _ eventstore.Filter) {
	if len(p.Events) > 2 {
		p.Events = slices.Insert(p.Events, 1, p.Events[1])
	}
}

func throughLast(_ int, p *eventstore.Page, _ eventstore.Filter) {
	p.Through = p.After
	if n := len(p.Events); n > 0 {
		p.Through = p.Events[n-1].Position
	}
	p.Live = p.Through == p.Head
}

func alwaysLive(_ int, p *eventstore.Page, _ eventstore.Filter) { p.Live = true }

func missAtSeam(n int, p *eventstore.Page, _ eventstore.Filter) {
	if n > 1 && len(p.Events) > 0 {
		p.Events = p.Events[1:]
	}
}

func anySize(f eventstore.Filter) eventstore.Filter   { f.PageSize = 0; return f }
func anyType(f eventstore.Filter) eventstore.Filter   { f.Types = nil; return f }
func anyPrefix(f eventstore.Filter) eventstore.Filter { f.Prefixes = nil; return f }
func anyPlan(f eventstore.Filter) eventstore.Filter   { f.Plan = ""; return f }

func silent(context.Context, int, error) (error, bool) { return nil, false }

func ownError(context.Context, int, error) (error, bool) { return errors.New("follow was ended"), true }

func sameID(i eventstore.Info, err error) (eventstore.Info, error) {
	i.ID = "the only one"
	return i, err
}

func otherError(i eventstore.Info, err error) (eventstore.Info, error) {
	if err != nil {
		err = errors.New("database is closed")
	}
	return i, err
}
