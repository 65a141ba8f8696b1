package history_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/history"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// rig is a plan whose progress is projected into memory.
type rig struct {
	testing.TB
	log       *sqlite.Store
	handler   *commands.Handler
	ask       *readmodels.Queries
	projector *projections.Projector
	clock     time.Time
	ids       int
}

const acme = "acme"

func newRig(t testing.TB, folder string) *rig {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := sqlite.Open(t.Context(), filepath.Join(folder, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	models := memory.New()
	r := &rig{TB: t, log: log, ask: readmodels.NewQueries(models, 1), clock: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	r.handler = commands.New(log, func() time.Time { return r.clock }, []byte("key"))
	for _, p := range projections.All() {
		if p.Scope == readmodels.Progress {
			if r.projector, err = projections.NewProjector(t.Context(), p, log, models); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.do(commands.CreatePlan{Plan: acme, Name: "Acme", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@example.org"})
	return r
}

func (r *rig) id() string {
	r.ids++
	return fmt.Sprintf("00000000-0000-7000-8000-%012x", r.ids)
}

func (r *rig) do(c commands.Command) {
	r.Helper()
	r.clock = r.clock.Add(time.Minute)
	if _, err := r.handler.Handle(r.Context(), commands.Request{Plan: acme, Principal: access.Principal{ID: "operator", Vendor: true}}, c); err != nil {
		r.Fatalf("%s: %v", c.About().Name, err)
	}
}

func (r *rig) fold() {
	r.Helper()
	for page, err := range r.log.Follow(r.Context(), r.projector.Position(), eventstore.Filter{PageSize: 1000}) {
		if err != nil {
			r.Fatal(err)
		}
		if err := r.projector.Apply(r.Context(), page); err != nil {
			r.Fatal(err)
		}
		if page.Live {
			return
		}
	}
}

// standing is how a member stands in the role: state and level.
func (r *rig) standing(m, in string) history.Stand {
	r.Helper()
	rows, _, err := r.ask.MemberProgress(r.Context(), acme, m, 0)
	if err != nil {
		r.Fatal(err)
	}
	for _, row := range rows {
		if row.Role == in {
			return history.Stand{State: row.State, Level: row.Level}
		}
	}
	return history.Stand{}
}

// TestPublish compares what publishing would do with what it does, for random roles, members and edits, and looks that
// asking left nothing behind.
func TestPublish(t *testing.T) {
	folder, runs := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > 25 { // each is an installation of its own
			return
		}
		r := newRig(t, filepath.Join(folder, fmt.Sprint(runs)))
		id := domain.RoleID(r.id())
		r.do(commands.CreateRole{Role: id, Title: "Engineer"})
		var skills []domain.SkillID
		for i := range 4 {
			skills = append(skills, domain.SkillID(r.id()))
			r.do(commands.DefineSkill{Skill: skills[i], Name: fmt.Sprint("Skill ", i), State: rapid.SampledFrom([]skill.Status{skill.Validated, skill.Validated, skill.Beta}).Draw(rt, "state")})
		}
		for _, s := range skills[:2] {
			r.do(commands.AddRoleSkill{Role: id, Skill: s, Required: true})
		}
		r.do(commands.PublishRole{Role: id})
		members := map[string]bool{}
		for i := range rapid.IntRange(1, 6).Draw(rt, "members") {
			m := domain.MemberID(r.id())
			members[string(m)] = true
			r.do(commands.InviteMember{Member: m, Name: fmt.Sprint("M", i), Email: string(m) + "@example.org"})
			r.do(commands.AssignRole{Role: id, Members: []domain.MemberID{m}})
			for _, s := range skills {
				if rapid.Bool().Draw(rt, "measured") {
					score := rapid.SampledFrom([]int{0, 74, 75, 82, 83, 149, 150, 165, 224, 225, 248, 300}).Draw(rt, "score")
					r.do(commands.RecordSkillIQ{Member: m, Skill: s, Score: score, Percentile: 50, MeasuredAt: r.clock, Session: results.Session(r.id())})
				}
			}
			if rapid.Bool().Draw(rt, "visit") {
				r.do(commands.VisitRole{Role: id, Member: m})
			}
		}
		if rapid.Bool().Draw(rt, "on visit") {
			r.do(commands.SetPolicy{Policy: "recalculation", Value: []byte(`"on_visit"`)})
		}
		edits := []commands.Command{
			commands.AddRoleSkill{Role: id, Skill: skills[2], Required: true}, commands.AddRoleSkill{Role: id, Skill: skills[3], Required: false},
			commands.AdjustGoal{Role: id, Skill: skills[0], Percent: 10}, commands.AdjustGoal{Role: id, Skill: skills[0], Percent: -10},
			commands.SetSkillRequired{Role: id, Skill: skills[1], Required: false}, commands.DescribeRole{Role: id, Description: "Builds."},
		}
		for i, c := range edits {
			if i == len(edits)-1 || rapid.Bool().Draw(rt, "edit") {
				r.do(c)
			}
		}
		r.fold()
		before := map[string]history.Stand{}
		for m := range members {
			before[m] = r.standing(m, string(id))
		}
		on := rapid.SampledFrom([]role.OnPublish{role.ReEvaluate, role.Grandfather}).Draw(rt, "on publish")
		state, err := r.handler.Role(t.Context(), acme, id)
		if err != nil {
			rt.Fatal(err)
		}
		imagined, _, err := history.Publish(t.Context(), r.ask, acme,
			role.RolePublished{Role: id, Version: state.Version + 1, Content: state.Draft, OnPublish: on}, readmodels.Want{Limit: 100})
		if err != nil {
			rt.Fatal(err)
		}
		for m := range members {
			if now := r.standing(m, string(id)); text(now) != text(before[m]) {
				rt.Fatalf("ROL-8 asking changed %s: %s to %s", m, text(before[m]), text(now))
			}
		}
		r.do(commands.PublishRole{Role: id, OnPublish: on})
		r.fold()
		changes := map[string]history.Change{}
		for _, c := range imagined.Changes {
			changes[c.Member] = c
		}
		if imagined.Members != len(members) || imagined.Rise+imagined.Fall+imagined.Incomplete != len(changes) {
			rt.Fatalf("ROL-8 %+v with %d members", imagined, len(members))
		}
		levels := []string{"null", `"beginner"`, `"entry"`, `"mid"`, `"senior"`}
		for _, m := range slices.Sorted(maps.Keys(members)) {
			now := r.standing(m, string(id))
			change, foreseen := changes[m]
			was, is := slices.Index(levels, level(before[m])), slices.Index(levels, level(now))
			want := map[bool]string{true: "fall", false: "rise"}[is < was]
			if is == 0 {
				want = "incomplete"
			}
			switch {
			case (was != is) != foreseen:
				rt.Fatalf("ROL-8 %s went from %s to %s, foreseen: %v", m, text(before[m]), text(now), foreseen)
			case foreseen && (change.Change != want || text(change.From) != text(before[m]) || text(change.To) != text(now)):
				rt.Fatalf("ROL-8 %s went from %s to %s (%s), foreseen was %+v", m, text(before[m]), text(now), want, change)
			}
		}
	})
}

func level(s history.Stand) string {
	if s.Level == nil {
		return "null"
	}
	return `"` + *s.Level + `"`
}

func text(s history.Stand) string { return s.State + " " + level(s) }

// BenchmarkPublish asks about a role that 10,000 members hold, with 5 required skills.
func BenchmarkPublish(b *testing.B) {
	r := newRig(b, b.TempDir())
	id := domain.RoleID(r.id())
	r.do(commands.CreateRole{Role: id, Title: "Engineer"})
	var skills []domain.SkillID
	for i := range 5 {
		skills = append(skills, domain.SkillID(r.id()))
		r.do(commands.DefineSkill{Skill: skills[i], Name: fmt.Sprint("Skill ", i), State: skill.Validated})
		r.do(commands.AddRoleSkill{Role: id, Skill: skills[i], Required: true})
	}
	r.do(commands.PublishRole{Role: id})
	const members = 10_000
	var all []domain.MemberID
	for i := range members {
		m := domain.MemberID(r.id())
		all = append(all, m)
		r.do(commands.InviteMember{Member: m, Name: fmt.Sprint("Member ", i), Email: string(m) + "@example.org"})
		for _, s := range skills {
			r.do(commands.RecordSkillIQ{Member: m, Skill: s, Score: 70 + i%200, Percentile: 50, MeasuredAt: r.clock, Session: results.Session(r.id())})
		}
	}
	r.do(commands.AssignRole{Role: id, Members: all})
	for _, s := range skills {
		r.do(commands.AdjustGoal{Role: id, Skill: s, Percent: 10})
	}
	r.fold()
	state, err := r.handler.Role(b.Context(), acme, id)
	if err != nil {
		b.Fatal(err)
	}
	e := role.RolePublished{Role: id, Version: 2, Content: state.Draft, OnPublish: role.ReEvaluate}
	for b.Loop() {
		found, _, err := history.Publish(b.Context(), r.ask, acme, e, readmodels.Want{Limit: 50})
		if err != nil || found.Members != members || found.Fall == 0 {
			b.Fatalf("%+v, %v", found, err)
		}
	}
}
