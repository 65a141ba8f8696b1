package skill

import "rolewise/domain"

// Thresholds separate the four levels of a role in one skill: scores from which a member is entry, mid, senior.
// 0 to 300, strictly rising (SPEC SKL-3).
type Thresholds [3]int

// Benchmark is a numbered version of thresholds, for a skill or for a skill in one role.
type Benchmark struct {
	Role       domain.RoleID `json:"role,omitempty"` // empty: the skill's own
	Version    int           `json:"version"`        // 0: Initial, before any was published
	Thresholds Thresholds    `json:"thresholds"`
}

// Initial holds until a benchmark is published: the four levels share the scale of 0 to 300 equally. Without it a role
// with a new skill could not be published.
var Initial = Thresholds{75, 150, 225}

// Benchmark returns the one that a role's goals default to: the role's own in this skill, else the skill's (SPEC SKL-3).
func (s State) Benchmark(role domain.RoleID) Benchmark {
	if own, ok := s.Benchmarks[role]; ok && role != "" {
		return own
	}
	if general, ok := s.Benchmarks[""]; ok {
		return general
	}
	return Benchmark{Thresholds: Initial}
}

func (t Thresholds) check() error {
	for i, score := range t {
		at := domain.ItemPointer("/thresholds", i)
		if score < 0 || score > MaxScore {
			return domain.Invalidf(at, "out_of_range", "must be 0 to %d", MaxScore)
		}
		if i > 0 && score <= t[i-1] {
			return domain.Invalidf(at, "not_rising", "must be greater than the one before")
		}
	}
	return nil
}
