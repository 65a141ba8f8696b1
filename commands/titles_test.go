package commands_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/eventstore"
)

// live returns the roles of a plan that have a title now, by their own streams.
func (r *rig) live(planID domain.PlanID, title string, among ...domain.RoleID) []domain.RoleID {
	r.Helper()
	var live []domain.RoleID
	for _, id := range among {
		state, err := handlerOn(r.store).Role(r.Context(), planID, id)
		if err != nil {
			r.Fatal(err)
		}
		for _, one := range state.Titles() {
			if strings.EqualFold(one, title) {
				live = append(live, id)
			}
		}
	}
	return live
}

func TestTitles(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	fresh := func() domain.RoleID { return domain.RoleID(newID()) }
	create := func(t *testing.T, title string) domain.RoleID {
		id := fresh()
		r.on(t, r.store).do("acme", commands.CreateRole{Role: id, Title: title})
		return id
	}
	taken := func(t *testing.T, c commands.Command) {
		t.Helper()
		r.on(t, r.store).refused(request("acme", c, ""), c, domain.Conflict, "title_taken", "/title")
	}
	for name, title := range map[string]string{
		"letter by letter": "Straße Ängineer II", "in capitals": "STRASSE ÄNGINEER II", "decomposed": "straße A\u0308ngineer II",
		"in wide letters": wide("Strasse") + " Ängineer II", "with a Roman numeral": "Straße Ängineer Ⅱ", "with other blanks": " Straße\u00a0 Ängineer II ",
	} {
		t.Run("ROL-1 a title that another role has, "+name, func(t *testing.T) {
			if r.head(); len(r.live("acme", "Straße Ängineer II", f.spareTitle(r))) == 0 {
				t.Fatal("no role has it")
			}
			taken(t, commands.CreateRole{Role: fresh(), Title: title})
			taken(t, commands.RenameRole{Role: f.draft, Title: title})
			taken(t, commands.DuplicateRole{Source: f.role, Title: title})
			taken(t, commands.CustomizeRole{Source: f.catalogRole, Title: title})
			dry := commands.CreateRole{Role: fresh(), Title: title}
			req := request("acme", dry, "")
			req.DryRun = true
			r.on(t, r.store).refused(req, dry, domain.Conflict, "title_taken", "/title")
		})
	}
	t.Run("ROL-3 a duplicate without a title of its own", func(t *testing.T) {
		taken(t, commands.DuplicateRole{Source: f.role})
	})
	t.Run("ROL-1 the same title in another plan", func(t *testing.T) {
		r := r.on(t, r.store)
		r.do("acme-ops", commands.GrantPlanFeature{Plan: "acme-ops", Feature: "authoring"})
		r.do("acme-ops", commands.CreateRole{Title: "Engineer"})
	})
	t.Run("ROL-5 a role keeps its title in another spelling", func(t *testing.T) {
		id := create(t, "Pilot")
		before := r.head()
		r.on(t, r.store).do("acme", commands.RenameRole{Role: id, Title: "PILOT"})
		if events := r.events(before); len(events) != 1 {
			t.Errorf("%d events", len(events))
		}
	})
	t.Run("ROL-5 a title is free after a rename", func(t *testing.T) {
		id := create(t, "Captain")
		r.on(t, r.store).do("acme", commands.RenameRole{Role: id, Title: "Admiral"})
		create(t, "Captain")
		taken(t, commands.RenameRole{Role: id, Title: "Captain"})
	})
	t.Run("ROL-8 the title in force is taken until the next version", func(t *testing.T) {
		r := r.on(t, r.store)
		id := create(t, "Cook")
		r.do("acme", commands.AddRoleSkill{Role: id, Skill: f.skill, Required: true})
		r.do("acme", commands.PublishRole{Role: id})
		r.do("acme", commands.RenameRole{Role: id, Title: "Chef"})
		taken(t, commands.CreateRole{Title: "Cook"})
		taken(t, commands.CreateRole{Title: "Chef"})
		r.do("acme", commands.PublishRole{Role: id})
		create(t, "Cook")
		taken(t, commands.CreateRole{Title: "Chef"})
	})
	t.Run("ROL-9 a deleted role's title is free, and restoring it takes it again or is refused", func(t *testing.T) {
		r := r.on(t, r.store)
		id := create(t, "Baker")
		r.do("acme", commands.DeleteRole{Role: id, ConfirmTitle: "Baker"})
		other := create(t, "Baker")
		restore := commands.RestoreRole{Role: id}
		taken(t, restore)
		r.do("acme", commands.RenameRole{Role: other, Title: "Miller"})
		r.do("acme", restore)
		taken(t, commands.CreateRole{Title: "Baker"})
	})
	t.Run("ROL-1 a dry run reserves nothing", func(t *testing.T) {
		r := r.on(t, r.store)
		c, before := commands.CreateRole{Title: "Dry"}, r.head()
		req := request("acme", c, "")
		req.DryRun = true
		r.handle(req, c)
		if r.head() != before {
			t.Errorf("appended %v", r.types(before))
		}
	})
}

