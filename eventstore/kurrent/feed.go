package kurrent

import (
	"context"
	"slices"
	"strings"
	"sync"

	"rolewise/eventstore"
)

// Limits of what a feed holds: the server waits when its reader does.
const (
	feedEvents = 256     // at least; else twice the page
	feedBytes  = 8 << 20 // of data and metadata
	feedScan   = 8192    // events passed over after which a page is due, so that checkpoints move
)

// feed is what has arrived of the log and was not taken yet. One pump fills it, one follower empties it.
type feed struct {
	filter eventstore.Filter
	names  map[string]bool // types of the filter
	most   int

	mu      sync.Mutex
	events  []eventstore.Recorded // those that pass the filter
	bytes   int
	through eventstore.Position // everything up to here has arrived
	after   eventstore.Position // everything up to here was taken
	head    eventstore.Position // end of the log, as far as it is known
	known   bool                // head was asked for
	live    bool                // a live page was taken
	scanned int                 // arrived since the last page
	ended   error

	arrived chan struct{} // with room for one: something arrived
	taken   chan struct{} // with room for one: something was taken
}

func newFeed(after eventstore.Position, filter eventstore.Filter, most int) *feed {
	f := &feed{
		filter:  filter,
		most:    most,
		through: after,
		after:   after,
		arrived: make(chan struct{}, 1),
		taken:   make(chan struct{}, 1),
	}
	f.filter.Prefixes = slices.Clone(filter.Prefixes)
	if len(filter.Types) > 0 {
		f.names = make(map[string]bool, len(filter.Types))
		for _, name := range filter.Types {
			f.names[name] = true
		}
	}
	return f
}

// passes tells whether an event of a stream is wanted. Streams that are not of Rolewise never are.
func (f *feed) passes(name, kind string) (eventstore.StreamID, bool) {
	if f.names != nil && !f.names[kind] {
		return eventstore.StreamID{}, false
	}
	if len(f.filter.Prefixes) > 0 && !slices.ContainsFunc(f.filter.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return eventstore.StreamID{}, false
	}
	stream, err := eventstore.ParseStreamID(name)
	if err != nil || stream == identityStream || f.filter.Plan != "" && stream.Plan != f.filter.Plan {
		return eventstore.StreamID{}, false
	}
	return stream, true
}

// arrive takes an event, or with nil an event that does not pass, or a checkpoint. What was there already is ignored. It
// waits while the feed is full.
func (f *feed) arrive(ctx context.Context, at eventstore.Position, e *eventstore.Recorded) error {
	for {
		f.mu.Lock()
		if at <= f.through {
			f.mu.Unlock()
			return nil
		}
		if e == nil || len(f.events) < max(feedEvents, 2*f.most) && f.bytes < feedBytes {
			break
		}
		f.mu.Unlock()
		select {
		case <-f.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.through = at
	f.scanned++
	if e != nil {
		f.events = append(f.events, *e)
		f.bytes += len(e.Data) + len(e.Metadata)
	}
	f.head = max(f.head, at)
	due := f.due()
	f.mu.Unlock()
	if due {
		signal(f.arrived)
	}
	return nil
}

// learn takes the position of the last event of the log.
func (f *feed) learn(head eventstore.Position) {
	f.mu.Lock()
	f.known = true
	f.head = max(f.head, head)
	f.mu.Unlock()
	signal(f.arrived)
}

// position is how far the feed has come.
func (f *feed) position() eventstore.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.through
}

// end makes the follower end with an error, after what has arrived.
func (f *feed) end(err error) {
	f.mu.Lock()
	f.ended = err
	f.mu.Unlock()
	signal(f.arrived)
}

// due tells whether there is a page: a full one, one that reaches the end of the log, one that has passed over much, or
// what there is when more does not fit into memory.
func (f *feed) due() bool {
	switch {
	case !f.known:
		return false
	case len(f.events) >= f.most, f.bytes >= feedBytes:
		return true
	case f.through == f.head:
		return f.through > f.after || !f.live
	}
	return f.scanned >= feedScan && f.through > f.after
}

// take returns a page when one is due.
func (f *feed) take() (page eventstore.Page, due bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.due() {
		return eventstore.Page{}, false, f.ended
	}
	n := min(len(f.events), f.most)
	page = eventstore.Page{Events: f.events[:n:n], After: f.after, Through: f.through, Head: f.head}
	if n == len(f.events) {
		f.events, f.bytes, f.scanned = nil, 0, 0
	} else {
		page.Through = page.Events[n-1].Position
		f.events = f.events[n:]
		for _, e := range page.Events {
			f.bytes -= len(e.Data) + len(e.Metadata)
		}
	}
	page.Live = page.Through == page.Head
	f.live = f.live || page.Live
	f.after = page.Through
	signal(f.taken)
	return page, true, nil
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
