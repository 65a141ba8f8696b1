package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/projections"
)

// histories makes random histories, all on one log: each in plans of its own, with vendor's things of its own, so that
// nothing of an earlier one bears on it. What it gives of the log is the vendor's plan and the history itself.
type histories struct {
	testing.TB
	log   eventstore.Store
	count int
	seen  map[string]int // events of all histories by type
}

func newHistories(t testing.TB) *histories {
	t.Helper()
	log := openLog(t)
	if err := commands.New(log, nowAtStart, emailKey).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &histories{TB: t, log: log, seen: map[string]int{}}
}

// history is one random history: what there is to draw from, and the events so far.
type history struct {
	*rapid.T
	of      *histories
	handler *commands.Handler
	clock   time.Time
	ids     int
	first   eventstore.Position // of the log before it

	plans      []domain.PlanID // two customers
	members    map[domain.PlanID][]domain.MemberID
	teams      map[domain.PlanID][]domain.TeamID
	skills     map[domain.PlanID][]domain.SkillID // own ones, and of the vendor under "catalog"
	roles      map[domain.PlanID][]domain.RoleID
	categories map[domain.PlanID][]domain.CategoryID
	sessions   []taken
}

type taken struct {
	plan    domain.PlanID
	member  domain.MemberID
	skill   domain.SkillID
	session results.Session
}

// random makes a history of as many commands as drawn, on top of a small organisation.
func (hs *histories) random(t *rapid.T, least, most int) *history {
	info, err := hs.log.Info(hs.Context())
	if err != nil {
		t.Fatal(err)
	}
	hs.count++
	h := &history{
		T: t, of: hs, clock: began, first: info.Head,
		plans:   []domain.PlanID{domain.PlanID(fmt.Sprintf("a%06d", hs.count)), domain.PlanID(fmt.Sprintf("b%06d", hs.count))},
		members: map[domain.PlanID][]domain.MemberID{}, teams: map[domain.PlanID][]domain.TeamID{},
		skills: map[domain.PlanID][]domain.SkillID{}, roles: map[domain.PlanID][]domain.RoleID{}, categories: map[domain.PlanID][]domain.CategoryID{},
	}
	h.handler = commands.New(hs.log, func() time.Time { return h.clock }, emailKey)
	h.found()
	for range number(t, least, most, "commands") {
		i := number(t, 0, len(weighted)-1, "kind")
		weighted[i](h)
	}
	return h
}

// found sets up what every history begins with.
func (h *history) found() {
	for _, in := range []domain.PlanID{domain.CatalogPlan, h.plans[0], h.plans[1]} {
		if in != domain.CatalogPlan {
			h.send(in, commands.CreatePlan{Plan: in, Name: "Plan", Tier: plan.Enterprise, OwnerName: "Owner", OwnerEmail: "owner@x.example"})
			h.createTeam(in)
			h.createTeam(in)
			for range 3 {
				h.invite(in)
			}
		}
		h.define(in, skill.Validated)
		h.define(in, skill.Beta)
		for range 2 {
			h.createRole(in)
			r := h.roles[in][len(h.roles[in])-1]
			for _, s := range h.skills[in] {
				h.send(in, commands.AddRoleSkill{Role: r, Skill: s, Required: true})
			}
			h.send(in, commands.PublishRole{Role: r})
		}
	}
}

// send sends a command, which may be refused: then nothing happened.
func (h *history) send(in domain.PlanID, c commands.Command) {
	h.Helper()
	h.clock = h.clock.Add(time.Minute)
	_, err := h.handler.Handle(h.of.Context(), commands.Request{Plan: in, Principal: operator}, c)
	var refusal *domain.Error
	if err != nil && !errors.As(err, &refusal) {
		h.Fatalf("%T: %v", c, err)
	}
}

func (h *history) id() string {
	h.ids++
	return fmt.Sprintf("00000000-0000-7000-8000-%06x%06x", h.of.count, h.ids)
}

