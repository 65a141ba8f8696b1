package projections_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/events"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/domain/team"
	"rolewise/eventstore"
)

// ledger is the state of all plans by plain loops over the events, written from the specification and sharing nothing
// with the projections: what they answer is checked against it.
type ledger struct {
	people   map[at]*person
	given    map[at]map[string]bool // team: roles
	roles    map[at]*published
	skills   map[at]*named
	policies map[string]*policies
}

// at is a thing of a plan.
type at struct{ plan, id string }

type (
	person struct {
		name, email   string
		teams, direct map[string]bool
		removed       bool
		selected      map[string]string      // role: level
		results       map[string][]*measured // skill, in the order recorded
		opened        map[string]*inputs     // role: what there was at the last visit or refresh
		stays         map[string]int         // role: version that the member was left with
	}
	measured struct {
		session string
		score   int
		level   string
		at      time.Time
		invalid bool
	}
	published struct {
		versions []role.Content
		deleted  bool
	}
	named struct {
		name string
		skill.Status
	}
	policies struct {
		onVisit bool
		rule    plan.LevelRule
	}
	// inputs is what a standing follows from.
	inputs struct {
		rule    plan.LevelRule
		version int
		skills  []input
	}
	input struct {
		required bool
		status   skill.Status
		goals    [3]int
		score    *int
	}
	// standing is what follows.
	standing struct {
		state, level, rule string
		done, of, version  int
	}
)

const vendor = "catalog"

