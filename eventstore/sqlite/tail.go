package sqlite

import (
	"sort"
	"sync"

	"rolewise/eventstore"
)

// Limits of the recent events kept in memory for followers at the head.
const (
	recentEvents = 4096
	recentBytes  = 16 << 20
)

// tail is the end of the log in memory: where it is, and the events that were committed last. Followers wait on it.
type tail struct {
	mu      sync.Mutex
	head    eventstore.Position
	floor   eventstore.Position   // every event after it is in recent
	recent  []eventstore.Recorded // the last one at head; elements are never changed
	bytes   int
	most    int           // events
	changed chan struct{} // closed by the next publish
}

func newTail(head eventstore.Position, most int) *tail {
	return &tail{head: head, floor: head, most: most, changed: make(chan struct{})}
}

// publish makes committed events known and wakes every follower.
func (t *tail) publish(events []eventstore.Recorded) {
	if len(events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head = events[len(events)-1].Position
	t.recent = append(t.recent, events...)
	for i := range events {
		t.bytes += weight(&events[i])
	}
	surplus := 0
	for len(t.recent)-surplus > t.most || t.bytes > recentBytes {
		t.bytes -= weight(&t.recent[surplus])
		t.floor = t.recent[surplus].Position
		surplus++
	}
	// The front is let go with the array under it, as soon as append needs a larger one.
	t.recent = t.recent[surplus:]
	close(t.changed)
	t.changed = make(chan struct{})
}

// state returns the head and the channel that tells of the next one.
func (t *tail) state() (eventstore.Position, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head, t.changed
}

// after returns the events after a position up to the head, if all of them are in memory. They must not be changed.
func (t *tail) after(p eventstore.Position) (events []eventstore.Recorded, head eventstore.Position, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p < t.floor {
		return nil, t.head, false
	}
	first := sort.Search(len(t.recent), func(i int) bool { return t.recent[i].Position > p })
	return t.recent[first:], t.head, true
}

// weight is about what an event takes in memory, in bytes.
func weight(e *eventstore.Recorded) int { return len(e.Data) + len(e.Metadata) + 200 }
