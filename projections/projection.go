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

// Of is another build by the same rules.
func (p *Projection) Of(b readmodels.Build) *Projection {
	return &Projection{Scope: p.Scope.Of(b), rules: p.rules}
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

	views *allViews // that the rules have derived, once some are asked for
}

// RuleError says that an event cannot be applied, now or ever: it does not decode, or its rule failed. Its text tells
// nothing of what the event holds.
type RuleError struct {
	Stream   eventstore.StreamID
	Revision eventstore.Revision
	Position eventstore.Position
	Type     string
	Time     time.Time // zero if the event does not tell
	Err      error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("apply %s at position %s: %v", e.Type, e.Position, e.Err)
}
func (e *RuleError) Unwrap() error { return e.Err }

func failed(e *event, err error) *RuleError {
	return &RuleError{e.Stream, e.Revision, e.Position, e.Type, e.at, err}
}

// run applies a rule. After an error the Tx may hold half of what the rule did.
func (f *Fold) run(apply rule, e *event) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = failed(e, broken(e.Data, "panic", cause))
		}
	}()
	f.Plan, f.Stream, f.Revision, f.Position, f.Type, f.Time = e.Stream.Plan, e.Stream, e.Revision, e.Position, e.Type, e.at
	if err := apply(f, e.value); err != nil {
		if transient(err) {
			return err
		}
		return failed(e, broken(e.Data, "error", err))
	}
	return nil
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
