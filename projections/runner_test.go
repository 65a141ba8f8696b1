package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"rolewise/commands"
	"rolewise/domain/member"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// running is a runner at work.
type running struct {
	*projections.Runner
	t     *testing.T
	stop  context.CancelFunc
	ended chan error
	told  chan string // what the log says at level error: "projection: error"
}

func run(t *testing.T, log eventstore.Store, models readmodels.Store, all ...*projections.Projection) *running {
	t.Helper()
	r := &running{t: t, ended: make(chan error, 1), told: make(chan string, 1000)}
	runner, err := projections.NewRunner(t.Context(), projections.Setup{Events: log, Models: models, Partitions: 1, Log: slog.New(telling{told: r.told})}, all...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.Runner, r.stop = runner, cancel
	go func() { r.ended <- runner.Run(ctx) }()
	t.Cleanup(r.end)
	return r
}

// end stops the runner and waits for it; a second time it does nothing.
func (r *running) end() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("run: %v", err)
	}
	r.ended <- nil
}

// next returns what the log says next.
func (r *running) next() string {
	r.t.Helper()
	select {
	case told := <-r.told:
		return told
	case <-bounded(r.t).Done():
		r.t.Fatal("no projection was said to stand still")
		return ""
	}
}

// telling passes errors of the log on.
type telling struct{ told chan string }

func (telling) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (h telling) WithAttrs([]slog.Attr) slog.Handler             { return h }
func (h telling) WithGroup(string) slog.Handler                  { return h }
func (h telling) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	if r.Message == "projection stands still" {
		h.told <- text
	}
	return nil
}

// reached waits until scopes have been brought to a position.
func reached(t *testing.T, models readmodels.Store, to eventstore.Position, scopes ...readmodels.Scope) {
	t.Helper()
	for _, scope := range scopes {
		if err := models.Wait(bounded(t), scope, to); err != nil {
			at, _ := models.Checkpoint(context.Background(), scope)
			t.Fatalf("%s stands at %s, not %s: %v", scope, at.Position, to, err)
		}
	}
}

func head(t *testing.T, log eventstore.Store) eventstore.Position {
	t.Helper()
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Head
}

// busy makes a small organisation at work, and returns what goes on there.
func busy(w *world) (p *tenant, goOn func()) {
	p = w.plan("acme")
	s := p.skills("Go", "SQL")
	r := p.role("Backend", s...)
	crew := p.team("Crew")
	p.assignTeams(r, crew)
	round := 0
	return p, func() {
		round++
		m := p.member(fmt.Sprintf("Member %c", 'a'+round))
		p.join(crew, m)
		p.measure(m, s[0], 80)
		p.measure(m, s[1], 20*round)
	}
}

// sameAsStraight compares all read models with those of one straight pass.
func sameAsStraight(t *testing.T, log eventstore.Store, models readmodels.Store) {
	t.Helper()
	straight := memory.New()
	defer straight.Close()
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range projections.All() {
		projector, err := projections.NewProjector(t.Context(), p, fixed(info), straight)
		if err != nil {
			t.Fatal(err)
		}
		if err := catchUp(t.Context(), log, projector, 0); err != nil {
			t.Fatal(err)
		}
		got, want := dump(t, models, p.Scope), dump(t, straight, p.Scope)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s differs from one straight pass:\n%s", p.Scope, difference(got, want))
		}
	}
}

// onBoth runs a test on read models in memory and on Redis.
func onBoth(t *testing.T, name string, test func(t *testing.T, models readmodels.Store)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Run("memory", func(t *testing.T) { test(t, memory.New()) })
		t.Run("redis", func(t *testing.T) { test(t, onRedis(t)) })
	})
}

