package commands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/results"
	"rolewise/eventstore"
)

// item is what became of one of a bulk command, short.
func items(answer commands.Answer) []string {
	var short []string
	for _, i := range answer.Items {
		short = append(short, strings.TrimSpace(i.Member+i.Team+" "+i.Status+" "+i.Code))
	}
	return short
}

// refusalsIn returns code and pointer of each refusal that an error joins.
func refusalsIn(err error) []string {
	var all []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, refusalsIn(one)...)
		}
		return all
	}
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		all = append(all, refusal.Code+" "+refusal.Field)
	}
	return all
}

func TestBulk(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	foreign := r.fixture("zeta")
	unknown := domain.MemberID(newID())
	members := func(ids ...domain.MemberID) []domain.MemberID { return ids }
	teams := func(ids ...domain.TeamID) []domain.TeamID { return ids }
	mixed := commands.AssignRole{
		Role: f.role, Members: members(f.member, unknown, f.guest, f.member, foreign.member, unknown, "no id"),
		Teams: teams(f.team, foreign.team, f.team, domain.TeamID(f.member), ""),
	}
	t.Run("ASG-5 atomic: all wrong items are named, nothing is appended", func(t *testing.T) {
		r := r.on(t, r.store)
		c := mixed
		c.Mode = commands.Atomic
		before := r.head()
		for _, key := range []string{"", "atomic"} {
			_, err := r.handler.Handle(t.Context(), request("acme", c, key), c)
			equal(t, "refusals", refusalsIn(err), []string{
				"member_not_found /members/1", "member_not_found /members/4", "member_not_found /members/5", "member_not_found /members/6",
				"team_not_found /teams/1", "team_not_found /teams/3", "member_not_found /teams/4",
			})
		}
		if r.head() != before {
			t.Errorf("appended %v", r.types(before))
		}
	})
	t.Run("ASG-5 the position is that of the command's own last event, whatever others append meanwhile", func(t *testing.T) {
		other := r.on(t, r.store)
		role := domain.RoleID(other.do("acme", commands.DuplicateRole{Source: f.role, Title: "Overtaken"}).ID)
		other.do("acme", commands.PublishRole{Role: role})
		before := other.head()
		// The guest is looked at only after the member was assigned, and after another command assigned the guest.
		store := &hooked{Store: r.store}
		store.read = firstOf("assignment", string(f.guest), func() {
			own := eventstore.Filter{Prefixes: []string{"assignment-acme." + string(f.member)}}
			for page, err := range r.store.Follow(t.Context(), before, own) {
				if err != nil {
					t.Error(err)
				}
				if err != nil || len(page.Events) > 0 {
					break
				}
			}
			other.do("acme", commands.AssignRole{Role: role, Members: members(f.guest)})
		})
		answer := r.on(t, store).do("acme", commands.AssignRole{Role: role, Members: members(f.member, f.guest)})
		if answer.Items[0].Status != "done" || answer.Items[1].Status != "unchanged" || answer.Stream != "assignment-acme."+string(f.member) {
			t.Errorf("%+v", answer)
		}
		for _, e := range other.events(before) {
			if e.Stream.ID == string(f.member) && e.Position.String() != answer.Position {
				t.Errorf("position %s, want that of the member's assignment, %s", answer.Position, e.Position)
			}
		}
	})
	t.Run("ASG-5 partial: each item stands for itself", func(t *testing.T) {
		r := r.on(t, r.store)
		before := r.head()
		answer := r.do("acme", mixed)
		equal(t, "items", items(answer), []string{
			string(f.member) + " done", string(unknown) + " refused member_not_found", string(f.guest) + " unchanged", string(f.member) + " unchanged",
			string(foreign.member) + " refused member_not_found", string(unknown) + " refused member_not_found", "no id refused member_not_found",
			string(f.team) + " done", string(foreign.team) + " refused team_not_found", string(f.team) + " unchanged",
			string(f.member) + " refused team_not_found", "refused member_not_found",
		})
		equal(t, "events", answer.Events, []string{"MemberAssigned", "TeamAssigned"})
		events := slices.DeleteFunc(r.events(before), func(e eventstore.Recorded) bool { return e.Stream.Category == "command" })
		equal(t, "position", answer.Position, events[len(events)-1].Position.String())
		equal(t, "number of events", len(r.types(before)), 2)
	})
	t.Run("ASG-3 assigning twice changes nothing", func(t *testing.T) {
		r := r.on(t, r.store)
		for _, mode := range []commands.Mode{commands.Partial, commands.Atomic} {
			before := r.head()
			answer := r.do("acme", commands.AssignRole{Role: f.role, Members: members(f.member, f.guest), Teams: teams(f.team), Message: "again", Mode: mode})
			equal(t, "items", items(answer), []string{string(f.member) + " unchanged", string(f.guest) + " unchanged", string(f.team) + " unchanged"})
			equal(t, "events", answer.Events, []string{})
			equal(t, "appended", r.types(before), []string{})
		}
	})
	t.Run("ASG-2 a member and a team never share an id, and so what they are assigned", func(t *testing.T) {
		r := r.on(t, r.store)
		asTeam, asMember := commands.CreateTeam{Team: domain.TeamID(f.member), Name: "Clash"}, commands.InviteMember{Member: domain.MemberID(f.team), Name: "Clash", Email: "clash@example.org"}
		r.refused(request("acme", asTeam, ""), asTeam, domain.Conflict, "id_in_use", "/team")
		r.refused(request("acme", asMember, ""), asMember, domain.Conflict, "id_in_use", "/member")
	})
	t.Run("ASG-2 unassigning a team leaves the member's own path", func(t *testing.T) {
		r := r.on(t, r.store)
		answer := r.do("acme", commands.UnassignRole{Role: f.role, Members: members(f.colleague), Teams: teams(f.team, f.below)})
		equal(t, "items", items(answer), []string{string(f.colleague) + " unchanged", string(f.team) + " done", string(f.below) + " unchanged"})
		equal(t, "events", answer.Events, []string{"TeamUnassigned"})
		equal(t, "the other path", items(r.do("acme", commands.AssignRole{Role: f.role, Members: members(f.member)})), []string{string(f.member) + " unchanged"})
	})
	t.Run("ASG-1 unassigning a role that the plan does not have", func(t *testing.T) {
		r := r.on(t, r.store)
		for _, role := range []domain.RoleID{foreign.role, f.catalogDraft, domain.RoleID(newID()), "", "x"} {
			c := commands.UnassignRole{Role: role, Members: members(f.member)}
			r.refused(request("acme", c, ""), c, domain.NotFound, "role_not_found", "/role")
			a := commands.AssignRole{Role: role, Members: members(f.member)}
			r.refused(request("acme", a, ""), a, domain.NotFound, "role_not_found", "/role")
		}
		draft := commands.AssignRole{Role: f.draft, Members: members(f.member)}
		r.refused(request("acme", draft, ""), draft, domain.NotFound, "role_not_found", "/role")
	})
	t.Run("ASG-5 what is wrong with the command as a whole", func(t *testing.T) {
		r := r.on(t, r.store)
		many := make([]domain.MemberID, 10_000)
		for i := range many {
			many[i] = unknown
		}
		tests := []struct {
			c           commands.AssignRole
			code, field string
		}{
			{commands.AssignRole{Role: f.role}, "required", "/members"},
			{commands.AssignRole{Role: f.role, Members: many, Teams: teams(f.team)}, "too_many", "/members"},
			{commands.AssignRole{Role: f.role, Members: members(f.member), Mode: "all"}, "invalid_mode", "/mode"},
			{commands.AssignRole{Role: f.role, Members: members(f.member, f.guest), Message: "\u202e"}, "invalid_text", "/message"},
			{commands.AssignRole{Role: f.role, Members: members(f.member, f.guest), Message: strings.Repeat("x", 2001)}, "invalid_length", "/message"},
		}
		for _, tt := range tests {
			for _, mode := range []commands.Mode{tt.c.Mode, commands.Atomic} {
				if tt.code != "invalid_mode" {
					tt.c.Mode = mode
				}
				r.refused(request("acme", tt.c, ""), tt.c, domain.Invalid, tt.code, tt.field)
				u := commands.UnassignRole(tt.c)
				r.refused(request("acme", u, "key"), u, domain.Invalid, tt.code, tt.field)
			}
		}
	})
	t.Run("ASG-5 atomic: what was accepted is applied to the end across a crash", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.AssignRole{Role: f.catalogRole, Members: members(f.member, f.guest, f.colleague), Teams: teams(f.below), Mode: commands.Atomic}
		outcomes, _ := crashes(3, lost)
		before := r.head()
		if _, err := r.on(t, &failing{Store: r.store, outcomes: outcomes}).handler.Handle(t.Context(), request("acme", c, "crash"), c); err == nil {
			t.Fatal("no crash")
		}
		done := r.types(before)
		if len(done) == 0 || len(done) == 4 {
			t.Fatalf("the crash left %v", done)
		}
		answer := r.handle(request("acme", c, "crash"), c)
		equal(t, "items", items(answer), []string{string(f.member) + " done", string(f.guest) + " done", string(f.colleague) + " done", string(f.below) + " done"})
		equal(t, "number of events", len(r.types(before)), 4)
	})
	t.Run("ASG-5 atomic: an item that another changes in between is answered by itself", func(t *testing.T) {
		h := &hooked{Store: r.store}
		h.append = first("assignment", func() {
			r.do("acme", commands.UnassignRole{Role: f.catalogRole, Members: members(f.member), Teams: teams(f.below)})
		})
		c := commands.UnassignRole{Role: f.catalogRole, Members: members(f.member), Mode: commands.Atomic}
		answer := r.on(t, h).do("acme", c)
		equal(t, "items", items(answer), []string{string(f.member) + " unchanged"})
	})
	t.Run("ASG-5 the same holders in two commands at the same time", func(t *testing.T) {
		before := r.head()
		answers, errs := parallel(8, func(i int) (commands.Answer, error) {
			c := commands.AssignRole{Role: f.catalogRole, Members: members(f.member), Teams: teams(f.below), Mode: []commands.Mode{commands.Partial, commands.Atomic}[i%2]}
			return r.handler.Handle(t.Context(), request("acme", c, ""), c)
		})
		done := 0
		for i, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
			done += len(answers[i].Events)
		}
		equal(t, "effects told", done, 2)
		types := r.types(before)
		slices.Sort(types)
		equal(t, "events", types, []string{"MemberAssigned", "TeamAssigned"})
	})
}

