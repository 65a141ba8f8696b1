// Package roleiq is the calculation at the heart of the product: from measurements and goals to a member's state and
// level in a role. Pure functions, nothing else.
package roleiq

import (
	"rolewise/domain/plan"
	"rolewise/domain/skill"
)

// State is where a member stands in a role (SPEC PRG-1).
type State string

const (
	Assigned   State = "assigned"
	InProgress State = "in_progress"
	Pending    State = "pending"
	Completed  State = "completed"
)

// Level is the level of a member who completed a role (SPEC PRG-2).
type Level string

const (
	Beginner Level = "beginner"
	Entry    Level = "entry"
	Mid      Level = "mid"
	Senior   Level = "senior"
)

// Levels lists the four in rising order; thresholds i separates level i from level i+1.
var Levels = [4]Level{Beginner, Entry, Mid, Senior}

// ValidLevel tells whether l is one of the four.
func ValidLevel(l Level) bool {
	return l == Beginner || l == Entry || l == Mid || l == Senior
}

// Skill is what the calculation needs of one skill of the role and of the member in it.
type Skill struct {
	Required bool             `json:"required"`
	Status   skill.Status     `json:"status"`
	Goals    skill.Thresholds `json:"goals"`
	Measured bool             `json:"measured"`
	Score    int              `json:"score"` // 0 to 300, of the measurement that counts
}

// Result is a member's standing in a role. Level is empty unless completed.
type Result struct {
	State    State
	Level    Level
	Done     int // required skills, not in beta, with a valid measurement
	Required int // required skills, those retired before they were measured left out
}

// Started tells whether a first required skill was measured (SPEC PRG-1).
func (r Result) Started() bool { return r.Done >= 1 }

// Evaluate returns the standing of a member who holds the role (SPEC PRG-1, PRG-2, ROL-11).
//
// A required skill that was retired before it was measured counts as optional. A role of which nothing required is
// left that way cannot be completed: there is nothing to judge a level by.
func Evaluate(rule plan.LevelRule, selected bool, skills []Skill) Result {
	var r Result
	beta := 0
	var judged []Skill
	for _, s := range skills {
		if !s.Required || (s.Status == skill.Retired && !s.Measured) {
			continue
		}
		r.Required++
		switch {
		case s.Status == skill.Beta:
			beta++
		case s.Measured:
			r.Done++
			judged = append(judged, s)
		}
	}
	switch {
	case r.Required > 0 && beta == 0 && r.Done == r.Required:
		r.State, r.Level = Completed, level(rule, judged)
	case beta > 0 && r.Done == r.Required-beta:
		r.State = Pending
	case selected || r.Done >= 1:
		r.State = InProgress
	default:
		r.State = Assigned
	}
	return r
}

// level is the highest level whose threshold the rule finds met, Beginner below the first.
func level(rule plan.LevelRule, skills []Skill) Level {
	reached := Beginner
	for i := range 3 {
		if !meets(rule, skills, i) {
			break
		}
		reached = Levels[i+1]
	}
	return reached
}

func meets(rule plan.LevelRule, skills []Skill, threshold int) bool {
	met, scores, goals := 0, 0, 0
	for _, s := range skills {
		scores += s.Score
		goals += s.Goals[threshold]
		if s.Score >= s.Goals[threshold] {
			met++
		}
	}
	switch rule.Name {
	case plan.KOfN: // at least k of the n required skills, all of them where there are fewer than k
		return met >= min(rule.K, len(skills))
	case plan.MeanOfThresholds: // the mean score against the mean threshold; sums, since the count is the same
		return scores >= goals
	default: // plan.AllRequired
		return met == len(skills)
	}
}