func TestRunner(t *testing.T) {
	onBoth(t, "history, then live, then on again where it stopped", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		_, goOn := busy(w)
		goOn()
		for range 3 {
			r := run(t, w.log, models, projections.All()...)
			reached(t, models, head(t, w.log), readmodels.Scopes()...)
			goOn()
			goOn()
			reached(t, models, head(t, w.log), readmodels.Scopes()...)
			sameAsStraight(t, w.log, models)
			if faults := r.Faults(); len(faults) != 0 {
				t.Errorf("faults %v", faults)
			}
			r.end()
			goOn() // while nobody runs
		}
	})
	t.Run("it stops cleanly at any moment", func(t *testing.T) {
		w := newWorld(t, memory.New())
		_, goOn := busy(w)
		goOn()
		before := goleak.IgnoreCurrent()
		for i := range 20 {
			r := run(t, w.log, w.models, projections.All()...)
			if i%2 == 0 {
				<-r.Running()
				goOn()
			}
			r.end()
			goleak.VerifyNone(t, before)
		}
	})
	onBoth(t, "commits that fail heal without a gap and without doubling", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		_, goOn := busy(w)
		for range 2 {
			store := &unsteady{Store: models, left: map[readmodels.Scope]int{}, steady: make(chan struct{})}
			store.fail(6)
			r := run(t, w.log, store, projections.All()...)
			for range 3 { // two commits arrive without an answer
				goOn()
				reached(t, models, head(t, w.log), readmodels.Scopes()...)
			}
			healed(t, r)
			select {
			case <-store.steady:
			default:
				t.Errorf("not all failures were met: %v are left", store.left)
			}
			sameAsStraight(t, w.log, models)
		}
	})
	t.Run("a lost Redis is filled again from the log", func(t *testing.T) {
		redisServer := redistest.StartServer(t)
		models, err := redis.Open(t.Context(), redisServer.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = models.Close() })
		w := newWorld(t, models)
		_, goOn := busy(w)
		run(t, w.log, models, projections.All()...)
		goOn()
		reached(t, models, head(t, w.log), readmodels.Scopes()...)
		if err := redisServer.Restart(); err != nil {
			t.Fatal(err)
		}
		goOn()
		reached(t, models, head(t, w.log), readmodels.Scopes()...)
		sameAsStraight(t, w.log, models)
	})
	t.Run("read models that lost their data are built again without an event", func(t *testing.T) {
		redisServer := redistest.StartServer(t)
		models, err := redis.Open(t.Context(), redisServer.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = models.Close() })
		w := newWorld(t, models)
		_, goOn := busy(w)
		run(t, w.log, models, projections.All()...)
		goOn()
		reached(t, models, head(t, w.log), readmodels.Scopes()...)
		if err := redisServer.Restart(); err != nil {
			t.Fatal(err)
		}
		reached(t, models, head(t, w.log), readmodels.Scopes()...)
		sameAsStraight(t, w.log, models)
	})
	t.Run("two runners on the same read models do no harm", func(t *testing.T) {
		models := onRedis(t)
		w := newWorld(t, models)
		_, goOn := busy(w)
		run(t, w.log, models, projections.All()...)
		run(t, w.log, models, projections.All()...)
		for range 10 {
			goOn()
		}
		reached(t, models, head(t, w.log), readmodels.Scopes()...)
		sameAsStraight(t, w.log, models)
	})
	t.Run("read models of another log are refused", func(t *testing.T) {
		models := memory.New()
		w := newWorld(t, models)
		w.plan("acme")
		w.fold()
		other := newWorld(t, models)
		if _, err := projections.NewRunner(t.Context(), projections.Setup{Events: other.log, Models: models, Partitions: 1, Log: slog.New(slog.DiscardHandler)}, projections.All()...); err == nil || !strings.Contains(err.Error(), "another or a longer log") {
			t.Errorf("another log: %v", err)
		}
		if _, err := projections.NewRunner(t.Context(), projections.Setup{Events: w.log, Models: models, Partitions: 1, Log: slog.New(slog.DiscardHandler)}, projections.All()...); err != nil {
			t.Errorf("its own log: %v", err)
		}
	})
}

func TestFaults(t *testing.T) {
	broken := readmodels.Scope{Projection: "broken", Version: 1}
	// held waits until all have gone on beyond what cannot be applied, and looks for what is parked.
	held := func(t *testing.T, r *running, scope readmodels.Scope, models readmodels.Store, to eventstore.Position, want readmodels.ParkedStream) {
		t.Helper()
		reached(t, models, to, append(readmodels.Scopes(), scope)...)
		healed(t, r)
		all := waiting(t, models, scope)
		if len(all) != 1 || all[0].Stream != want.Stream || all[0].First.Position != want.First.Position || all[0].Count != want.Count || !strings.Contains(all[0].Error, want.Error) {
			t.Errorf("parked %+v, want %+v", all, want)
		}
	}
	parks := func(name string, rule projections.Rule, want string) {
		t.Run(name, func(t *testing.T) {
			models := memory.New()
			w := newWorld(t, models)
			p := w.plan("acme")
			p.skills("Go")
			before := head(t, w.log)
			ada := p.member("Ada")
			at := before + 2 // the reservation of the address comes first
			r := run(t, w.log, models, append(projections.All(), projections.New(broken, rule))...)
			p.skills("SQL")
			held(t, r, broken, models, head(t, w.log), readmodels.ParkedStream{
				Stream: "member-acme." + string(ada), First: readmodels.ParkedEvent{Position: at}, Count: 1, Error: want,
			})
		})
	}
	parks("OPS-5 a rule that panics is parked", projections.On(func(_ *projections.Fold, e member.MemberInvited) error {
		if e.Name == "Ada" {
			panic("no such thing")
		}
		return nil
	}), "panic: no such thing")
	parks("OPS-5 a rule that fails is parked", projections.On(func(_ *projections.Fold, e member.MemberInvited) error {
		if e.Name == "Ada" {
			return &projections.RuleError{Position: 0, Type: "MemberInvited", Err: errors.New("impossible")}
		}
		return nil
	}), "impossible")

	t.Run("OPS-5 an event that does not decode is parked", func(t *testing.T) {
		models := memory.New()
		w := newWorld(t, models)
		p := w.plan("acme")
		p.skills("Go")
		stream := eventstore.StreamID{Category: "team", Plan: "acme", ID: "broken"}
		at, err := w.log.Append(t.Context(), stream, eventstore.NoStream, plainEvent("TeamCreated", `{"team":5}`))
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, w.log, models, projections.All()...)
		p.skills("SQL")
		held(t, r, readmodels.Directory, models, head(t, w.log), readmodels.ParkedStream{
			Stream: stream.String(), First: readmodels.ParkedEvent{Position: at}, Count: 1, Error: "team has the wrong type",
		})
		for _, scope := range readmodels.Scopes()[1:] {
			if all := waiting(t, models, scope); len(all) != 0 {
				t.Errorf("%s: parked %+v, with no rule for it", scope, all)
			}
		}
	})
	t.Run("a fault goes when it heals", func(t *testing.T) {
		models := memory.New()
		w := newWorld(t, models)
		p := w.plan("acme")
		var well atomic.Bool
		r := run(t, w.log, models, projections.New(broken, projections.On(func(_ *projections.Fold, e skill.SkillDefined) error {
			if !well.Load() {
				return &readmodels.UnavailableError{Err: errors.New("no connection")}
			}
			return nil
		})))
		p.skill("Go", skill.Validated)
		r.next()
		if faults := r.Faults(); len(faults) != 1 {
			t.Errorf("faults %v", faults)
		}
		well.Store(true)
		reached(t, models, head(t, w.log), broken)
		healed(t, r)
		if again := len(r.told); again != 0 {
			t.Errorf("the same fault was told %d times more", again)
		}
	})
}