func newLedger(t testing.TB, log []eventstore.Recorded) *ledger {
	t.Helper()
	l := &ledger{map[at]*person{}, map[at]map[string]bool{}, map[at]*published{}, map[at]*named{}, map[string]*policies{}}
	for _, r := range log {
		meta, err := eventstore.DecodeMetadata(r.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		event, err := events.All.Decode(r.Type, meta.Schema, r.Data)
		if err != nil {
			t.Fatal(err)
		}
		l.apply(r.Stream.Plan, event)
		l.settle()
	}
	return l
}

func (l *ledger) apply(in string, event any) {
	switch e := event.(type) {
	case plan.PlanCreated:
		l.policies[in] = &policies{rule: plan.LevelRule{Name: "all_required.v1"}}
	case plan.RecalculationPolicySet:
		l.policies[in].onVisit = e.Recalculation == "on_visit"
	case plan.LevelRulePolicySet:
		l.policies[in].rule = e.Rule
	case member.MemberInvited:
		l.people[at{in, string(e.Member)}] = &person{
			name: e.Name, email: e.Email, teams: map[string]bool{}, direct: map[string]bool{}, selected: map[string]string{},
			results: map[string][]*measured{}, opened: map[string]*inputs{}, stays: map[string]int{},
		}
	case member.TeamMemberAdded:
		l.people[at{in, string(e.Member)}].teams[string(e.Team)] = true
	case member.TeamMemberRemoved:
		delete(l.people[at{in, string(e.Member)}].teams, string(e.Team))
	case member.MemberProfileChanged:
		l.people[at{in, string(e.Member)}].name = e.Name
	case member.MemberEmailChanged:
		l.people[at{in, string(e.Member)}].email = e.Email
	case member.MemberRemoved:
		l.people[at{in, string(e.Member)}].removed = true
	case team.TeamDeleted:
		delete(l.given, at{in, string(e.Team)})
		for who, p := range l.people {
			if who.plan == in {
				delete(p.teams, string(e.Team))
			}
		}
	case assignment.MemberAssigned:
		l.people[at{in, string(e.Member)}].direct[string(e.Role)] = true
	case assignment.MemberUnassigned:
		delete(l.people[at{in, string(e.Member)}].direct, string(e.Role))
	case assignment.TeamAssigned:
		if l.given[at{in, string(e.Team)}] == nil {
			l.given[at{in, string(e.Team)}] = map[string]bool{}
		}
		l.given[at{in, string(e.Team)}][string(e.Role)] = true
	case assignment.TeamUnassigned:
		delete(l.given[at{in, string(e.Team)}], string(e.Role))
	case progress.LevelSelected:
		l.people[at{in, string(e.Member)}].selected[string(e.Role)] = string(e.Level)
	case progress.RoleVisited:
		l.open(at{in, string(e.Member)}, string(e.Role))
	case progress.ProgressRefreshed:
		l.refresh(in, e)
	case results.SkillIQMeasured:
		p := l.people[at{in, string(e.Member)}]
		p.results[string(e.Skill)] = append(p.results[string(e.Skill)], &measured{string(e.Session), e.Score, string(e.Level), e.MeasuredAt, false})
	case results.SkillIQInvalidated:
		for _, one := range l.people[at{in, string(e.Member)}].results[string(e.Skill)] {
			one.invalid = one.invalid || one.session == string(e.Session)
		}
	case skill.SkillDefined:
		l.skills[at{in, string(e.Skill)}] = &named{e.Name, e.State}
	case skill.SkillRenamed:
		l.skills[at{in, string(e.Skill)}].name = e.Name
	case skill.SkillValidated:
		l.skills[at{in, string(e.Skill)}].Status = skill.Validated
	case skill.SkillRetired:
		l.skills[at{in, string(e.Skill)}].Status = skill.Retired
	case role.RolePublished:
		l.publish(in, e)
	case role.RoleDeleted:
		l.setDeleted(in, e.Role, true)
	case role.RoleRestored:
		l.setDeleted(in, e.Role, false)
	}
}

// setDeleted hides a role that was published, with all that is counted of it (ROL-9).
func (l *ledger) setDeleted(in string, id domain.RoleID, is bool) {
	if r := l.roles[at{in, string(id)}]; r != nil {
		r.deleted = is
	}
}

// publish makes the next version. Under grandfather who completed the one before stays with it (ROL-8).
func (l *ledger) publish(in string, e role.RolePublished) {
	id := string(e.Role)
	for who, p := range l.people {
		if (in != vendor && who.plan != in) || !l.holds(who, id) {
			continue
		}
		if e.OnPublish == role.Grandfather && l.stands(who, id).state == "completed" {
			p.stays[id] = l.versionOf(who, id)
		} else {
			delete(p.stays, id)
		}
	}
	if l.roles[at{in, id}] == nil {
		l.roles[at{in, id}] = &published{}
	}
	l.roles[at{in, id}].versions = append(l.roles[at{in, id}].versions, e.Content)
}

// settle ends what a member was left with once they hold the role no more.
func (l *ledger) settle() {
	for who, p := range l.people {
		for id := range p.stays {
			if !l.holds(who, id) {
				delete(p.stays, id)
			}
		}
	}
}

func (l *ledger) refresh(in string, e progress.ProgressRefreshed) {
	for _, m := range e.Members {
		l.open(at{in, string(m)}, string(e.Role))
	}
	if len(e.Members) > 0 {
		return
	}
	for who := range l.people {
		if who.plan == in && l.holds(who, string(e.Role)) {
			l.open(who, string(e.Role))
		}
	}
}

func (l *ledger) open(who at, id string) {
	now := l.inputs(who, id, true)
	l.people[who].opened[id] = &now
}

// paths are the ways by which a member holds a role (ASG-2).
func (l *ledger) paths(who at, id string) []string {
	paths := []string{}
	if l.people[who].direct[id] {
		paths = append(paths, "direct")
	}
	for _, team := range slices.Sorted(maps.Keys(l.people[who].teams)) {
		if l.given[at{who.plan, team}][id] {
			paths = append(paths, "team:"+team)
		}
	}
	return paths
}

func (l *ledger) holds(who at, id string) bool {
	return len(l.paths(who, id)) > 0 || l.people[who].selected[id] != ""
}

// role and skill find what is the plan's own or the vendor's.
func (l *ledger) role(in, id string) *published {
	if own := l.roles[at{in, id}]; own != nil {
		return own
	}
	return l.roles[at{vendor, id}]
}

func (l *ledger) skill(in, id string) *named {
	if own := l.skills[at{in, id}]; own != nil {
		return own
	}
	return l.skills[at{vendor, id}]
}

// counts is the valid measurement with the newest moment, the later recorded of two (MSR-5).
func (l *ledger) counts(who at, id string) *measured {
	var newest *measured
	for _, one := range l.people[who].results[id] {
		if !one.invalid && (newest == nil || !one.at.Before(newest.at)) {
			newest = one
		}
	}
	return newest
}

func (l *ledger) versionOf(who at, id string) int {
	if v := l.people[who].stays[id]; v > 0 {
		return v
	}
	return len(l.role(who.plan, id).versions)
}

func (l *ledger) inputs(who at, id string, measurements bool) inputs {
	in := inputs{rule: l.policies[who.plan].rule, version: l.versionOf(who, id)}
	for _, k := range l.role(who.plan, id).versions[l.versionOf(who, id)-1].Skills {
		one := input{required: k.Required, status: l.skill(who.plan, string(k.Skill)).Status, goals: k.Goals}
		if newest := l.counts(who, string(k.Skill)); measurements && newest != nil {
			one.score = &newest.score
		}
		in.skills = append(in.skills, one)
	}
	return in
}

// stands is PRG-1 to PRG-3.
func (l *ledger) stands(who at, id string) standing {
	in := l.inputs(who, id, true)
	if l.policies[who.plan].onVisit {
		in = l.inputs(who, id, false)
		if opened := l.people[who].opened[id]; opened != nil {
			in = *opened
		}
	}
	s := standing{version: in.version, rule: string(in.rule.Name)}
	betas, open := 0, 0
	var judged []input
	for _, k := range in.skills {
		if !k.required || (k.status == skill.Retired && k.score == nil) {
			continue
		}
		s.of++
		if k.status == skill.Beta {
			betas++
		} else if k.score != nil {
			s.done++
			judged = append(judged, k)
		} else {
			open++
		}
	}
	if s.of > 0 && betas == 0 && open == 0 {
		s.state, s.level = "completed", levelOf(in.rule, judged)
	} else if betas > 0 && open == 0 {
		s.state = "pending"
	} else if l.people[who].selected[id] != "" || s.done > 0 {
		s.state = "in_progress"
	} else {
		s.state = "assigned"
	}
	return s
}

// levelOf tries the levels from the top.
func levelOf(rule plan.LevelRule, skills []input) string {
	for _, level := range []int{2, 1, 0} {
		all := true // every lower threshold has to be met as well
		for i := 0; i <= level; i++ {
			met, score, goal := 0, 0, 0
			for _, k := range skills {
				score, goal = score+*k.score, goal+k.goals[i]
				if *k.score >= k.goals[i] {
					met++
				}
			}
			switch rule.Name {
			case "all_required.v1":
				all = all && met == len(skills)
			case "k_of_n.v1":
				all = all && (met >= rule.K || met == len(skills))
			case "mean_of_thresholds.v1":
				all = all && float64(score)/float64(len(skills)) >= float64(goal)/float64(len(skills))
			}
		}
		if all {
			return []string{"entry", "mid", "senior"}[level]
		}
	}
	return "beginner"
}
