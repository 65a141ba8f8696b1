package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/apikey"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

var (
	clock    = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	emailKey = []byte("key of the tests")
	operator = access.Principal{ID: "operator", Vendor: true}
)

// rig is an event store with a handler on it.
type rig struct {
	testing.TB
	store   eventstore.Store
	handler *commands.Handler
}

func newRig(t testing.TB) *rig {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t, store, handlerOn(store)}
}

func handlerOn(store eventstore.Store) *commands.Handler {
	return commands.New(store, func() time.Time { return clock }, emailKey)
}

// on returns the rig for another test, or with another store in between.
func (r *rig) on(t testing.TB, store eventstore.Store) *rig {
	return &rig{t, store, handlerOn(store)}
}

// as returns a key of a plan with scopes.
func as(planID domain.PlanID, scopes ...access.Scope) access.Principal {
	return access.Principal{ID: fmt.Sprintf("key:%s%v", planID, scopes), Plan: planID, Scopes: scopes}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func text(value string) json.RawMessage { return json.RawMessage(`"` + value + `"`) }

// planOf returns the plan that a command is about: the operator's name it in their body.
func planOf(c commands.Command, otherwise domain.PlanID) domain.PlanID {
	if c.About().Action == access.OperatePlans {
		return domain.PlanID(reflect.ValueOf(c).FieldByName("Plan").String())
	}
	return otherwise
}

// request is the operator's request about a plan, under a key.
func request(planID domain.PlanID, c commands.Command, key string) commands.Request {
	return commands.Request{Plan: planOf(c, planID), Principal: operator, Key: key}
}

// do carries a command out as the operator.
func (r *rig) do(planID domain.PlanID, c commands.Command) commands.Answer {
	r.Helper()
	return r.handle(request(planID, c, ""), c)
}

func (r *rig) handle(req commands.Request, c commands.Command) commands.Answer {
	r.Helper()
	answer, err := r.handler.Handle(r.Context(), req, c)
	if err != nil {
		r.Fatalf("%s: %v", c.About().Name, err)
	}
	return answer
}

// refused demands that a command is refused with a code at a field, and that nothing is appended.
func (r *rig) refused(req commands.Request, c commands.Command, kind domain.Kind, code, field string) {
	r.Helper()
	before := r.head()
	_, err := r.handler.Handle(r.Context(), req, c)
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		r.Fatalf("%s: %v, want a refusal with %s", c.About().Name, err, code)
	}
	if refusal.Kind != kind || refusal.Code != code || refusal.Field != field {
		r.Errorf("%s: kind %d, %v; want kind %d, %s at %q", c.About().Name, refusal.Kind, refusal, kind, code, field)
	}
	if after := r.head(); after != before {
		r.Errorf("%s was refused, and appended %v", c.About().Name, r.types(before))
	}
}

func (r *rig) head() eventstore.Position {
	r.Helper()
	info, err := r.store.Info(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return info.Head
}

// events returns all events after a position.
func (r *rig) events(after eventstore.Position) []eventstore.Recorded {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var all []eventstore.Recorded
	for page, err := range r.store.Follow(ctx, after, eventstore.Filter{}) {
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, page.Events...)
		if page.Live {
			break
		}
	}
	return all
}

// types returns the types of the events after a position, those of the keys themselves and the reservations of titles left
// out.
func (r *rig) types(after eventstore.Position) []string {
	r.Helper()
	types := []string{}
	for _, e := range r.events(after) {
		if e.Stream.Category != "command" && e.Stream.Category != "title" {
			types = append(types, e.Type)
		}
	}
	return types
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// hooked is a store that calls back before reads and appends, so that a test decides what happens in between.
type hooked struct {
	eventstore.Store
	mu     sync.Mutex
	read   func(eventstore.StreamID)
	append func(eventstore.StreamID)
}

func (h *hooked) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if h.read != nil {
		h.read(stream)
	}
	return h.Store.Read(ctx, stream, from)
}

