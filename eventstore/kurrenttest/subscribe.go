package kurrenttest

import (
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

func (r *reading) confirm() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

func (r *reading) caughtUp() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (r *reading) fellBehind() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_FellBehind_{FellBehind: &streams.ReadResp_FellBehind{}}})
}

func (r *reading) checkpoint(commit uint64) error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: commit, PreparePosition: commit},
	}})
}

// lastCommit returns the position of the end of $all.
func (r *reading) lastCommit() (uint64, error) {
	info, err := r.store.Info(r.ctx)
	if err != nil || info.Head == 0 {
		last := uint64(0)
		for _, e := range r.system.first() {
			last = e.commit
		}
		return last, err
	}
	return commitOf(info.Head) + beside, nil
}

// subscribeAll sends the events of $all behind a position, for ever.
func (r *reading) subscribeAll(after uint64) error {
	last, err := r.lastCommit()
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	live := &liveness{reading: r}
	if after >= last {
		after = last
		if err := live.now(true); err != nil {
			return err
		}
	}
	looked := uint64(0)
	for page, err := range r.follow(r.ctx, after, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		if err := live.before(page); err != nil {
			return err
		}
		for i := range page.events {
			e := &page.events[i]
			if r.filter.passes(e) {
				if err := r.send(e); err != nil {
					return err
				}
			}
			if looked++; r.filter != nil && looked >= r.filter.interval {
				looked = 0
				if err := r.checkpoint(e.commit); err != nil {
					return err
				}
			}
		}
		if err := live.now(page.live); err != nil {
			return err
		}
	}
	return nil
}

// liveness tells a subscriber when it has reached the end of the log, and when it no longer has.
type liveness struct {
	*reading
	caught bool
}

func (l *liveness) before(page batch) error {
	if l.caught && !page.live {
		l.caught = false
		return l.fellBehind()
	}
	return nil
}

func (l *liveness) now(live bool) error {
	if !live || l.caught {
		return nil
	}
	l.caught = true
	if l.faults.oddCheckpoints() && l.filter != nil {
		if err := l.checkpoint(end); err != nil {
			return err
		}
	}
	return l.caughtUp()
}

// subscribeStream sends the events of a stream behind a revision, for ever. A stream that does not exist is waited for.
func (r *reading) subscribeStream(name string, o *streams.ReadReq_Options_StreamOptions) error {
	after, err := revisionOf(o)
	if err != nil {
		return err
	}
	next := after + 1
	if _, start := o.GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Start); start {
		next = 0
	}
	if err := r.deleted(name); err != nil {
		return err
	}
	if r.system.owns(name) {
		return r.subscribeSystem(name, after, next)
	}
	info, err := r.store.Info(r.ctx) // before the stream is read, so that no event falls in between
	if err != nil {
		return err
	}
	v, err := r.look(r.ctx, name, true)
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	live := &liveness{reading: r}
	if after == end {
		next = uint64(v.last + 1)
	}
	if v.last != eventstore.NoStream || after == end {
		for e, err := range r.stream(r.ctx, v, next) {
			if err != nil {
				return err
			}
			if err := r.send(&e); err != nil {
				return err
			}
			next = e.revision + 1
		}
		if err := live.now(true); err != nil {
			return err
		}
	}
	only := eventstore.Filter{Prefixes: []string{v.stream.String()}}
	return r.relay(live, name, next, r.follow(r.ctx, commitOf(info.Head), only))
}

// relay passes on what is new in a stream.
func (r *reading) relay(live *liveness, name string, next uint64, pages iter.Seq2[batch, error]) error {
	for page, err := range pages {
		if err != nil {
			return err
		}
		some := false
		for i := range page.events {
			e := &page.events[i]
			if e.stream != name || e.revision < next {
				continue
			}
			if err := r.send(e); err != nil {
				return err
			}
			next, some = e.revision+1, true
		}
		if err := live.now(some && page.live); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) subscribeSystem(name string, after, next uint64) error {
	last, err := r.lastCommit()
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	live, from := &liveness{reading: r}, uint64(0)
	if after == end {
		from, next = last, 0
		if err := live.now(true); err != nil {
			return err
		}
	}
	for page, err := range r.follow(r.ctx, from, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		for i := range page.events {
			if e := &page.events[i]; e.stream == name && e.revision >= next {
				if err := r.send(e); err != nil {
					return err
				}
			}
		}
		if err := live.now(page.live); err != nil {
			return err
		}
	}
	return nil
}
