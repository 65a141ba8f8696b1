package sqlite

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Follow implements eventstore.Store. A position beyond the end of the log is refused: it belongs to another log.
func (s *logReader) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		f := newFollower(s, after, filter)
		for {
			page, err := f.next(ctx)
			if err != nil {
				yield(eventstore.Page{}, err)
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// follower is the state of one Follow.
type follower struct {
	store  *logReader
	filter eventstore.Filter
	most   int
	after  eventstore.Position
	live   bool // a live page has been yielded
	scan   scan
}

func newFollower(s *logReader, after eventstore.Position, filter eventstore.Filter) *follower {
	filter.Types = slices.Clone(filter.Types)
	filter.Prefixes = slices.Clone(filter.Prefixes)
	most := filter.PageSize
	if most <= 0 {
		most = s.page
	}
	return &follower{store: s, filter: filter, most: most, after: after, scan: newScan(filter, s.apart)}
}

// next returns the next page, and waits for one at the end of the log.
func (f *follower) next(ctx context.Context) (eventstore.Page, error) {
	for {
		if err := f.store.usable(ctx); err != nil {
			return eventstore.Page{}, err
		}
		head, changed := f.store.tail.state()
		if f.after > head {
			return eventstore.Page{}, &eventstore.InvalidError{What: "position " + f.after.String(),
				Why: fmt.Sprintf("lies beyond the end of the log at %s: it belongs to another log", head)}
		}
		if f.after < head || !f.live {
			return f.page(ctx)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-f.store.closed:
		}
	}
}

// page makes the next page out of memory if it can, else out of the database.
func (f *follower) page(ctx context.Context) (eventstore.Page, error) {
	page := eventstore.Page{After: f.after}
	recent, head, ok := f.store.tail.after(f.after)
	page.Head = head
	if ok {
		page.Events, page.Through = f.pick(recent)
	} else if err := f.history(ctx, &page); err != nil {
		return eventstore.Page{}, fmt.Errorf("follow the log after %s: %w", f.after, err)
	}
	page.Live = page.Through == page.Head
	f.live = f.live || page.Live
	f.after = page.Through
	return page, nil
}

// pick takes a page's worth of recent events that pass the filter, and tells how far it looked.
func (f *follower) pick(recent []eventstore.Recorded) (events []eventstore.Recorded, through eventstore.Position) {
	through = f.after
	for i := range recent {
		through = recent[i].Position
		if !f.passes(&recent[i]) {
			continue
		}
		events = append(events, recent[i])
		if len(events) == f.most {
			break
		}
	}
	return events, through
}

func (f *follower) passes(e *eventstore.Recorded) bool {
	if f.filter.Plan != "" && e.Stream.Plan != f.filter.Plan {
		return false
	}
	if len(f.filter.Types) > 0 && !slices.Contains(f.filter.Types, e.Type) {
		return false
	}
	if len(f.filter.Prefixes) == 0 {
		return true
	}
	name := e.Stream.String()
	return slices.ContainsFunc(f.filter.Prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// history fills a page from the database, up to the head that it names.
func (f *follower) history(ctx context.Context, page *eventstore.Page) error {
	rows := newRows(ctx, f.most)
	err := f.store.pool.with(ctx, func(c connection) (err error) {
		if f.filter.Plan != "" {
			page.Through, err = f.scan.plan(c, rows, f.filter.Plan, page.After, page.Head)
		} else {
			page.Through, err = f.scan.log(c, rows, page.After, page.Head)
		}
		if err != nil {
			return err
		}
		return rows.named(c, f.store.names)
	})
	page.Events = rows.events
	return err
}
