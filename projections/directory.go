package projections

import (
	"rolewise/domain"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// directory lists who and what a plan has: its settings, members, teams and skills.
func directory() *Projection {
	rules := append(memberRules(), teamRules()...)
	return New(readmodels.Directory, append(rules,
		On(func(f *Fold, e plan.PlanCreated) error {
			f.tx.Add(readmodels.Catalog, readmodels.PlanIndex, f.Plan)
			return editPlan(f, func(p *readmodels.PlanRow) {
				p.Plan, p.Name, p.Tier = f.Plan, e.Name, string(e.Tier)
				p.Recalculation, p.LevelRule = string(plan.Automatic), string(plan.DefaultRule.Name)
				p.Licences.Total = plan.TierLicences(e.Tier)
			})
		}),
		On(func(f *Fold, e plan.PlanTierChanged) error {
			return editPlan(f, func(p *readmodels.PlanRow) {
				p.Tier = string(e.To)
				if !p.Licences.Own {
					p.Licences.Total = plan.TierLicences(e.To)
				}
			})
		}),
		On(func(f *Fold, e plan.PlanLicencesSet) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.Licences.Total, p.Licences.Own = e.Licences, true })
		}),
		On(func(f *Fold, e plan.PlanFeatureGranted) error { return setFeature(f, e.Feature, true) }),
		On(func(f *Fold, e plan.PlanFeatureWithdrawn) error { return setFeature(f, e.Feature, false) }),
		On(func(f *Fold, e plan.RecalculationPolicySet) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.Recalculation = string(e.Recalculation) })
		}),
		On(func(f *Fold, e plan.LevelRulePolicySet) error {
			return editPlan(f, func(p *readmodels.PlanRow) { p.LevelRule = string(e.Rule.Name) })
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
	)...)
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
	for _, entry := range readmodels.WordEntries(row.Skill, append([]string{row.Name}, row.Synonyms...)...) {
		change(f.Plan, readmodels.SkillWordIndex, entry)
	}
}

func setSkillState(f *Fold, id domain.SkillID, to skill.Status) error {
	row, err := edit(f, readmodels.SkillRows, id)
	if err == nil {
		row.State = string(to)
	}
	return err
}
