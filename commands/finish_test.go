package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/command"
	"rolewise/eventstore"
)

// acceptance returns what was accepted after a position, and where.
func (r *rig) acceptance(after eventstore.Position) (id eventstore.StreamID, accepted command.CommandAccepted) {
	r.Helper()
	for _, e := range r.events(after) {
		if e.Type != "CommandAccepted" {
			continue
		}
		if err := json.Unmarshal(e.Data, &accepted); err != nil {
			r.Fatal(err)
		}
		return e.Stream, accepted
	}
	r.Fatal("nothing was accepted")
	return id, accepted
}

// all returns the types of the events after a position.
func (r *rig) all(after eventstore.Position) (types []string) {
	r.Helper()
	for _, e := range r.events(after) {
		types = append(types, e.Type)
	}
	return types
}

func TestAccepted(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	t.Run("ASG-5 the whole body is written down before anything of it is done", func(t *testing.T) {
		r, before, no := r.on(t, r.store), r.head(), false
		long := domain.TeamID(strings.Repeat("\x01", 100_000))
		c := commands.AssignRole{
			Role: f.role, Members: []domain.MemberID{f.member, "Max Muster"}, Teams: []domain.TeamID{f.team, long, ""}, Message: "Hello", Notify: &no,
		}
		answer := r.do("acme", c)
		equal(t, "first event", r.all(before)[0], "CommandAccepted")
		stream, accepted := r.acceptance(before)
		equal(t, "accepted", accepted, command.CommandAccepted{
			Command: command.ID(stream.ID), Name: "assign-role", BodyHash: accepted.BodyHash, Role: f.role,
			Members: []domain.MemberID{f.member, "-"}, Teams: []domain.TeamID{f.team, "-", ""}, Message: "Hello", Mode: "partial",
		})
		equal(t, "items", items(answer), []string{
			string(f.member) + " done", "Max Muster refused member_not_found", string(f.team) + " done", string(long) + " refused team_not_found", "refused member_not_found",
		})
		equal(t, "number of events", len(r.all(before)), 4)
	})
	t.Run("ASG-5 a command of one item appends what it did before, no more", func(t *testing.T) {
		r, before := r.on(t, r.store), r.head()
		r.do("acme", commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.guest}})
		equal(t, "without a key", r.all(before), []string{"MemberUnassigned"})
		before = r.head()
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.guest}}
		r.handle(request("acme", c, "single"), c)
		equal(t, "with a key", r.all(before), []string{"CommandClaimed", "MemberAssigned", "CommandAnswered"})
	})
	t.Run("ASG-5 what is refused as a whole, or not meant, is not accepted", func(t *testing.T) {
		r, before := r.on(t, r.store), r.head()
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.guest, "x"}, Mode: commands.Atomic}
		if _, err := r.handler.Handle(t.Context(), request("acme", c, ""), c); err == nil {
			t.Error("accepted")
		}
		c.Mode = commands.Partial
		dry := request("acme", c, "dry")
		dry.DryRun = true
		r.handle(dry, c)
		equal(t, "events", r.all(before), []string(nil))
	})
}

// died sends a command whose process dies at its n-th append, and returns the command's stream.
func (r *rig) died(n int, key string, c commands.Command) (eventstore.StreamID, eventstore.Position) {
	r.Helper()
	before, calls := r.head(), 0
	store := &failing{Store: r.store, outcomes: func() outcome {
		if calls++; calls < n {
			return committed
		}
		return lost
	}}
	if _, err := r.on(r.TB, store).handler.Handle(r.Context(), request("acme", c, key), c); err == nil {
		r.Fatal("did not die")
	}
	id, _ := r.acceptance(before)
	return id, before
}

