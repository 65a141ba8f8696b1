package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// began is the first moment of every test's clock; each command comes one minute after the one before.
var began = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

func nowAtStart() time.Time { return began }

var emailKey = []byte("key of the tests")

// world is an installation: real commands on a real log, and read models folded from it.
type world struct {
	testing.TB
	log     eventstore.Store
	handler *commands.Handler
	models  readmodels.Store
	ask     *readmodels.Queries
	clock   time.Time
	ids     int

	restart    bool // every fold by new projectors, that have nothing in memory
	projectors []*projections.Projector
}

func openLog(t testing.TB) *sqlite.Store {
	t.Helper()
	log, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"), sqlite.Readers(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

func newWorld(t testing.TB, models readmodels.Store) *world {
	t.Helper()
	w := &world{TB: t, log: openLog(t), models: models, ask: readmodels.NewQueries(models, 1), clock: began}
	w.handler = commands.New(w.log, func() time.Time { return w.clock }, emailKey)
	if err := w.handler.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// scenario runs a test on read models in memory, folded by projectors that live as long as the test, and on Redis,
// where each fold is by new ones.
func scenario(t *testing.T, name string, run func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Run("memory", func(t *testing.T) {
			run(newWorld(t, memory.New()))
		})
		t.Run("redis", func(t *testing.T) {
			w := newWorld(t, onRedis(t))
			w.restart = true
			run(w)
		})
	})
}

// id makes the next id of a thing.
func (w *world) id() string {
	w.ids++
	return fmt.Sprintf("00000000-0000-7000-8000-%012x", w.ids)
}

var operator = access.Principal{ID: "operator", Vendor: true}

// try sends a command.
func (w *world) try(in domain.PlanID, c commands.Command) (commands.Answer, error) {
	w.clock = w.clock.Add(time.Minute)
	return w.handler.Handle(w.Context(), commands.Request{Plan: in, Principal: operator}, c)
}

// do sends a command that must be accepted, and returns the position of its effect.
func (w *world) do(in domain.PlanID, c commands.Command) eventstore.Position {
	w.Helper()
	answer, err := w.try(in, c)
	if err != nil {
		w.Fatalf("%T: %v", c, err)
	}
	at, err := eventstore.ParsePosition(answer.Position)
	if err != nil {
		w.Fatal(err)
	}
	return at
}

