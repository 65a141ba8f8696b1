package commands_test

import (
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// invite brings a new member into a plan.
func (r *rig) invite(planID domain.PlanID, role member.AccessRole) domain.MemberID {
	r.Helper()
	id := domain.MemberID(newID())
	r.do(planID, commands.InviteMember{Member: id, Name: "Member", Email: string(id) + "@example.org", AccessRole: role})
	return id
}

// tiny creates a plan with a number of licences, and returns its owner.
func (r *rig) tiny(planID domain.PlanID, licences int) domain.MemberID {
	r.Helper()
	r.do("", commands.CreatePlan{Plan: planID, Name: "Tiny", Tier: plan.Starter, OwnerName: "Olga", OwnerEmail: "olga@example.org"})
	r.do("", commands.SetPlanLicences{Plan: planID, Licences: licences})
	state, err := r.handler.Plan(r.Context(), planID)
	if err != nil {
		r.Fatal(err)
	}
	return state.Owner
}

// crashAt carries a command out in a process that dies before it appends to a category.
func (r *rig) crashAt(category string, planID domain.PlanID, c commands.Command, key string) {
	r.Helper()
	h := &hooked{Store: r.store}
	h.append = func(stream eventstore.StreamID) {
		if stream.Category == category {
			panic("crash")
		}
	}
	defer func() {
		if recover() == nil {
			r.Errorf("%s: it went on", c.About().Name)
		}
	}()
	_, err := r.on(r.TB, h).handler.Handle(r.Context(), request(planID, c, key), c)
	r.Errorf("%s: it went on: %v", c.About().Name, err)
}

func TestChangeOfAddress(t *testing.T) {
	base := newRig(t)
	base.tiny("acme", 3)
	change := func(id domain.MemberID, email string) commands.Command {
		return commands.ChangeMemberProfile{Member: id, Email: &email}
	}
	taken := func(r *rig, c commands.Command) {
		r.Helper()
		r.refused(request("acme", c, ""), c, domain.Conflict, "email_taken", "/email")
	}
	t.Run("MEM-1 the new address is taken, the old one free", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("acme", ""), r.invite("acme", "")
		r.do("acme", change(one, "Straße.one@example.org"))
		taken(r, change(two, "STRASSE.one@example.org"))
		r.do("acme", change(two, string(one)+"@EXAMPLE.org"))
		taken(r, change(one, string(one)+"@example.org"))
		r.do("acme", change(one, string(two)+"@example.org"))
	})
	t.Run("MEM-1 another spelling of the own address", func(t *testing.T) {
		r := base.on(t, base.store)
		id := r.invite("acme", "")
		before := r.head()
		r.do("acme", change(id, strings.ToUpper(string(id)+"@example.org")))
		equal(t, "events", r.types(before), []string{"MemberEmailChanged"})
	})
	t.Run("MEM-1 there and back", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("acme", ""), r.invite("acme", "")
		for range 3 {
			r.do("acme", change(one, "there@example.org"))
			taken(r, change(two, "there@example.org"))
			r.do("acme", change(one, "back@example.org"))
			taken(r, change(two, "back@example.org"))
			r.do("acme", change(two, "there@example.org"))
			r.do("acme", change(two, "elsewhere@example.org"))
		}
	})
	t.Run("MEM-1 a dry run takes nothing", func(t *testing.T) {
		r := base.on(t, base.store)
		id, before := r.invite("acme", ""), r.head()
		c := change(id, "dry@example.org")
		req := request("acme", c, "")
		req.DryRun = true
		equal(t, "events", r.handle(req, c).Events, []string{"MemberEmailChanged"})
		if r.head() != before {
			t.Errorf("appended %v", r.types(before))
		}
	})
	t.Run("MEM-1 a refused change takes nothing", func(t *testing.T) {
		r := base.on(t, base.store)
		c := commands.ChangeMemberProfile{Member: r.invite("acme", ""), Email: new("refused@example.org"), Manager: new(domain.MemberID(newID()))}
		r.refused(request("acme", c, ""), c, domain.NotFound, "member_not_found", "/manager")
	})
	t.Run("MEM-1 a crash after the reservation", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("acme", ""), r.invite("acme", "")
		c := change(one, "crash@example.org")
		r.crashAt("member", "acme", c, "crash")
		before := r.head()
		r.do("acme", change(two, "CRASH@example.org"))
		equal(t, "events", r.types(before), []string{"MemberChangeAbandoned", "Reserved", "MemberEmailChanged", "Released"})
		r.refused(request("acme", c, "crash"), c, domain.Conflict, "email_taken", "/email")
	})
	t.Run("MEM-1 a crash after the reservation, and the repeat", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("acme", ""), r.invite("acme", "")
		c := change(one, "repeat@example.org")
		r.crashAt("member", "acme", c, "repeat")
		r.handle(request("acme", c, "repeat"), c)
		taken(r, change(two, "repeat@example.org"))
	})
	t.Run("MEM-1 a crash before the release", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("acme", ""), r.invite("acme", "")
		r.do("acme", change(one, "former@example.org"))
		h := &hooked{Store: r.store}
		reserved := false
		h.append = func(stream eventstore.StreamID) {
			if stream.Category == "member" {
				reserved = true
			}
			if reserved && stream.Category == "email" {
				panic("crash")
			}
		}
		func() {
			defer func() { _ = recover() }()
			c := change(one, "latter@example.org")
			_, err := r.on(t, h).handler.Handle(t.Context(), request("acme", c, ""), c)
			t.Errorf("it went on: %v", err)
		}()
		before := r.head()
		r.do("acme", change(two, "former@example.org"))
		equal(t, "events", r.types(before), []string{"Reserved", "MemberEmailChanged", "Released"})
		r.do("acme", change(one, string(one)+"@back.example"))
		taken(r, change(one, "former@example.org"))
	})
	t.Run("MEM-1 a change under way decides anew", func(t *testing.T) {
		r, h := base.on(t, base.store), &hooked{Store: base.store}
		one, two := r.invite("acme", ""), r.invite("acme", "")
		h.append = first("member", func() { r.do("acme", change(two, "late@example.org")) })
		c := change(one, "late@example.org")
		if _, err := r.on(t, h).handler.Handle(t.Context(), request("acme", c, ""), c); domain.CodeOf(err) != "email_taken" {
			t.Error(err)
		}
	})
	t.Run("MEM-1 back to an address that is about to be released", func(t *testing.T) {
		r, h := base.on(t, base.store), &hooked{Store: base.store}
		one, two := r.invite("acme", ""), r.invite("acme", "")
		r.do("acme", change(one, "first@example.org"))
		moved, held := false, false
		h.append = func(stream eventstore.StreamID) {
			switch {
			case stream.Category == "member":
				moved = true
			case stream.Category == "email" && moved && !held: // the release
				held = true
				r.do("acme", change(one, "first@example.org"))
			}
		}
		c := change(one, "second@example.org")
		if _, err := r.on(t, h).handler.Handle(t.Context(), request("acme", c, ""), c); err != nil || !held {
			t.Fatal(held, err)
		}
		taken(r, change(two, "first@example.org"))
		r.do("acme", change(two, "second@example.org"))
	})
}

