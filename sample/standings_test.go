package sample_test

import (
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/plan"
	"rolewise/domain/results"
	"rolewise/domain/roleiq"
	"rolewise/eventstore"
)

type memberSkill struct {
	member domain.MemberID
	skill  domain.SkillID
}

// lastSittings returns the measurement that counts, per member and skill.
func lastSittings(t *testing.T, events []eventstore.Recorded) map[memberSkill]results.SkillIQMeasured {
	withdrawn := map[results.Session]bool{}
	for _, e := range events {
		if e.Type == "SkillIQInvalidated" {
			withdrawn[decode[results.SkillIQInvalidated](t, e).Session] = true
		}
	}
	last := map[memberSkill]results.SkillIQMeasured{}
	for _, e := range events {
		if e.Type != "SkillIQMeasured" {
			continue
		}
		m := decode[results.SkillIQMeasured](t, e)
		if at := (memberSkill{m.Member, m.Skill}); !withdrawn[m.Session] && m.MeasuredAt.After(last[at].MeasuredAt) {
			last[at] = m
		}
	}
	return last
}

// checkStandings calculates where members stand at the end of the year in the roles assigned to them directly: a sample
// in which all are beginners, or all are through, would show nothing.
func checkStandings(t *testing.T, store eventstore.Store, events []eventstore.Recorded) {
	last, handler := lastSittings(t, events), commands.New(store, time.Now, emailKey)
	states, levels := map[roleiq.State]int{}, map[roleiq.Level]int{}
	for _, e := range events {
		if e.Type != "MemberAssigned" {
			continue
		}
		a := decode[assignment.MemberAssigned](t, e)
		role, err := handler.Role(t.Context(), "acme", a.Role)
		if err != nil {
			t.Fatal(err)
		}
		var skills []roleiq.Skill
		for _, entry := range role.InForce.Skills {
			state, err := handler.Skill(t.Context(), "acme", entry.Skill)
			if err != nil {
				t.Fatal(err)
			}
			m, measured := last[memberSkill{a.Member, entry.Skill}]
			skills = append(skills, roleiq.Skill{Required: entry.Required, Status: state.Status, Goals: entry.Goals, Measured: measured, Score: m.Score})
		}
		standing := roleiq.Evaluate(plan.DefaultRule, false, skills)
		states[standing.State]++
		if standing.Level != "" {
			levels[standing.Level]++
		}
	}
	t.Logf("states %v, levels %v", states, levels)
	for _, state := range []roleiq.State{roleiq.Assigned, roleiq.InProgress, roleiq.Pending, roleiq.Completed} {
		if states[state] < 5 {
			t.Errorf("%d are %s", states[state], state)
		}
	}
	for _, level := range roleiq.Levels {
		if levels[level] < 5 {
			t.Errorf("%d have the level %s", levels[level], level)
		}
	}
}
