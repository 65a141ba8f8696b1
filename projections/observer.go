package projections

import (
	"time"

	"rolewise/readmodels"
)

// Observer is told what becomes of read models. Its methods must return at once, be safe for concurrent use, and not
// call back.
type Observer interface {
	// Applied is told of each page that was committed: how many events it had, and how long folding them took, without
	// the commit.
	Applied(scope readmodels.Scope, events int, folding time.Duration)
	// Parked is told of each stream that is held back from now on (SPEC OPS-5).
	Parked(scope readmodels.Scope)
	// BegunAnew is told of a read model that lost its data, was damaged or belonged to an earlier epoch of the log.
	BegunAnew(scope readmodels.Scope)
}

// WithObserver sets who is told what the projector does; nil is nobody.
func WithObserver(o Observer) Option {
	return func(p *Projector) {
		if o != nil {
			p.observer = o
		}
	}
}

type nobody struct{}

func (nobody) Applied(readmodels.Scope, int, time.Duration) {}
func (nobody) Parked(readmodels.Scope)                      {}
func (nobody) BegunAnew(readmodels.Scope)                   {}
