package projections

import (
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/domain/team"
	"rolewise/readmodels"
)

// directory lists who and what a plan has: its settings, members, teams and skills.
func directory() *Projection {
	return New(readmodels.Directory,
		On(func(f *Fold, e plan.PlanCreated) error {
			f.tx.Add(readmodels.Catalog, readmodels.PlanIndex, f.Plan)
			return editPlan(f, func(p *readmodels.PlanRow) {
				p.Plan, p.Name, p.Tier = f.Plan, e.Name, string(e.Tier)
				p.Recalculation, p.LevelRule = string(plan.Automatic), string(plan.DefaultRule.Name)
			})
		}),
		On(func(f *Fold, e plan.PlanTierChanged) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.Tier = string(e.To) })
		}),
		On(func(f *Fold, e plan.PlanFeatureGranted) error { return setFeature(f, e.Feature, true) }),
		On(func(f *Fold, e plan.PlanFeatureWithdrawn) error { return setFeature(f, e.Feature, false) }),
		On(func(f *Fold, e plan.RecalculationPolicySet) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.Recalculation = string(e.Recalculation) })
		}),
		On(func(f *Fold, e plan.LevelRulePolicySet) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.LevelRule = string(e.Rule.Name) })
		}),

		On(memberInvited),
		On(func(f *Fold, e member.InvitationAccepted) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) { m.Status = "active" })
		}),
		On(func(f *Fold, e member.TeamMemberAdded) error {
			if err := countTeam(f, e.Team, 1); err != nil {
				return err
			}
			return editMember(f, e.Member, func(m *readmodels.MemberRow) {
				m.Teams = append(m.Teams, readmodels.Membership{Team: string(e.Team), TeamRole: string(e.TeamRole)})
			})
		}),
		On(func(f *Fold, e member.TeamRoleChanged) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) {
				for i := range m.Teams {
					if m.Teams[i].Team == string(e.Team) {
						m.Teams[i].TeamRole = string(e.TeamRole)
					}
				}
			})
		}),
		On(func(f *Fold, e member.TeamMemberRemoved) error {
			if err := countTeam(f, e.Team, -1); err != nil {
				return err
			}
			return editMember(f, e.Member, func(m *readmodels.MemberRow) {
				kept := []readmodels.Membership{}
				for _, t := range m.Teams {
					if t.Team != string(e.Team) {
						kept = append(kept, t)
					}
				}
				m.Teams = kept
			})
		}),

		On(func(f *Fold, e team.TeamCreated) error {
			f.tx.Add(f.Plan, readmodels.TeamIndex, readmodels.EntryOf(readmodels.Fold(e.Name), string(e.Team)))
			row, err := edit(f, readmodels.TeamRows, e.Team)
			if err == nil {
				*row = readmodels.TeamRow{Team: string(e.Team), Name: e.Name, Parent: string(e.Parent)}
			}
			return err
		}),
		On(teamRenamed),
		On(func(f *Fold, e team.TeamMoved) error {
			row, err := edit(f, readmodels.TeamRows, e.Team)
			if err == nil {
				row.Parent = string(e.Parent)
			}
			return err
		}),

		On(skillDefined),
		On(skillRenamed),
		On(func(f *Fold, e skill.SkillValidated) error { return setSkillState(f, e.Skill, skill.Validated) }),
		On(func(f *Fold, e skill.SkillRetired) error { return setSkillState(f, e.Skill, skill.Retired) }),
		On(func(f *Fold, e skill.BenchmarkPublished) error {
			if e.Role != "" {
				return nil
			}
			row, err := edit(f, readmodels.SkillRows, e.Skill)
			if err == nil {
				row.Benchmark = &readmodels.BenchmarkRow{Version: e.Version, Thresholds: e.Thresholds, Source: e.Source}
			}
			return err
		}),
	)
}

func editPlan(f *Fold, change func(*readmodels.PlanRow)) error {
	row, err := edit(f, readmodels.PlanRows, "plan")
	if err == nil {
		change(row)
	}
	return err
}

func setFeature(f *Fold, feature plan.Feature, granted bool) error {
	return editPlan(f, func(p *readmodels.PlanRow) {
		if p.Features == nil {
			p.Features = map[string]bool{}
		}
		p.Features[string(feature)] = granted
	})
}

func editMember(f *Fold, id domain.MemberID, change func(*readmodels.MemberRow)) error {
	row, err := edit(f, readmodels.MemberRows, id)
	if err == nil {
		change(row)
	}
	return err
}

func memberInvited(f *Fold, e member.MemberInvited) error {
	f.tx.Add(f.Plan, readmodels.MemberIndex, readmodels.EntryOf(readmodels.Fold(e.Name), string(e.Member)))
	for _, word := range readmodels.Words(e.Name, e.Email) {
		f.tx.Add(f.Plan, readmodels.MemberWordIndex, readmodels.EntryOf(word, string(e.Member)))
	}
	if err := editPlan(f, func(p *readmodels.PlanRow) { p.Members++ }); err != nil {
		return err
	}
	return editMember(f, e.Member, func(m *readmodels.MemberRow) {
		*m = readmodels.MemberRow{
			Member: string(e.Member), Name: e.Name, Email: e.Email, Title: e.Title, AccessRole: string(e.AccessRole),
			Status: "invited", Teams: []readmodels.Membership{},
		}
	})
}

func countTeam(f *Fold, id domain.TeamID, by int) error {
	row, err := edit(f, readmodels.TeamRows, id)
	if err == nil {
		row.Members += by
	}
	return err
}

func teamRenamed(f *Fold, e team.TeamRenamed) error {
	row, err := edit(f, readmodels.TeamRows, e.Team)
	if err != nil {
		return err
	}
	f.tx.Remove(f.Plan, readmodels.TeamIndex, readmodels.EntryOf(readmodels.Fold(row.Name), string(e.Team)))
	f.tx.Add(f.Plan, readmodels.TeamIndex, readmodels.EntryOf(readmodels.Fold(e.Name), string(e.Team)))
	row.Name = e.Name
	return nil
}

func skillDefined(f *Fold, e skill.SkillDefined) error {
	row, err := edit(f, readmodels.SkillRows, e.Skill)
	if err != nil {
		return err
	}
	*row = readmodels.SkillRow{
		Skill: string(e.Skill), Plan: f.Plan, Name: e.Name, Description: e.Description, Icon: e.Icon,
		Synonyms: append([]string{}, e.Synonyms...), Parent: string(e.Parent), State: string(e.State),
	}
	indexSkill(f, row, f.tx.Add)
	return nil
}

func skillRenamed(f *Fold, e skill.SkillRenamed) error {
	row, err := edit(f, readmodels.SkillRows, e.Skill)
	if err != nil {
		return err
	}
	indexSkill(f, row, f.tx.Remove)
	row.Name = e.Name
	indexSkill(f, row, f.tx.Add)
	return nil
}

// indexSkill adds or removes the entries under which a skill is listed and found.
func indexSkill(f *Fold, row *readmodels.SkillRow, change func(plan, index, entry string)) {
	change(f.Plan, readmodels.SkillIndex, readmodels.EntryOf(readmodels.Fold(row.Name), row.Skill))
	for _, word := range readmodels.Words(append([]string{row.Name}, row.Synonyms...)...) {
		change(f.Plan, readmodels.SkillWordIndex, readmodels.EntryOf(word, row.Skill))
	}
}

func setSkillState(f *Fold, id domain.SkillID, to skill.Status) error {
	row, err := edit(f, readmodels.SkillRows, id)
	if err == nil {
		row.State = string(to)
	}
	return err
}
