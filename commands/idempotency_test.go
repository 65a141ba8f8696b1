package commands_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/eventstore"
)

// repeated is an answer as a repeat gives it: the secret of an API key is shown once.
func repeated(answer commands.Answer) commands.Answer {
	answer.APIKey = ""
	return answer
}

func TestRepeat(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	bodies := f.bodies()
	answers := make([]commands.Answer, len(bodies))
	for i, c := range bodies {
		name := c.About().Name
		t.Run("API-1 dry run of "+name, func(t *testing.T) {
			r, before := r.on(t, r.store), r.head()
			req := request(f.plan, c, name)
			req.DryRun = true
			answer := r.handle(req, c)
			if len(answer.Events) == 0 || answer.APIKey != "" {
				t.Errorf("answer %+v", answer)
			}
			if r.head() != before {
				t.Errorf("it appended %v", r.types(before))
			}
		})
		t.Run("API-1 repeat of "+name, func(t *testing.T) {
			r := r.on(t, r.store)
			answers[i] = r.handle(request(f.plan, c, name), c)
			before := r.head()
			equal(t, "repeat", r.handle(request(f.plan, c, name), c), repeated(answers[i]))
			equal(t, "events of the repeat", r.types(before), []string{})
			if r.head() != before {
				t.Error("the repeat appended to its key")
			}
		})
	}
	for i, c := range bodies {
		name := c.About().Name
		t.Run("API-1 repeat after the objects moved on: "+name, func(t *testing.T) {
			r, before := r.on(t, r.store), r.head()
			equal(t, "repeat", r.handle(request(f.plan, c, name), c), repeated(answers[i]))
			equal(t, "events of the repeat", r.types(before), []string{})
		})
		t.Run("API-1 another command under the key of "+name, func(t *testing.T) {
			r := r.on(t, r.store)
			other := bodies[(i+1)%len(bodies)]
			req := request(f.plan, other, name)
			if planOf(other, f.plan) != planOf(c, f.plan) {
				other = commands.CreateTeam{Name: "Another"}
				req = request(planOf(c, f.plan), other, name)
			}
			r.refused(req, other, domain.Invalid, "idempotency_key_reused", "")
		})
	}
}

func TestRepeatOf(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	tests := []struct {
		name   string
		body   commands.Command
		events []string
		moved  []commands.Command // what happens before the repeat
		other  commands.Command
	}{
		{"a command that changes nothing", commands.RenameTeam{Team: f.team, Name: "Engineering"}, []string{},
			[]commands.Command{commands.RenameTeam{Team: f.team, Name: "Ops"}}, commands.RenameTeam{Team: f.below, Name: "Engineering"}},
		{"an edit that was undone", commands.RenameRole{Role: f.draft, Title: "Boss"}, []string{"RoleRenamed"},
			[]commands.Command{commands.RenameRole{Role: f.draft, Title: "Lead"}}, commands.RenameRole{Role: f.role, Title: "Boss"}},
		{"a bulk command", commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member, f.guest, "x"}, Teams: []domain.TeamID{f.team, f.team}}, []string{"MemberAssigned", "TeamAssigned"},
			[]commands.Command{commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.member, f.guest}}}, commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member}}},
		{"a bulk command that changes nothing", commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.colleague}, Mode: commands.Atomic}, []string{},
			[]commands.Command{commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.colleague}}}, commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.colleague}}},
		{"a creating command without an id", commands.CreateRole{Title: "Artist"}, []string{"RoleCreated"}, nil, commands.CreateRole{Title: "Artist", Role: domain.RoleID(newID())}},
		{"a creating command with an id", commands.CreateTeam{Team: domain.TeamID(newID()), Name: "Art"}, []string{"TeamCreated"}, nil, commands.CreateTeam{Name: "Art"}},
		{"a command whose body another command could have", commands.ValidateSkill{Skill: f.beta}, []string{"SkillValidated"}, nil, commands.RetireSkill{Skill: f.beta}},
		{"a visit", commands.VisitRole{Role: f.role, Member: f.member}, []string{"RoleVisited"},
			[]commands.Command{commands.VisitRole{Role: f.role, Member: f.member}}, commands.VisitRole{Role: f.role, Member: f.guest}},
	}
	for _, tt := range tests {
		t.Run("API-1 "+tt.name, func(t *testing.T) {
			r := r.on(t, r.store)
			once := r.handle(request(f.plan, tt.body, tt.name), tt.body)
			equal(t, "events", once.Events, tt.events)
			for _, c := range tt.moved {
				if answer := r.do(f.plan, c); len(answer.Events) == 0 {
					t.Fatalf("nothing moved: %+v", answer)
				}
			}
			before := r.head()
			equal(t, "repeat", r.handle(request(f.plan, tt.body, tt.name), tt.body), once)
			equal(t, "repeat by another process", r.on(t, r.store).handle(request(f.plan, tt.body, tt.name), tt.body), once)
			if r.head() != before {
				t.Errorf("the repeats appended %v", r.types(before))
			}
			r.refused(request(f.plan, tt.other, tt.name), tt.other, domain.Invalid, "idempotency_key_reused", "")
		})
	}
}