func TestRemovedMember(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	gone, email := r.invite("acme", ""), "gone@example.org"
	r.do("acme", commands.ChangeMemberProfile{Member: gone, Email: &email})
	r.do("acme", commands.AssignRole{Role: f.role, Members: []domain.MemberID{gone}})
	key := r.do("acme", commands.CreateAPIKey{Name: "gone", Scopes: []access.Scope{access.Write}, Member: gone}).APIKey
	r.do("acme", commands.RemoveMember{Member: gone})
	t.Run("MEM-2 to commands the member is not there", func(t *testing.T) {
		r := r.on(t, r.store)
		for pointer, all := range map[string][]commands.Command{"/member": {
			commands.ChangeMemberProfile{Member: gone, Name: new("Name")}, commands.DeactivateMember{Member: gone}, commands.ReactivateMember{Member: gone},
			commands.GrantAccessRole{Member: gone, AccessRole: "owner"}, commands.GrantAccessRole{Member: gone, AccessRole: "hr"},
			commands.WithdrawAccessRole{Member: gone, AccessRole: "owner"}, commands.WithdrawAccessRole{Member: gone, AccessRole: "hr"},
			commands.GrantContentAccess{Member: gone}, commands.WithdrawContentAccess{Member: gone},
			commands.AddTeamMember{Team: f.team, Member: gone, TeamRole: "member"}, commands.AcceptInvitation{Member: gone},
			commands.SelectLevel{Role: f.role, Member: gone, Level: "mid"}, commands.CreateAPIKey{Name: "x", Scopes: []access.Scope{"read"}, Member: gone},
			commands.RecordSkillIQ{Member: gone, Skill: f.skill, MeasuredAt: clock, Session: "s"},
		}, "/manager": {commands.ChangeMemberProfile{Member: f.member, Manager: &gone}}} {
			for _, c := range all {
				r.refused(request("acme", c, ""), c, domain.NotFound, "member_not_found", pointer)
			}
		}
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{gone}}
		if item := r.handle(request("acme", c, ""), c).Items[0]; item.Code != "member_not_found" {
			t.Errorf("%+v", item)
		}
	})
	t.Run("MEM-2 removed once more, nothing changes", func(t *testing.T) {
		r := r.on(t, r.store)
		before := r.head()
		if answer := r.do("acme", commands.RemoveMember{Member: gone}); len(answer.Events) > 0 || r.head() != before {
			t.Errorf("%+v", answer)
		}
	})
	t.Run("MEM-2 the id is not given again", func(t *testing.T) {
		c := commands.InviteMember{Member: gone, Name: "New", Email: "new@example.org"}
		r.on(t, r.store).refused(request("acme", c, ""), c, domain.Conflict, "member_exists", "/member")
		team := commands.CreateTeam{Team: domain.TeamID(gone), Name: "New"}
		r.on(t, r.store).refused(request("acme", team, ""), team, domain.Conflict, "id_in_use", "/team")
	})
	t.Run("MEM-1 MEM-2 the address is", func(t *testing.T) {
		r.on(t, r.store).do("acme", commands.InviteMember{Name: "Heir", Email: strings.ToUpper(email)})
	})
	t.Run("ACC-4 keys of the member sign in no more", func(t *testing.T) {
		if _, ok, err := r.handler.Authenticate(t.Context(), key); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("MEM-2 a crash between the seats and the member", func(t *testing.T) {
		r := r.on(t, r.store)
		id, stays := r.invite("acme", "owner"), r.invite("acme", "")
		c := commands.RemoveMember{Member: id}
		r.do("acme", commands.GrantContentAccess{Member: id})
		r.crashAt("member", "acme", c, "")
		held, err := r.handler.Seats(t.Context(), "acme")
		if err != nil || held.Access(id) || held.Owner(id, true) {
			t.Errorf("the seats are not closed: %v", err)
		}
		before := r.head()
		r.do("acme", c)
		equal(t, "events", r.types(before), []string{"MemberRemoved", "Released"})
		r.crashAt("member", "acme", commands.RemoveMember{Member: stays}, "")
		before = r.head()
		r.do("acme", commands.GrantContentAccess{Member: stays}) // somebody else decides otherwise
		equal(t, "events", r.types(before), []string{"MemberChangeAbandoned", "ContentAccessGranted"})
	})
	t.Run("MEM-2 a removal under way takes what was granted meanwhile", func(t *testing.T) {
		r, h := r.on(t, r.store), &hooked{Store: r.store}
		id := r.invite("acme", "")
		h.append = first("member", func() { r.do("acme", commands.GrantContentAccess{Member: id}) })
		c := commands.RemoveMember{Member: id}
		before := r.head()
		r.on(t, h).handle(request("acme", c, ""), c)
		equal(t, "events", r.types(before), []string{"MemberSeatsClosed", "MemberChangeAbandoned", "ContentAccessGranted", "MemberSeatsClosed", "MemberRemoved", "Released"})
	})
}

func TestDeactivatedMember(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	owner := r.invite("acme", "owner")
	id := r.invite("acme", "admin")
	r.do("acme", commands.GrantContentAccess{Member: owner})
	key := r.do("acme", commands.CreateAPIKey{Name: "key", Scopes: []access.Scope{access.Write}, Member: id}).APIKey
	signsIn := func(t *testing.T, want bool) {
		t.Helper()
		if _, ok, err := handlerOn(r.store).Authenticate(t.Context(), key); ok != want || err != nil {
			t.Errorf("signs in: %v, %v", ok, err)
		}
	}
	signsIn(t, true)
	r.do("acme", commands.DeactivateMember{Member: id})
	t.Run("ACC-4 keys of the member do not sign in", func(t *testing.T) { signsIn(t, false) })
	t.Run("MEM-1 the member does nothing and is given nothing", func(t *testing.T) {
		r := r.on(t, r.store)
		for _, c := range []commands.Command{
			commands.AcceptInvitation{Member: id}, commands.SelectLevel{Role: f.role, Member: id, Level: "mid"}, commands.VisitRole{Role: f.role, Member: id},
			commands.GrantAccessRole{Member: id, AccessRole: "owner"}, commands.GrantAccessRole{Member: id, AccessRole: "hr"},
			commands.GrantContentAccess{Member: id}, commands.CreateAPIKey{Name: "x", Scopes: []access.Scope{"read"}, Member: id},
		} {
			r.refused(request("acme", c, ""), c, domain.Conflict, "member_inactive", "/member")
		}
		c := commands.AssignRole{Role: f.role, Members: []domain.MemberID{id, f.colleague}}
		if items := r.handle(request("acme", c, ""), c).Items; items[0].Code != "member_inactive" || items[1].Status != "done" {
			t.Errorf("%+v", items)
		}
	})
	t.Run("MEM-1 the history goes on", func(t *testing.T) {
		r := r.on(t, r.store)
		r.do("acme", commands.RecordSkillIQ{Member: id, Skill: f.skill, MeasuredAt: clock, Session: "late"})
		r.do("acme", commands.ChangeMemberProfile{Member: id, Department: new("Elsewhere")})
		r.do("acme", commands.UnassignRole{Role: f.role, Members: []domain.MemberID{id}})
	})
	t.Run("MEM-1 the address stays taken", func(t *testing.T) {
		c := commands.InviteMember{Name: "New", Email: string(id) + "@example.org"}
		r.on(t, r.store).refused(request("acme", c, ""), c, domain.Conflict, "email_taken", "/email")
	})
	t.Run("MEM-1 reactivated, all is as before", func(t *testing.T) {
		r := r.on(t, r.store)
		r.do("acme", commands.ReactivateMember{Member: id})
		signsIn(t, true)
		r.do("acme", commands.AssignRole{Role: f.role, Members: []domain.MemberID{id}, Mode: commands.Atomic})
		if state, err := r.handler.Member(t.Context(), "acme", id); err != nil || state.AccessRole != "admin" {
			t.Errorf("%+v, %v", state, err)
		}
	})
	t.Run("ACC-1 ACC-3 but for what there is only so much of", func(t *testing.T) {
		r := r.on(t, r.store)
		r.do("acme", commands.DeactivateMember{Member: owner})
		r.do("acme", commands.ReactivateMember{Member: owner})
		held, err := r.handler.Seats(t.Context(), "acme")
		if err != nil || held.Access(owner) || held.Owner(owner, true) {
			t.Errorf("still has seats: %v", err)
		}
		r.do("acme", commands.GrantAccessRole{Member: owner, AccessRole: "owner"})
		r.do("acme", commands.GrantContentAccess{Member: owner})
	})
}

func TestOwnersAndLicences(t *testing.T) {
	base := newRig(t)
	write := as("small", access.Write, access.Read)
	t.Run("ACC-1 the last owner stays", func(t *testing.T) {
		r := base.on(t, base.store)
		olga := r.tiny("small", 1)
		for _, c := range []commands.Command{
			commands.WithdrawAccessRole{Member: olga, AccessRole: "owner"}, commands.DeactivateMember{Member: olga}, commands.RemoveMember{Member: olga},
		} {
			for _, dry := range []bool{false, true} {
				req := request("small", c, "")
				req.DryRun = dry
				r.refused(req, c, domain.Conflict, "last_owner", "/member")
			}
		}
		next := r.invite("small", "")
		r.do("small", commands.GrantAccessRole{Member: next, AccessRole: "owner"})
		r.do("small", commands.RemoveMember{Member: olga})
		c := commands.WithdrawAccessRole{Member: next, AccessRole: "owner"}
		r.refused(request("small", c, ""), c, domain.Conflict, "last_owner", "/member")
	})
	t.Run("ACC-1 only an owner makes and unmakes owners", func(t *testing.T) {
		r := base.on(t, base.store)
		id, other := r.invite("small", "owner"), r.invite("small", "")
		for _, c := range []commands.Command{
			commands.GrantAccessRole{Member: other, AccessRole: "owner"}, commands.WithdrawAccessRole{Member: id, AccessRole: "owner"},
			commands.DeactivateMember{Member: id}, commands.RemoveMember{Member: id},
			commands.InviteMember{Name: "X", Email: "x@example.org", AccessRole: "owner"},
		} {
			req := request("small", c, "")
			req.Principal = write
			r.refused(req, c, domain.Forbidden, "not_permitted", "")
		}
		c := commands.DeactivateMember{Member: other}
		req := request("small", c, "")
		req.Principal = write
		r.handle(req, c)
	})
	t.Run("ACC-1 an owner keeps the other access role", func(t *testing.T) {
		r := base.on(t, base.store)
		id := r.invite("small", "hr")
		r.do("small", commands.GrantAccessRole{Member: id, AccessRole: "owner"})
		r.do("small", commands.WithdrawAccessRole{Member: id, AccessRole: "owner"})
		state, err := r.handler.Member(t.Context(), "small", id)
		if owner, err2 := r.handler.Owner(t.Context(), "small", id); err != nil || err2 != nil || owner || state.AccessRole != "hr" {
			t.Errorf("%+v, owner %v, %v, %v", state, owner, err, err2)
		}
	})
	t.Run("ACC-3 no more licences than there are", func(t *testing.T) {
		r := base.on(t, base.store)
		one, two := r.invite("small", ""), r.invite("small", "")
		grant := func(id domain.MemberID) commands.Command { return commands.GrantContentAccess{Member: id} }
		none := func(c commands.Command) {
			t.Helper()
			r.refused(request("small", c, ""), c, domain.Conflict, "no_licence_left", "/member")
		}
		r.do("small", grant(one))
		none(grant(two))
		r.do("", commands.SetPlanLicences{Plan: "small", Licences: 2})
		r.do("small", grant(two))
		r.do("", commands.SetPlanLicences{Plan: "small", Licences: 1}) // takes none away (SPEC PLN-2)
		if answer := r.do("small", grant(two)); len(answer.Events) != 0 {
			t.Errorf("%+v", answer)
		}
		r.do("small", commands.WithdrawContentAccess{Member: one})
		none(grant(one))
		r.do("small", commands.RemoveMember{Member: two})
		r.do("small", grant(one))
	})
	t.Run("ACC-3 managing needs no licence", func(t *testing.T) {
		r := base.on(t, base.store)
		r.tiny("none", 0)
		id := r.invite("none", "owner")
		team := domain.TeamID(newID())
		r.do("none", commands.CreateTeam{Team: team, Name: "Team"})
		r.do("none", commands.AddTeamMember{Team: team, Member: id, TeamRole: member.Manager})
		c := commands.GrantContentAccess{Member: id}
		r.refused(request("none", c, ""), c, domain.Conflict, "no_licence_left", "/member")
	})
}

func TestTeamNames(t *testing.T) {
	r := newRig(t)
	r.tiny("acme", 1)
	top := domain.TeamID(newID())
	r.do("acme", commands.CreateTeam{Team: top, Name: "Straße Ångström"})
	for name, spelling := range map[string]string{
		"case": "STRASSE ÅNGSTRÖM", "composition": "straße A\u030angstro\u0308m", "width": "Ｓtraße Ångström", "a compatible character": "Straße \u212bngström",
		"blanks": " Straße   Ångström ",
	} {
		t.Run("MEM-3 a sibling's name but for "+name, func(t *testing.T) {
			r := r.on(t, r.store)
			for _, c := range []commands.Command{commands.CreateTeam{Name: spelling}} {
				r.refused(request("acme", c, ""), c, domain.Conflict, "team_name_taken", "/name")
			}
			below := domain.TeamID(newID())
			r.do("acme", commands.CreateTeam{Team: below, Name: spelling, Parent: top})
			move := commands.MoveTeam{Team: below}
			r.refused(request("acme", move, ""), move, domain.Conflict, "team_name_taken", "/name")
			r.do("acme", commands.RenameTeam{Team: below, Name: "Other " + name})
			r.do("acme", move)
			rename := commands.RenameTeam{Team: below, Name: spelling}
			r.refused(request("acme", rename, ""), rename, domain.Conflict, "team_name_taken", "/name")
		})
	}
	t.Run("MEM-3 another spelling of its own name", func(t *testing.T) {
		r.on(t, r.store).do("acme", commands.RenameTeam{Team: top, Name: "STRASSE ÅNGSTRÖM"})
	})
	t.Run("MEM-3 to commands a deleted team is not there", func(t *testing.T) {
		r := r.on(t, r.store)
		id, team := r.invite("acme", ""), domain.TeamID(newID())
		r.do("acme", commands.CreateTeam{Team: team, Name: "Short-lived"})
		r.do("acme", commands.AddTeamMember{Team: team, Member: id, TeamRole: "member"})
		r.do("acme", commands.DeleteTeam{Team: team})
		for _, c := range []commands.Command{
			commands.DeleteTeam{Team: team}, commands.AddTeamMember{Team: team, Member: id, TeamRole: "member"},
			commands.ChangeTeamRole{Team: team, Member: id, TeamRole: "manager"}, commands.RemoveTeamMember{Team: team, Member: id},
			commands.RenameTeam{Team: team, Name: "Again"},
		} {
			r.refused(request("acme", c, ""), c, domain.NotFound, "team_not_found", "/team")
		}
	})
}
