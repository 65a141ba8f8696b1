package projections

import (
	"errors"
	"time"

	"rolewise/domain/events"
	"rolewise/eventstore"
)

// page is a page of the log as the rules take it: decoded once for all projections that it is for, and beside what they
// make of the page before.
type page struct {
	eventstore.Page // without its events
	events          []*event
}

// event is an event as a rule takes it. Projections share it, so that nobody may change it.
type event struct {
	*eventstore.Recorded
	at    time.Time // zero if the metadata does not tell
	value any       // nil where no rule asks for it
	err   error     // why it cannot be applied: its text tells nothing of what the event holds
}

// decode takes a page apart; wanted are the types that have a rule.
func decode(p eventstore.Page, wanted func(eventType string) bool) *page {
	made := &page{Page: p, events: make([]*event, len(p.Events))}
	made.Events = nil
	all := make([]event, len(p.Events))
	for i := range p.Events {
		e := &all[i]
		e.Recorded = &p.Events[i]
		e.decode(wanted(e.Type))
		made.events[i] = e
	}
	return made
}

// decode tells the time even of an event whose data does not decode, if it could be read: it counts for the moment that
// the read model stands for.
func (e *event) decode(wanted bool) {
	stamp, err := eventstore.DecodeStamp(e.Metadata)
	if year := stamp.Time.UTC().Year(); err == nil && (year < 0 || year > 9999) { // no store could keep it as text
		err = errors.New("time out of range")
	}
	if err != nil {
		e.err = &plainError{"the metadata does not decode", err}
		return
	}
	e.at = stamp.Time
	if !wanted {
		return
	}
	if e.value, err = events.All.Decode(e.Type, stamp.Schema, e.Data); err != nil {
		e.value, e.err = nil, undecodable(stamp.Schema, err)
	}
}

// wants tells whether the projection has a rule for a type of event.
func (p *Projection) wants(eventType string) bool { return p.rules[eventType] != nil }

// until is the part of a page up to a position.
func (p *page) until(through eventstore.Position) *page {
	part := *p
	for i, e := range p.events {
		if e.Position > through {
			part.events = p.events[:i]
			break
		}
	}
	part.Live = p.Live && through == p.Through
	part.Through = through
	return &part
}