// fold brings all read models to the end of the log.
func (w *world) fold() {
	w.Helper()
	info, err := w.log.Info(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if w.restart || w.projectors == nil {
		w.projectors = nil
		for _, p := range projections.All() {
			projector, err := projections.NewProjector(w.Context(), p, fixed(info), w.models)
			if err != nil {
				w.Fatal(err)
			}
			w.projectors = append(w.projectors, projector)
		}
	}
	for i := range w.projectors {
		if err := catchUp(w.Context(), w.log, w.projectors[i], 0); err != nil {
			w.Fatal(err)
		}
	}
}

// catchUp brings one projector to the end of a log, as its feed would.
func catchUp(ctx context.Context, log eventstore.Store, to *projections.Projector, pageSize int) error {
	for page, err := range log.Follow(ctx, to.Position(), eventstore.Filter{PageSize: pageSize}) {
		if err != nil {
			return err
		}
		if err := to.Apply(ctx, page); err != nil {
			return err
		}
		if page.Live {
			return nil
		}
	}
	return errors.New("the log ended")
}

// tenant is one plan of a world.
type tenant struct {
	*world
	id domain.PlanID
}

// plan creates a plan with an owner.
func (w *world) plan(id domain.PlanID) *tenant {
	w.Helper()
	w.do(id, commands.CreatePlan{Plan: id, Name: "Plan " + string(id), Tier: plan.Enterprise, OwnerName: "The Owner", OwnerEmail: "owner@" + string(id) + ".example"})
	return &tenant{w, id}
}

// catalog is the vendor's plan.
func (w *world) catalog() *tenant { return &tenant{w, domain.CatalogPlan} }

func (p *tenant) send(c commands.Command) eventstore.Position {
	p.Helper()
	return p.do(p.id, c)
}

func (p *tenant) skill(name string, state skill.Status, synonyms ...string) domain.SkillID {
	p.Helper()
	id := domain.SkillID(p.world.id())
	p.send(commands.DefineSkill{Skill: id, Name: name, State: state, Synonyms: synonyms})
	return id
}

// skills defines validated skills.
func (p *tenant) skills(names ...string) []domain.SkillID {
	p.Helper()
	var ids []domain.SkillID
	for _, name := range names {
		ids = append(ids, p.skill(name, skill.Validated))
	}
	return ids
}

func (p *tenant) draft(title string, required ...domain.SkillID) domain.RoleID {
	p.Helper()
	id := domain.RoleID(p.world.id())
	p.send(commands.CreateRole{Role: id, Title: title})
	for _, s := range required {
		p.send(commands.AddRoleSkill{Role: id, Skill: s, Required: true})
	}
	return id
}

func (p *tenant) publish(r domain.RoleID, on role.OnPublish) eventstore.Position {
	p.Helper()
	return p.send(commands.PublishRole{Role: r, OnPublish: on})
}

// role creates and publishes a role. Without a benchmark the goals of each skill are 75, 150 and 225.
func (p *tenant) role(title string, required ...domain.SkillID) domain.RoleID {
	p.Helper()
	id := p.draft(title, required...)
	p.publish(id, "")
	return id
}

func (p *tenant) member(name string, teams ...domain.TeamID) domain.MemberID {
	p.Helper()
	id := domain.MemberID(p.world.id())
	local := strings.ReplaceAll(strings.ToLower(readmodels.Fold(name)), " ", ".")
	invite := commands.InviteMember{Member: id, Name: name, Email: local + "@" + string(p.id) + ".example"}
	for _, t := range teams {
		invite.Teams = append(invite.Teams, commands.TeamMembership{Team: t, TeamRole: member.Plain})
	}
	p.send(invite)
	return id
}

func (p *tenant) team(name string, members ...domain.MemberID) domain.TeamID {
	p.Helper()
	id := domain.TeamID(p.world.id())
	p.send(commands.CreateTeam{Team: id, Name: name})
	for _, m := range members {
		p.join(id, m)
	}
	return id
}

func (p *tenant) join(t domain.TeamID, m domain.MemberID) eventstore.Position {
	p.Helper()
	return p.send(commands.AddTeamMember{Team: t, Member: m, TeamRole: member.Plain})
}

func (p *tenant) leave(t domain.TeamID, m domain.MemberID) eventstore.Position {
	p.Helper()
	return p.send(commands.RemoveTeamMember{Team: t, Member: m})
}

func (p *tenant) assign(r domain.RoleID, members ...domain.MemberID) eventstore.Position {
	p.Helper()
	return p.send(commands.AssignRole{Role: r, Members: members})
}

func (p *tenant) unassign(r domain.RoleID, members ...domain.MemberID) eventstore.Position {
	p.Helper()
	return p.send(commands.UnassignRole{Role: r, Members: members})
}

func (p *tenant) assignTeams(r domain.RoleID, teams ...domain.TeamID) eventstore.Position {
	p.Helper()
	return p.send(commands.AssignRole{Role: r, Teams: teams})
}

func (p *tenant) unassignTeams(r domain.RoleID, teams ...domain.TeamID) eventstore.Position {
	p.Helper()
	return p.send(commands.UnassignRole{Role: r, Teams: teams})
}

func (p *tenant) selects(m domain.MemberID, r domain.RoleID, level roleiq.Level) eventstore.Position {
	p.Helper()
	return p.send(commands.SelectLevel{Member: m, Role: r, Level: level})
}

func (p *tenant) visits(m domain.MemberID, r domain.RoleID) eventstore.Position {
	p.Helper()
	return p.send(commands.VisitRole{Member: m, Role: r})
}

// sitting is one measurement. The percentile is a third of the score unless given.
type sitting struct {
	score, percentile int
	session           string
	at                time.Time // zero: now
}

// measure records a score, as of now, in a session of its own.
func (p *tenant) measure(m domain.MemberID, s domain.SkillID, score int) eventstore.Position {
	p.Helper()
	return p.sit(m, s, sitting{score: score})
}

func (p *tenant) sit(m domain.MemberID, s domain.SkillID, one sitting) eventstore.Position {
	p.Helper()
	if one.at.IsZero() {
		one.at = p.clock
	}
	if one.session == "" {
		one.session = p.world.id()
	}
	if one.percentile == 0 {
		one.percentile = one.score / 3
	}
	return p.send(commands.RecordSkillIQ{
		Member: m, Skill: s, Score: one.score, Percentile: one.percentile, MeasuredAt: one.at, Session: results.Session(one.session),
	})
}

func (p *tenant) invalidate(m domain.MemberID, s domain.SkillID, session string) eventstore.Position {
	p.Helper()
	return p.send(commands.InvalidateSkillIQ{Member: m, Skill: s, Session: results.Session(session), Reason: "wrong person"})
}

// policy sets a policy; the value is JSON.
func (p *tenant) policy(name, value string) eventstore.Position {
	p.Helper()
	return p.send(commands.SetPolicy{Policy: name, Value: json.RawMessage(value)})
}

// equal compares by JSON, which is what clients see.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := text(t, got), text(t, want); g != w {
		t.Errorf("%s\n got  %s\n want %s", what, g, w)
	}
}

func text(t testing.TB, value any) string {
	t.Helper()
	return jsonText(t, value)
}

func jsonText(t fataler, value any) string {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Short names for the many places that pass ids around.
type (
	domainMember = domain.MemberID
	domainSkill  = domain.SkillID
	domainRole   = domain.RoleID
	domainPlan   = domain.PlanID
)

// fixed is a log that stays as it is.
type fixed eventstore.Info

func (f fixed) Info(context.Context) (eventstore.Info, error) { return eventstore.Info(f), nil }