func TestKeys(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	r.fixture("zeta")
	count := func(t *testing.T, types []string, want string, n int) {
		t.Helper()
		if len(types) != n || slices.ContainsFunc(types, func(s string) bool { return s != want }) {
			t.Errorf("events %v, want %d %s", types, n, want)
		}
	}
	t.Run("API-1 two principals may use one key", func(t *testing.T) {
		r := r.on(t, r.store)
		before := r.head()
		for _, scope := range []access.Scope{"*", "write"} {
			c := commands.CreateTeam{Name: "Team of " + string(scope)}
			r.handle(commands.Request{Plan: "acme", Principal: as("acme", scope), Key: "k1"}, c)
		}
		count(t, r.types(before), "TeamCreated", 2)
	})
	t.Run("API-1 two plans may use one key", func(t *testing.T) {
		r := r.on(t, r.store)
		before := r.head()
		for _, p := range []domain.PlanID{"acme", "zeta"} {
			c := commands.CreateTeam{Name: "Team"}
			r.handle(request(p, c, "k2"), c)
		}
		count(t, r.types(before), "TeamCreated", 2)
	})
	t.Run("API-1 parts of a key are not mixed up", func(t *testing.T) {
		r := r.on(t, r.store)
		before := r.head()
		for _, p := range []access.Principal{{ID: "a", Plan: "acme", Scopes: []access.Scope{"*"}}, {ID: "ab", Plan: "acme", Scopes: []access.Scope{"*"}}} {
			c := commands.CreateTeam{Name: "Part " + p.ID}
			r.handle(commands.Request{Plan: "acme", Principal: p, Key: map[string]string{"a": "bc", "ab": "c"}[p.ID]}, c)
		}
		count(t, r.types(before), "TeamCreated", 2)
	})
	t.Run("API-1 a refusal is not remembered", func(t *testing.T) {
		r := r.on(t, r.store)
		wrong := commands.CreateTeam{Name: "x"}
		r.refused(request("acme", wrong, "k3"), wrong, domain.Invalid, "invalid_length", "/name")
		r.refused(request("acme", wrong, "k3"), wrong, domain.Invalid, "invalid_length", "/name")
		right := commands.CreateTeam{Name: "xx"}
		once := r.handle(request("acme", right, "k3"), right)
		equal(t, "repeat", r.handle(request("acme", right, "k3"), right), once)
		r.refused(request("acme", wrong, "k3"), wrong, domain.Invalid, "idempotency_key_reused", "")
	})
	t.Run("API-1 a refused invitation, atomic command or plan leaves its key free", func(t *testing.T) {
		r := r.on(t, r.store)
		pairs := [][2]commands.Command{
			{commands.InviteMember{Name: "Eve", Email: f.email}, commands.InviteMember{Name: "Eve", Email: "eve@example.org"}},
			{commands.AssignRole{Role: f.role, Members: []domain.MemberID{"x"}, Mode: commands.Atomic}, commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member}, Mode: commands.Atomic}},
			{commands.CreatePlan{Plan: "new", Name: "New", Tier: plan.Starter, OwnerName: "N", OwnerEmail: "n"}, commands.CreatePlan{Plan: "new", Name: "New", Tier: plan.Starter, OwnerName: "N", OwnerEmail: "n@example.org"}},
		}
		for _, pair := range pairs {
			before := r.head()
			if _, err := r.handler.Handle(t.Context(), request("acme", pair[0], "k4"+pair[0].About().Name), pair[0]); domain.CodeOf(err) == "" || r.head() != before {
				t.Errorf("%+v: %v, events %v", pair[0], err, r.types(before))
			}
			if answer := r.handle(request("acme", pair[1], "k4"+pair[1].About().Name), pair[1]); len(answer.Events) == 0 {
				t.Errorf("%+v: %+v", pair[1], answer)
			}
		}
	})
	t.Run("API-1 a key that is too long", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.CreateTeam{Name: "Long"}
		r.refused(request("acme", c, string(make([]byte, 256))), c, domain.Invalid, "invalid_idempotency_key", "")
		r.handle(request("acme", c, string(make([]byte, 255))), c)
	})
	t.Run("API-1 a dry run remembers nothing", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.RenameTeam{Team: f.team, Name: "Dry"}
		req := request("acme", c, "k5")
		req.DryRun = true
		before := r.head()
		dry := r.handle(req, c)
		other := commands.RenameTeam{Team: f.team, Name: "Wet"}
		req.DryRun = false
		wet := r.handle(req, other)
		if len(dry.Events) != 1 || len(wet.Events) != 1 || wet.Revision != dry.Revision+1 {
			t.Errorf("dry %+v, wet %+v", dry, wet)
		}
		equal(t, "events", r.types(before), []string{"TeamRenamed"})
	})
	t.Run("API-1 a repeat with a precondition that no longer holds", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.RenameTeam{Team: f.team, Name: "Matched"}
		req := request("acme", c, "k6")
		at := eventstore.Revision(r.do("acme", commands.RenameTeam{Team: f.team, Name: "Before"}).Revision)
		req.IfMatch = &at
		once := r.handle(req, c)
		equal(t, "repeat", r.handle(req, c), once)
	})
	t.Run("API-1 a plan in the body that is not the request's", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.ChangePlanTier{Plan: "zeta", Tier: plan.Starter}
		r.refused(commands.Request{Plan: "acme", Principal: operator}, c, domain.Invalid, "plan_mismatch", "/plan")
	})
}