// seedMembers writes members straight into the store: 10,000 commands would only take time.
func seedMembers(r *rig, planID domain.PlanID, n int) []domain.MemberID {
	r.Helper()
	ids := make([]domain.MemberID, n)
	errs := make(chan error, n)
	for start := 0; start < n; start += 500 {
		end := min(start+500, n)
		for i := start; i < end; i++ {
			ids[i] = domain.MemberID(newID())
			go func() {
				name, schema, data, err := member.Events.Encode(member.MemberInvited{Member: ids[i], Name: "Max", Email: fmt.Sprint(i, "@example.org")})
				if err == nil {
					meta := eventstore.Metadata{Plan: string(planID), Time: clock, Actor: "system:test", Command: newID(), Correlation: "test", Schema: schema}
					_, err = r.store.Append(context.Background(), eventstore.StreamID{Category: member.Category, Plan: string(planID), ID: string(ids[i])}, eventstore.NoStream,
						eventstore.Event{ID: uuid.New(), Type: name, Data: data, Metadata: meta.Encode()})
				}
				errs <- err
			}()
		}
		for range end - start {
			if err := <-errs; err != nil {
				r.Fatal(err)
			}
		}
	}
	return ids
}

func TestBulkOfTenThousand(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	ids := seedMembers(r, "acme", bulkSize)
	took := func(what string, began time.Time) { t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond)) }
	c := commands.AssignRole{Role: f.role, Members: ids, Mode: commands.Atomic}
	began := time.Now()
	answer := r.handle(request("acme", c, "ten thousand"), c)
	took(fmt.Sprintf("ASG-5 assigning %d members, atomic, keyed", len(ids)), began)
	equal(t, "ASG-5 number of events", len(answer.Events), len(ids))
	for i, item := range answer.Items {
		if item.Member != string(ids[i]) || item.Status != "done" {
			t.Fatalf("item %d: %+v", i, item)
		}
	}
	began = time.Now()
	equal(t, "ASG-5 repeat", r.handle(request("acme", c, "ten thousand"), c), answer)
	took("its repeat", began)

	strangers := commands.UnassignRole{Role: f.role, Members: make([]domain.MemberID, len(ids))}
	for i := range strangers.Members {
		strangers.Members[i] = domain.MemberID(newID())
	}
	began = time.Now()
	refused := r.handle(request("acme", strangers, "strangers"), strangers) // the longest answer there is
	took("ASG-5 refusing as many, partial, keyed", began)
	equal(t, "ASG-5 number of events", len(refused.Events), 0)
	equal(t, "ASG-5 repeat", r.handle(request("acme", strangers, "strangers"), strangers), refused)

	all := commands.RefreshProgress{Role: f.role, Members: ids}
	began = time.Now()
	equal(t, "PRG-3 events", r.do("acme", all).Events, []string{"ProgressRefreshed"})
	took("PRG-3 refreshing as many", began)
	all.Members = slices.Repeat(ids[:1], 10_001)
	r.refused(request("acme", all, ""), all, domain.Invalid, "too_many", "/members")
}

