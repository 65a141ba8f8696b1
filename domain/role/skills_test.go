package role_test

import (
	"fmt"
	"slices"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/role"
	"rolewise/domain/skill"
)

// number makes the id of a skill from a number.
func number(i int) domain.SkillID {
	return domain.SkillID(fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i))
}

// with is a draft of n required skills.
func with(n int) []event {
	events := created()
	for i := range n {
		events = append(events, added(number(i), true))
	}
	return events
}

var notInRole = decidertest.Conflict("skill_not_in_role", "/skill")

func TestAddAndRemoveSkill(t *testing.T) {
	add := func(id domain.SkillID, status skill.Status, required bool) role.Command {
		return role.AddSkill{Role: engineer, Skill: id, Required: required, SkillStatus: status, Benchmark: benchmark}
	}
	remove := role.RemoveSkill{Role: engineer, Skill: golang}
	removed := role.RoleSkillRemoved{Role: engineer, Skill: golang}
	conflict := decidertest.Conflict
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-5 add a required skill", Given: created(), When: add(golang, "validated", true), Then: []event{added(golang, true)}},
		{Name: "ROL-5 add an optional skill", Given: created(added(golang, true)), When: add(sql, "validated", false), Then: []event{added(sql, false)}},
		{Name: "ROL-11 add a beta skill", Given: created(), When: add(golang, "beta", true), Then: []event{added(golang, true)}},
		{Name: "ROL-5 add again after removing", Given: created(added(golang, true), removed), When: add(golang, "validated", false), Then: []event{added(golang, false)}},
		{Name: "ROL-5 add a skill twice", Given: created(added(golang, true)), When: add(golang, "validated", true), Refused: conflict("skill_in_role", "/skill")},
		{Name: "ROL-5 add a retired skill", Given: created(), When: add(golang, "retired", true), Refused: conflict("skill_retired", "/skill")},
		{Name: "ROL-5 add a skill that is not there", Given: created(), When: add(golang, "", true), Refused: decidertest.Missing("skill_not_found", "/skill")},
		{Name: "ROL-5 add no UUID", Given: created(), When: add("go", "validated", true), Refused: decidertest.Invalid("invalid_id", "/skill")},
		{Name: "ROL-5 add the 200th skill", Given: with(199), When: add(golang, "validated", true), Then: []event{added(golang, true)}},
		{Name: "ROL-5 add the 201st skill", Given: with(200), When: add(golang, "validated", true), Refused: conflict("too_many_skills", "/skill")},
		{Name: "ROL-5 add to no role", When: add(golang, "validated", true), Refused: noRole},
		{Name: "ROL-5 remove", Given: created(added(sql, true), added(golang, true)), When: remove, Then: []event{removed}},
		{Name: "ROL-5 remove twice", Given: created(added(golang, true), removed), When: remove, Refused: notInRole},
		{Name: "ROL-5 remove from no role", When: remove, Refused: noRole},
	})
	t.Run("ROL-5 a removed skill leaves the others in order", func(t *testing.T) {
		s := role.Decider.Fold(created(added(sql, true), added(golang, true), added(docker, false), removed)...)
		if want := []role.Skill{has(sql, true), has(docker, false)}; !slices.Equal(s.Draft.Skills, want) {
			t.Errorf("skills %+v, want %+v", s.Draft.Skills, want)
		}
	})
}

func TestReorder(t *testing.T) {
	three := created(added(golang, true), added(sql, false), added(docker, true))
	reorder := func(ids ...domain.SkillID) role.Command { return role.ReorderSkills{Role: engineer, Skills: ids} }
	reordered := func(ids ...domain.SkillID) event { return role.RoleSkillsReordered{Role: engineer, Skills: ids} }
	not := func(field string) decidertest.Refusal { return decidertest.Invalid("not_a_permutation", field) }
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-5 reorder", Given: three, When: reorder(docker, golang, sql), Then: []event{reordered(docker, golang, sql)}},
		{Name: "ROL-5 reorder into the order it has", Given: three, When: reorder(golang, sql, docker)},
		{Name: "ROL-5 reorder into the order of before", Given: append(slices.Clone(three), reordered(docker, golang, sql)), When: reorder(docker, golang, sql)},
		{Name: "ROL-5 reorder nothing", Given: created(), When: reorder()},
		{Name: "ROL-5 reorder without one", Given: three, When: reorder(docker, golang), Refused: not("/skills")},
		{Name: "ROL-5 reorder with one too many", Given: three, When: reorder(docker, golang, sql, golang), Refused: not("/skills")},
		{Name: "ROL-5 reorder with one twice", Given: three, When: reorder(docker, golang, docker), Refused: not("/skills/2")},
		{Name: "ROL-5 reorder with a stranger", Given: three, When: reorder(docker, number(9), sql), Refused: not("/skills/1")},
		{Name: "ROL-5 reorder no role", When: reorder(), Refused: noRole},
	})
	t.Run("ROL-5 skills move with all they have", func(t *testing.T) {
		s := role.Decider.Fold(append(three, reordered(docker, golang, sql))...)
		if want := []role.Skill{has(docker, true), has(golang, true), has(sql, false)}; !slices.Equal(s.Draft.Skills, want) {
			t.Errorf("skills %+v, want %+v", s.Draft.Skills, want)
		}
	})
}

