package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/role"
)

// authoring is what all commands that write roles have in common.
func authoring(name, summary string) About {
	return About{Name: name, Summary: summary, Action: access.AuthorRoles, Feature: plan.Authoring}
}

// CreateRole starts a role from scratch, as a draft.
type CreateRole struct {
	Role  domain.RoleID `json:"role,omitempty" doc:"Id of the new role; one is made if it is left out."`
	Title string        `json:"title"`
}

func (CreateRole) About() About { return authoring("create-role", "Create a role from scratch.") }

func (c CreateRole) run(w *work) (Answer, error) {
	return w.newRole(c.Role, func(id domain.RoleID) (role.Command, error) {
		return role.Create{Role: id, Title: c.Title, Creator: w.req.Principal.Member}, nil
	})
}

// CustomizeRole starts a company role as a copy of a catalog role.
type CustomizeRole struct {
	Role   domain.RoleID `json:"role,omitempty" doc:"Id of the new role; one is made if it is left out."`
	Source domain.RoleID `json:"source" doc:"A published role of the catalog."`
	Title  string        `json:"title,omitempty" doc:"Left out: that of the source."`
}

func (CustomizeRole) About() About {
	return authoring("customize-role", "Create a role as a copy of a catalog role.")
}

func (c CustomizeRole) run(w *work) (Answer, error) {
	return w.copyRole(c.Role, c.Source, c.Title, true)
}

// DuplicateRole starts a company role as a copy of another.
type DuplicateRole struct {
	Role   domain.RoleID `json:"role,omitempty" doc:"Id of the new role; one is made if it is left out."`
	Source domain.RoleID `json:"source" doc:"A role of the plan."`
	Title  string        `json:"title,omitempty" doc:"Left out: that of the source, which only works if the source was renamed or deleted since: titles differ."`
}

func (DuplicateRole) About() About {
	return authoring("duplicate-role", "Create a role as a copy of another of the plan.")
}

func (c DuplicateRole) run(w *work) (Answer, error) {
	return w.copyRole(c.Role, c.Source, c.Title, false)
}

func (w *work) copyRole(given, source domain.RoleID, title string, fromCatalog bool) (Answer, error) {
	from := w.req.Plan
	if fromCatalog {
		from = domain.CatalogPlan
	}
	return w.newRole(given, func(id domain.RoleID) (role.Command, error) {
		at, err := load(w.ctx, w.Handler, roles, from, string(source))
		return role.Copy{
			Role: id, Title: title, Creator: w.req.Principal.Member, Source: source,
			FromCatalog: fromCatalog, SourceState: at.state,
		}, err
	})
}

func (w *work) newRole(given domain.RoleID, build func(domain.RoleID) (role.Command, error)) (Answer, error) {
	id := domain.RoleID(w.newID(string(given)))
	answer, err := w.titled(id, func(s role.State) (role.Command, error) {
		if !s.Exists && given != "" { // an id of the catalog's would hide that role from the plan
			other, err := w.Role(w.ctx, w.req.Plan, id)
			if err != nil {
				return nil, err
			}
			if other.Exists {
				return nil, domain.Conflictf("role_exists", "the catalog has a role of this id").At("/role")
			}
		}
		return build(id)
	})
	answer.ID = string(id)
	return answer, err
}

// RenameRole gives the draft another title.
type RenameRole struct {
	Role  domain.RoleID `json:"role"`
	Title string        `json:"title"`
}

func (RenameRole) About() About {
	return authoring("rename-role", "Give the draft of a role another title.")
}

func (c RenameRole) run(w *work) (Answer, error) { return w.decideRole(c.Role, role.Rename(c)) }

// DescribeRole sets what the role is about.
type DescribeRole struct {
	Role             domain.RoleID `json:"role"`
	Description      string        `json:"description"`
	Responsibilities []string      `json:"responsibilities,omitempty"`
}

func (DescribeRole) About() About {
	return authoring("describe-role", "Set the description and key responsibilities of the draft.")
}

func (c DescribeRole) run(w *work) (Answer, error) { return w.decideRole(c.Role, role.Describe(c)) }

// AddRoleSkill adds a skill to the draft; its goals are those of the current benchmark.
type AddRoleSkill struct {
	Role     domain.RoleID  `json:"role"`
	Skill    domain.SkillID `json:"skill"`
	Required bool           `json:"required"`
}

func (AddRoleSkill) About() About { return authoring("add-role-skill", "Add a skill to the draft.") }

