package redisleases

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/leases"
)

// session is one run of a keeper. Its fields belong to the goroutine of run, but for the channels.
type session struct {
	keeper     *Keeper
	id         string
	partitions int
	work       func(ctx context.Context, partition int, fence uint64)

	holds    map[int]*hold     // by partition, until they have returned
	resting  map[int]time.Time // partitions whose hold returned by itself, and when they may be held again
	done     []*hold           // have returned, and are to be released
	failures int               // in a row

	returned chan *hold // has room for all
	news     chan struct{}
	listener sync.WaitGroup
}

// run shares in the partitions until the context ends, and returns when all holds have.
func (s *session) run(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := s.round(ctx)
		if err != nil {
			s.rest(ctx, s.failed(ctx, err), false)
			continue
		}
		s.recovered(ctx)
		s.rest(ctx, next, true)
	}
	s.leave(ctx)
}

// rest waits, if it may be woken also until a hold returns or another process has changed something.
func (s *session) rest(ctx context.Context, pause time.Duration, wakeable bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	returned, news := s.returned, s.news
	if !wakeable {
		returned, news = nil, nil
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-news:
	case h := <-returned:
		s.hasReturned(h)
	}
}

// failed says how long to wait before the next try: a twentieth of the lease time at first, a fifth in the end.
func (s *session) failed(ctx context.Context, err error) time.Duration {
	s.failures++
	if s.failures == 1 && ctx.Err() == nil {
		s.keeper.log.WarnContext(ctx, "leases can't be renewed, trying on", "group", s.keeper.group, "error", err)
	}
	return s.keeper.lease / 20 * time.Duration(min(s.failures, 4))
}

func (s *session) recovered(ctx context.Context) {
	if s.failures > 0 {
		s.keeper.log.InfoContext(ctx, "leases are renewed again", "group", s.keeper.group, "failures", s.failures)
	}
	s.failures = 0
}

// round releases, renews and takes leases, and says when the next round is due.
func (s *session) round(ctx context.Context) (next time.Duration, err error) {
	s.collect()
	if err := s.releaseDone(ctx, false); err != nil {
		return 0, err
	}
	active := s.active()
	sent := time.Now()
	v, err := s.renew(ctx, s.most(len(active)), grants(active))
	if err != nil {
		return 0, err
	}
	for _, p := range v.lost {
		h, found := s.holds[p]
		if !found {
			continue
		}
		h.end(fmt.Errorf("another process may have partition %d: %w", p, leases.ErrLost))
	}
	for _, h := range active {
		h.extend(sent.Add(s.keeper.lease)) // not those that were just lost
	}
	next = time.Until(sent.Add(s.keeper.lease / 3))
	if v.next > 0 {
		next = min(next, v.next+time.Millisecond)
	}
	if err := s.balance(ctx, v); err != nil {
		return 0, err
	}
	for _, when := range s.resting {
		next = min(next, time.Until(when))
	}
	return max(next, time.Millisecond), nil
}

// balance gives away what is too much, or takes what is missing and free.
func (s *session) balance(ctx context.Context, v view) error {
	size, first := share(v.members, s.id, s.partitions)
	active := s.active()
	for _, h := range active[min(size, len(active)):] {
		h.end(fmt.Errorf("%d processes share %d partitions: %w", len(v.members), s.partitions, leases.ErrGivenAway))
	}
	now := time.Now()
	maps.DeleteFunc(s.resting, func(_ int, when time.Time) bool { return !now.Before(when) })
	var here, before []int // from the first on, and those before it
	for _, p := range v.free {
		_, busy := s.holds[p]
		_, resting := s.resting[p]
		switch {
		case busy || resting:
		case p >= first:
			here = append(here, p)
		default:
			before = append(before, p)
		}
	}
	candidates := append(here, before...)
	if size <= len(active) || len(candidates) == 0 {
		return nil
	}
	sent := time.Now()
	taken, err := s.take(ctx, size-len(active), candidates)
	if err != nil {
		return err
	}
	for _, g := range taken {
		s.start(ctx, g, sent.Add(s.keeper.lease))
	}
	return nil
}

// start runs the hold of a lease. One that is over before it has begun is left to be taken again.
func (s *session) start(ctx context.Context, g grant, until time.Time) {
	if !time.Now().Before(until) {
		return
	}
	s.keeper.counter.Began()
	h := &hold{grant: g, lease: newLease(ctx, until, s.keeper.counter.Ended)}
	s.holds[g.partition] = h
	go func() {
		s.work(h.lease, g.partition, g.fence)
		s.returned <- h
	}()
}

// active returns the holds whose leases go on, the eldest lease first.
func (s *session) active() []*hold {
	var active []*hold
	for _, h := range s.holds {
		if h.Err() == nil {
			active = append(active, h)
		}
	}
	slices.SortFunc(active, func(a, b *hold) int {
		return cmp.Or(cmp.Compare(a.fence, b.fence), cmp.Compare(a.partition, b.partition))
	})
	return active
}

// most is how many leases this process can have: while a hold goes on after its lease is over, no more than it has, so
// that the others take what it can't.
func (s *session) most(active int) int {
	for _, h := range s.holds {
		if h.Err() != nil && h.lapsed() {
			return active
		}
	}
	return unlimited
}

// collect notes the holds that have returned.
func (s *session) collect() {
	for {
		select {
		case h := <-s.returned:
			s.hasReturned(h)
		default:
			return
		}
	}
}

func (s *session) hasReturned(h *hold) {
	if h.Err() == nil {
		s.resting[h.partition] = time.Now().Add(s.keeper.lease / 5)
	}
	h.end(nil)
	delete(s.holds, h.partition)
	s.done = append(s.done, h)
}

// releaseDone releases the leases whose holds have returned, as far as they are not over anyway.
func (s *session) releaseDone(ctx context.Context, leave bool) error {
	s.done = slices.DeleteFunc(s.done, func(h *hold) bool { return h.lapsed() })
	if len(s.done) == 0 && !leave {
		return nil
	}
	if err := s.release(ctx, leave, grants(s.done)); err != nil {
		return err
	}
	s.done = nil
	return nil
}

// leave ends the membership and releases each lease when its hold has returned. Where Redis does not answer, the leases
// end by themselves.
func (s *session) leave(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for leave := true; leave || len(s.holds) > 0; leave = false {
		if !leave {
			s.hasReturned(<-s.returned)
		}
		s.collect()
		if err := s.releaseDone(ctx, leave); err != nil {
			s.keeper.log.WarnContext(ctx, "leases are left to end by themselves", "group", s.keeper.group, "error", err)
		}
	}
}

// listen passes on that other processes have changed something, or may have while nobody listened: the connection, also
// one that was made anew, is announced too.
func (s *session) listen(ctx context.Context) {
	news := s.keeper.client.Subscribe(ctx, channel(s.keeper.group))
	defer news.Close()
	messages := news.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case message, open := <-messages:
			if !open {
				return
			}
			if m, ok := message.(*goredis.Message); ok && m.Payload == s.id {
				continue
			}
			select {
			case s.news <- struct{}{}:
			default:
			}
		}
	}
}

func grants(holds []*hold) []grant {
	var all []grant
	for _, h := range holds {
		all = append(all, h.grant)
	}
	return all
}
