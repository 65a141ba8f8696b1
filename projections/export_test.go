package projections

import (
	"context"
	"time"

	"rolewise/eventstore"
)

// LookEvery changes how often it is looked, before anything runs.
func LookEvery(d time.Duration) { lookEvery = d }

// ApplyAhead is Apply as a scan calls it while it catches up.
func (p *Projector) ApplyAhead(ctx context.Context, page eventstore.Page) error {
	return p.apply(ctx, decode(page, p.projection.wants), true)
}

// Hooked is the same projection with a hand at each of its rules.
func (p *Projection) Hooked(hook func(f *Fold, apply func() error) error) *Projection {
	made := &Projection{Scope: p.Scope, rules: map[string]rule{}}
	for name, apply := range p.rules {
		made.rules[name] = func(f *Fold, event any) error {
			return hook(f, func() error { return apply(f, event) })
		}
	}
	return made
}
