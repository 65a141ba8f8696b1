package readmodels

import "slices"

// Rows of what publishing a draft would change in the version in force.
type (
	// RoleDiff has null, or an empty list, for what stays as it is.
	RoleDiff struct {
		Role             string                `json:"role"`
		Version          int                   `json:"version"` // in force; 0: none, so that all is new
		Changed          bool                  `json:"changed"`
		Title            *TextChange           `json:"title"`
		Description      *TextChange           `json:"description"`
		Responsibilities *ListChange           `json:"responsibilities"`
		Badge            *BadgeChange          `json:"badge"`
		Added            []RoleSkill           `json:"added"`
		Removed          []RoleSkill           `json:"removed"`
		Altered          []RoleSkillDifference `json:"altered"`
		Reordered        bool                  `json:"reordered"` // skills that stay stand in another order
	}
	// TextChange is a text before and after.
	TextChange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	// ListChange is a list of texts before and after.
	ListChange struct {
		From []string `json:"from"`
		To   []string `json:"to"`
	}
	// BadgeChange is a badge before and after.
	BadgeChange struct {
		From *RoleBadge `json:"from"`
		To   *RoleBadge `json:"to"`
	}
	// RoleSkillDifference is a skill before and after.
	RoleSkillDifference struct {
		Skill string    `json:"skill"`
		Name  string    `json:"name"`
		From  RoleSkill `json:"from"`
		To    RoleSkill `json:"to"`
	}
)

// Diff compares the draft with the version in force (SPEC ROL-8).
func (r *RoleRow) Diff() RoleDiff {
	d := RoleDiff{Role: r.Role, Version: r.Version, Added: []RoleSkill{}, Removed: []RoleSkill{}, Altered: []RoleSkillDifference{}}
	was, is := RoleContent{Responsibilities: []string{}}, r.Draft
	if r.InForce != nil {
		was = *r.InForce
	}
	d.Title, d.Description = textChange(was.Title, is.Title), textChange(was.Description, is.Description)
	if !slices.Equal(was.Responsibilities, is.Responsibilities) {
		d.Responsibilities = &ListChange{was.Responsibilities, is.Responsibilities}
	}
	if (was.Badge == nil) != (is.Badge == nil) || was.Badge != nil && *was.Badge != *is.Badge {
		d.Badge = &BadgeChange{was.Badge, is.Badge}
	}
	d.skills(was.Skills, is.Skills)
	d.Changed = d.Title != nil || d.Description != nil || d.Responsibilities != nil || d.Badge != nil ||
		len(d.Added)+len(d.Removed)+len(d.Altered) > 0 || d.Reordered
	return d
}

func textChange(from, to string) *TextChange {
	if from == to {
		return nil
	}
	return &TextChange{from, to}
}

func (d *RoleDiff) skills(was, is []RoleSkill) {
	in := func(list []RoleSkill, id string) int {
		return slices.IndexFunc(list, func(s RoleSkill) bool { return s.Skill == id })
	}
	last := -1
	for _, s := range is {
		i := in(was, s.Skill)
		if i < 0 {
			d.Added = append(d.Added, s)
			continue
		}
		d.Reordered = d.Reordered || i < last
		last = i
		before, after := was[i], s
		before.NewerBenchmark, after.NewerBenchmark = false, false // no part of the content
		if before != after {
			d.Altered = append(d.Altered, RoleSkillDifference{s.Skill, s.Name, was[i], s})
		}
	}
	for _, s := range was {
		if in(is, s.Skill) < 0 {
			d.Removed = append(d.Removed, s)
		}
	}
}
