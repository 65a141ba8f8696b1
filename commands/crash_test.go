package commands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// outcome is what becomes of an append.
type outcome int

const (
	committed outcome = iota
	lost              // nothing is written, and the caller does not know
	unknown           // it is written, and the caller does not know
)

// failing is a store of which some appends fail. Its caller is gone after a failure, as after a crash.
type failing struct {
	eventstore.Store
	mu       sync.Mutex
	outcomes func() outcome
}

func (f *failing) Append(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	trouble := &eventstore.UnavailableError{Unknown: true, Err: errors.New("as the test wants it")}
	f.mu.Lock()
	next := f.outcomes()
	f.mu.Unlock()
	switch next {
	case lost:
		return 0, trouble
	case unknown:
		if _, err := f.Store.Append(ctx, stream, at, events...); err != nil {
			return 0, err
		}
		return 0, trouble
	}
	return f.Store.Append(ctx, stream, at, events...)
}

// crashes returns outcomes of which the n-th is wanted, the others committed; done tells whether it came to that.
func crashes(n int, wanted outcome) (outcomes func() outcome, done func() bool) {
	calls := 0
	return func() outcome {
		if calls++; calls == n {
			return wanted
		}
		return committed
	}, func() bool { return calls >= n }
}

// insist repeats a request until it is answered, each time by a new process or always by the same one.
func insist(t testing.TB, store eventstore.Store, req commands.Request, c commands.Command, restart bool) commands.Answer {
	t.Helper()
	handler := handlerOn(store)
	for range 20 {
		answer, err := handler.Handle(t.Context(), req, c)
		var unavailable *eventstore.UnavailableError
		switch {
		case err == nil:
			return answer
		case !errors.As(err, &unavailable):
			t.Fatalf("%s: %v", c.About().Name, err)
		case restart:
			handler = handlerOn(store)
		}
	}
	t.Fatalf("%s: never answered", c.About().Name)
	return commands.Answer{}
}

func TestCrashAtEachAppend(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	member := func() domain.MemberID {
		id := domain.MemberID(newID())
		r.do("acme", commands.InviteMember{Member: id, Name: "Max", Email: string(id) + "@example.org"})
		return id
	}
	kinds := []struct {
		name    string
		appends int // how many a request without trouble makes
		body    func(run string) commands.Command
		events  []string // of all that is appended, the keys' own left out, sorted
	}{
		{"an object without an id", 3, func(run string) commands.Command { return commands.CreateRole{Title: run} }, []string{"RoleCreated"}},
		{"an object with an id", 3, func(run string) commands.Command {
			return commands.CreateRole{Role: domain.RoleID(newID()), Title: run}
		}, []string{"RoleCreated"}},
		{"an edit", 4, func(run string) commands.Command { return commands.RenameRole{Role: f.draft, Title: run} }, []string{"RoleRenamed"}},
		{"an event that can come again", 2, func(string) commands.Command { return commands.VisitRole{Role: f.role, Member: f.member} }, []string{"RoleVisited"}},
		{"no change", 1, func(string) commands.Command { return commands.RenameRole{Role: f.role, Title: "Engineer"} }, []string{}},
		{"an API key", 2, func(run string) commands.Command {
			return commands.CreateAPIKey{Name: run, Scopes: []access.Scope{access.Read}}
		}, []string{"ApiKeyCreated"}},
		{"an invitation without an id", 3, func(run string) commands.Command {
			return commands.InviteMember{Name: "Max", Email: run + "@example.org"}
		}, []string{"MemberInvited", "Reserved"}},
		{"an invitation with an id", 3, func(run string) commands.Command {
			return commands.InviteMember{Member: domain.MemberID(newID()), Name: "Max", Email: run + "@example.org"}
		}, []string{"MemberInvited", "Reserved"}},
		{"an invitation of an owner", 4, func(run string) commands.Command {
			return commands.InviteMember{Name: "Max", Email: run + "@example.org", AccessRole: "owner"}
		}, []string{"MemberInvited", "OwnerGranted", "Reserved"}},
		{"another e-mail address", 4, func(run string) commands.Command {
			return commands.ChangeMemberProfile{Member: member(), Email: new(run + "@example.org")}
		}, []string{"MemberEmailChanged", "Released", "Reserved"}},
		{"a deactivation", 3, func(string) commands.Command { return commands.DeactivateMember{Member: member()} }, []string{"MemberDeactivated", "MemberSeatsClosed"}},
		{"a removal", 4, func(string) commands.Command { return commands.RemoveMember{Member: member()} }, []string{"MemberRemoved", "MemberSeatsClosed", "Released"}},
		{"content access", 2, func(string) commands.Command { return commands.GrantContentAccess{Member: member()} }, []string{"ContentAccessGranted"}},
		{"a plan", 5, func(run string) commands.Command {
			return commands.CreatePlan{Plan: domain.PlanID(run), Name: run, Tier: plan.Starter, OwnerName: "Max", OwnerEmail: "max@example.org"}
		}, []string{"MemberInvited", "PlanCreated", "Reserved"}},
		{"a partial bulk command", 5, func(string) commands.Command {
			return commands.AssignRole{Role: f.role, Members: []domain.MemberID{member(), "x", member(), f.guest, member()}}
		}, []string{"MemberAssigned", "MemberAssigned", "MemberAssigned"}},
		{"an atomic bulk command", 5, func(string) commands.Command {
			return commands.AssignRole{Role: f.role, Members: []domain.MemberID{member(), member(), f.guest, member()}, Mode: commands.Atomic}
		}, []string{"MemberAssigned", "MemberAssigned", "MemberAssigned"}},
	}
	for _, kind := range kinds {
		for _, restart := range []bool{false, true} {
			for _, wanted := range []outcome{lost, unknown} {
				for n := 1; ; n++ {
					run := fmt.Sprintf("run-%d%d-%s", wanted, n, newID()[24:])
					body := kind.body(run)
					outcomes, done := crashes(n, wanted)
					before, req := r.head(), request("acme", body, run)
					answer := insist(t, &failing{Store: r.store, outcomes: outcomes}, req, body, restart)
					if !done() {
						if n-1 != kind.appends {
							t.Errorf("%s: %d appends, want %d", kind.name, n-1, kind.appends)
						}
						break
					}
					where := fmt.Sprintf("API-1 %s, append %d %s, restart %v", kind.name, n, []string{"", "lost", "unknown"}[wanted], restart)
					types := r.types(before)
					slices.Sort(types)
					equal(t, where+": events", types, kind.events)
					head := r.head()
					equal(t, where+": repeat", r.handle(req, body), repeated(answer))
					if r.head() != head {
						t.Errorf("%s: the repeat appended", where)
					}
					checkEffect(r, where, body, answer)
				}
			}
		}
	}
}