// events returns the vendor's plan and all events of the history, in the order of the log.
func (h *history) events() []eventstore.Recorded {
	var events []eventstore.Recorded
	for page, err := range h.of.log.Follow(h.of.Context(), 0, eventstore.Filter{PageSize: 1}) {
		if err != nil {
			h.Fatal(err)
		}
		events = append(events, page.Events...)
		break
	}
	for page, err := range h.of.log.Follow(h.of.Context(), h.first, eventstore.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		events = append(events, page.Events...)
		if page.Live {
			break
		}
	}
	for _, e := range events {
		h.of.seen[e.Type]++
	}
	return events
}

func draw[T any](h *history, from []T, what string) T {
	return from[number(h.T, 0, len(from)-1, what)]
}

// number draws evenly, which the generators of rapid do not: what is listed last must be as likely as what comes first.
func number(t *rapid.T, least, most int, what string) int {
	return least + even.Draw(t, what)%(most-least+1)
}

var even = rapid.Custom(func(t *rapid.T) int {
	n := 0
	for range 14 {
		n <<= 1
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

func (h *history) bool(what string) bool { return rapid.Bool().Draw(h.T, what) }

// plan draws a customer, the first one most of the time.
func (h *history) plan() domain.PlanID {
	return draw(h, []domain.PlanID{h.plans[0], h.plans[0], h.plans[0], h.plans[1]}, "plan")
}

// author draws who authors: a customer or the vendor.
func (h *history) author() domain.PlanID {
	return draw(h, []domain.PlanID{h.plans[0], h.plans[0], h.plans[1], domain.CatalogPlan}, "author")
}

func (h *history) member(in domain.PlanID) domain.MemberID { return draw(h, h.members[in], "member") }
func (h *history) team(in domain.PlanID) domain.TeamID     { return draw(h, h.teams[in], "team") }

// anyRole and anySkill draw what a plan can use: its own and the vendor's.
func (h *history) anyRole(in domain.PlanID) domain.RoleID {
	return draw(h, slices.Concat(h.roles[in], h.roles[domain.CatalogPlan]), "role")
}

func (h *history) anySkill(in domain.PlanID) domain.SkillID {
	if in == domain.CatalogPlan {
		return draw(h, h.skills[in], "skill")
	}
	return draw(h, slices.Concat(h.skills[in], h.skills[domain.CatalogPlan]), "skill")
}

func (h *history) invite(in domain.PlanID) {
	id := domain.MemberID(h.id())
	name := []string{"Ada", "Émile", "zoë", "Łukasz"}[h.ids%4] + " " + string(id[30:])
	c := commands.InviteMember{Member: id, Name: name, Email: string(id[24:]) + "@x.example"}
	if len(h.teams[in]) > 0 && h.bool("into a team") {
		c.Teams = []commands.TeamMembership{{Team: h.team(in), TeamRole: member.Plain}}
	}
	h.members[in] = append(h.members[in], id)
	h.send(in, c)
}

func (h *history) createTeam(in domain.PlanID) {
	id := domain.TeamID(h.id())
	h.teams[in] = append(h.teams[in], id)
	h.send(in, commands.CreateTeam{Team: id, Name: "Team " + string(id[30:])})
}

func (h *history) define(in domain.PlanID, state skill.Status) {
	id := domain.SkillID(h.id())
	h.skills[in] = append(h.skills[in], id)
	h.send(in, commands.DefineSkill{Skill: id, Name: "Skill " + string(id[30:]), Synonyms: []string{"same"}, State: state})
}

func (h *history) createRole(in domain.PlanID) {
	id := domain.RoleID(h.id())
	h.roles[in] = append(h.roles[in], id)
	h.send(in, commands.CreateRole{Role: id, Title: "Role " + string(id[24:])})
}

// weighted lists the kinds of commands, each as often as it is likely.
var weighted = func() []func(*history) {
	var all []func(*history)
	for _, kind := range []struct {
		times int
		send  func(*history)
	}{
		{6, measure}, {3, invalidate}, {4, assign}, {3, unassign}, {4, moveBetweenTeams}, {2, selectLevel}, {4, visit}, {2, refresh},
		{3, setPolicy}, {4, editRole}, {4, publish}, {5, careForRole}, {2, changeSkill}, {2, startRole}, {2, grow}, {1, settle}, {3, employ},
	} {
		for range kind.times {
			all = append(all, kind.send)
		}
	}
	return all
}()

func measure(h *history) {
	in := h.plan()
	m, s := h.member(in), h.anySkill(in)
	session := results.Session(fmt.Sprintf("session %d", h.ids))
	if len(h.sessions) == 0 || !h.bool("the session before again") {
		session = results.Session(h.id())
	}
	score := draw(h, []int{0, 74, 75, 140, 150, 160, 225, 300}, "score")
	day := number(h.T, 0, 5, "day") // out of order, and some at the same moment
	h.sessions = append(h.sessions, taken{in, m, s, session})
	h.send(in, commands.RecordSkillIQ{Member: m, Skill: s, Score: score, Percentile: score / 3, MeasuredAt: began.AddDate(0, 0, -day), Session: session})
}

func invalidate(h *history) {
	if len(h.sessions) == 0 {
		return
	}
	one := draw(h, h.sessions, "session")
	h.send(one.plan, commands.InvalidateSkillIQ{Member: one.member, Skill: one.skill, Session: one.session, Reason: "test"})
}

func (h *history) holders(in domain.PlanID) (members []domain.MemberID, teams []domain.TeamID) {
	for range number(h.T, 0, 2, "members") {
		members = append(members, h.member(in))
	}
	if h.bool("a team") {
		teams = append(teams, h.team(in))
	}
	return members, teams
}

func assign(h *history) {
	in := h.plan()
	members, teams := h.holders(in)
	h.send(in, commands.AssignRole{Role: h.anyRole(in), Members: members, Teams: teams})
}

func unassign(h *history) {
	in := h.plan()
	members, teams := h.holders(in)
	h.send(in, commands.UnassignRole{Role: h.anyRole(in), Members: members, Teams: teams})
}

func moveBetweenTeams(h *history) {
	in := h.plan()
	t, m := h.team(in), h.member(in)
	switch number(h.T, 0, 4, "move") {
	case 0, 1:
		h.send(in, commands.AddTeamMember{Team: t, Member: m, TeamRole: member.Plain})
	case 2, 3:
		h.send(in, commands.RemoveTeamMember{Team: t, Member: m})
	case 4:
		h.send(in, commands.ChangeTeamRole{Team: t, Member: m, TeamRole: member.Manager})
	}
}

func selectLevel(h *history) {
	in := h.plan()
	h.send(in, commands.SelectLevel{Member: h.member(in), Role: h.anyRole(in), Level: draw(h, roleiq.Levels[:], "level")})
}

func visit(h *history) {
	in := h.plan()
	h.send(in, commands.VisitRole{Member: h.member(in), Role: h.anyRole(in)})
}

func refresh(h *history) {
	in := h.plan()
	var members []domain.MemberID // none: all who hold the role; the same twice is possible
	for range number(h.T, 0, 3, "members") {
		members = append(members, h.member(in))
	}
	h.send(in, commands.RefreshProgress{Role: h.anyRole(in), Members: members})
}

func setPolicy(h *history) {
	policy := draw(h, [][2]string{
		{"recalculation", `"on_visit"`}, {"recalculation", `"automatic"`}, {"level_rule", `"all_required.v1"`},
		{"level_rule", `{"name":"k_of_n.v1","k":1}`}, {"level_rule", `"mean_of_thresholds.v1"`},
	}, "policy")
	h.send(h.plan(), commands.SetPolicy{Policy: policy[0], Value: []byte(policy[1])})
}

func editRole(h *history) {
	in := h.author()
	r := draw(h, h.roles[in], "role")
	s := h.anySkill(in)
	switch number(h.T, 0, 8, "edit") {
	case 0, 1:
		h.send(in, commands.AddRoleSkill{Role: r, Skill: s, Required: h.bool("required")})
	case 2:
		h.send(in, commands.RemoveRoleSkill{Role: r, Skill: s})
	case 3:
		h.send(in, commands.SetSkillRequired{Role: r, Skill: s, Required: h.bool("required")})
	case 4:
		h.send(in, commands.AdjustGoal{Role: r, Skill: s, Percent: draw(h, []int{-10, 0, 10}, "percent")})
	case 5:
		h.send(in, commands.RenameRole{Role: r, Title: draw(h, []string{"Alpha", "ömega", "Role"}, "title") + " " + string(r[24:])})
	case 6:
		h.send(in, commands.DescribeRole{Role: r, Description: draw(h, []string{"one", "two"}, "description"), Responsibilities: []string{"all"}})
	case 7:
		h.send(in, commands.SetRequiredLevel{Role: r, Skill: s, Level: number(h.T, 0, 5, "level")})
	case 8:
		state, err := h.handler.Role(h.of.Context(), in, r)
		if err != nil {
			h.Fatal(err)
		}
		var order []domain.SkillID
		for _, k := range state.Draft.Skills {
			order = append(order, k.Skill)
		}
		if len(order) > 0 {
			h.send(in, commands.ReorderRoleSkills{Role: r, Skills: rapid.Permutation(order).Draw(h.T, "order")})
		}
	}
}

// careForRole does to a role what is no edit of its draft.
func careForRole(h *history) {
	in := h.plan()
	r := draw(h, h.roles[in], "role")
	if len(h.categories[in]) == 0 {
		id := domain.CategoryID(h.id())
		h.categories[in] = append(h.categories[in], id)
		h.send(in, commands.CreateCategory{Category: id, Name: "Category " + string(id[30:]), Featured: h.bool("featured")})
	}
	category := draw(h, h.categories[in], "category")
	switch number(h.T, 0, 9, "care") {
	case 0, 1:
		state, err := h.handler.Role(h.of.Context(), in, r)
		if err != nil {
			h.Fatal(err)
		}
		h.send(in, commands.DeleteRole{Role: r, ConfirmTitle: state.Title()})
	case 2, 3:
		for _, deleted := range h.roles[in] {
			h.send(in, commands.RestoreRole{Role: deleted})
		}
	case 4:
		h.send(in, commands.TransferRole{Role: r, To: h.member(in)})
	case 5:
		h.send(in, commands.PersonalizeBadge{Role: r, Icon: draw(h, []string{"star", "moon"}, "icon"), Color: "#1d4ed8"})
	case 6:
		h.send(in, commands.CategorizeRole{Role: r, Category: draw(h, []domain.CategoryID{"", category}, "category or none")})
	case 7:
		h.send(in, commands.SetPathway{Role: r, AdvancesFrom: []domain.RoleID{h.anyRole(in)}})
	case 8:
		h.send(in, commands.FeatureCategory{Category: category, Featured: h.bool("featured")})
	case 9:
		h.send(in, commands.SetPolicy{Policy: "directory_visibility", Value: []byte(draw(h, []string{`"published"`, `"featured_category"`}, "visibility"))})
	}
}

func publish(h *history) {
	in := h.author()
	h.send(in, commands.PublishRole{
		Role: draw(h, h.roles[in], "role"), OnPublish: draw(h, []role.OnPublish{role.ReEvaluate, role.Grandfather}, "on publish"),
	})
}

func changeSkill(h *history) {
	in := h.author()
	s := draw(h, h.skills[in], "skill")
	switch number(h.T, 0, 6, "change") {
	case 0, 1:
		h.send(in, commands.ValidateSkill{Skill: s})
	case 2:
		h.send(in, commands.RetireSkill{Skill: s})
	case 3:
		h.send(in, commands.RenameSkill{Skill: s, Name: draw(h, []string{"Renamed", "Ébène"}, "name")})
	case 4:
		h.send(in, commands.PublishBenchmark{Skill: s, Thresholds: []int{70, 140, 210}, Source: "test"})
	case 5:
		h.define(in, draw(h, []skill.Status{skill.Beta, skill.Validated}, "state"))
	case 6:
		h.send(in, commands.PublishBenchmark{Skill: s, Role: draw(h, h.roles[in], "role"), Thresholds: []int{60, 120, 180}, Source: "test"})
	}
}

func startRole(h *history) {
	in := h.plan()
	switch number(h.T, 0, 2, "start") {
	case 0:
		h.createRole(in)
	case 1:
		id := domain.RoleID(h.id())
		h.roles[in] = append(h.roles[in], id)
		h.send(in, commands.CustomizeRole{Role: id, Source: draw(h, h.roles[domain.CatalogPlan], "source"), Title: "Own " + string(id[24:])})
	case 2:
		id := domain.RoleID(h.id())
		source := draw(h, h.roles[in], "source")
		h.roles[in] = append(h.roles[in], id)
		h.send(in, commands.DuplicateRole{Role: id, Source: source, Title: "Copy " + string(id[24:])})
	}
}

func grow(h *history) {
	in := h.plan()
	switch number(h.T, 0, 3, "grow") {
	case 0:
		h.invite(in)
	case 1:
		h.createTeam(in)
	case 2:
		h.send(in, commands.RenameTeam{Team: h.team(in), Name: draw(h, []string{"Other", "Another"}, "name")})
	case 3:
		h.send(in, commands.MoveTeam{Team: h.team(in), Parent: h.team(in)})
	}
}

// employ changes who a member is, and what they may do. Now and then one leaves for good, or a team ends.
func employ(h *history) {
	in := h.plan()
	m := h.member(in)
	switch number(h.T, 0, 13, "employ") {
	case 0, 1:
		h.send(in, commands.ChangeMemberProfile{Member: m, Name: new(draw(h, []string{"Ágnes", "Yusuf"}, "name") + " " + string(m[30:]))})
	case 2:
		h.send(in, commands.ChangeMemberProfile{Member: m, Email: new(h.id() + "@new.example"), Location: new("Oslo")})
	case 3:
		h.send(in, commands.DeactivateMember{Member: m})
		if h.bool("and reactivate") {
			h.send(in, commands.ReactivateMember{Member: m})
		}
	case 4, 5:
		h.send(in, commands.ReactivateMember{Member: m})
	case 6:
		h.send(in, commands.RemoveMember{Member: m})
	case 7:
		h.send(in, commands.GrantAccessRole{Member: m, AccessRole: draw(h, []member.AccessRole{"owner", "hr", "admin"}, "access role")})
	case 8:
		h.send(in, commands.WithdrawAccessRole{Member: m, AccessRole: draw(h, []member.AccessRole{"owner", "hr", "admin"}, "access role")})
	case 9:
		h.send(in, commands.GrantContentAccess{Member: m})
	case 10:
		h.send(in, commands.WithdrawContentAccess{Member: m})
	case 11:
		h.send(in, commands.SetPlanLicences{Plan: in, Licences: number(h.T, 0, 3, "licences")})
	case 12:
		h.send(in, commands.DeleteTeam{Team: h.team(in)})
	case 13: // what seldom falls together otherwise
		h.send(in, commands.GrantAccessRole{Member: m, AccessRole: "hr"})
		h.send(in, commands.GrantAccessRole{Member: m, AccessRole: "owner"})
		h.send(in, commands.GrantContentAccess{Member: m})
		h.send(in, commands.WithdrawAccessRole{Member: m, AccessRole: "hr"})
		h.send(in, commands.WithdrawAccessRole{Member: m, AccessRole: "owner"})
		h.send(in, commands.WithdrawContentAccess{Member: m})
	}
}

func settle(h *history) {
	in := h.plan()
	switch number(h.T, 0, 3, "settle") {
	case 0:
		h.send(in, commands.AcceptInvitation{Member: h.member(in)})
	case 1:
		h.send(in, commands.WithdrawPlanFeature{Plan: in, Feature: plan.Careers})
	case 2:
		h.send(in, commands.WithdrawPlanFeature{Plan: in, Feature: plan.Careers})
		h.send(in, commands.GrantPlanFeature{Plan: in, Feature: plan.Careers})
	case 3: // enough for all that is drawn; a plan that has it grants nothing
		h.send(in, commands.ChangePlanTier{Plan: in, Tier: plan.Professional})
		h.send(in, commands.ChangePlanTier{Plan: in, Tier: plan.Enterprise})
	}
}

// covered tells whether the histories held every type of event that some projection has a rule for.
func (hs *histories) covered() {
	hs.Helper()
	for _, p := range projections.All() {
		for _, name := range p.Types() {
			// A title is yielded only by what a crash has left; TestRoleDetails has such an event.
			if hs.seen[name] == 0 && name != "RoleTitleYielded" {
				hs.Errorf("no %s in any history: %s was not tried with it", name, p.Scope)
			}
		}
	}
}