func TestFinish(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	all := []domain.MemberID{f.member, f.colleague, f.guest}
	t.Run("ASG-5 a member's event is not that of a team named by the same id", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.colleague}, Teams: []domain.TeamID{domain.TeamID(f.colleague)}}
		id, _ := r.died(3, "named twice", c) // its answer is lost
		if err := r.handler.Finish(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
		equal(t, "items", items(r.handle(request("acme", c, "named twice"), c)), []string{
			string(f.colleague) + " done", string(f.colleague) + " refused team_not_found",
		})
	})
	t.Run("ASG-5 the rest is done, and the answer kept", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.AssignRole{Role: f.catalogRole, Members: all, Mode: commands.Atomic}
		stream, before := r.died(3, "rest", c)
		if err := r.handler.Finish(t.Context(), stream, 0); err != nil {
			t.Fatal(err)
		}
		types := r.all(before)
		equal(t, "events", slices.Compact(types), []string{"CommandAccepted", "MemberAssigned", "CommandResumed", "MemberAssigned", "CommandAnswered"})
		head := r.head()
		answer := r.handle(request("acme", c, "rest"), c)
		equal(t, "items", items(answer), []string{string(f.member) + " done", string(f.colleague) + " done", string(f.guest) + " done"})
		equal(t, "API-1 end of the log after the repeat", r.head(), head)
		t.Run("ASG-5 a second time there is nothing to do", func(t *testing.T) {
			for _, seen := range []eventstore.Revision{0, 2} {
				if err := r.handler.Finish(t.Context(), stream, seen); err != nil || r.head() != head {
					t.Errorf("finished again: %v", err)
				}
			}
		})
		t.Run("ASG-5 the effects are the principal's", func(t *testing.T) {
			for _, e := range r.events(before) {
				meta, err := eventstore.DecodeMetadata(e.Metadata)
				if err != nil || meta.Actor != operator.ID || meta.Command != stream.ID || meta.BodyHash == "" {
					t.Errorf("%s: %+v, %v", e.Type, meta, err)
				}
			}
		})
	})
	t.Run("ASG-5 a repeat is told what became of each item, also when the role has been deleted by then", func(t *testing.T) {
		r := r.on(t, r.store)
		role := domain.RoleID(r.do("acme", commands.DuplicateRole{Source: f.role, Title: "Short-lived"}).ID)
		r.do("acme", commands.PublishRole{Role: role})
		c := commands.AssignRole{Role: role, Members: all}
		r.died(3, "gone", c)
		r.do("acme", commands.DeleteRole{Role: role, ConfirmTitle: "Short-lived"})
		answer := r.handle(request("acme", c, "gone"), c)
		count := map[string]int{}
		for _, item := range answer.Items {
			count[item.Status+item.Code]++
		}
		equal(t, "items", count, map[string]int{"done": 1, "refusedrole_not_found": 2})
	})
	t.Run("OPS-6 of several processes one begins", func(t *testing.T) {
		r := r.on(t, r.store)
		stream, before := r.died(2, "", commands.UnassignRole{Role: f.catalogRole, Members: all})
		h := &hooked{Store: r.store}
		h.append = meeting(t.Context(), "command", 4)
		_, errs := parallel(4, func(int) (commands.Answer, error) {
			return commands.Answer{}, handlerOn(h).Finish(t.Context(), stream, 0)
		})
		begun := 0
		for _, err := range errs {
			switch {
			case err == nil:
				begun++
			case !errors.Is(err, commands.ErrElsewhere):
				t.Error(err)
			}
		}
		if types := r.all(before); begun != 1 || len(types) != 6 {
			t.Errorf("%d began, and appended %v", begun, types)
		}
	})
	t.Run("OPS-6 the stream has gone on: another process is at it", func(t *testing.T) {
		r := r.on(t, r.store)
		stream, _ := r.died(2, "", commands.AssignRole{Role: f.catalogRole, Members: all})
		head := r.head()
		for _, seen := range []eventstore.Revision{eventstore.NoStream, 1, 7} {
			if err := r.handler.Finish(t.Context(), stream, seen); !errors.Is(err, commands.ErrElsewhere) || r.head() != head {
				t.Errorf("seen %d: %v", seen, err)
			}
		}
		if err := r.handler.Finish(t.Context(), stream, 0); err != nil {
			t.Error(err)
		}
	})
	t.Run("ASG-5 a command that was never accepted is left alone", func(t *testing.T) {
		r := r.on(t, r.store)
		head := r.head()
		nobody := eventstore.StreamID{Category: command.Category, Plan: "acme", ID: uuid.NewString()}
		if err := r.handler.Finish(t.Context(), nobody, eventstore.NoStream); err != nil || r.head() != head {
			t.Error(err)
		}
	})
}

// The first process is only slow: another one finishes its command, and what it did is undone, before it goes on.
func TestFinishedWhileAtWork(t *testing.T) {
	base := newRig(t)
	f := base.fixture("acme")
	for _, key := range []string{"", "slow "} {
		for _, reading := range []bool{true, false} {
			role := domain.RoleID(base.do("acme", commands.DuplicateRole{Source: f.role, Title: "Engineer " + newID()}).ID)
			base.do("acme", commands.PublishRole{Role: role})
			c := commands.AssignRole{Role: role, Members: []domain.MemberID{f.member, f.colleague}}
			if key != "" {
				key += newID()
			}
			t.Run("ASG-5 no effect comes twice, and the answer is that of whoever came first", func(t *testing.T) {
				before := base.head()
				// All of the command's items wait until it is over, and then one of them goes on.
				over := sync.OnceFunc(func() {
					other := base.on(t, base.store)
					stream, _ := other.acceptance(before)
					if err := other.handler.Finish(context.WithoutCancel(t.Context()), stream, 0); err != nil {
						t.Error(err)
					}
					other.do("acme", commands.UnassignRole{Role: role, Members: []domain.MemberID{f.member}})
				})
				hook := func(stream eventstore.StreamID) {
					if stream.Category == "assignment" {
						over()
					}
				}
				h := &hooked{Store: base.store}
				if reading {
					h.read = hook
				} else {
					h.append = hook
				}
				answer := base.on(t, h).handle(request("acme", c, key), c)
				equal(t, "items", items(answer), []string{string(f.member) + " done", string(f.colleague) + " done"})
				types := base.all(before)
				slices.Sort(types)
				equal(t, "events", types, []string{"CommandAccepted", "CommandAnswered", "CommandResumed", "MemberAssigned", "MemberAssigned", "MemberUnassigned"})
			})
		}
	}
}