// spareTitle creates the role whose title the test above asks for, once.
func (f fixture) spareTitle(r *rig) domain.RoleID {
	c := commands.CreateRole{Role: f.deletedTwin(), Title: "Straße Ängineer II"}
	if _, err := r.handler.Handle(r.Context(), request(f.plan, c, "spare title"), c); err != nil {
		r.Fatal(err)
	}
	return c.Role
}

func (f fixture) deletedTwin() domain.RoleID { return domain.RoleID("f" + string(f.deleted[1:])) }

// TestTitleAfterACrash cuts a command off after each of its appends, for ever: what it reserved is taken over by others
// where it was not used, and only there.
func TestTitleAfterACrash(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	create := func(title string) domain.RoleID {
		id := domain.RoleID(newID())
		r.do("acme", commands.CreateRole{Role: id, Title: title})
		return id
	}
	kinds := map[string]func(run string) (id domain.RoleID, c commands.Command){
		"ROL-1 create": func(run string) (domain.RoleID, commands.Command) {
			id := domain.RoleID(newID())
			return id, commands.CreateRole{Role: id, Title: run}
		},
		"ROL-5 rename": func(run string) (domain.RoleID, commands.Command) {
			id := create(run + " before")
			return id, commands.RenameRole{Role: id, Title: run}
		},
		"ROL-9 restore": func(run string) (domain.RoleID, commands.Command) {
			id := create(run)
			r.do("acme", commands.DeleteRole{Role: id, ConfirmTitle: run})
			return id, commands.RestoreRole{Role: id}
		},
		"ROL-9 delete": func(run string) (domain.RoleID, commands.Command) {
			id := create(run)
			return id, commands.DeleteRole{Role: id, ConfirmTitle: run}
		},
		"ROL-3 duplicate": func(run string) (domain.RoleID, commands.Command) {
			id := domain.RoleID(newID())
			return id, commands.DuplicateRole{Role: id, Source: f.role, Title: run}
		},
	}
	for name, prepare := range kinds {
		for survived := range 4 {
			t.Run(fmt.Sprintf("%s, cut off after %d appends", name, survived), func(t *testing.T) {
				r := r.on(t, r.store)
				run := "Run " + newID()
				id, c := prepare(run)
				n := 0
				dead := &failing{Store: r.store, outcomes: func() outcome {
					if n++; n > survived {
						return lost
					}
					return committed
				}}
				_, err := handlerOn(dead).Handle(t.Context(), request("acme", c, ""), c)
				var gone *eventstore.UnavailableError
				if err != nil && !errors.As(err, &gone) {
					t.Fatal(err)
				}
				had := len(r.live("acme", run, id)) == 1
				taker := domain.RoleID(newID())
				other := commands.CreateRole{Role: taker, Title: strings.ToUpper(run)}
				_, err = r.handler.Handle(t.Context(), request("acme", other, ""), other)
				if had != (domain.CodeOf(err) == "title_taken") || !had && err != nil {
					t.Errorf("the role has the title: %v; another asks for it: %v", had, err)
				}
				// The command that was cut off is sent again: it must not give the title to a second role.
				if _, err := r.handler.Handle(t.Context(), request("acme", c, ""), c); err != nil && domain.CodeOf(err) != "title_taken" && domain.CodeOf(err) != "role_exists" {
					t.Error(err)
				}
				if all := r.live("acme", run, id, taker); len(all) > 1 {
					t.Errorf("%d roles have the title", len(all))
				}
			})
		}
	}
}

// TestTitleOvertaken lets another role take the title between each two steps of a command.
func TestTitleOvertaken(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	for _, category := range []string{"title", "role"} {
		for _, read := range []bool{false, true} {
			for nth := 1; nth <= 4; nth++ {
				t.Run(fmt.Sprintf("ROL-1 before %s %d of a %s stream", map[bool]string{false: "append", true: "read"}[read], nth, category), func(t *testing.T) {
					run, n := "Run "+newID(), 0
					slow, quick := domain.RoleID(newID()), domain.RoleID(newID())
					h := &hooked{Store: r.store}
					var quickErr error
					hook := func(stream eventstore.StreamID) {
						if stream.Category != category {
							return
						}
						if n++; n == nth {
							c := commands.CreateRole{Role: quick, Title: run}
							_, quickErr = handlerOn(r.store).Handle(context.WithoutCancel(t.Context()), request("acme", c, ""), c)
						}
					}
					if read {
						h.read = hook
					} else {
						h.append = hook
					}
					c := commands.CreateRole{Role: slow, Title: run}
					_, err := handlerOn(h).Handle(t.Context(), request("acme", c, ""), c)
					live := r.live("acme", run, slow, quick)
					if len(live) != 1 {
						t.Errorf("%d roles have the title: the slow one %v, the quick one %v", len(live), err, quickErr)
					}
				})
			}
		}
	}
}

