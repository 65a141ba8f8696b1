package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/eventstore"
	"rolewise/leases"
	"rolewise/leases/redisleases"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// site is a log with some history, and read models of the members in several partitions.
type site struct {
	*world
	t      *testing.T
	models readmodels.Store
	parts  readmodels.Partitions
	sick   *sync.Map // streams whose events the projection cannot apply
}

func newSite(t *testing.T, models readmodels.Store, events int) *site {
	t.Helper()
	w := newWorld(t, models)
	before := w.plan("before") // in another partition than acme
	before.team("Crew", before.member("Someone"), before.member("Somebody"))
	for i := 0; i < events; i += 400 { // no projection looks at them
		plain := make([]eventstore.Event, min(400, events-i))
		for j := range plain {
			plain[j] = plainEvent("Tested", `{}`)
		}
		stream := eventstore.StreamID{Category: "test", Plan: "acme", ID: fmt.Sprint(i)}
		if _, err := w.log.Append(t.Context(), stream, eventstore.NoStream, plain...); err != nil {
			t.Fatal(err)
		}
	}
	before.team("Others", before.member("Another"))
	s := &site{world: w, t: t, models: models, parts: 4, sick: &sync.Map{}}
	s.ask = readmodels.NewQueries(models, s.parts)
	return s
}

// of is the projection of the members by the rules of a version; all rules are the same.
func (s *site) of(version int) *projections.Projection {
	for _, p := range projections.All() {
		if p.Scope == readmodels.Directory {
			made := p.Hooked(func(f *projections.Fold, apply func() error) error {
				if _, sick := s.sick.Load(f.Stream.String()); sick {
					panic("not today")
				}
				return apply()
			})
			made.Scope = made.Scope.Of(build(version, 0))
			return made
		}
	}
	panic("no such projection")
}

var members = readmodels.Directory.Projection

// build is one by the rules in force, version 1 here, or those after.
func build(version int, number int64) readmodels.Build {
	return readmodels.Build{Version: readmodels.Directory.Version + version - 1, Number: number}
}

