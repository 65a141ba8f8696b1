package sample

import (
	"slices"
	"time"

	"rolewise/commands"
	"rolewise/domain"
)

// editRole makes some changes to a role, a minute apart, and publishes the next version.
func (g *generator) editRole() (bool, error) {
	n := g.someRole()
	if n < 0 {
		return false, nil
	}
	r := &g.roles[n]
	for range 1 + g.random.IntN(4) {
		if c := g.edit(n, r); c != nil {
			if err := g.send(c); err != nil {
				return true, err
			}
			g.wait(g.now.Add(time.Minute))
		}
	}
	r.version++
	return true, g.send(commands.PublishRole{Role: g.role(n), OnPublish: g.onPublish()})
}

// edit changes the draft of a role in one way or another; nil if what was drawn does not fit.
func (g *generator) edit(n int, r *roleState) commands.Command {
	at := g.random.IntN(len(r.draft))
	e := &r.draft[at]
	role, skill := g.role(n), g.skill(e.skill)
	switch g.random.IntN(7) {
	case 0, 1:
		e.percent = []int{-10, 0, 10}[(slices.Index([]int{-10, 0, 10}, e.percent)+1+g.random.IntN(2))%3]
		return commands.AdjustGoal{Role: role, Skill: skill, Percent: e.percent}
	case 2:
		e.level = 1 + e.level%5
		return commands.SetRequiredLevel{Role: role, Skill: skill, Level: e.level}
	case 3:
		if e.skill == g.coreSkills(n)[0] { // one stays required, so that the role can be published
			return nil
		}
		e.required = !e.required
		return commands.SetSkillRequired{Role: role, Skill: skill, Required: e.required}
	case 4:
		return g.reorder(n, r)
	case 5:
		return g.changeExtra(n, r)
	}
	j := g.job(n)
	if g.random.IntN(3) == 0 {
		return commands.RenameRole{Role: role, Title: j.title + []string{"", " (m/f/x)", " II"}[g.random.IntN(3)]}
	}
	return commands.DescribeRole{Role: role, Description: j.about + " Edition " + g.now.Format("January 2006") + "."}
}

func (g *generator) reorder(n int, r *roleState) commands.Command {
	i, j := g.random.IntN(len(r.draft)), g.random.IntN(len(r.draft))
	r.draft[i], r.draft[j] = r.draft[j], r.draft[i]
	order := make([]domain.SkillID, len(r.draft))
	for k, e := range r.draft {
		order[k] = g.skill(e.skill)
	}
	return commands.ReorderRoleSkills{Role: g.role(n), Skills: order}
}

// changeExtra adds a skill beyond the core, or takes it out again.
func (g *generator) changeExtra(n int, r *roleState) commands.Command {
	if extra := r.extra - 1; extra >= 0 {
		r.extra = 0
		r.draft = slices.DeleteFunc(r.draft, func(e entry) bool { return e.skill == extra })
		return commands.RemoveRoleSkill{Role: g.role(n), Skill: g.skill(extra)}
	}
	s := g.random.IntN(g.newest())
	if g.status[s] != inUse || slices.ContainsFunc(r.draft, func(e entry) bool { return e.skill == s }) {
		return nil
	}
	r.extra = s + 1
	r.draft = append(r.draft, entry{skill: s})
	return commands.AddRoleSkill{Role: g.role(n), Skill: g.skill(s)}
}