// TestTitleRace has 32 requests ask for one title at the same time, by creating, renaming and restoring, while others
// give it up: there is never more than one live role with it.
func TestTitleRace(t *testing.T) {
	rounds := 12
	if os.Getenv("ROLEWISE_TORTURE") != "" {
		rounds = 1000
	}
	r := newRig(t)
	f := r.fixture("acme")
	handlers := []*commands.Handler{handlerOn(r.store), handlerOn(r.store), handlerOn(r.store)}
	const requests = 32
	won := 0
	for round := range rounds {
		run := fmt.Sprintf("Round %d", round)
		ids := make([]domain.RoleID, requests)
		for i := range ids {
			ids[i] = domain.RoleID(newID())
			switch i % 4 {
			case 1:
				r.do("acme", commands.CreateRole{Role: ids[i], Title: fmt.Sprintf("%s of %d", run, i)})
			case 2:
				r.do("acme", commands.CreateRole{Role: ids[i], Title: run})
				r.do("acme", commands.DeleteRole{Role: ids[i], ConfirmTitle: run})
			}
		}
		holder := ids[3]
		r.do("acme", commands.CreateRole{Role: holder, Title: run})
		body := func(i int) commands.Command {
			switch {
			case i == 3:
				return commands.RenameRole{Role: holder, Title: run + " given up"}
			case i%8 == 7:
				return commands.RenameRole{Role: holder, Title: run} // back
			case i%4 == 1:
				return commands.RenameRole{Role: ids[i], Title: strings.ToUpper(run)}
			case i%4 == 2:
				return commands.RestoreRole{Role: ids[i]}
			case i%4 == 3:
				return commands.DuplicateRole{Role: ids[i], Source: f.role, Title: run}
			}
			return commands.CreateRole{Role: ids[i], Title: run}
		}
		_, errs := parallel(requests, func(i int) (commands.Answer, error) {
			return handlers[i%3].Handle(t.Context(), request("acme", body(i), ""), body(i))
		})
		for i, err := range errs {
			if code := domain.CodeOf(err); err != nil && code != "title_taken" && code != "concurrent_change" {
				t.Fatalf("%s: %v", body(i).About().Name, err)
			}
		}
		live := r.live("acme", run, ids...)
		if len(live) > 1 {
			t.Fatalf("ROL-1 round %d: %d roles have the title", round, len(live))
		}
		won += len(live)
		late := commands.CreateRole{Title: run}
		_, err := r.handler.Handle(t.Context(), request("acme", late, ""), late)
		if taken := domain.CodeOf(err) == "title_taken"; taken != (len(live) == 1) || !taken && err != nil {
			t.Fatalf("ROL-1 round %d: %d roles have the title, one more is answered with %v", round, len(live), err)
		}
	}
	t.Logf("%d of %d rounds ended with a role of the title", won, rounds)
}

// TestTitleWhileItIsSettled has the owner of an orphaned reservation come back just after it was found not to have the
// title, and before the title is reserved for the one who asked.
func TestTitleWhileItIsSettled(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	for _, nth := range []int{1, 2} {
		t.Run(fmt.Sprintf("ROL-1 before reservation %d", nth), func(t *testing.T) {
			r := r.on(t, r.store)
			run, orphan, taker := "Run "+newID(), domain.RoleID(newID()), domain.RoleID(newID())
			c := commands.CreateRole{Role: orphan, Title: run}
			appends := 0
			dead := &failing{Store: r.store, outcomes: func() outcome {
				if appends++; appends > 1 {
					return lost
				}
				return committed
			}}
			if _, err := handlerOn(dead).Handle(t.Context(), request("acme", c, ""), c); err == nil {
				t.Fatal("not cut off")
			}
			n := 0
			var back error
			h := &hooked{Store: r.store}
			h.append = func(stream eventstore.StreamID) {
				if stream.Category != "title" {
					return
				}
				if n++; n == nth {
					_, back = handlerOn(r.store).Handle(context.WithoutCancel(t.Context()), request("acme", c, ""), c)
				}
			}
			other := commands.CreateRole{Role: taker, Title: run}
			_, err := handlerOn(h).Handle(t.Context(), request("acme", other, ""), other)
			if live := r.live("acme", run, orphan, taker); len(live) != 1 {
				t.Errorf("%d roles have the title: who came back %v, who asked %v", len(live), back, err)
			}
		})
	}
}

// TestTitleReleasedLate lets a role be given its title again between the event that gave it up and the release.
func TestTitleReleasedLate(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	id := domain.RoleID(newID())
	r.do("acme", commands.CreateRole{Role: id, Title: "Pilot"})
	h := &hooked{Store: r.store}
	given, back := false, false
	h.append = func(stream eventstore.StreamID) { given = given || stream.Category == "role" }
	h.read = func(stream eventstore.StreamID) {
		if given && !back && stream.Category == "title" { // the release looks at the reservation
			back = true
			r.do("acme", commands.RenameRole{Role: id, Title: "Pilot"})
		}
	}
	r.on(t, h).do("acme", commands.RenameRole{Role: id, Title: "Captain"})
	if !back {
		t.Fatal("nothing came in between")
	}
	c := commands.CreateRole{Title: "Pilot"}
	r.refused(request("acme", c, ""), c, domain.Conflict, "title_taken", "/title")
}
