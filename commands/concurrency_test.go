package commands_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/skill"
	"rolewise/eventstore"
)

func TestManyWritersOfOneRole(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	const writers = 32
	handlers := []*commands.Handler{handlerOn(r.store), handlerOn(r.store)}
	for _, keyed := range []bool{false, true} {
		t.Run(fmt.Sprintf("API-1 every accepted edit once, in order, keyed %v", keyed), func(t *testing.T) {
			r := r.on(t, r.store)
			before := r.head()
			titles := make([]string, writers)
			answers, errs := parallel(writers, func(i int) (commands.Answer, error) {
				titles[i] = "Title " + newID()
				c := commands.RenameRole{Role: f.role, Title: titles[i]}
				req := request("acme", c, "")
				if keyed {
					req.Key = titles[i]
				}
				return handlers[i%2].Handle(t.Context(), req, c)
			})
			want := map[int64]string{} // the events that the answers tell of
			for i, err := range errs {
				switch {
				case err == nil:
					equal(t, "events", answers[i].Events, []string{"RoleRenamed"})
					if want[answers[i].Revision] != "" {
						t.Errorf("two answers with revision %d", answers[i].Revision)
					}
					want[answers[i].Revision] = fmt.Sprintf(`{"role":%q,"title":%q} at %s`, f.role, titles[i], answers[i].Position)
				case domain.CodeOf(err) != "concurrent_change":
					t.Error(err)
				}
			}
			got := map[int64]string{}
			for _, e := range r.events(before) {
				if e.Stream.Category == "role" {
					got[int64(e.Revision)] = fmt.Sprintf("%s at %d", e.Data, e.Position)
				}
			}
			equal(t, "events", got, want)
			t.Logf("%d of %d accepted", len(want), writers)
		})
	}
	t.Run("API-1 adding to one list, nothing is lost", func(t *testing.T) {
		r := r.on(t, r.store)
		role := domain.RoleID(newID())
		r.do("acme", commands.CreateRole{Role: role, Title: "Crowded"})
		ids := make([]domain.SkillID, writers)
		for i := range ids {
			ids[i] = domain.SkillID(newID())
			r.do("acme", commands.DefineSkill{Skill: ids[i], Name: "Skill", State: skill.Validated})
		}
		_, errs := parallel(writers, func(i int) (commands.Answer, error) {
			c := commands.AddRoleSkill{Role: role, Skill: ids[i/2*2], Required: true} // each skill by two of them
			return handlers[i%2].Handle(t.Context(), request("acme", c, ""), c)
		})
		added := 0
		for _, err := range errs {
			switch domain.CodeOf(err) {
			case "":
				added++
			case "skill_in_role", "concurrent_change":
			default:
				t.Error(err)
			}
		}
		for _, h := range append(handlers, handlerOn(r.store)) {
			state, err := h.Role(t.Context(), "acme", role)
			if err != nil {
				t.Fatal(err)
			}
			if len(state.Draft.Skills) != added || added == 0 {
				t.Errorf("ROL-5 %d skills were added, the role has %d", added, len(state.Draft.Skills))
			}
		}
	})
}

func TestIfMatch(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	match := func(c commands.Command, at eventstore.Revision, key string) commands.Request {
		req := request("acme", c, key)
		req.IfMatch = &at
		return req
	}
	now := eventstore.Revision(r.do("acme", commands.RenameRole{Role: f.role, Title: "First"}).Revision)
	t.Run("API-1 the present revision", func(t *testing.T) {
		c := commands.RenameRole{Role: f.role, Title: "Second"}
		if answer := r.on(t, r.store).handle(match(c, now, ""), c); answer.Revision != int64(now)+1 {
			t.Errorf("answer %+v", answer)
		}
	})
	for name, c := range map[string]commands.Command{
		"an edit":          commands.RenameRole{Role: f.role, Title: "Third"},
		"no change":        commands.RenameRole{Role: f.role, Title: "Second"},
		"of a new object":  commands.CreateRole{Title: "New"},
		"of one holder":    commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.guest}},
		"of an invitation": commands.InviteMember{Name: "Ivo", Email: "ivo@example.org"},
	} {
		for _, key := range []string{"", "key " + name} {
			t.Run("API-1 a revision of the past: "+name+", "+key, func(t *testing.T) {
				r := r.on(t, r.store)
				if bulk, ok := c.(commands.AssignRole); ok {
					before := r.head()
					answer := r.handle(match(c, now, ""), c)
					if item := answer.Items[0]; item.Status != "refused" || item.Code != "revision_mismatch" || r.head() != before {
						t.Errorf("partial: %+v", answer)
					}
					bulk.Mode = commands.Atomic
					r.refused(match(bulk, now, key), bulk, domain.Stale, "revision_mismatch", "/members/0")
					return
				}
				r.refused(match(c, now, key), c, domain.Stale, "revision_mismatch", "")
			})
		}
	}
	t.Run("API-1 a change in between", func(t *testing.T) {
		for _, key := range []string{"", "in between"} {
			h := &hooked{Store: r.store}
			h.append = first("role", func() { r.do("acme", commands.RenameRole{Role: f.role, Title: "By another " + key}) })
			state := r.do("acme", commands.RenameRole{Role: f.role, Title: "Before " + key})
			c := commands.RenameRole{Role: f.role, Title: "Mine " + key}
			before := r.head()
			_, err := r.on(t, h).handler.Handle(t.Context(), match(c, eventstore.Revision(state.Revision), key), c)
			var refusal *domain.Error
			if !errors.As(err, &refusal) || refusal.Kind != domain.Stale {
				t.Errorf("key %q: %v", key, err)
			}
			equal(t, "events", r.types(before), []string{"RoleRenamed"})
			now := eventstore.Revision(state.Revision + 1)
			if answer := r.handle(match(c, now, key), c); len(answer.Events) != 1 {
				t.Errorf("with the revision of now: %+v", answer)
			}
		}
	})
	t.Run("API-1 one winner among those who saw the same", func(t *testing.T) {
		state := r.do("acme", commands.RenameRole{Role: f.role, Title: "Seen by all"})
		before := r.head()
		answers, errs := parallel(32, func(i int) (commands.Answer, error) {
			c := commands.RenameRole{Role: f.role, Title: fmt.Sprint("Title ", i)}
			return r.handler.Handle(t.Context(), match(c, eventstore.Revision(state.Revision), ""), c)
		})
		winners := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err != nil })
		for i, err := range errs {
			if err != nil && domain.CodeOf(err) != "revision_mismatch" {
				t.Errorf("%+v, %v", answers[i], err)
			}
		}
		if len(winners) != 1 {
			t.Errorf("%d winners", len(winners))
		}
		equal(t, "events", r.types(before), []string{"RoleRenamed"})
	})
	t.Run("API-1 a bulk command of several", func(t *testing.T) {
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member, f.guest}}
		r.on(t, r.store).refused(match(c, 0, ""), c, domain.Invalid, "if_match_on_bulk", "")
	})
}