// healed checks that nothing stands still. The fault is cleared after the commit that waiters see: the end of the
// runner comes after both.
func healed(t *testing.T, r *running) {
	t.Helper()
	r.end()
	if faults := r.Faults(); len(faults) != 0 {
		t.Errorf("faults %v", faults)
	}
}

// unsteady is a store of which some calls for each scope fail: reads, commits that do not arrive, and commits whose
// answer does not.
type unsteady struct {
	readmodels.Store
	mutex  sync.Mutex
	left   map[readmodels.Scope]int
	steady chan struct{} // closed when all that was to fail has failed
}

// fail lets the next n calls for each scope fail.
func (s *unsteady) fail(n int) {
	for _, scope := range readmodels.Scopes() {
		s.left[scope] = n
	}
}

// fails counts down, if the count is one that the caller fails at.
func (s *unsteady) fails(scope readmodels.Scope, at ...int) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !slices.Contains(at, s.left[scope]) {
		return false
	}
	s.left[scope]--
	sum := 0
	for _, n := range s.left {
		sum += n
	}
	if sum == 0 {
		close(s.steady)
	}
	return true
}

func (s *unsteady) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	if scope == readmodels.Progress && s.fails(scope, 5) {
		return nil, errOutage
	}
	return s.Store.Entries(ctx, scope, index, r)
}

func (s *unsteady) Commit(ctx context.Context, b readmodels.Batch) error {
	if s.fails(b.Scope, 6, 5, 4, 1) {
		return errOutage
	}
	err := s.Store.Commit(ctx, b)
	if err == nil && s.fails(b.Scope, 3, 2) {
		return errOutage
	}
	return err
}

// gated is a store whose commits wait at a gate.
type gated struct {
	readmodels.Store
	at   chan eventstore.Position // who waits there
	open chan struct{}            // each value lets one through
}

func (s *gated) Commit(ctx context.Context, b readmodels.Batch) error {
	select {
	case s.at <- b.Checkpoint.Position:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Store.Commit(ctx, b)
}

func TestReadYourWrites(t *testing.T) {
	onBoth(t, "ANA-6 a query with a position returns only after the commit that reaches it", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		p := w.plan("acme")
		store := &gated{Store: models, at: make(chan eventstore.Position), open: make(chan struct{})}
		var directory *projections.Projection
		for _, one := range projections.All() {
			if one.Scope == readmodels.Directory {
				directory = one
			}
		}
		run(t, w.log, store, directory)
		<-store.at // history
		at := p.send(commands.InviteMember{Name: "Ada", Email: "ada@acme.example"})

		var passed atomic.Bool
		type answer struct {
			names  []string
			at     eventstore.Position
			passed bool
			err    error
		}
		answers := make(chan answer)
		ctx := bounded(t)
		go func() {
			page, checkpoint, err := w.ask.Members(ctx, "acme", readmodels.MemberFilter{Search: "ada"}, readmodels.Want{Min: at, Limit: 10})
			a := answer{at: checkpoint.Position, passed: passed.Load(), err: err}
			for _, row := range page.Items {
				a.names = append(a.names, row.Name)
			}
			answers <- a
		}()
		for reached := eventstore.Position(0); reached < at; {
			store.open <- struct{}{} // the page in hand
			reached = <-store.at     // the next one waits
			if reached >= at {
				passed.Store(true)
				store.open <- struct{}{}
			}
		}
		a := <-answers
		if a.err != nil || !a.passed || a.at < at || !slices.Equal(a.names, []string{"Ada"}) {
			t.Errorf("answer %+v, want Ada at %s after the commit", a, at)
		}
	})
	onBoth(t, "ANA-6 the wait is bounded by the context", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		w.plan("acme")
		w.fold()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := w.ask.AnalyticsRoles(ctx, "acme", readmodels.Want{Min: head(t, w.log) + 1, Limit: 10}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
