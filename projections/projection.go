// Package projections turns the log into read models: a feed delivers pages, a router of Watermill carries them, a
// projector folds each page in memory and commits it, with its checkpoint, at once.
//
// A projection is a set of rules, one for each event type. Rules are pure: no clock, no ids made, no I/O besides the
// read model's own documents, so that a rebuild gives the same bytes.
package projections

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Projection is a named, versioned set of rules.
type Projection struct {
	Scope readmodels.Scope
	rules map[string]rule
}

type rule func(f *Fold, event any) error

// Rule applies one type of event.
type Rule struct {
	eventType string
	apply     rule
}

// On makes a rule of a function for one type of event.
func On[E any](apply func(f *Fold, e E) error) Rule {
	var zero E
	t, ok := events.All.Lookup(zero)
	if !ok {
		panic("no event type " + reflect.TypeFor[E]().String())
	}
	return Rule{t.Name, func(f *Fold, event any) error { return apply(f, event.(E)) }}
}

// New returns a projection. Events without a rule pass it by, but move its checkpoint.
func New(scope readmodels.Scope, rules ...Rule) *Projection {
	p := &Projection{Scope: scope, rules: map[string]rule{}}
	for _, r := range rules {
		if p.rules[r.eventType] != nil {
			panic("two rules for " + r.eventType + " in " + scope.Projection)
		}
		p.rules[r.eventType] = r.apply
	}
	return p
}

// All returns every projection there is.
func All() []*Projection {
	return []*Projection{directory(), roles(), assignments(), progress(), analytics()}
}

// In is the same projection in another partition.
func (p *Projection) In(partition int) *Projection {
	return &Projection{Scope: p.Scope.In(partition), rules: p.rules}
}

// Types lists the event types that the projection has rules for, sorted.
func (p *Projection) Types() []string { return slices.Sorted(maps.Keys(p.rules)) }

// Fold is one event being applied: where it happened, and the documents to change.
type Fold struct {
	ctx      context.Context
	tx       *readmodels.Tx
	Plan     string
	Stream   eventstore.StreamID
	Revision eventstore.Revision
	Position eventstore.Position
	Type     string
	Time     time.Time
}

// RuleError says that an event cannot be applied, now or ever: it does not decode, or its rule failed.
type RuleError struct {
	Position eventstore.Position
	Type     string
	Err      error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("apply %s at position %s: %v", e.Type, e.Position, e.Err)
}
func (e *RuleError) Unwrap() error { return e.Err }

// apply folds one event and returns its time. Events without a rule count for the time alone: it tells what moment the
// read model stands for.
func (p *Projection) apply(ctx context.Context, tx *readmodels.Tx, r eventstore.Recorded) (at time.Time, err error) {
	meta, err := eventstore.DecodeMetadata(r.Metadata)
	if err != nil {
		return time.Time{}, &RuleError{r.Position, r.Type, err}
	}
	rule := p.rules[r.Type]
	if rule == nil {
		return meta.Time, nil
	}
	event, err := events.All.Decode(r.Type, meta.Schema, r.Data)
	if err != nil {
		return time.Time{}, &RuleError{r.Position, r.Type, err}
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = &RuleError{r.Position, r.Type, fmt.Errorf("panic: %v", cause)}
		}
	}()
	f := &Fold{
		ctx: ctx, tx: tx, Plan: r.Stream.Plan, Stream: r.Stream, Revision: r.Revision, Position: r.Position, Type: r.Type, Time: meta.Time,
	}
	return meta.Time, rule(f, event)
}

// edit returns a document of the event's plan for change.
func edit[T any, ID ~string](f *Fold, c readmodels.Collection[T], id ID) (*T, error) {
	return c.Edit(f.ctx, f.tx, f.Plan, string(id))
}

// peek returns a document of the event's plan, nil if there is none.
func peek[T any, ID ~string](f *Fold, c readmodels.Collection[T], id ID) (*T, error) {
	return c.Peek(f.ctx, f.tx, f.Plan, string(id))
}

// texts turns typed ids into plain ones.
func texts[ID ~string](ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// with returns a sorted list with a value in it, once.
func with(list []string, value string) []string {
	i, found := slices.BinarySearch(list, value)
	if found {
		return list
	}
	return slices.Insert(list, i, value)
}

// without returns a sorted list without a value.
func without(list []string, value string) []string {
	i, found := slices.BinarySearch(list, value)
	if !found {
		return list
	}
	return slices.Delete(list, i, i+1)
}
