package role

import (
	"slices"

	"rolewise/domain"
	"rolewise/domain/skill"
)

func (s State) find(id domain.SkillID) int {
	return slices.IndexFunc(s.Draft.Skills, func(k Skill) bool { return k.Skill == id })
}

// decideSkills decides about the skills of the draft (SPEC ROL-5, ROL-6).
func decideSkills(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case AddSkill:
		return decideAdd(s, c)
	case ReorderSkills:
		return decideReorder(s, c)
	case RemoveSkill:
		if s.find(c.Skill) < 0 {
			return nil, notInRole()
		}
		return []Event{RoleSkillRemoved(c)}, nil
	case SetRequired:
		i := s.find(c.Skill)
		if i < 0 {
			return nil, notInRole()
		}
		if s.Draft.Skills[i].Required == c.Required {
			return nil, nil
		}
		return []Event{RoleSkillRequirementSet(c)}, nil
	case AdjustGoal:
		i := s.find(c.Skill)
		switch {
		case i < 0:
			return nil, notInRole()
		case c.Percent != -10 && c.Percent != 0 && c.Percent != 10:
			return nil, domain.Invalidf("/percent", "out_of_range", "must be -10, 0 or 10")
		case s.Draft.Skills[i].Percent == c.Percent:
			return nil, nil
		}
		return []Event{GoalAdjusted{Role: c.Role, Skill: c.Skill, Percent: c.Percent, Goals: goals(s.Draft.Skills[i].Benchmark, c.Percent)}}, nil
	case SetRequiredLevel:
		i := s.find(c.Skill)
		switch {
		case i < 0:
			return nil, notInRole()
		case c.Level < 0 || c.Level > ratingScale:
			return nil, domain.Invalidf("/level", "out_of_range", "must be 1 to %d, or 0 for none", ratingScale)
		case s.Draft.Skills[i].RequiredLevel == c.Level:
			return nil, nil
		}
		return []Event{RequiredLevelSet(c)}, nil
	}
	return nil, nil
}

func notInRole() error {
	return domain.Conflictf("skill_not_in_role", "the role has no such skill").At("/skill")
}

func decideAdd(s State, c AddSkill) ([]Event, error) {
	if err := domain.CheckID("/skill", c.Skill); err != nil {
		return nil, err
	}
	switch {
	case c.SkillStatus == "":
		return nil, domain.Missing("skill").At("/skill")
	case s.find(c.Skill) >= 0:
		return nil, domain.Conflictf("skill_in_role", "the role has this skill already").At("/skill")
	case c.SkillStatus == skill.Retired:
		return nil, domain.Conflictf("skill_retired", "a retired skill cannot be added").At("/skill")
	case len(s.Draft.Skills) >= maxSkills:
		return nil, domain.Conflictf("too_many_skills", "a role has at most %d skills", maxSkills).At("/skill")
	}
	return []Event{RoleSkillAdded{Role: c.Role, Skill: Skill{
		Skill: c.Skill, Required: c.Required, Benchmark: c.Benchmark, Goals: goals(c.Benchmark, 0),
	}}}, nil
}

func decideReorder(s State, c ReorderSkills) ([]Event, error) {
	if len(c.Skills) != len(s.Draft.Skills) {
		return nil, domain.Invalidf("/skills", "not_a_permutation", "must name each of the role's %d skills once", len(s.Draft.Skills))
	}
	seen := map[domain.SkillID]bool{}
	same := true
	for i, id := range c.Skills {
		if s.find(id) < 0 || seen[id] {
			return nil, domain.Invalidf(domain.ItemPointer("/skills", i), "not_a_permutation", "must name each of the role's skills once")
		}
		seen[id] = true
		same = same && s.Draft.Skills[i].Skill == id
	}
	if same {
		return nil, nil
	}
	return []Event{RoleSkillsReordered(c)}, nil
}

// evolveSkills returns a new slice: a state that was handed out does not change under its holder.
func evolveSkills(skills []Skill, e Event) []Skill {
	next := slices.Clone(skills)
	change := func(id domain.SkillID, edit func(*Skill)) {
		if i := slices.IndexFunc(next, func(k Skill) bool { return k.Skill == id }); i >= 0 {
			edit(&next[i])
		}
	}
	switch e := e.(type) {
	case RoleSkillAdded:
		next = append(next, e.Skill)
	case RoleSkillRemoved:
		next = slices.DeleteFunc(next, func(k Skill) bool { return k.Skill == e.Skill })
	case RoleSkillsReordered:
		slices.SortStableFunc(next, func(a, b Skill) int {
			return slices.Index(e.Skills, a.Skill) - slices.Index(e.Skills, b.Skill)
		})
	case RoleSkillRequirementSet:
		change(e.Skill, func(k *Skill) { k.Required = e.Required })
	case GoalAdjusted:
		change(e.Skill, func(k *Skill) { k.Percent, k.Goals = e.Percent, e.Goals })
	case RequiredLevelSet:
		change(e.Skill, func(k *Skill) { k.RequiredLevel = e.Level })
	}
	return next
}