// checkEffect looks at what a command that was carried out through a crash has left.
func checkEffect(r *rig, where string, c commands.Command, answer commands.Answer) {
	switch c := c.(type) {
	case commands.CreatePlan:
		state, err := r.handler.Plan(r.Context(), c.Plan)
		if err != nil || !state.Exists {
			r.Errorf("%s: the plan %+v, %v", where, state, err)
		}
		owner, err := r.handler.Member(r.Context(), c.Plan, state.Owner)
		if err != nil || !owner.Exists || owner.AccessRole != "owner" || owner.Email != c.OwnerEmail {
			r.Errorf("%s: the owner %+v, %v", where, owner, err)
		}
	case commands.InviteMember:
		again := commands.InviteMember{Name: "Other", Email: strings.ToUpper(c.Email)}
		r.refused(request("acme", again, ""), again, domain.Conflict, "email_taken", "/email")
	case commands.CreateAPIKey:
		if answer.APIKey == "" { // the answer with the key was lost in the crash
			return
		}
		if _, ok, err := r.handler.Authenticate(r.Context(), answer.APIKey); !ok || err != nil {
			r.Errorf("%s: the key does not sign in: %v", where, err)
		}
	case commands.AssignRole:
		equal(r, where+": items", len(answer.Items), len(c.Members))
		for _, item := range answer.Items {
			want := map[string]string{"x": "refused"}[item.Member]
			if want == "" && item.Status == "refused" || want != "" && item.Status != want {
				r.Errorf("%s: item %+v", where, item)
			}
		}
	}
}

// Each append of each command fails, in any way, a few times.
func TestCrashProperty(t *testing.T) {
	r := newRig(t)
	plans := 0
	rapid.Check(t, func(rt *rapid.T) {
		if plans++; plans > 6 { // each run carries out all commands in a plan of its own: six are enough
			return
		}
		f := r.fixture(domain.PlanID(fmt.Sprintf("plan%d", plans)))
		schedule := rapid.SliceOfN(rapid.SampledFrom([]outcome{committed, lost, unknown}), 5, 200).Draw(rt, "outcomes")
		// A title is reserved anew at each try: a schedule that let every second append fail would never let it end.
		calls, inARow, troubles := 0, 0, 0
		store := &failing{Store: r.store, outcomes: func() outcome {
			next := schedule[calls%len(schedule)]
			calls++
			if inARow++; next == committed || inARow > 3 || troubles == 12 {
				inARow = 0
				return committed
			}
			troubles++
			return next
		}}
		for _, c := range f.bodies() {
			name := c.About().Name
			req := request(f.plan, c, name)
			req.DryRun = true
			want := r.handle(req, c).Events
			switch c.(type) {
			case commands.InviteMember:
				want = append(want, "Reserved")
			case commands.CreatePlan:
				want = append(want, "Reserved", "MemberInvited")
			case commands.DeactivateMember:
				want = append(want, "MemberSeatsClosed")
			case commands.RemoveMember:
				want = append(want, "MemberSeatsClosed", "Released")
			}
			req.DryRun = false
			before := r.head()
			troubles = 0
			answer := insist(t, store, req, c, rapid.Bool().Draw(rt, "restart"))
			got := r.types(before)
			slices.Sort(got)
			slices.Sort(want)
			equal(t, "API-1 "+name+": events", got, want)
			equal(t, "API-1 "+name+": repeat", r.handle(req, c), repeated(answer))
		}
	})
}