func (h *hooked) Append(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	if h.append != nil {
		h.append(stream)
	}
	return h.Store.Append(ctx, stream, at, events...)
}

// first returns a hook that does something at the first call for a category, and nothing later.
func first(category string, do func()) func(eventstore.StreamID) {
	var once sync.Once
	return func(stream eventstore.StreamID) {
		if stream.Category == category {
			once.Do(do)
		}
	}
}

// meeting returns a hook that holds calls for a category until as many as wanted are there.
func meeting(ctx context.Context, category string, wanted int) func(eventstore.StreamID) {
	var mu sync.Mutex
	here, all := 0, make(chan struct{})
	return func(stream eventstore.StreamID) {
		if stream.Category != category {
			return
		}
		mu.Lock()
		if here++; here == wanted {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-ctx.Done():
		}
	}
}

// fixture is a plan in which every command has something to do.
type fixture struct {
	plan, ops                           domain.PlanID
	member, colleague, guest            domain.MemberID
	leaving, away, second               domain.MemberID // to be removed; deactivated; an owner with content access
	team, below, closing                domain.TeamID
	skill, beta, spare, retiring, fresh domain.SkillID
	role, draft, doomed, deleted        domain.RoleID
	category                            domain.CategoryID
	catalogRole, catalogDraft           domain.RoleID
	catalogSkill                        domain.SkillID
	key                                 string
	email                               string
}

func (r *rig) fixture(planID domain.PlanID) fixture {
	r.Helper()
	f := fixture{
		plan: planID, ops: planID + "-ops", email: "ada@example.org",
		member: domain.MemberID(newID()), colleague: domain.MemberID(newID()), guest: domain.MemberID(newID()),
		leaving: domain.MemberID(newID()), away: domain.MemberID(newID()), second: domain.MemberID(newID()),
		team: domain.TeamID(newID()), below: domain.TeamID(newID()), closing: domain.TeamID(newID()),
		skill: domain.SkillID(newID()), beta: domain.SkillID(newID()), spare: domain.SkillID(newID()),
		retiring: domain.SkillID(newID()), fresh: domain.SkillID(newID()),
		role: domain.RoleID(newID()), draft: domain.RoleID(newID()), doomed: domain.RoleID(newID()), deleted: domain.RoleID(newID()),
		category:    domain.CategoryID(newID()),
		catalogRole: domain.RoleID(newID()), catalogDraft: domain.RoleID(newID()), catalogSkill: domain.SkillID(newID()),
	}
	if err := r.handler.Bootstrap(r.Context()); err != nil {
		r.Fatal(err)
	}
	all := []struct {
		plan     domain.PlanID
		commands []commands.Command
	}{
		{domain.CatalogPlan, []commands.Command{
			commands.DefineSkill{Skill: f.catalogSkill, Name: "Reading", State: skill.Validated},
			commands.CreateRole{Role: f.catalogRole, Title: "Reader for " + string(planID)},
			commands.AddRoleSkill{Role: f.catalogRole, Skill: f.catalogSkill, Required: true},
			commands.PublishRole{Role: f.catalogRole},
			commands.CreateRole{Role: f.catalogDraft, Title: "Writer for " + string(planID)},
		}},
		{planID, []commands.Command{
			commands.CreatePlan{Plan: f.ops, Name: "Ops", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@example.org"},
			commands.WithdrawPlanFeature{Plan: f.ops, Feature: plan.SCIM},
			commands.CreatePlan{Plan: planID, Name: "Acme", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@example.org"},
			commands.CreateTeam{Team: f.team, Name: "Engineering"},
			commands.CreateTeam{Team: f.below, Name: "Platform"},
			commands.CreateTeam{Team: f.closing, Name: "Closing"},
			commands.InviteMember{Member: f.member, Name: "Ada", Email: f.email, Teams: []commands.TeamMembership{{Team: f.team, TeamRole: member.Plain}}},
			commands.InviteMember{Member: f.colleague, Name: "Ben", Email: "ben@example.org"},
			commands.InviteMember{Member: f.guest, Name: "Cy", Email: "cy@example.org"},
			commands.InviteMember{Member: f.leaving, Name: "Lea", Email: "lea@example.org"},
			commands.InviteMember{Member: f.away, Name: "Abe", Email: "abe@example.org"},
			commands.DeactivateMember{Member: f.away},
			commands.InviteMember{Member: f.second, Name: "Sue", Email: "sue@example.org", AccessRole: member.Owner},
			commands.GrantContentAccess{Member: f.second},
			commands.DefineSkill{Skill: f.skill, Name: "Go", State: skill.Validated},
			commands.DefineSkill{Skill: f.beta, Name: "Zig", State: skill.Beta},
			commands.DefineSkill{Skill: f.spare, Name: "SQL", State: skill.Validated},
			commands.DefineSkill{Skill: f.retiring, Name: "Flash", State: skill.Validated},
			commands.DefineSkill{Skill: f.fresh, Name: "Rust", State: skill.Validated},
			commands.CreateRole{Role: f.role, Title: "Engineer"},
			commands.AddRoleSkill{Role: f.role, Skill: f.skill, Required: true},
			commands.AddRoleSkill{Role: f.role, Skill: f.spare, Required: true},
			commands.PublishRole{Role: f.role},
			commands.CreateRole{Role: f.draft, Title: "Lead"},
			commands.AddRoleSkill{Role: f.draft, Skill: f.skill, Required: true},
			commands.AddRoleSkill{Role: f.draft, Skill: f.spare, Required: true},
			commands.AddRoleSkill{Role: f.draft, Skill: f.retiring, Required: true},
			commands.CreateRole{Role: f.doomed, Title: "Doomed"},
			commands.CreateRole{Role: f.deleted, Title: "Deleted"},
			commands.DeleteRole{Role: f.deleted, ConfirmTitle: "Deleted"},
			commands.CreateCategory{Category: f.category, Name: "Craft"},
			commands.RecordSkillIQ{Member: f.member, Skill: f.spare, Score: 150, Percentile: 50, MeasuredAt: clock, Session: "first"},
			commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.guest}},
		}},
	}
	for _, part := range all {
		for _, c := range part.commands {
			r.do(part.plan, c)
		}
	}
	f.key = r.do(planID, commands.CreateAPIKey{Name: "to be revoked", Scopes: []access.Scope{access.Read}}).ID
	return f
}

