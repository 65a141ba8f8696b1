package projections

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// scan is workers that are fed by one scan of the log. A worker that cannot go on leaves it for a scan of its own, so
// that the others do; a scan that has reached the end of the log joins the scan that lives there.
type scan struct {
	runner *Runner
	feed   *Feed
	cancel context.CancelFunc

	mu      sync.Mutex
	workers []*worker
	ended   bool
	slow    bool // until it has reached the end of the log, it goes at the rate of its workers
}

// begin starts a scan after a while, unless the runner is ending. Workers whose partition was given up meanwhile, when
// they were in no scan, stay out.
func (r *Runner) begin(workers []*worker, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scans = slices.DeleteFunc(r.scans, func(one *scan) bool { return one.over() })
	workers = slices.DeleteFunc(slices.Clone(workers), func(w *worker) bool { return w.over() })
	if r.running == nil || r.running.Err() != nil || len(workers) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(r.running)
	s := &scan{runner: r, workers: workers, cancel: cancel, slow: workers[0].rate.Load() > 0}
	s.feed = NewFeed(r.events, s.from, eventstore.Filter{PageSize: pageFor(workers)}, s.note)
	s.feed.prepare = func(p eventstore.Page) any { return decode(p, r.wants) }
	r.scans = append(r.scans, s)
	r.working.Go(func() {
		defer cancel()
		pause(ctx, after)
		if err := s.run(ctx); err != nil {
			r.end(err)
		}
	})
}

// pageFor is the most events of a page for workers. At a rate it is what they may read in a quarter of a second, so that
// they go on evenly, and whoever looks for half a second sees how fast.
func pageFor(workers []*worker) int {
	page := catchUp
	for _, w := range workers {
		if rate := int(w.rate.Load()); rate > 0 {
			page = min(page, max(1, rate/4))
		}
	}
	return page
}

// run is one router of Watermill with one handler, until the scan is dissolved.
func (s *scan) run(ctx context.Context) error {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drain}, watermill.NewSlogLogger(s.runner.log))
	if err != nil {
		return err
	}
	router.AddMiddleware(middleware.Recoverer)
	router.AddMiddleware(s.runner.around...)
	router.AddConsumerHandler("projections", "log", s.feed, func(m *message.Message) error {
		return s.apply(m.Context(), preparedOf(m).(*page))
	})
	if err := router.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// from is where the hindmost worker stands.
func (s *scan) from() eventstore.Position {
	var least eventstore.Position
	for i, m := range s.present() {
		if at := m.from(); i == 0 || at < least {
			least = at
		}
	}
	return least
}

func (s *scan) present() []*worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.workers)
}

// pause waits, for as long as the context lasts.
func pause(ctx context.Context, how time.Duration) {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// note is told what keeps the log from being read.
func (s *scan) note(err error) {
	for _, m := range s.present() {
		s.runner.note(m.name, err)
	}
}

// apply hands each worker what a page has for its partition, several at a time.
func (s *scan) apply(ctx context.Context, page *page) error {
	byPartition := s.runner.split(page)
	now := time.Now()
	var folding errgroup.Group
	folding.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	for _, m := range s.present() {
		mine := *page
		mine.events = byPartition[m.partition]
		if len(mine.events) == 0 {
			s.judge(ctx, m, page.Live, m.apply(ctx, &mine, now))
			continue
		}
		folding.Go(func() error {
			s.judge(ctx, m, page.Live, m.apply(ctx, &mine, now))
			return nil
		})
	}
	_ = folding.Wait() // each has been judged
	if page.Live {
		s.runner.live(s)
	} else if wait := s.pace(len(page.events)) - time.Since(now); wait > 0 {
		pause(ctx, wait)
	}
	return ctx.Err()
}

// pace is how long the slowest of the workers may take for so many events. A rate is that of a build in all of the
// process: partitions that were leased one after the other, or workers that failed, read for it in scans of their own.
func (s *scan) pace(events int) time.Duration {
	if !s.slowly() {
		return 0
	}
	var sharing map[readmodels.Scope]int // how many scans read for a build
	var longest time.Duration
	for _, w := range s.present() {
		rate := w.rate.Load()
		if rate == 0 {
			continue
		}
		if sharing == nil {
			sharing = s.runner.sharing()
		}
		scans := max(1, sharing[w.projector.projection.Scope.In(0)])
		longest = max(longest, time.Duration(events)*time.Second/time.Duration(rate)*time.Duration(scans))
	}
	return longest
}

func (s *scan) slowly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slow
}

// sharing counts for each build, under its first partition, the scans that read for it at its rate.
func (r *Runner) sharing() map[readmodels.Scope]int {
	counts := map[readmodels.Scope]int{}
	for _, s := range r.present() {
		if !s.slowly() {
			continue
		}
		counted := map[readmodels.Scope]bool{}
		for _, w := range s.present() {
			if build := w.projector.projection.Scope.In(0); !counted[build] {
				counted[build] = true
				counts[build]++
			}
		}
	}
	return counts
}

// judge lets a worker that failed go on alone, later; one that stops at what it cannot apply only when an operator says so.
// What was folded and is not committed yet, as it may be unless the worker has landed, heals nothing.
func (s *scan) judge(ctx context.Context, m *worker, landed bool, err error) {
	if ctx.Err() != nil {
		return
	}
	stands := uint64(m.projector.Position())
	if err == nil {
		if landed || stands > m.failedAt.Load() {
			s.runner.note(m.name, nil)
		}
		return
	}
	m.failedAt.Store(stands)
	s.runner.note(m.name, err)
	if !s.leave(m) {
		return
	}
	if m.stopped(err) {
		s.runner.arrangeSoon()
		return
	}
	s.runner.begin([]*worker{m}, m.wait())
}

// leave takes a worker out. The last one dissolves the scan.
func (s *scan) leave(m *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.workers)
	s.workers = slices.DeleteFunc(s.workers, func(one *worker) bool { return one == m })
	if len(s.workers) == 0 {
		s.ended = true
		s.cancel()
	}
	return len(s.workers) < before
}

// live is told that a scan has reached the end of the log. The first one stays there, the others join it.
func (r *Runner) live(s *scan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	s.slow = false
	s.mu.Unlock()
	main := r.main
	if main == nil || main.over() {
		r.main = s
		return
	}
	if main == s {
		return
	}
	s.mu.Lock()
	moving := s.workers
	s.workers, s.ended = nil, true
	s.mu.Unlock()
	if !main.join(moving) { // it has dissolved meanwhile
		s.mu.Lock()
		s.workers, s.ended = moving, false
		s.mu.Unlock()
		r.main = s
		return
	}
	for _, m := range moving {
		m.healed()
	}
	s.cancel()
	main.feed.Restart() // from where the hindmost of them stands
}

func (s *scan) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *scan) join(workers []*worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.workers = append(s.workers, workers...)
	return true
}

// wants tells whether any projection has a rule for a type of event.
func (r *Runner) wants(eventType string) bool {
	return slices.ContainsFunc(r.all, func(p *Projection) bool { return p.wants(eventType) })
}

// split sorts the events of a page by partition; those of the catalog go to all.
func (r *Runner) split(page *page) [][]*event {
	n := r.parts.Count()
	if n == 1 {
		return [][]*event{page.events}
	}
	parts := make([][]*event, n)
	for _, e := range page.events {
		if e.Stream.Plan != readmodels.Catalog {
			p := r.parts.Of(e.Stream.Plan)
			parts[p] = append(parts[p], e)
			continue
		}
		for p := range parts {
			parts[p] = append(parts[p], e)
		}
	}
	return parts
}
