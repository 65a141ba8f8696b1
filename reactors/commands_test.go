package reactors_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/command"
	"rolewise/eventstore"
	"rolewise/reactors"
)

const message = "Welcome aboard, Max!"

// assign is a command for all members, and for one that is not there if it is partial.
func (r *rig) assign(mode commands.Mode, key string) *sent {
	role := r.role()
	r.do(commands.AssignRole{Role: role, Members: r.members[:1]})
	c := commands.AssignRole{Role: role, Members: slices.Clone(r.members), Message: message, Mode: mode}
	want := []string{"unchanged"}
	for range r.members[1:] {
		want = append(want, "done")
	}
	if mode == commands.Partial {
		c.Members, want = append(c.Members, domain.MemberID(uuid.NewString()), "nobody's id"), append(want, "refused", "refused")
	}
	req := commands.Request{Plan: acme, Principal: operator, Key: key, Correlation: "from the test"}
	return &sent{rig: r, req: req, body: c, want: want, effect: "MemberAssigned"}
}

// unassign is the same the other way round.
func (r *rig) unassign(key string) *sent {
	role := r.role()
	r.do(commands.AssignRole{Role: role, Members: r.members[1:]})
	c := commands.UnassignRole{Role: role, Members: slices.Clone(r.members), Message: message, Mode: commands.Atomic}
	want := []string{"unchanged"}
	for range r.members[1:] {
		want = append(want, "done")
	}
	req := commands.Request{Plan: acme, Principal: operator, Key: key, Correlation: "from the test"}
	return &sent{rig: r, req: req, body: c, want: want, effect: "MemberUnassigned"}
}

// finish runs reactors at once, each on a store of its own, until the command is answered and its message forgotten.
func (s *sent) finish(t testing.TB, all ...reactors.Reactor) {
	t.Helper()
	var runners []*reactors.Runner
	var stops []func()
	for _, reactor := range all {
		runner, stop := start(t, s.rig.store, reactor, true)
		runners, stops = append(runners, runner), append(stops, stop)
	}
	for _, r := range runners {
		await(t, "the command's end", func() bool {
			_, answered := s.answered()
			at := r.Status()
			return answered > 0 && at.Position > 0 && at.Open == 0
		})
	}
	for _, stop := range stops {
		stop()
	}
}

func TestCrashAtEachAppend(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name string
		make func(r *rig, key string) *sent
	}{
		{"partial", func(r *rig, key string) *sent { return r.assign(commands.Partial, key) }},
		{"atomic", func(r *rig, key string) *sent { return r.assign(commands.Atomic, key) }},
		{"unassign", func(r *rig, key string) *sent { return r.unassign(key) }},
	}
	for _, kind := range kinds {
		for _, keyed := range []bool{true, false} {
			for _, how := range []outcome{lost, unknown} {
				t.Run(fmt.Sprintf("ASG-5 %s, keyed %v, %s: finished without a repeat", kind.name, keyed, []string{"", "lost", "unknown"}[how]), func(t *testing.T) {
					t.Parallel()
					r := newRig(t, 5, 12)
					for n := 1; ; n++ {
						key := ""
						if keyed {
							key = uuid.NewString()
						}
						s := kind.make(r, key)
						outcomes, crashed := crashesAt(n, how)
						_, answered := s.send(&failing{Store: r.store, outcomes: outcomes})
						if answered != !crashed() {
							t.Fatalf("append %d: crashed %v, answered %v", n, crashed(), answered)
						}
						if _, accepted := s.stream(); !accepted {
							if n > 1 || how == unknown {
								t.Fatalf("append %d: was not accepted", n)
							}
							continue
						}
						s.finish(t, r.reactor(r.store), r.reactor(r.store))
						for _, fault := range s.check() {
							t.Errorf("append %d: %s", n, fault)
						}
						if answered {
							return
						}
					}
				})
			}
		}
	}
}

// drawn fails at appends as a property wants it, but never more than three times in a row.
func drawn(store eventstore.Store, schedule []outcome) *failing {
	calls, inARow := 0, 0
	return &failing{Store: store, outcomes: func() outcome {
		next := schedule[calls%len(schedule)]
		calls++
		if inARow++; next == committed || inARow > 3 {
			inARow = 0
			return committed
		}
		return next
	}}
}

