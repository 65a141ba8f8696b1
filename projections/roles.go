package projections

import (
	"fmt"

	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// roles keeps what authors work on: drafts and published versions.
func roles() *Projection {
	return New(readmodels.Roles,
		On(func(f *Fold, e role.RoleCreated) error {
			return newRole(f, readmodels.RoleRow{Role: string(e.Role), Creator: string(e.Creator)}, role.Content{Title: e.Title})
		}),
		On(func(f *Fold, e role.RoleCustomized) error {
			copied := readmodels.RoleRow{Role: string(e.Role), Source: string(e.Source), SourceVersion: e.SourceVersion, Creator: string(e.Creator)}
			return newRole(f, copied, e.Content)
		}),
		On(func(f *Fold, e role.RoleDuplicated) error {
			copied := readmodels.RoleRow{Role: string(e.Role), Source: string(e.Source), SourceVersion: e.SourceVersion, Creator: string(e.Creator)}
			return newRole(f, copied, e.Content)
		}),
		On(roleRenamed),
		On(func(f *Fold, e role.RoleDescribed) error {
			return editDraft(f, e.Role, func(c *readmodels.RoleContent) {
				c.Description, c.Responsibilities = e.Description, append([]string{}, e.Responsibilities...)
			})
		}),
		On(func(f *Fold, e role.RoleSkillAdded) error {
			return editDraft(f, e.Role, func(c *readmodels.RoleContent) { c.Skills = append(c.Skills, roleSkill(e.Skill)) })
		}),
		On(func(f *Fold, e role.RoleSkillRemoved) error {
			return editDraft(f, e.Role, func(c *readmodels.RoleContent) {
				kept := []readmodels.RoleSkill{}
				for _, s := range c.Skills {
					if s.Skill != string(e.Skill) {
						kept = append(kept, s)
					}
				}
				c.Skills = kept
			})
		}),
		On(func(f *Fold, e role.RoleSkillsReordered) error {
			return editDraft(f, e.Role, func(c *readmodels.RoleContent) {
				ordered := []readmodels.RoleSkill{}
				for _, id := range e.Skills {
					for _, s := range c.Skills {
						if s.Skill == string(id) {
							ordered = append(ordered, s)
						}
					}
				}
				c.Skills = ordered
			})
		}),
		On(func(f *Fold, e role.RoleSkillRequirementSet) error {
			return editSkill(f, e.Role, e.Skill, func(s *readmodels.RoleSkill) { s.Required = e.Required })
		}),
		On(func(f *Fold, e role.GoalAdjusted) error {
			return editSkill(f, e.Role, e.Skill, func(s *readmodels.RoleSkill) { s.Percent, s.Goals = e.Percent, e.Goals })
		}),
		On(func(f *Fold, e role.RequiredLevelSet) error {
			return editSkill(f, e.Role, e.Skill, func(s *readmodels.RoleSkill) { s.RequiredLevel = e.Level })
		}),
		On(rolePublished),
		On(func(f *Fold, e role.RoleBadgePersonalized) error {
			return editDraft(f, e.Role, func(c *readmodels.RoleContent) { c.Badge = roleBadge(e.Badge) })
		}),
		On(func(f *Fold, e role.RoleCategorized) error {
			return relistRole(f, e.Role, func(row *readmodels.RoleRow) { row.Category = string(e.Category) })
		}),
		On(func(f *Fold, e role.RoleTransferred) error {
			return relistRole(f, e.Role, func(row *readmodels.RoleRow) { row.Creator = string(e.To) })
		}),
		On(func(f *Fold, e role.RoleDeleted) error {
			return relistRole(f, e.Role, func(row *readmodels.RoleRow) { row.State = deleted })
		}),
		On(func(f *Fold, e role.RoleRestored) error {
			return relistRole(f, e.Role, func(row *readmodels.RoleRow) {
				if row.State = draft; row.Version > 0 {
					row.State = published
				}
			})
		}),
		On(func(f *Fold, e role.RoleTitleYielded) error { // its revision is all that changes
			row, err := peek(f, readmodels.RoleRows, e.Role)
			if err != nil || row == nil {
				return err
			}
			return relistRole(f, e.Role, func(*readmodels.RoleRow) {})
		}),
		On(categoryCreated), On(categoryFeatured), On(directoryPolicySet), On(pathwaySet),
		On(nameSkillWithIcon), On(renameSkill), On(validateSkill), On(retireSkill),
		On(func(f *Fold, e skill.BenchmarkPublished) error {
			id := string(e.Skill)
			if e.Role != "" {
				id = readmodels.PairID(id, string(e.Role))
			}
			current, err := edit(f, readmodels.Benchmarks, id)
			if err == nil {
				current.Version = e.Version
			}
			return err
		}),
	)
}

// States of a role in its row.
const (
	draft     = "draft"
	published = "published"
	deleted   = "deleted"
)

func newRole(f *Fold, given readmodels.RoleRow, content role.Content) error {
	row, err := edit(f, readmodels.RoleRows, given.Role)
	if err != nil {
		return err
	}
	*row = given
	row.Title, row.State, row.Draft, row.Edited, row.Revision = content.Title, draft, roleContent(content), true, int64(f.Revision)
	listRole(f, row, f.tx.Add)
	return nil
}

// listRole adds or removes the entries under which a role is listed.
func listRole(f *Fold, row *readmodels.RoleRow, change func(plan, index, entry string)) {
	entry := readmodels.EntryOf(readmodels.Fold(row.Title), row.Role)
	by := readmodels.EntryOf(row.Creator, entry)
	if row.State == deleted {
		change(f.Plan, readmodels.DeletedIndex, entry)
		change(f.Plan, readmodels.DeletedByIndex, by)
		return
	}
	change(f.Plan, readmodels.RoleIndex, entry)
	if row.State == draft {
		change(f.Plan, readmodels.DraftIndex, entry)
		change(f.Plan, readmodels.DraftByIndex, by)
		return
	}
	change(f.Plan, readmodels.PublishedIndex, entry)
	if row.Category != "" {
		change(f.Plan, readmodels.CategoryRoleIndex, readmodels.EntryOf(row.Category, entry))
	}
}

// relistRole changes a role in what decides where it is listed.
func relistRole(f *Fold, id domain.RoleID, change func(*readmodels.RoleRow)) error {
	row, err := edit(f, readmodels.RoleRows, id)
	if err != nil {
		return err
	}
	listRole(f, row, f.tx.Remove)
	change(row)
	row.Revision = int64(f.Revision)
	listRole(f, row, f.tx.Add)
	return nil
}

func roleRenamed(f *Fold, e role.RoleRenamed) error {
	if err := editDraft(f, e.Role, func(c *readmodels.RoleContent) { c.Title = e.Title }); err != nil {
		return err
	}
	row, err := edit(f, readmodels.RoleRows, e.Role)
	if err != nil || row.State != draft {
		return err
	}
	listRole(f, row, f.tx.Remove)
	row.Title = e.Title
	listRole(f, row, f.tx.Add)
	return nil
}

func editDraft(f *Fold, id domain.RoleID, change func(*readmodels.RoleContent)) error {
	row, err := edit(f, readmodels.RoleRows, id)
	if err == nil {
		change(&row.Draft)
		row.Edited, row.Revision = true, int64(f.Revision)
	}
	return err
}

func editSkill(f *Fold, id domain.RoleID, of domain.SkillID, change func(*readmodels.RoleSkill)) error {
	return editDraft(f, id, func(c *readmodels.RoleContent) {
		for i := range c.Skills {
			if c.Skills[i].Skill == string(of) {
				change(&c.Skills[i])
			}
		}
	})
}

func rolePublished(f *Fold, e role.RolePublished) error {
	row, err := edit(f, readmodels.RoleRows, e.Role)
	if err != nil {
		return err
	}
	listRole(f, row, f.tx.Remove)
	inForce := roleContent(e.Content)
	row.Title, row.State, row.Version, row.InForce = e.Content.Title, published, e.Version, &inForce
	row.Draft, row.Edited, row.Revision = roleContent(e.Content), false, int64(f.Revision)
	listRole(f, row, f.tx.Add)

	id := readmodels.VersionID(string(e.Role), e.Version)
	version, err := edit(f, readmodels.VersionRows, id)
	if err != nil {
		return err
	}
	*version = readmodels.VersionRow{
		Role: string(e.Role), Version: e.Version, PublishedAt: f.Time, OnPublish: string(e.OnPublish), Content: roleContent(e.Content),
	}
	f.tx.Add(f.Plan, readmodels.VersionIndex, readmodels.VersionEntry(string(e.Role), e.Version))
	return nil
}

func roleContent(c role.Content) readmodels.RoleContent {
	content := readmodels.RoleContent{
		Title: c.Title, Description: c.Description, Responsibilities: append([]string{}, c.Responsibilities...), Skills: []readmodels.RoleSkill{},
		Badge: roleBadge(c.Badge),
	}
	for _, s := range c.Skills {
		content.Skills = append(content.Skills, roleSkill(s))
	}
	return content
}

func roleBadge(b role.Badge) *readmodels.RoleBadge {
	if b == (role.Badge{}) {
		return nil
	}
	return &readmodels.RoleBadge{Icon: b.Icon, Color: string(b.Color)}
}

func roleSkill(s role.Skill) readmodels.RoleSkill {
	return readmodels.RoleSkill{
		Skill: string(s.Skill), Required: s.Required, Percent: s.Percent, Goals: s.Goals,
		BenchmarkVersion: s.Benchmark.Version, BenchmarkRole: string(s.Benchmark.Role), RequiredLevel: s.RequiredLevel,
	}
}

// The names and states of skills, as every projection about roles keeps them.

func nameSkill(f *Fold, e skill.SkillDefined) error {
	row, err := edit(f, readmodels.SkillNames, e.Skill)
	if err == nil {
		*row = readmodels.SkillName{Name: e.Name, State: string(e.State)}
	}
	return err
}

// nameSkillWithIcon is nameSkill for the editor of roles, which suggests the icons of skills for badges.
func nameSkillWithIcon(f *Fold, e skill.SkillDefined) error {
	row, err := edit(f, readmodels.SkillNames, e.Skill)
	if err == nil {
		*row = readmodels.SkillName{Name: e.Name, State: string(e.State), Icon: e.Icon}
	}
	return err
}

func renameSkill(f *Fold, e skill.SkillRenamed) error {
	row, err := edit(f, readmodels.SkillNames, e.Skill)
	if err == nil {
		row.Name = e.Name
	}
	return err
}

func validateSkill(f *Fold, e skill.SkillValidated) error {
	return setSkillName(f, e.Skill, skill.Validated)
}

func retireSkill(f *Fold, e skill.SkillRetired) error { return setSkillName(f, e.Skill, skill.Retired) }

func setSkillName(f *Fold, id domain.SkillID, to skill.Status) error {
	row, err := edit(f, readmodels.SkillNames, id)
	if err != nil {
		return fmt.Errorf("name skill: %w", err)
	}
	row.State = string(to)
	return nil
}