// start runs a program with the rules of a version; stop ends it.
func (s *site) start(version int, with func(*projections.Setup)) (stop func()) {
	s.t.Helper()
	setup := projections.Setup{Events: s.log, Models: s.models, Partitions: s.parts, Log: slog.New(slog.DiscardHandler)}
	if with != nil {
		with(&setup)
	}
	runner, err := projections.NewRunner(s.t.Context(), setup, s.of(version))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			s.t.Error("the runner does not end")
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// shared lets a program share the partitions with the others of the test.
func (s *site) shared(setup *projections.Setup) { setup.Leases = s.keeper() }

func (s *site) keeper() leases.Keeper {
	s.t.Helper()
	keeper, err := redisleases.New(redisleases.Options{
		Client: s.models.(*redis.Store).Client(), Group: s.t.Name(), Lease: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return keeper
}

// change is what an operator does.
func (s *site) change(change func(*readmodels.Builds)) *readmodels.Builds {
	s.t.Helper()
	b, err := readmodels.ChangeBuilds(s.t.Context(), s.models, members, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		change(b)
		return b, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// rebuild begins a build by the rules of the live one.
func (s *site) rebuild(next readmodels.Next) readmodels.Build {
	s.t.Helper()
	return s.change(func(b *readmodels.Builds) {
		next.Build, next.Begun = readmodels.Build{Version: b.Live.Version}, time.Now()
		b.Rebuild(next)
	}).Next.Build
}

func (s *site) builds() *readmodels.Builds {
	s.t.Helper()
	all, err := readmodels.ReadBuilds(context.WithoutCancel(s.t.Context()), s.models)
	if err != nil {
		s.t.Fatal(err)
	}
	return all[members]
}

// until waits for something to come true.
func (s *site) until(what string, true func() bool) {
	s.t.Helper()
	for ctx := bounded(s.t); !true(); {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			s.t.Fatalf("%s: not so; there is %s", what, text(s.t, s.builds()))
		}
	}
}

func (s *site) live(b readmodels.Build) {
	s.t.Helper()
	s.until(b.String()+" is live", func() bool { is := s.builds(); return is != nil && is.Live == b })
}

// scope is one partition of a build.
func (s *site) scope(b readmodels.Build, partition int) readmodels.Scope {
	return readmodels.Directory.Of(b).In(partition)
}

// caughtUp waits until a build has come to the end of the log in every partition.
func (s *site) caughtUp(b readmodels.Build) {
	s.t.Helper()
	to := head(s.t, s.log)
	for i := range s.parts.Count() {
		reached(s.t, s.models, to, s.scope(b, i))
	}
}

// same compares a build with one straight pass of the log.
func (s *site) same(b readmodels.Build) {
	s.t.Helper()
	s.caughtUp(b)
	info, err := s.log.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	straight := memory.New()
	for i := range s.parts.Count() {
		projector, err := projections.NewProjector(s.t.Context(), s.of(1+b.Version-readmodels.Directory.Version).In(i), fixed(info), straight)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := straightPass(s.t.Context(), s.log, projector, s.parts, i); err != nil {
			s.t.Fatal(err)
		}
		got, want := dump(s.t, s.models, s.scope(b, i)), dump(s.t, straight, s.scope(readmodels.Build{Version: b.Version}, i))
		if len(want) == 0 && i == s.parts.Of("acme") || !slices.Equal(got, want) {
			s.t.Errorf("%s differs from one straight pass:\n%s", s.scope(b, i), difference(got, want))
		}
	}
}

// gone waits until a build has no data and no name any more.
func (s *site) gone(b readmodels.Build) {
	s.t.Helper()
	s.until(b.String()+" is gone", func() bool { return !s.builds().Knows(b) })
	for i := range s.parts.Count() {
		if lines := dump(s.t, s.models, s.scope(b, i)); len(lines) != 0 {
			s.t.Errorf("%s still has %d lines", s.scope(b, i), len(lines))
		}
	}
}

// gate lets commits to some scopes through one by one, and notes where they begin.
type gate struct {
	readmodels.Store
	holds func(readmodels.Scope) bool
	pass  chan struct{} // closed: all go through
	asked chan struct{} // has an element for each wait for such a scope, as far as there is room

	refuses bool // rather than to let them wait

	mu    sync.Mutex
	first map[readmodels.Scope]eventstore.Position // where the first commit began
}

func newGate(models readmodels.Store, holds func(readmodels.Scope) bool) *gate {
	return &gate{Store: models, holds: holds, pass: make(chan struct{}, 100), asked: make(chan struct{}, 100), first: map[readmodels.Scope]eventstore.Position{}}
}

func (g *gate) Commit(ctx context.Context, b readmodels.Batch) error {
	if g.holds(b.Scope) {
		closed := make(chan struct{})
		if g.refuses {
			close(closed)
		}
		select {
		case <-g.pass:
		case <-closed:
			return &readmodels.UnavailableError{Err: errors.New("the gate is closed")}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := g.Store.Commit(ctx, b)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.first[b.Scope]; !known && err == nil {
		g.first[b.Scope] = b.After
	}
	return err
}

func (g *gate) Wait(ctx context.Context, scope readmodels.Scope, min eventstore.Position) error {
	if g.holds(scope) {
		select {
		case g.asked <- struct{}{}:
		default:
		}
	}
	return g.Store.Wait(ctx, scope, min)
}

// poison makes a member whose events cannot be applied until it is cured.
func (s *site) poison(p *tenant, name string) (stream string, cure func()) {
	s.t.Helper()
	id := p.world.id()
	stream = "member-" + string(p.id) + "." + id
	s.sick.Store(stream, true)
	p.send(commands.InviteMember{Member: domainMember(id), Name: name, Email: strings.ToLower(name) + "@acme.example"})
	return stream, func() { s.sick.Delete(stream) }
}

// parkedIn lists the names of the streams that wait in a build.
func (s *site) parkedIn(b readmodels.Build) (streams []string) {
	s.t.Helper()
	for i := range s.parts.Count() {
		for _, one := range waiting(s.t, s.models, s.scope(b, i)) {
			streams = append(streams, one.Stream)
		}
	}
	return streams
}

// names lists the members that queries find.
func (s *site) names(search string) (names []string) {
	s.t.Helper()
	page, _, err := s.ask.Members(bounded(s.t), "acme", readmodels.MemberFilter{Search: search}, readmodels.Want{Limit: 1000, Min: head(s.t, s.log)})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range page.Items {
		names = append(names, row.Name)
	}
	return names
}
