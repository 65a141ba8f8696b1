package plan

import "rolewise/domain"

// Recalculation says when a member's progress takes in what has changed (SPEC PRG-3).
type Recalculation string

const (
	Automatic Recalculation = "automatic" // at once
	OnVisit   Recalculation = "on_visit"  // when the member visits the role, or a leader refreshes it
)

// LevelRule names the rule, and its version, by which a completed role gets its level (SPEC PRG-2).
type LevelRule struct {
	Name RuleName `json:"name"`
	K    int      `json:"k,omitempty"` // only for k_of_n.v1: how many required skills must meet a threshold
}

// RuleName is the name of a level rule with its version.
type RuleName string

const (
	AllRequired      RuleName = "all_required.v1"
	KOfN             RuleName = "k_of_n.v1"
	MeanOfThresholds RuleName = "mean_of_thresholds.v1"
)

// DefaultRule is in force until a plan sets another.
var DefaultRule = LevelRule{Name: AllRequired}

func (r LevelRule) check() error {
	switch r.Name {
	case AllRequired, MeanOfThresholds:
		if r.K != 0 {
			return domain.Invalidf("/value/k", "invalid_policy_value", "k belongs to k_of_n.v1 only")
		}
	case KOfN:
		if r.K < 1 || r.K > 1000 {
			return domain.Invalidf("/value/k", "invalid_policy_value", "k must be 1 to 1000")
		}
	default:
		return domain.Invalidf("/value", "invalid_policy_value", "must be all_required.v1, k_of_n.v1 or mean_of_thresholds.v1")
	}
	return nil
}
