// Package live tells watchers of a plan which reports changed (SPEC ANA-9).
//
// Nothing is kept of what happened: the read models hold the position of the last change of each report, and what a
// client was told is in its own hands. So any process can go on where another ended, and a slow client costs nothing:
// it is told the newest state when it has time.
package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Limits bound the watchers of one process.
type Limits struct {
	All, PerPlan, PerPrincipal int
}

// LimitError says that there are too many watchers.
type LimitError struct{ Of string } // "process", "plan" or "principal"

func (e *LimitError) Error() string { return "too many watchers of the " + e.Of }

const (
	// shortest is the time between two reads of one partition of a projection, so that a flood of commits costs no more.
	shortest = 100 * time.Millisecond
	// longest is the time after which a partition is read although nothing was heard of a commit. It also finds what
	// changes without a new position: a replay of parked events, another build in force.
	longest = 500 * time.Millisecond
	// restTimes is how many times as long as a read takes the pause after it is: reads take at most a tenth of the time.
	restTimes = 10
)

// Hub reads for all watchers of a process: each partition of each projection once, however many they are.
type Hub struct {
	queries *readmodels.Queries
	limits  Limits

	mu         sync.Mutex
	readers    map[readmodels.Scope]*reader
	all        int
	plans      map[string]int
	principals map[string]int
	running    sync.WaitGroup
}

// NewHub returns a hub without watchers. It has goroutines only while there are some.
func NewHub(queries *readmodels.Queries, limits Limits) *Hub {
	return &Hub{
		queries: queries, limits: limits, readers: map[readmodels.Scope]*reader{}, plans: map[string]int{}, principals: map[string]int{},
	}
}

// Watch is one who watches a plan.
type Watch struct {
	hub       *Hub
	plan      string
	principal string
	homes     []readmodels.Scope
	news      chan struct{}
	closed    sync.Once

	mu    sync.Mutex
	seen  map[string]*sight // by projection
	epoch int
}

// sight is the newest known of one projection for one plan; shared by all who watch the plan, so nobody changes it.
type sight struct {
	Point
	reports map[string]eventstore.Position
}

// Watch begins to watch a plan. It returns once the plan's state is known, or with *LimitError, or because the read
// models do not answer. The caller closes it.
func (h *Hub) Watch(ctx context.Context, plan, principal string) (*Watch, error) {
	w := &Watch{hub: h, plan: plan, principal: principal, news: make(chan struct{}, 1), seen: map[string]*sight{}}
	for _, scope := range readmodels.Scopes() {
		w.homes = append(w.homes, h.queries.Home(scope, plan))
	}
	if err := h.join(w); err != nil {
		return nil, err
	}
	// Read after joining: a commit in between is seen by the reader at the latest.
	for _, home := range w.homes {
		found, err := h.queries.Changes(ctx, home, plan)
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("read what changed: %w", err)
		}
		w.see(home, sightOf(found, plan))
	}
	return w, nil
}

func (h *Hub) join(w *Watch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.all >= h.limits.All:
		return &LimitError{"process"}
	case h.plans[w.plan] >= h.limits.PerPlan:
		return &LimitError{"plan"}
	case h.principals[w.principal] >= h.limits.PerPrincipal:
		return &LimitError{"principal"}
	}
	h.all++
	h.plans[w.plan]++
	h.principals[w.principal]++
	for _, home := range w.homes {
		r := h.readers[home]
		if r == nil {
			ctx, stop := context.WithCancel(context.Background())
			r = &reader{hub: h, home: home, stop: stop, watches: map[string]map[*Watch]bool{}}
			h.readers[home] = r
			h.running.Go(func() { r.run(ctx) })
		}
		r.join(w)
	}
	return nil
}

// Close ends watching.
func (w *Watch) Close() {
	w.closed.Do(func() {
		h := w.hub
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all--
		count(h.plans, w.plan)
		count(h.principals, w.principal)
		for _, home := range w.homes {
			if r := h.readers[home]; r.leave(w) {
				r.stop()
				delete(h.readers, home)
			}
		}
	})
}

// count takes one away, and forgets who has none left.
func count(of map[string]int, name string) {
	if of[name]--; of[name] == 0 {
		delete(of, name)
	}
}

// Wait returns when no reader runs any more; they end soon after the last watcher.
func (h *Hub) Wait() { h.running.Wait() }

// News has something when the state may be another than at the last look.
func (w *Watch) News() <-chan struct{} { return w.news }