// Any order of requests under a few keys: the first body under a key decides, later ones get its answer or are refused.
func TestKeysProperty(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	rapid.Check(t, func(t *rapid.T) {
		type given struct {
			body   commands.Command
			answer commands.Answer
		}
		answered := map[string]given{}
		run := newID()
		bodies := []commands.Command{
			commands.RenameRole{Role: f.draft, Title: "A"}, commands.RenameRole{Role: f.draft, Title: "B"},
			commands.VisitRole{Role: f.role, Member: f.member}, commands.CreateRole{Title: "A"}, commands.RenameRole{Role: f.draft, Title: ""},
			commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member, "x"}}, commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.member}},
		}
		for range rapid.IntRange(2, 8).Draw(t, "requests") {
			key := run + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
			i := rapid.IntRange(0, len(bodies)-1).Draw(t, "body")
			answer, err := r.handler.Handle(r.Context(), request("acme", bodies[i], key), bodies[i])
			before, known := answered[key]
			switch {
			case known && bodyOf(before.body) == bodyOf(bodies[i]):
				if err != nil || bodyOf(answer) != bodyOf(before.answer) {
					t.Fatalf("API-1 repeat of %+v: %+v, %v, first %+v", bodies[i], answer, err, before.answer)
				}
			case known:
				if domain.CodeOf(err) != "idempotency_key_reused" {
					t.Fatalf("API-1 %+v after %+v: %+v, %v", bodies[i], before.body, answer, err)
				}
			case err == nil:
				answered[key] = given{bodies[i], answer}
			case domain.CodeOf(err) != "invalid_length" && domain.CodeOf(err) != "title_taken":
				t.Fatal(err)
			}
		}
	})
}

// The tests below decide what another request does while the first one is between two steps.

