package readmodels

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lookAgain is for how long it is taken for granted which build is live.
const lookAgain = 250 * time.Millisecond

// Pointers tell which build of each projection is live.
type Pointers struct {
	store Store
	mu    sync.Mutex
	read  time.Time
	all   map[string]*Builds
}

// NewPointers returns the pointers of a store.
func NewPointers(store Store) *Pointers { return &Pointers{store: store} }

// Live returns the scope that a program with the rules of a scope reads in its place; *RebuildingError if the live build
// is by other rules and the one by these is still being built.
func (p *Pointers) Live(ctx context.Context, scope Scope) (Scope, error) {
	b, err := p.builds(ctx, scope.Projection)
	if err != nil || b == nil {
		return scope.Of(Build{Version: scope.Version}), err
	}
	if build, readable := b.Readable(scope.Version); readable {
		return scope.Of(build), nil
	}
	next := scope.Of(Build{Version: scope.Version})
	if b.Next != nil && b.Next.Version == scope.Version {
		next = scope.Of(b.Next.Build)
	}
	at, err := p.store.Checkpoint(ctx, next)
	var damage *DamagedError
	if err != nil && !errors.As(err, &damage) { // whoever projects begins what is damaged anew
		return scope, err
	}
	return scope, &RebuildingError{Scope: next, Have: at.Position}
}

// builds returns what there is of a projection, nil if nothing was ever projected. What was read a moment ago will do.
func (p *Pointers) builds(ctx context.Context, projection string) (*Builds, error) {
	p.mu.Lock()
	all, old := p.all, time.Since(p.read) > lookAgain
	p.mu.Unlock()
	if !old {
		return all[projection], nil
	}
	begun := time.Now()
	fresh, err := ReadBuilds(ctx, p.store)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if begun.After(p.read) { // else another has read later, and was faster
		p.all, p.read = fresh, begun
	}
	return fresh[projection], nil
}
