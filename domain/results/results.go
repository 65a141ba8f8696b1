// Package results decides about what was measured of one member in one skill.
// Stream: results-<plan>.<member>.<skill>.
package results

import (
	"maps"
	"time"

	"rolewise/domain"
	"rolewise/domain/skill"
)

// Category is the first part of the stream's name.
const Category = "results"

// StreamID is the last part of the name of the stream of one member in one skill.
func StreamID(m domain.MemberID, s domain.SkillID) string { return string(m) + "." + string(s) }

// Session identifies one sitting of an assessment, as the assessment system names it.
type Session string

// Events of a member in a skill.
type (
	Event interface{ results() }

	SkillIQMeasured struct {
		Member            domain.MemberID `json:"member"`
		Skill             domain.SkillID  `json:"skill"`
		Session           Session         `json:"session"`
		Score             int             `json:"score"`      // 0 to 300
		Percentile        int             `json:"percentile"` // 0 to 100
		Level             skill.Level     `json:"level"`
		Scheme            skill.Scheme    `json:"scheme"`
		MeasuredAt        time.Time       `json:"measured_at"`
		AssessmentVersion string          `json:"assessment_version,omitempty" personal:"-"`
		Source            string          `json:"source,omitempty" personal:"-"`
	}
	// BetaAssessmentTaken stands for a sitting while the skill was in beta: it has no score and never counts.
	BetaAssessmentTaken struct {
		Member  domain.MemberID `json:"member"`
		Skill   domain.SkillID  `json:"skill"`
		Session Session         `json:"session"`
		TakenAt time.Time       `json:"taken_at"`
	}
	SkillIQInvalidated struct {
		Member  domain.MemberID `json:"member"`
		Skill   domain.SkillID  `json:"skill"`
		Session Session         `json:"session"`
		Reason  string          `json:"reason" personal:"member"`
	}
)

func (SkillIQMeasured) results()     {}
func (BetaAssessmentTaken) results() {}
func (SkillIQInvalidated) results()  {}

// Events lists the event types of a member in a skill.
var Events = domain.NewCatalog(
	domain.Type[SkillIQMeasured]("SkillIQMeasured"),
	domain.Type[BetaAssessmentTaken]("BetaAssessmentTaken"),
	domain.Type[SkillIQInvalidated]("SkillIQInvalidated"),
)

// Commands about a member in a skill. Facts: whether the member exists, the skill's status, the time.
type (
	Command interface{ command() }

	Record struct {
		Member            domain.MemberID
		MemberExists      bool
		Skill             domain.SkillID
		SkillStatus       skill.Status // empty: no such skill
		Score             int
		Percentile        int
		MeasuredAt        time.Time
		Session           Session
		AssessmentVersion string
		Source            string
		Now               time.Time
	}
	Invalidate struct {
		Member  domain.MemberID
		Skill   domain.SkillID
		Session Session
		Reason  string
	}
)

func (Record) command()     {}
func (Invalidate) command() {}

// State is what later decisions need: the sessions seen, and whether each still counts.
type State struct{ Sessions map[Session]bool }

// Decider holds the rules of measurements (SPEC MSR-1, MSR-3 to MSR-5).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Record:
		if err := c.check(); err != nil {
			return nil, err
		}
		if _, seen := s.Sessions[c.Session]; seen {
			return nil, nil
		}
		switch c.SkillStatus {
		case skill.Retired:
			return nil, domain.Conflictf("skill_retired", "a retired skill is not measured any more").At("/skill")
		case skill.Beta:
			return []Event{BetaAssessmentTaken{Member: c.Member, Skill: c.Skill, Session: c.Session, TakenAt: c.MeasuredAt.UTC()}}, nil
		}
		return []Event{SkillIQMeasured{
			Member: c.Member, Skill: c.Skill, Session: c.Session, Score: c.Score, Percentile: c.Percentile,
			Level: skill.LevelOf(c.Percentile), Scheme: skill.SchemeV1, MeasuredAt: c.MeasuredAt.UTC(),
			AssessmentVersion: c.AssessmentVersion, Source: c.Source,
		}}, nil
	case Invalidate:
		counts, seen := s.Sessions[c.Session]
		if !seen {
			return nil, domain.Missing("measurement").At("/session")
		}
		if !counts {
			return nil, nil
		}
		if err := domain.CheckText("/reason", c.Reason, 1, 500); err != nil {
			return nil, err
		}
		return []Event{SkillIQInvalidated(c)}, nil
	}
	return nil, nil
}

func (c Record) check() error {
	if err := domain.CheckID("/member", c.Member); err != nil {
		return err
	}
	if err := domain.CheckID("/skill", c.Skill); err != nil {
		return err
	}
	if !c.MemberExists {
		return domain.Missing("member").At("/member")
	}
	if c.SkillStatus == "" {
		return domain.Missing("skill").At("/skill")
	}
	if c.Score < 0 || c.Score > skill.MaxScore {
		return domain.Invalidf("/score", "out_of_range", "must be 0 to %d", skill.MaxScore)
	}
	if c.Percentile < 0 || c.Percentile > 100 {
		return domain.Invalidf("/percentile", "out_of_range", "must be 0 to 100")
	}
	if err := domain.CheckPast("/measured_at", c.MeasuredAt, c.Now); err != nil {
		return err
	}
	if err := domain.CheckText("/session", string(c.Session), 1, 200); err != nil {
		return err
	}
	if err := domain.CheckText("/assessment_version", c.AssessmentVersion, 0, 100); err != nil {
		return err
	}
	return domain.CheckText("/source", c.Source, 0, 200)
}

func evolve(s State, e Event) State {
	sessions := maps.Clone(s.Sessions)
	if sessions == nil {
		sessions = map[Session]bool{}
	}
	switch e := e.(type) {
	case SkillIQMeasured:
		sessions[e.Session] = true
	case BetaAssessmentTaken:
		sessions[e.Session] = false
	case SkillIQInvalidated:
		sessions[e.Session] = false
	}
	return State{Sessions: sessions}
}
