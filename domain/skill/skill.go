// Package skill decides about what assessments measure: a skill's life from beta to retired, and its benchmarks.
// Stream: skill-<plan>.<skill>.
package skill

import (
	"maps"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "skill"

// Status is where a skill stands in its life.
type Status string

const (
	Beta      Status = "beta"
	Validated Status = "validated"
	Retired   Status = "retired"
)

// Events of a skill.
type (
	Event interface{ skill() }

	SkillDefined struct {
		Skill       domain.SkillID `json:"skill"`
		Name        string         `json:"name" personal:"-"`
		Description string         `json:"description,omitempty" personal:"-"`
		Icon        string         `json:"icon,omitempty" personal:"-"`
		Synonyms    []string       `json:"synonyms,omitempty" personal:"-"`
		Parent      domain.SkillID `json:"parent,omitempty"`
		State       Status         `json:"state"`
	}
	SkillRenamed struct {
		Skill domain.SkillID `json:"skill"`
		Name  string         `json:"name" personal:"-"`
	}
	SkillValidated struct {
		Skill domain.SkillID `json:"skill"`
	}
	SkillRetired struct {
		Skill domain.SkillID `json:"skill"`
	}
	BenchmarkPublished struct {
		Skill      domain.SkillID `json:"skill"`
		Role       domain.RoleID  `json:"role,omitempty"` // the role it is meant for; empty: every role
		Version    int            `json:"version"`        // from 1, counted for each (skill, role)
		Thresholds Thresholds     `json:"thresholds"`
		Source     string         `json:"source" personal:"-"`
	}
)

func (SkillDefined) skill()       {}
func (SkillRenamed) skill()       {}
func (SkillValidated) skill()     {}
func (SkillRetired) skill()       {}
func (BenchmarkPublished) skill() {}

// Events lists the event types of a skill.
var Events = domain.NewCatalog(
	domain.Type[SkillDefined]("SkillDefined"),
	domain.Type[SkillRenamed]("SkillRenamed"),
	domain.Type[SkillValidated]("SkillValidated"),
	domain.Type[SkillRetired]("SkillRetired"),
	domain.Type[BenchmarkPublished]("BenchmarkPublished"),
)

// Commands to a skill.
type (
	Command interface{ command() }

	Define struct {
		Skill        domain.SkillID
		Name         string
		Description  string
		Icon         string
		Synonyms     []string
		Parent       domain.SkillID
		ParentExists bool // fact
		State        Status
	}
	Rename struct {
		Skill domain.SkillID
		Name  string
	}
	Validate         struct{ Skill domain.SkillID }
	Retire           struct{ Skill domain.SkillID }
	PublishBenchmark struct {
		Skill      domain.SkillID
		Role       domain.RoleID
		RoleExists bool // fact
		Thresholds Thresholds
		Source     string
	}
)

func (Define) command()           {}
func (Rename) command()           {}
func (Validate) command()         {}
func (Retire) command()           {}
func (PublishBenchmark) command() {}

// State is what later decisions need of a skill.
type State struct {
	Exists     bool
	Name       string
	Icon       string
	Status     Status
	Benchmarks map[domain.RoleID]Benchmark // current ones; the key is empty for the skill's own
}

// Decider holds the rules of a skill (SPEC SKL-1 to SKL-3).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	if define, ok := c.(Define); ok {
		return decideDefine(s, define)
	}
	if !s.Exists {
		return nil, domain.Missing("skill").At("/skill")
	}
	switch c := c.(type) {
	case Rename:
		if c.Name == s.Name {
			return nil, nil
		}
		if err := domain.CheckText("/name", c.Name, 1, 200); err != nil {
			return nil, err
		}
		return []Event{SkillRenamed(c)}, nil
	case Validate:
		switch s.Status {
		case Validated:
			return nil, nil
		case Retired:
			return nil, domain.Conflictf("skill_retired", "a retired skill cannot be validated").At("/skill")
		}
		return []Event{SkillValidated(c)}, nil
	case Retire:
		if s.Status == Retired {
			return nil, nil
		}
		return []Event{SkillRetired(c)}, nil
	case PublishBenchmark:
		return decideBenchmark(s, c)
	}
	return nil, nil
}

func decideDefine(s State, c Define) ([]Event, error) {
	if s.Exists {
		return nil, domain.Conflictf("skill_exists", "there is a skill of this id already").At("/skill")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return []Event{SkillDefined{
		Skill: c.Skill, Name: c.Name, Description: c.Description, Icon: c.Icon,
		Synonyms: c.Synonyms, Parent: c.Parent, State: c.State,
	}}, nil
}

func (c Define) check() error {
	if err := domain.CheckID("/skill", c.Skill); err != nil {
		return err
	}
	if err := domain.CheckText("/name", c.Name, 1, 200); err != nil {
		return err
	}
	if err := domain.CheckLines("/description", c.Description, 4000); err != nil {
		return err
	}
	if err := domain.CheckText("/icon", c.Icon, 0, 64); err != nil {
		return err
	}
	if len(c.Synonyms) > 50 {
		return domain.Invalidf("/synonyms", "too_many", "at most 50 synonyms")
	}
	for i, synonym := range c.Synonyms {
		if err := domain.CheckText(domain.ItemPointer("/synonyms", i), synonym, 1, 200); err != nil {
			return err
		}
	}
	if c.Parent != "" && !c.ParentExists {
		return domain.Missing("skill").At("/parent")
	}
	if c.State != Beta && c.State != Validated {
		return domain.Invalidf("/state", "invalid_state", "a new skill is beta or validated")
	}
	return nil
}

func decideBenchmark(s State, c PublishBenchmark) ([]Event, error) {
	if s.Status == Retired {
		return nil, domain.Conflictf("skill_retired", "a retired skill gets no benchmark").At("/skill")
	}
	if c.Role != "" && !c.RoleExists {
		return nil, domain.Missing("role").At("/role")
	}
	if err := c.Thresholds.check(); err != nil {
		return nil, err
	}
	if err := domain.CheckText("/source", c.Source, 1, 200); err != nil {
		return nil, err
	}
	current := s.Benchmarks[c.Role]
	if current.Version > 0 && current.Thresholds == c.Thresholds {
		return nil, nil
	}
	return []Event{BenchmarkPublished{
		Skill: c.Skill, Role: c.Role, Version: current.Version + 1, Thresholds: c.Thresholds, Source: c.Source,
	}}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case SkillDefined:
		s.Exists, s.Name, s.Icon, s.Status = true, e.Name, e.Icon, e.State
	case SkillRenamed:
		s.Name = e.Name
	case SkillValidated:
		s.Status = Validated
	case SkillRetired:
		s.Status = Retired
	case BenchmarkPublished:
		benchmarks := maps.Clone(s.Benchmarks)
		if benchmarks == nil {
			benchmarks = map[domain.RoleID]Benchmark{}
		}
		benchmarks[e.Role] = Benchmark{Role: e.Role, Version: e.Version, Thresholds: e.Thresholds}
		s.Benchmarks = benchmarks
	}
	return s
}