func TestMeasurements(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	t.Run("MSR-1 one session twice is one measurement, also at the same time", func(t *testing.T) {
		before := r.head()
		answers, errs := parallel(16, func(int) (commands.Answer, error) {
			c := commands.RecordSkillIQ{Member: f.member, Skill: f.skill, Score: 100, Percentile: 10, MeasuredAt: clock, Session: "twice"}
			return r.handler.Handle(t.Context(), request("acme", c, ""), c)
		})
		told := 0
		for i, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
			told += len(answers[i].Events)
		}
		equal(t, "effects told", told, 1)
		equal(t, "events", r.types(before), []string{"SkillIQMeasured"})
		equal(t, "stream", answers[0].Stream, "results-acme."+results.StreamID(f.member, f.skill))
	})
	t.Run("MSR-1 the clock is the server's", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.RecordSkillIQ{Member: f.member, Skill: f.skill, MeasuredAt: clock.Add(5 * time.Minute), Session: "soon"}
		r.do("acme", c)
		c.Session, c.MeasuredAt = "later", c.MeasuredAt.Add(time.Nanosecond)
		r.refused(request("acme", c, ""), c, domain.Invalid, "time_in_future", "/measured_at")
	})
}

// firstOf is first for one stream of a category.
func firstOf(category, id string, do func()) func(eventstore.StreamID) {
	hook := first(category, do)
	return func(stream eventstore.StreamID) {
		if stream.ID == id {
			hook(stream)
		}
	}
}