func TestSkillSettings(t *testing.T) {
	two := func(more ...event) []event { return append(created(added(sql, true), added(golang, true)), more...) }
	required := func(yes bool) event {
		return role.RoleSkillRequirementSet{Role: engineer, Skill: golang, Required: yes}
	}
	require := func(yes bool) role.Command {
		return role.SetRequired{Role: engineer, Skill: golang, Required: yes}
	}
	adjust := func(percent int) role.Command {
		return role.AdjustGoal{Role: engineer, Skill: golang, Percent: percent}
	}
	adjusted := func(percent int, goals skill.Thresholds) event {
		return role.GoalAdjusted{Role: engineer, Skill: golang, Percent: percent, Goals: goals}
	}
	level := func(n int) role.Command {
		return role.SetRequiredLevel{Role: engineer, Skill: golang, Level: n}
	}
	leveled := func(n int) event {
		return role.RequiredLevelSet{Role: engineer, Skill: golang, Level: n}
	}
	outOfRange := func(field string) decidertest.Refusal { return decidertest.Invalid("out_of_range", field) }
	up, down := skill.Thresholds{110, 220, 275}, skill.Thresholds{90, 180, 225}
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-5 make optional", Given: two(), When: require(false), Then: []event{required(false)}},
		{Name: "ROL-5 make required again", Given: two(required(false)), When: require(true), Then: []event{required(true)}},
		{Name: "ROL-5 make required what is required", Given: two(), When: require(true)},
		{Name: "ROL-5 make optional what is optional", Given: two(required(false)), When: require(false)},
		{Name: "ROL-5 make required what the role lacks", Given: created(added(sql, true)), When: require(true), Refused: notInRole},
		{Name: "ROL-6 goals up", Given: two(), When: adjust(10), Then: []event{adjusted(10, up)}},
		{Name: "ROL-6 goals down", Given: two(), When: adjust(-10), Then: []event{adjusted(-10, down)}},
		{Name: "ROL-6 goals down after up start from the benchmark", Given: two(adjusted(10, up)), When: adjust(-10), Then: []event{adjusted(-10, down)}},
		{Name: "ROL-6 goals back to the benchmark", Given: two(adjusted(10, up)), When: adjust(0), Then: []event{adjusted(0, benchmark.Thresholds)}},
		{Name: "ROL-6 goals up twice", Given: two(adjusted(10, up)), When: adjust(10)},
		{Name: "ROL-6 goals by 5 percent", Given: two(), When: adjust(5), Refused: outOfRange("/percent")},
		{Name: "ROL-6 goals by 20 percent", Given: two(), When: adjust(20), Refused: outOfRange("/percent")},
		{Name: "ROL-6 goals of a skill that the role lacks", Given: created(added(sql, true)), When: adjust(10), Refused: notInRole},
		{Name: "ROL-6 required level 1", Given: two(), When: level(1), Then: []event{leveled(1)}},
		{Name: "ROL-6 required level 5", Given: two(leveled(1)), When: level(5), Then: []event{leveled(5)}},
		{Name: "ROL-6 required level taken away", Given: two(leveled(5)), When: level(0), Then: []event{leveled(0)}},
		{Name: "ROL-6 required level as it is", Given: two(leveled(5)), When: level(5)},
		{Name: "ROL-6 no required level as before", Given: two(), When: level(0)},
		{Name: "ROL-6 required level -1", Given: two(), When: level(-1), Refused: outOfRange("/level")},
		{Name: "ROL-6 required level 6", Given: two(), When: level(6), Refused: outOfRange("/level")},
		{Name: "ROL-6 required level of a skill that the role lacks", Given: created(added(sql, true)), When: level(1), Refused: notInRole},
	})
	t.Run("ROL-6 settings reach the version, other skills stay", func(t *testing.T) {
		given := two(adjusted(10, up), leveled(4), required(false))
		want := has(golang, false)
		want.Percent, want.Goals, want.RequiredLevel = 10, up, 4
		decidertest.Of(t, role.Decider).Given(given...).When(role.Publish{Role: engineer}).Then(
			role.RolePublished{Role: engineer, Version: 1, Content: content("Engineer", has(sql, true), want), OnPublish: role.ReEvaluate},
		)
	})
	t.Run("ROL-6 the benchmark's version is pinned", func(t *testing.T) {
		s := role.Decider.Fold(two(adjusted(-10, down))...)
		if got := s.Draft.Skills[1].Benchmark; got != benchmark {
			t.Errorf("benchmark %+v, want %+v", got, benchmark)
		}
	})
}

func TestWarnings(t *testing.T) {
	for n, warned := range map[int]bool{0: true, 4: true, 5: false, 8: false, 9: true} {
		t.Run(fmt.Sprintf("ROL-5 %d skills", n), func(t *testing.T) {
			if got := role.Decider.Fold(with(n)...).Warnings(); (len(got) > 0) != warned {
				t.Errorf("warnings %q, want some: %t", got, warned)
			}
		})
	}
	t.Run("ROL-5 no role, no warning", func(t *testing.T) {
		if got := role.Decider.Fold().Warnings(); got != nil {
			t.Errorf("warnings %q", got)
		}
	})
}