func TestSameKeyAtTheSameTime(t *testing.T) {
	base := newRig(t)
	f := base.fixture("acme")
	// between carries out c, and the other command in full at the first call of the hook in between.
	between := func(t *testing.T, h *hooked, hook *func(eventstore.StreamID), category string, c, other commands.Command, key string) (one, two commands.Answer, err error) {
		r := base.on(t, h)
		*hook = first(category, func() { one = r.on(t, base.store).handle(request("acme", other, key), other) })
		two, err = r.handler.Handle(t.Context(), request("acme", c, key), c)
		return one, two, err
	}
	id := newID()
	same := []struct {
		name, category string
		read           bool
		body           commands.Command
		events         []string
	}{
		{"creating with an id, before the object is read", "role", true, commands.CreateRole{Role: domain.RoleID(id), Title: "One"}, []string{"RoleCreated"}},
		{"creating with an id, before the claim", "command", false, commands.CreateTeam{Team: domain.TeamID(id), Name: "One"}, []string{"TeamCreated"}},
		{"creating without an id, before the claim", "command", false, commands.CreateTeam{Name: "Two"}, []string{"TeamCreated"}},
		{"creating without an id, before the append", "teams", false, commands.CreateTeam{Name: "Two and a half"}, []string{"TeamCreated"}},
		{"an edit, before the object is read", "role", true, commands.RenameRole{Role: f.draft, Title: "One and a half"}, []string{"RoleRenamed"}},
		{"an edit, before the append", "role", false, commands.RenameRole{Role: f.draft, Title: "Two"}, []string{"RoleRenamed"}},
		{"a visit, before the claim", "command", false, commands.VisitRole{Role: f.role, Member: f.guest}, []string{"RoleVisited"}},
		{"an invitation, before the member is read", "member", true, commands.InviteMember{Name: "Una", Email: "una@example.org"}, []string{"Reserved", "MemberInvited"}},
		{"an invitation, before the claim", "command", false, commands.InviteMember{Name: "Duo", Email: "duo@example.org"}, []string{"Reserved", "MemberInvited"}},
		{"an invitation, before the address is reserved", "email", false, commands.InviteMember{Name: "Tri", Email: "tri@example.org"}, []string{"Reserved", "MemberInvited"}},
		{"an invitation, before the member is appended", "member", false, commands.InviteMember{Name: "Qua", Email: "qua@example.org"}, []string{"Reserved", "MemberInvited"}},
		{"a bulk command, before a member is read", "member", true, commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member}}, []string{"MemberAssigned"}},
		{"a bulk command, before the append", "assignment", false, commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.colleague}}, []string{"MemberAssigned"}},
		{"a role without an id, before the claim", "command", false, commands.CreateRole{Title: "Three"}, []string{"RoleCreated"}},
	}
	for _, tt := range same {
		t.Run("API-1 the same body: "+tt.name, func(t *testing.T) {
			h := &hooked{Store: base.store}
			hook := &h.append
			if tt.read {
				hook = &h.read
			}
			before := base.head()
			one, two, err := between(t, h, hook, tt.category, tt.body, tt.body, "same "+tt.name)
			if err != nil || one.Stream == "" {
				t.Fatalf("the first %+v, the second: %v", one, err)
			}
			equal(t, "second answer", two, one)
			equal(t, "events", base.types(before), tt.events)
			equal(t, "repeat", base.handle(request("acme", tt.body, "same "+tt.name), tt.body), one)
		})
	}
	different := []struct {
		name, category string
		read           bool
		body, other    commands.Command
		events         []string
	}{
		{"before the claim", "command", false, commands.CreateTeam{Name: "Red"}, commands.CreateTeam{Name: "Blue"}, []string{"TeamCreated"}},
		{"before the object is read", "role", true, commands.CreateRole{Title: "Red"}, commands.CreateRole{Title: "Blue"}, []string{"RoleCreated"}},
		{"that changes nothing", "role", true, commands.RenameRole{Role: f.role, Title: "Engineer"}, commands.RenameRole{Role: f.role, Title: "Machinist"}, []string{"RoleRenamed"}},
		{"that is refused", "role", true, commands.RenameRole{Role: f.role, Title: ""}, commands.RenameRole{Role: f.role, Title: "Pilot"}, []string{"RoleRenamed"}},
	}
	for _, tt := range different {
		t.Run("API-1 another body: "+tt.name, func(t *testing.T) {
			h := &hooked{Store: base.store}
			hook := &h.append
			if tt.read {
				hook = &h.read
			}
			before := base.head()
			one, _, err := between(t, h, hook, tt.category, tt.body, tt.other, "other "+tt.name)
			if domain.CodeOf(err) != "idempotency_key_reused" {
				t.Errorf("the second body: %v", err)
			}
			equal(t, "events", base.types(before), tt.events)
			equal(t, "repeat", base.handle(request("acme", tt.other, "other "+tt.name), tt.other), one)
		})
	}
	t.Run("API-1 what the same command would decide changed in between", func(t *testing.T) {
		// The second request reads another benchmark than the first: the role must have the goals of the one that was stored.
		h := &hooked{Store: base.store}
		r := base.on(t, h)
		c := commands.AddRoleSkill{Role: f.role, Skill: f.fresh, Required: true}
		var other commands.Answer
		h.append = first("role", func() {
			base.do("acme", commands.PublishBenchmark{Skill: f.fresh, Thresholds: []int{1, 2, 3}, Source: "test"})
			other = base.on(t, base.store).handle(request("acme", c, "facts"), c)
		})
		equal(t, "answer", r.handle(request("acme", c, "facts"), c), other)
		got, err := r.handler.Role(t.Context(), "acme", f.role)
		if err != nil {
			t.Fatal(err)
		}
		last := got.Draft.Skills[len(got.Draft.Skills)-1]
		equal(t, "goals in the handler's memory", last.Goals, skill.Thresholds{1, 2, 3})
	})
}