// bodies returns an acceptable body of each command; each changes something, on a fresh fixture
// and also after the others in the order of commands.All.
func (f fixture) bodies() []commands.Command {
	members := []domain.MemberID{f.member}
	return []commands.Command{
		commands.CreatePlan{Plan: f.plan + "-new", Name: "New", Tier: plan.Starter, OwnerName: "Nora", OwnerEmail: "nora@example.org"},
		commands.ChangePlanTier{Plan: f.ops, Tier: plan.Professional},
		commands.GrantPlanFeature{Plan: f.ops, Feature: plan.SCIM},
		commands.WithdrawPlanFeature{Plan: f.ops, Feature: plan.Audit},
		commands.SetPlanLicences{Plan: f.ops, Licences: 7},
		commands.SetPolicy{Policy: "recalculation", Value: text("on_visit")},
		commands.CreateAPIKey{Name: "robot", Scopes: []access.Scope{access.Write}, Member: f.member},
		commands.RevokeAPIKey{Key: apikey.KeyID(f.key)},
		commands.InviteMember{Name: "Dan", Email: "dan@example.org", Teams: []commands.TeamMembership{{Team: f.team, TeamRole: member.Manager}}},
		commands.AcceptInvitation{Member: f.member},
		commands.ChangeMemberProfile{Member: f.member, Location: new("Oslo")},
		commands.DeactivateMember{Member: f.colleague},
		commands.ReactivateMember{Member: f.away},
		commands.RemoveMember{Member: f.leaving},
		commands.GrantAccessRole{Member: f.guest, AccessRole: member.HR},
		commands.WithdrawAccessRole{Member: f.second, AccessRole: member.Owner},
		commands.GrantContentAccess{Member: f.guest},
		commands.WithdrawContentAccess{Member: f.second},
		commands.AddTeamMember{Team: f.below, Member: f.member, TeamRole: member.Plain},
		commands.ChangeTeamRole{Team: f.team, Member: f.member, TeamRole: member.Manager},
		commands.RemoveTeamMember{Team: f.team, Member: f.member},
		commands.CreateTeam{Name: "Sales"},
		commands.RenameTeam{Team: f.below, Name: "Plumbing"},
		commands.MoveTeam{Team: f.below, Parent: f.team},
		commands.DeleteTeam{Team: f.closing},
		commands.DefineSkill{Name: "Lisp", State: skill.Validated, Parent: f.catalogSkill},
		commands.RenameSkill{Skill: f.skill, Name: "Golang"},
		commands.ValidateSkill{Skill: f.beta},
		commands.RetireSkill{Skill: f.retiring},
		commands.PublishBenchmark{Skill: f.skill, Role: f.role, Thresholds: []int{80, 160, 240}, Source: "survey"},
		commands.RecordSkillIQ{Member: f.member, Skill: f.skill, Score: 200, Percentile: 80, MeasuredAt: clock, Session: "second"},
		commands.InvalidateSkillIQ{Member: f.member, Skill: f.spare, Session: "first", Reason: "proctor"},
		commands.CreateRole{Title: "Tester"},
		commands.CustomizeRole{Source: f.catalogRole},
		commands.DuplicateRole{Source: f.role, Title: "Engineer II"},
		commands.RenameRole{Role: f.draft, Title: "Tech lead"},
		commands.DescribeRole{Role: f.draft, Description: "Leads.", Responsibilities: []string{"Leading"}},
		commands.AddRoleSkill{Role: f.draft, Skill: f.fresh, Required: true},
		commands.RemoveRoleSkill{Role: f.draft, Skill: f.retiring},
		commands.ReorderRoleSkills{Role: f.role, Skills: []domain.SkillID{f.spare, f.skill}},
		commands.SetSkillRequired{Role: f.draft, Skill: f.spare, Required: false},
		commands.AdjustGoal{Role: f.draft, Skill: f.skill, Percent: 10},
		commands.SetRequiredLevel{Role: f.draft, Skill: f.skill, Level: 3},
		commands.PublishRole{Role: f.draft},
		commands.PersonalizeBadge{Role: f.draft, Icon: "crown", Color: "#1d4ed8"},
		commands.CategorizeRole{Role: f.draft, Category: f.category},
		commands.SetPathway{Role: f.draft, AdvancesFrom: []domain.RoleID{f.role, f.catalogRole}},
		commands.DeleteRole{Role: f.doomed, ConfirmTitle: "Doomed"},
		commands.RestoreRole{Role: f.deleted},
		commands.TransferRole{Role: f.draft, To: f.guest},
		commands.CreateCategory{Name: "Trade", Featured: true},
		commands.FeatureCategory{Category: f.category, Featured: true},
		commands.AssignRole{Role: f.role, Members: []domain.MemberID{f.member, f.guest}, Teams: []domain.TeamID{f.team}},
		commands.UnassignRole{Role: f.role, Members: []domain.MemberID{f.guest}},
		commands.SelectLevel{Role: f.role, Level: "mid", Member: f.member},
		commands.VisitRole{Role: f.role, Member: f.member},
		commands.RefreshProgress{Role: f.role, Members: members},
	}
}

// bodyOf is the JSON of a body or an answer.
func bodyOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// parallel carries out n calls at the same time.
func parallel(n int, do func(i int) (commands.Answer, error)) ([]commands.Answer, []error) {
	answers, errs := make([]commands.Answer, n), make([]error, n)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			answers[i], errs[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	return answers, errs
}
