// Package waiting lets callers wait until a scope has reached a position, without a goroutine for each of them.
package waiting

import (
	"sync"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Room holds those who wait, by the name K that the store gives its scopes. The zero Room is ready for use.
type Room[K comparable] struct {
	mutex  sync.Mutex
	guests map[K]map[*Guest[K]]struct{}
	closed bool
}

// Guest is one who waits.
type Guest[K comparable] struct {
	room *Room[K]
	at   K
	min  eventstore.Position
	done chan struct{}
	err  error // written before done is closed
}

// Enter lets a caller wait for a position. What was reached before is not known here: the caller looks after entering,
// so that no commit falls between the two. Leave must follow.
func (r *Room[K]) Enter(at K, min eventstore.Position) *Guest[K] {
	g := &Guest[K]{room: r, at: at, min: min, done: make(chan struct{})}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		g.end(readmodels.ErrClosed)
		return g
	}
	if r.guests == nil {
		r.guests = map[K]map[*Guest[K]]struct{}{}
	}
	if r.guests[at] == nil {
		r.guests[at] = map[*Guest[K]]struct{}{}
	}
	r.guests[at][g] = struct{}{}
	return g
}

// Reached wakes those who wait for the position or an earlier one.
func (r *Room[K]) Reached(at K, position eventstore.Position) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for g := range r.guests[at] {
		if g.min <= position {
			r.remove(g)
			g.end(nil)
		}
	}
}

// Close wakes everyone, now and later, with readmodels.ErrClosed.
func (r *Room[K]) Close() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.closed = true
	for _, guests := range r.guests {
		for g := range guests {
			g.end(readmodels.ErrClosed)
		}
	}
	r.guests = nil
}

// Waiting counts those who wait.
func (r *Room[K]) Waiting() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	n := 0
	for _, guests := range r.guests {
		n += len(guests)
	}
	return n
}

func (r *Room[K]) remove(g *Guest[K]) {
	delete(r.guests[g.at], g)
	if len(r.guests[g.at]) == 0 {
		delete(r.guests, g.at)
	}
}

// Done is closed when the position is reached or the room closes.
func (g *Guest[K]) Done() <-chan struct{} { return g.done }

// Err tells, after Done, whether the room was closed.
func (g *Guest[K]) Err() error { return g.err }

// Leave ends the wait.
func (g *Guest[K]) Leave() {
	g.room.mutex.Lock()
	defer g.room.mutex.Unlock()
	g.room.remove(g)
}

func (g *Guest[K]) end(err error) {
	g.err = err
	close(g.done)
}
