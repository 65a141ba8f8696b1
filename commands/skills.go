package commands

import (
	"time"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/results"
	"rolewise/domain/skill"
)

// DefineSkill adds a skill to the plan.
type DefineSkill struct {
	Skill       domain.SkillID `json:"skill,omitempty" doc:"Id of the new skill; one is made if it is left out."`
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Icon        string         `json:"icon,omitempty"`
	Synonyms    []string       `json:"synonyms,omitempty"`
	Parent      domain.SkillID `json:"parent,omitempty"`
	State       skill.Status   `json:"state" enum:"beta,validated"`
}

func (DefineSkill) About() About {
	return About{Name: "define-skill", Summary: "Add a skill to the plan.", Action: access.DefineSkills}
}

func (c DefineSkill) run(w *work) (Answer, error) {
	id := domain.SkillID(w.newID(string(c.Skill)))
	answer, err := decide(w, skills, string(id), func(s skill.State) (skill.Command, error) {
		if !s.Exists && c.Skill != "" { // an id of the catalog's would hide that skill from the plan
			other, err := w.Skill(w.ctx, w.req.Plan, id)
			if err != nil {
				return nil, err
			}
			if other.Exists {
				return nil, domain.Conflictf("skill_exists", "the catalog has a skill of this id").At("/skill")
			}
		}
		define := skill.Define{
			Skill: id, Name: c.Name, Description: c.Description, Icon: c.Icon, Synonyms: c.Synonyms, Parent: c.Parent, State: c.State,
		}
		if c.Parent == "" {
			return define, nil
		}
		parent, err := w.Skill(w.ctx, w.req.Plan, c.Parent)
		define.ParentExists = parent.Exists
		return define, err
	})
	answer.ID = string(id)
	return answer, err
}

// RenameSkill gives a skill another name.
type RenameSkill struct {
	Skill domain.SkillID `json:"skill"`
	Name  string         `json:"name"`
}

func (RenameSkill) About() About {
	return About{Name: "rename-skill", Summary: "Give a skill another name.", Action: access.DefineSkills}
}

func (c RenameSkill) run(w *work) (Answer, error) { return w.decideSkill(c.Skill, skill.Rename(c)) }

// ValidateSkill takes a skill out of beta; measurements count from then on.
type ValidateSkill struct {
	Skill domain.SkillID `json:"skill"`
}

func (ValidateSkill) About() About {
	return About{Name: "validate-skill", Summary: "Take a skill out of beta.", Action: access.DefineSkills}
}

func (c ValidateSkill) run(w *work) (Answer, error) { return w.decideSkill(c.Skill, skill.Validate(c)) }

// RetireSkill ends the measuring of a skill.
type RetireSkill struct {
	Skill domain.SkillID `json:"skill"`
}

func (RetireSkill) About() About {
	return About{Name: "retire-skill", Summary: "End the measuring of a skill.", Action: access.DefineSkills}
}

func (c RetireSkill) run(w *work) (Answer, error) { return w.decideSkill(c.Skill, skill.Retire(c)) }

// PublishBenchmark publishes the next version of a benchmark, for a skill or for a skill in one role.
type PublishBenchmark struct {
	Skill      domain.SkillID `json:"skill"`
	Role       domain.RoleID  `json:"role,omitempty" doc:"The role it is meant for; left out: every role."`
	Thresholds []int          `json:"thresholds" doc:"Scores from which a member is entry, mid, senior: 0 to 300, strictly rising."`
	Source     string         `json:"source"`
}

func (PublishBenchmark) About() About {
	return About{Name: "publish-benchmark", Summary: "Publish a benchmark of a skill.", Action: access.DefineSkills}
}

func (c PublishBenchmark) run(w *work) (Answer, error) {
	if len(c.Thresholds) != len(skill.Thresholds{}) {
		return Answer{}, domain.Invalidf("/thresholds", "invalid_length", "must be three: entry, mid, senior")
	}
	publish := skill.PublishBenchmark{Skill: c.Skill, Role: c.Role, Thresholds: skill.Thresholds(c.Thresholds), Source: c.Source}
	return decide(w, skills, string(c.Skill), func(skill.State) (skill.Command, error) {
		if c.Role == "" {
			return publish, nil
		}
		role, err := w.Role(w.ctx, w.req.Plan, c.Role)
		publish.RoleExists = role.Exists
		return publish, err
	})
}

func (w *work) decideSkill(id domain.SkillID, c skill.Command) (Answer, error) {
	return decide(w, skills, string(id), func(skill.State) (skill.Command, error) { return c, nil })
}

// RecordSkillIQ records a measurement. The same session twice is one measurement.
type RecordSkillIQ struct {
	Member            domain.MemberID `json:"member"`
	Skill             domain.SkillID  `json:"skill"`
	Score             int             `json:"score" doc:"0 to 300."`
	Percentile        int             `json:"percentile" doc:"0 to 100."`
	MeasuredAt        time.Time       `json:"measured_at"`
	Session           results.Session `json:"session" doc:"Names one sitting of the assessment."`
	AssessmentVersion string          `json:"assessment_version,omitempty"`
	Source            string          `json:"source,omitempty"`
}

func (RecordSkillIQ) About() About {
	return About{Name: "record-skill-iq", Summary: "Record a measured Skill IQ.", Action: access.RecordResults}
}

func (c RecordSkillIQ) run(w *work) (Answer, error) {
	return decide(w, measured, results.StreamID(c.Member, c.Skill), func(results.State) (results.Command, error) {
		exists, err := w.memberExists(c.Member)
		if err != nil {
			return nil, err
		}
		s, err := w.Skill(w.ctx, w.req.Plan, c.Skill)
		return results.Record{
			Member: c.Member, MemberExists: exists, Skill: c.Skill, SkillStatus: s.Status, Score: c.Score, Percentile: c.Percentile,
			MeasuredAt: c.MeasuredAt, Session: c.Session, AssessmentVersion: c.AssessmentVersion, Source: c.Source, Now: w.time,
		}, err
	})
}

// InvalidateSkillIQ withdraws a measurement; everything derived from it follows (SPEC MSR-5).
type InvalidateSkillIQ struct {
	Member  domain.MemberID `json:"member"`
	Skill   domain.SkillID  `json:"skill"`
	Session results.Session `json:"session"`
	Reason  string          `json:"reason"`
}

func (InvalidateSkillIQ) About() About {
	return About{Name: "invalidate-skill-iq", Summary: "Withdraw a measurement.", Action: access.RecordResults}
}

func (c InvalidateSkillIQ) run(w *work) (Answer, error) {
	return decide(w, measured, results.StreamID(c.Member, c.Skill), func(results.State) (results.Command, error) {
		return results.Invalidate(c), nil
	})
}