// property sends a command whose process dies somewhere, while others change what it is about, and has it finished by
// reactors that fail now and then. It returns what is wrong then.
func property(rt *rapid.T, r *rig, t testing.TB, reactor func(s *sent, store eventstore.Store) reactors.Reactor) []string {
	s := r.assign(rapid.SampledFrom([]commands.Mode{commands.Partial, commands.Atomic}).Draw(rt, "mode"), uuid.NewString())
	crash := rapid.IntRange(2, 7).Draw(rt, "crash")
	outcomes, _ := crashesAt(crash, rapid.SampledFrom([]outcome{lost, unknown}).Draw(rt, "how"))
	if _, answered := s.send(&failing{Store: r.store, outcomes: outcomes}); !answered {
		// A member who was assigned already may lose the role again before the command is finished.
		c := s.body.(commands.AssignRole)
		for i, id := range r.members {
			if i > 0 && r.holds(id, s) && rapid.Bool().Draw(rt, "loses it") {
				r.do(commands.UnassignRole{Role: c.Role, Members: []domain.MemberID{id}})
			}
		}
	}
	var all []reactors.Reactor
	for i := range rapid.IntRange(1, 3).Draw(rt, "reactors") {
		schedule := rapid.SliceOfN(rapid.SampledFrom([]outcome{committed, committed, lost, unknown}), 5, 30).Draw(rt, fmt.Sprint("outcomes ", i))
		all = append(all, reactor(s, drawn(r.store, schedule)))
	}
	s.finish(t, all...)
	return s.check()
}

// holds tells whether the command has had its effect on a member.
func (r *rig) holds(id domain.MemberID, s *sent) bool {
	return slices.ContainsFunc(r.events(s.before), func(e eventstore.Recorded) bool {
		return e.Type == s.effect && e.Stream.ID == string(id)
	})
}

// runs is how many cases a property is tried on: each waits for reactors to try again.
const runs = 12

func TestFinishProperty(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, runs)
	rapid.Check(t, func(rt *rapid.T) {
		if r.next == runs {
			return
		}
		for _, fault := range property(rt, r, t, func(_ *sent, store eventstore.Store) reactors.Reactor { return r.reactor(store) }) {
			rt.Errorf("ASG-5 %s", fault)
		}
	})
}

// TestBadReactors shows that the property finds reactors that do not keep to the rules.
func TestBadReactors(t *testing.T) {
	t.Parallel()
	bad := map[string]func(s *sent, store eventstore.Store) reactors.Reactor{
		"ASG-5 a new command with ids of its own": func(s *sent, store eventstore.Store) reactors.Reactor {
			reactor := s.rig.reactor(store)
			reactor.Act = func(ctx context.Context, c reactors.Cause) error {
				req := s.req
				req.Key = ""
				if _, answered := s.answered(); answered > 0 {
					return nil
				}
				_, err := handlerOn(store).Handle(ctx, req, s.body)
				return err
			}
			return reactor
		},
		"ASG-5 an answer without the rest": func(s *sent, store eventstore.Store) reactors.Reactor {
			reactor := s.rig.reactor(store)
			reactor.Act = func(ctx context.Context, c reactors.Cause) error {
				if _, answered := s.answered(); answered > 0 {
					return nil
				}
				_, schema, data, err := command.Events.Encode(command.CommandAnswered{Answer: []byte("{}")})
				if err != nil {
					return err
				}
				meta := eventstore.Metadata{Plan: c.Stream.Plan, Command: c.Stream.ID, Schema: schema}
				_, err = store.Append(ctx, c.Stream, c.Seen, eventstore.Event{ID: uuid.New(), Type: "CommandAnswered", Data: data, Metadata: meta.Encode()})
				return err
			}
			return reactor
		},
	}
	for name, reactor := range bad {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 5, runs)
			found := 0
			rapid.Check(t, func(rt *rapid.T) {
				if r.next < runs && found == 0 && len(property(rt, r, t, reactor)) > 0 {
					found++
				}
			})
			if found == 0 {
				t.Error("was not found")
			}
		})
	}
}

func TestMessageIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, 3)
	s := r.assign(commands.Atomic, "key")
	outcomes, _ := crashesAt(3, lost)
	s.send(&failing{Store: r.store, outcomes: outcomes})
	own, _ := s.stream()
	t.Run("AUD-6 the message is encrypted from the first event on", func(t *testing.T) {
		for page, err := range r.bare.Follow(t.Context(), s.before, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				if bytes.Contains(e.Data, []byte("aboard")) {
					t.Errorf("%s holds the message in clear", e.Type)
				}
			}
			if page.Live {
				break
			}
		}
	})
	if m := messageOf(t, r.store, own); m != message {
		t.Errorf("ASG-5 the accepted command says %q", m)
	}
	s.finish(t, r.reactor(r.store))
	t.Run("AUD-6 once the command is answered, only the members' own streams have it", func(t *testing.T) {
		if m := messageOf(t, r.store, own); m != "" {
			t.Errorf("the command still says %q", m)
		}
		for _, e := range r.events(s.before) {
			if e.Type == "MemberAssigned" && !bytes.Contains(e.Data, []byte(message)) {
				t.Errorf("ASG-1 a member was not told: %s", e.Data)
			}
		}
	})
	t.Run("AUD-6 also of a command that its own process answered", func(t *testing.T) {
		s := r.assign(commands.Partial, "")
		if _, answered := s.send(r.store); !answered {
			t.Fatal("not answered")
		}
		own, _ := s.stream()
		s.finish(t, r.reactor(r.store))
		if m := messageOf(t, r.store, own); m != "" {
			t.Errorf("the command still says %q", m)
		}
		for _, fault := range s.check() {
			t.Error(fault)
		}
	})
	t.Run("AUD-6 what cannot be an id is not kept", func(t *testing.T) {
		for _, e := range r.events(0) {
			if bytes.Contains(e.Data, []byte("nobody's id")) {
				t.Errorf("%s holds %s", e.Type, e.Data)
			}
		}
	})
}

func messageOf(t testing.TB, store eventstore.Store, id eventstore.StreamID) string {
	t.Helper()
	for e, err := range store.Read(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		event, err := command.Events.Decode(e.Type, 1, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		return event.(command.CommandAccepted).Message
	}
	t.Fatal("there is no such command")
	return ""
}

func TestWhatCannotBeFinished(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, 1)
	accept := func(id string, schema int, data string) {
		meta := eventstore.Metadata{Plan: string(acme), Actor: "operator", Command: id, Correlation: "test", Schema: schema}
		_, err := r.store.Append(t.Context(), eventstore.StreamID{Category: command.Category, Plan: string(acme), ID: id}, eventstore.NoStream,
			eventstore.Event{ID: uuid.New(), Type: "CommandAccepted", Data: []byte(data), Metadata: meta.Encode()})
		if err != nil {
			t.Fatal(err)
		}
	}
	accept(uuid.NewString(), 1, `{"role":7}`)
	accept(uuid.NewString(), 1, `{"name":"assign-planet"}`)
	accept("no-id", 1, `{"name":"assign-role"}`)
	newer := uuid.NewString()
	accept(newer, 2, `{"name":"assign-role"}`)
	s := r.assign(commands.Partial, "key")
	outcomes, _ := crashesAt(3, lost)
	s.send(&failing{Store: r.store, outcomes: outcomes})
	runner, _ := start(t, r.store, r.reactor(r.store), true)
	t.Run("OPS-5 what no release can read is recorded, what a newer one can is left to it, others are finished", func(t *testing.T) {
		await(t, "the rest", func() bool {
			_, answered := s.answered()
			at := runner.Status()
			return answered == 1 && at.Open == 1 && at.Refused == 3 && at.Fault != nil
		})
		for _, fault := range s.check() {
			t.Error(fault)
		}
	})
}

func TestChangedInBetween(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4, 1)
	s := r.assign(commands.Atomic, "key")
	outcomes, _ := crashesAt(2, lost) // accepted, and nothing of it is done
	s.send(&failing{Store: r.store, outcomes: outcomes})
	t.Run("ASG-5 atomic: what changes after the acceptance is answered per item", func(t *testing.T) {
		c := s.body.(commands.AssignRole)
		other := r.do(commands.AssignRole{Role: c.Role, Members: r.members[1:2]})
		s.before, _ = eventstore.ParsePosition(other.Position)
		s.finish(t, r.reactor(r.store))
		answer, _ := s.answered()
		var got []string
		for _, item := range answer.Items {
			got = append(got, item.Status)
		}
		if want := []string{"unchanged", "unchanged", "done", "done"}; !slices.Equal(got, want) {
			t.Errorf("items %v, want %v", got, want)
		}
	})
}