func (c AddRoleSkill) run(w *work) (Answer, error) {
	return w.edit(c.Role, func(role.State) (role.Command, error) {
		s, err := w.Skill(w.ctx, w.req.Plan, c.Skill)
		return role.AddSkill{
			Role: c.Role, Skill: c.Skill, Required: c.Required, SkillStatus: s.Status, Benchmark: s.Benchmark(c.Role),
		}, err
	})
}

// RemoveRoleSkill takes a skill out of the draft.
type RemoveRoleSkill struct {
	Role  domain.RoleID  `json:"role"`
	Skill domain.SkillID `json:"skill"`
}

func (RemoveRoleSkill) About() About {
	return authoring("remove-role-skill", "Take a skill out of the draft.")
}

func (c RemoveRoleSkill) run(w *work) (Answer, error) {
	return w.decideRole(c.Role, role.RemoveSkill(c))
}

// ReorderRoleSkills puts the draft's skills in another order, any permutation at once.
type ReorderRoleSkills struct {
	Role   domain.RoleID    `json:"role"`
	Skills []domain.SkillID `json:"skills" doc:"All skills of the draft in the new order."`
}

func (ReorderRoleSkills) About() About {
	return authoring("reorder-role-skills", "Put the draft's skills in another order.")
}

func (c ReorderRoleSkills) run(w *work) (Answer, error) {
	return w.decideRole(c.Role, role.ReorderSkills(c))
}

// SetSkillRequired makes a skill of the draft required or optional.
type SetSkillRequired struct {
	Role     domain.RoleID  `json:"role"`
	Skill    domain.SkillID `json:"skill"`
	Required bool           `json:"required"`
}

func (SetSkillRequired) About() About {
	return authoring("set-skill-required", "Make a skill of the draft required or optional.")
}

func (c SetSkillRequired) run(w *work) (Answer, error) {
	return w.decideRole(c.Role, role.SetRequired(c))
}

// AdjustGoal moves the goals of a skill of the draft.
type AdjustGoal struct {
	Role    domain.RoleID  `json:"role"`
	Skill   domain.SkillID `json:"skill"`
	Percent int            `json:"percent" enum:"-10,0,10"`
}

func (AdjustGoal) About() About {
	return authoring("adjust-goal", "Move a skill's goals by -10, 0 or 10 percent of its benchmark.")
}

func (c AdjustGoal) run(w *work) (Answer, error) { return w.decideRole(c.Role, role.AdjustGoal(c)) }

// SetRequiredLevel sets the level on the rating scale that match scores ask for.
type SetRequiredLevel struct {
	Role  domain.RoleID  `json:"role"`
	Skill domain.SkillID `json:"skill"`
	Level int            `json:"level" doc:"1 to 5 on the rating scale; 0: none."`
}

func (SetRequiredLevel) About() About {
	return authoring("set-required-level", "Set the required level of a skill on the rating scale.")
}

func (c SetRequiredLevel) run(w *work) (Answer, error) {
	return w.decideRole(c.Role, role.SetRequiredLevel(c))
}

// PublishRole makes the draft the next version in force.
type PublishRole struct {
	Role      domain.RoleID  `json:"role"`
	OnPublish role.OnPublish `json:"on_publish,omitempty" enum:"re_evaluate,grandfather" doc:"Whether members who completed the version before are judged by the new one (re_evaluate, default) or stay with the old (grandfather)."`
}

func (PublishRole) About() About {
	return authoring("publish-role", "Publish the draft as the next version.")
}

func (c PublishRole) run(w *work) (Answer, error) { return w.decideRole(c.Role, role.Publish(c)) }

func (w *work) decideRole(id domain.RoleID, c role.Command) (Answer, error) {
	return w.edit(id, func(role.State) (role.Command, error) { return c, nil })
}

// edit carries out a command that only those may send who may edit the role (SPEC ROL-10).
func (w *work) edit(id domain.RoleID, build func(role.State) (role.Command, error)) (Answer, error) {
	return w.permitted(id, access.OfRole.Edit, build)
}

// permitted carries out a command on a role that some may send and others not.
func (w *work) permitted(id domain.RoleID, may func(access.OfRole) error, build func(role.State) (role.Command, error)) (Answer, error) {
	return w.titled(id, func(s role.State) (role.Command, error) {
		if s.Exists {
			rights, err := w.OfRole(w.ctx, w.req.Principal, w.req.Plan, s)
			if err != nil {
				return nil, err
			}
			if err := may(rights); err != nil {
				return nil, err
			}
		}
		return build(s)
	})
}