func TestManyAtTheSameTime(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	const requests = 24
	tests := []struct {
		name   string
		body   commands.Command
		events []string
	}{
		{"create", commands.CreateRole{Title: "Parallel"}, []string{"RoleCreated"}},
		{"edit", commands.RenameRole{Role: f.draft, Title: "Parallel lead"}, []string{"RoleRenamed"}},
		{"visit", commands.VisitRole{Role: f.role, Member: f.member}, []string{"RoleVisited"}},
		{"change nothing", commands.RenameRole{Role: f.role, Title: "Engineer"}, []string{}},
		{"invite", commands.InviteMember{Name: "Pia", Email: "pia@example.org"}, []string{"Reserved", "MemberInvited"}},
		{"several teams", commands.InviteMember{Name: "Paul", Email: "paul@example.org", Teams: []commands.TeamMembership{{Team: f.team, TeamRole: member.Plain}, {Team: f.below, TeamRole: member.Manager}}},
			[]string{"Reserved", "MemberInvited", "TeamMemberAdded", "TeamMemberAdded"}},
		{"create a plan", commands.CreatePlan{Plan: "parallel", Name: "Parallel", Tier: plan.Starter, OwnerName: "Pia", OwnerEmail: "pia@example.org"}, []string{"PlanCreated", "Reserved", "MemberInvited"}},
		{"bulk, partial", commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member, "x", f.guest}}, []string{"MemberAssigned"}},
		{"bulk, atomic", commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.colleague}, Mode: commands.Atomic}, []string{"MemberAssigned"}},
	}
	for _, tt := range tests {
		t.Run("API-1 the same request many times: "+tt.name, func(t *testing.T) {
			r := r.on(t, r.store)
			before := r.head()
			handlers := []*commands.Handler{handlerOn(r.store), handlerOn(r.store)}
			answers, errs := parallel(requests, func(i int) (commands.Answer, error) {
				return handlers[i%2].Handle(t.Context(), request("acme", tt.body, "many "+tt.name), tt.body)
			})
			for i, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
				if bodyOf(answers[i]) != bodyOf(answers[0]) {
					t.Fatalf("answers %+v and %+v", answers[0], answers[i])
				}
			}
			equal(t, "events", r.types(before), tt.events)
		})
	}
	t.Run("API-1 different bodies under one key", func(t *testing.T) {
		before := r.head()
		h := &hooked{Store: r.store}
		h.append = meeting(t.Context(), "command", requests) // all of them find the key free
		r := r.on(t, h)
		bodies := make([]commands.CreateTeam, requests)
		answers, errs := parallel(requests, func(i int) (commands.Answer, error) {
			bodies[i] = commands.CreateTeam{Name: "Team " + newID()}
			return r.handler.Handle(t.Context(), request("acme", bodies[i], "different"), bodies[i])
		})
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("two winners: %+v, %+v", answers[winner], answers[i])
			case err == nil:
				winner = i
			case domain.CodeOf(err) != "idempotency_key_reused":
				t.Error(err)
			}
		}
		if winner < 0 {
			t.Fatal("no winner")
		}
		equal(t, "events", r.types(before), []string{"TeamCreated"})
		equal(t, "repeat", r.handle(request("acme", bodies[winner], "different"), bodies[winner]), answers[winner])
	})
	t.Run("API-5 one API key under one Idempotency-Key", func(t *testing.T) {
		h := &hooked{Store: r.store}
		h.append = meeting(t.Context(), "apikey", 2) // both have made up a secret
		handlers := []*commands.Handler{handlerOn(h), handlerOn(h)}
		c := commands.CreateAPIKey{Name: "twin", Scopes: []access.Scope{access.Read}}
		answers, errs := parallel(2, func(i int) (commands.Answer, error) {
			return handlers[i].Handle(t.Context(), request("acme", c, "twins"), c)
		})
		shown := 0
		for i, answer := range answers {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			equal(t, "answer", repeated(answer), repeated(answers[0]))
			if answer.APIKey == "" {
				continue
			}
			shown++
			for _, h := range append(handlers, handlerOn(r.store)) {
				if _, ok, err := h.Authenticate(t.Context(), answer.APIKey); !ok || err != nil {
					t.Errorf("the key that was shown does not sign in: %v", err)
				}
			}
		}
		if shown != 1 {
			t.Errorf("a key was shown %d times", shown)
		}
	})
}
