// Package role decides about a job role: its draft, and the versions published from it.
// Stream: role-<plan>.<role>.
package role

import (
	"rolewise/domain"
	"rolewise/domain/skill"
)

// Category is the first part of the stream's name.
const Category = "role"

// Skill is a skill in a role, with the goals that a member is held against.
type Skill struct {
	Skill         domain.SkillID   `json:"skill"`
	Required      bool             `json:"required"`
	Percent       int              `json:"percent"`   // -10, 0 or 10: how far the goals lie from the benchmark
	Benchmark     skill.Benchmark  `json:"benchmark"` // the version that was taken over
	Goals         skill.Thresholds `json:"goals"`     // of the benchmark, adjusted
	RequiredLevel int              `json:"required_level,omitempty"`
}

// Content is what a version of a role consists of.
type Content struct {
	Title            string   `json:"title" personal:"-"`
	Description      string   `json:"description,omitempty" personal:"-"`
	Responsibilities []string `json:"responsibilities,omitempty" personal:"-"`
	Skills           []Skill  `json:"skills"`
	Badge            Badge    `json:"badge,omitzero"` // since schema version 2 of the events that carry it
}

// OnPublish says what a new version means for members who completed the one before (SPEC ROL-8).
type OnPublish string

const (
	ReEvaluate  OnPublish = "re_evaluate" // they are judged by the new version
	Grandfather OnPublish = "grandfather" // they stay with the old one
)

// Events of a role.
type (
	Event interface{ role() }

	RoleCreated struct {
		Role    domain.RoleID   `json:"role"`
		Title   string          `json:"title" personal:"-"`
		Creator domain.MemberID `json:"creator,omitempty"`
	}
	// RoleCustomized starts a company role as a copy of a published catalog role.
	RoleCustomized struct {
		Role          domain.RoleID   `json:"role"`
		Source        domain.RoleID   `json:"source"`
		SourceVersion int             `json:"source_version"`
		Content       Content         `json:"content"`
		Creator       domain.MemberID `json:"creator,omitempty"`
	}
	// RoleDuplicated starts a company role as a copy of another of the same plan. Version 0 is a draft.
	RoleDuplicated struct {
		Role          domain.RoleID   `json:"role"`
		Source        domain.RoleID   `json:"source"`
		SourceVersion int             `json:"source_version"`
		Content       Content         `json:"content"`
		Creator       domain.MemberID `json:"creator,omitempty"`
	}
	RoleRenamed struct {
		Role  domain.RoleID `json:"role"`
		Title string        `json:"title" personal:"-"`
	}
	RoleDescribed struct {
		Role             domain.RoleID `json:"role"`
		Description      string        `json:"description" personal:"-"`
		Responsibilities []string      `json:"responsibilities,omitempty" personal:"-"`
	}
	RoleSkillAdded struct {
		Role  domain.RoleID `json:"role"`
		Skill Skill         `json:"skill"`
	}
	RoleSkillRemoved struct {
		Role  domain.RoleID  `json:"role"`
		Skill domain.SkillID `json:"skill"`
	}
	RoleSkillsReordered struct {
		Role   domain.RoleID    `json:"role"`
		Skills []domain.SkillID `json:"skills"`
	}
	RoleSkillRequirementSet struct {
		Role     domain.RoleID  `json:"role"`
		Skill    domain.SkillID `json:"skill"`
		Required bool           `json:"required"`
	}
	GoalAdjusted struct {
		Role    domain.RoleID    `json:"role"`
		Skill   domain.SkillID   `json:"skill"`
		Percent int              `json:"percent"`
		Goals   skill.Thresholds `json:"goals"`
	}
	RequiredLevelSet struct {
		Role  domain.RoleID  `json:"role"`
		Skill domain.SkillID `json:"skill"`
		Level int            `json:"level"` // on the rating scale; 0: none
	}
	RoleBadgePersonalized struct {
		Role  domain.RoleID `json:"role"`
		Badge Badge         `json:"badge"`
	}
	// RoleCategorized is in force at once, for the draft and the version in force: it is no part of a version.
	RoleCategorized struct {
		Role     domain.RoleID     `json:"role"`
		Category domain.CategoryID `json:"category,omitempty"` // empty: none
	}
	RoleDeleted struct {
		Role domain.RoleID `json:"role"`
	}
	RoleRestored struct {
		Role domain.RoleID `json:"role"`
	}
	RoleTransferred struct {
		Role domain.RoleID   `json:"role"`
		From domain.MemberID `json:"from,omitempty"`
		To   domain.MemberID `json:"to"`
	}
	// RoleTitleYielded says that another role asked for a title reserved for this one, which did not have it. It changes
	// nothing but the revision: what was about to give this role the title fails, and is decided anew.
	RoleTitleYielded struct {
		Role domain.RoleID `json:"role"`
	}
	// RolePublished carries the whole content, so that whoever follows needs no other event of the role.
	RolePublished struct {
		Role      domain.RoleID `json:"role"`
		Version   int           `json:"version"`
		Content   Content       `json:"content"`
		OnPublish OnPublish     `json:"on_publish"`
	}
)

func (RoleCreated) role()             {}
func (RoleCustomized) role()          {}
func (RoleDuplicated) role()          {}
func (RoleRenamed) role()             {}
func (RoleDescribed) role()           {}
func (RoleSkillAdded) role()          {}
func (RoleSkillRemoved) role()        {}
func (RoleSkillsReordered) role()     {}
func (RoleSkillRequirementSet) role() {}
func (GoalAdjusted) role()            {}
func (RequiredLevelSet) role()        {}
func (RoleBadgePersonalized) role()   {}
func (RoleCategorized) role()         {}
func (RoleDeleted) role()             {}
func (RoleRestored) role()            {}
func (RoleTransferred) role()         {}
func (RoleTitleYielded) role()        {}
func (RolePublished) role()           {}

// Events lists the event types of a role.
var Events = domain.NewCatalog(
	domain.Type[RoleCreated]("RoleCreated"),
	domain.Type[RoleCustomized]("RoleCustomized", withoutBadge),
	domain.Type[RoleDuplicated]("RoleDuplicated", withoutBadge),
	domain.Type[RoleRenamed]("RoleRenamed"),
	domain.Type[RoleDescribed]("RoleDescribed"),
	domain.Type[RoleSkillAdded]("RoleSkillAdded"),
	domain.Type[RoleSkillRemoved]("RoleSkillRemoved"),
	domain.Type[RoleSkillsReordered]("RoleSkillsReordered"),
	domain.Type[RoleSkillRequirementSet]("RoleSkillRequirementSet"),
	domain.Type[GoalAdjusted]("GoalAdjusted"),
	domain.Type[RequiredLevelSet]("RequiredLevelSet"),
	domain.Type[RoleBadgePersonalized]("RoleBadgePersonalized"),
	domain.Type[RoleCategorized]("RoleCategorized"),
	domain.Type[RoleDeleted]("RoleDeleted"),
	domain.Type[RoleRestored]("RoleRestored"),
	domain.Type[RoleTransferred]("RoleTransferred"),
	domain.Type[RoleTitleYielded]("RoleTitleYielded"),
	domain.Type[RolePublished]("RolePublished", withoutBadge),
)

// withoutBadge leads from version 1 of a content to version 2: roles had no badge, and so have none.
func withoutBadge(data map[string]any) map[string]any { return data }