// Now is what a client knows that reads everything at this moment.
func (w *Watch) Now(epoch int) Told {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := Told{Epoch: epoch, Points: map[string]Point{}}
	for name, s := range w.seen {
		told.Points[name] = s.Point
	}
	return told
}

// Change is what a client is to be told: reports that changed, sorted, and the position of the newest change.
type Change struct {
	Reports  []string
	Position eventstore.Position
	Another  bool // build answers than the one that the client was told of
}

// Since compares the newest state with what was told, and returns what is told afterwards. Of a projection that answers
// from another build or was repaired, or that was not told of at all, every report counts as changed; so do all if
// the log is of another epoch.
func (w *Watch) Since(told Told, epoch int) (Change, Told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var change Change
	next := Told{Epoch: epoch, Points: map[string]Point{}}
	for name, s := range w.seen {
		before, known := told.Points[name]
		change.Another = change.Another || known && before.Build != s.Build
		same := known && told.Epoch == epoch && before.Build == s.Build && before.Repairs == s.Repairs
		point := s.Point
		for report, at := range s.reports {
			if !same || at > before.Position {
				change.Reports = append(change.Reports, report)
				change.Position = max(change.Position, at)
			}
		}
		if same { // a read model that is being built anew comes back to where it was
			point.Position = max(point.Position, before.Position)
		}
		next.Points[name] = point
	}
	slices.Sort(change.Reports)
	return change, next
}

// see takes over the newest state of a projection.
func (w *Watch) see(home readmodels.Scope, now *sight) {
	w.mu.Lock()
	before := w.seen[home.Projection]
	w.seen[home.Projection] = now
	w.mu.Unlock()
	if before == nil || before.Point != now.Point {
		select {
		case w.news <- struct{}{}:
		default: // there is some already
		}
	}
}

func sightOf(found readmodels.Changes, plan string) *sight {
	s := &sight{Point: Point{Build: found.Scope.Build(), Repairs: found.At.Repairs}, reports: found.Plans[plan]}
	for _, at := range s.reports {
		s.Position = max(s.Position, at)
	}
	return s
}

// reader reads one partition of one projection for all who watch a plan in it.
type reader struct {
	hub  *Hub
	home readmodels.Scope
	stop context.CancelFunc

	mu      sync.Mutex
	watches map[string]map[*Watch]bool // by plan
	joined  int                        // grows with each that joins
}

func (r *reader) join(w *Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watches[w.plan] == nil {
		r.watches[w.plan] = map[*Watch]bool{}
	}
	r.watches[w.plan][w] = true
	r.joined++
}

// leave tells whether nobody is left.
func (r *reader) leave(w *Watch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.watches[w.plan], w)
	if len(r.watches[w.plan]) == 0 {
		delete(r.watches, w.plan)
	}
	return len(r.watches) == 0
}

// run reads whenever the partition has moved, until it is stopped. What fails is tried again: the watchers' streams live
// on, since what they miss meanwhile is told afterwards.
func (r *reader) run(ctx context.Context) {
	defer r.stop()
	var at eventstore.Position
	for ctx.Err() == nil {
		begun := time.Now()
		joined, position, err := r.read(ctx)
		if errors.Is(err, readmodels.ErrClosed) {
			return
		}
		took := time.Since(begun)
		if err != nil {
			sleep(ctx, longest)
			continue
		}
		at = position
		sleep(ctx, min(max(shortest-took, restTimes*took), longest))
		if r.others(joined) { // who joined during the read may have looked before a commit that the read has passed
			continue
		}
		waiting, done := context.WithTimeout(ctx, longest)
		err = r.hub.queries.Moved(waiting, r.home, at)
		done()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			sleep(ctx, shortest)
		}
	}
}

func (r *reader) others(joined int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined != joined
}

// read hands the newest state to all watchers.
func (r *reader) read(ctx context.Context) (joined int, at eventstore.Position, err error) {
	r.mu.Lock()
	plans := slices.Collect(maps.Keys(r.watches))
	joined = r.joined
	r.mu.Unlock()
	found, err := r.hub.queries.Changes(ctx, r.home, plans...)
	if err != nil {
		return joined, 0, err
	}
	for _, plan := range plans {
		now := sightOf(found, plan)
		r.mu.Lock()
		watches := slices.Collect(maps.Keys(r.watches[plan]))
		r.mu.Unlock()
		for _, w := range watches {
			w.see(r.home, now)
		}
	}
	return joined, found.At.Position, nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
