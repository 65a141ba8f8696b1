package roleiq_test

import (
	"testing"

	"rolewise/domain/plan"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
)

var goals = skill.Thresholds{100, 200, 250}

// required is a required skill in force; each edit makes it another.
func required(edits ...func(*roleiq.Skill)) roleiq.Skill {
	s := roleiq.Skill{Required: true, Status: skill.Validated, Goals: goals}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func beta(s *roleiq.Skill)     { s.Status = skill.Beta }
func retired(s *roleiq.Skill)  { s.Status = skill.Retired }
func optional(s *roleiq.Skill) { s.Required = false }

func scored(score int) func(*roleiq.Skill) {
	return func(s *roleiq.Skill) { s.Measured, s.Score = true, score }
}

func TestState(t *testing.T) {
	const yes, no = true, false
	tests := []struct {
		name     string
		selected bool
		skills   []roleiq.Skill
		want     roleiq.Result
	}{
		{"PRG-1 assigned: nothing selected, nothing done", no,
			[]roleiq.Skill{required(), required()}, roleiq.Result{State: "assigned", Required: 2}},
		{"PRG-1 assigned: only an optional skill done", no,
			[]roleiq.Skill{required(), required(optional, scored(300))}, roleiq.Result{State: "assigned", Required: 1}},
		{"PRG-1 in progress: selected, nothing done", yes,
			[]roleiq.Skill{required(), required()}, roleiq.Result{State: "in_progress", Required: 2}},
		{"PRG-1 in progress: one of two done", no,
			[]roleiq.Skill{required(scored(0)), required()}, roleiq.Result{State: "in_progress", Done: 1, Required: 2}},
		{"PRG-1 in progress: selected and one of two done", yes,
			[]roleiq.Skill{required(), required(scored(300))}, roleiq.Result{State: "in_progress", Done: 1, Required: 2}},
		{"PRG-1 in progress: a beta skill and another one open", yes,
			[]roleiq.Skill{required(beta), required()}, roleiq.Result{State: "in_progress", Required: 2}},
		{"PRG-1 in progress: a beta skill, one done, one open", no,
			[]roleiq.Skill{required(beta), required(scored(1)), required()}, roleiq.Result{State: "in_progress", Done: 1, Required: 3}},
		{"PRG-1 assigned: a beta skill and another one open", no,
			[]roleiq.Skill{required(beta), required()}, roleiq.Result{State: "assigned", Required: 2}},
		{"PRG-1 pending: all done but a beta skill", no,
			[]roleiq.Skill{required(beta), required(scored(300))}, roleiq.Result{State: "pending", Done: 1, Required: 2}},
		{"PRG-1 pending: all done but two beta skills", no,
			[]roleiq.Skill{required(beta), required(scored(300)), required(beta)}, roleiq.Result{State: "pending", Done: 1, Required: 3}},
		{"ROL-11 pending: nothing but a beta skill", no,
			[]roleiq.Skill{required(beta)}, roleiq.Result{State: "pending", Required: 1}},
		{"ROL-11 pending, not completed: the beta skill has a measurement", yes,
			[]roleiq.Skill{required(beta, scored(300)), required(scored(300))}, roleiq.Result{State: "pending", Done: 1, Required: 2}},
		{"ROL-11 completed: the beta skill is optional", no,
			[]roleiq.Skill{required(beta, optional), required(scored(300))}, roleiq.Result{State: "completed", Level: "senior", Done: 1, Required: 1}},
		{"PRG-1 completed: all done", no,
			[]roleiq.Skill{required(scored(250)), required(scored(250))}, roleiq.Result{State: "completed", Level: "senior", Done: 2, Required: 2}},
		{"PRG-1 completed: optional ones open", yes,
			[]roleiq.Skill{required(scored(0)), required(optional)}, roleiq.Result{State: "completed", Level: "beginner", Done: 1, Required: 1}},
		{"PRG-1 retired before it was measured counts as optional", no,
			[]roleiq.Skill{required(scored(300)), required(retired)}, roleiq.Result{State: "completed", Level: "senior", Done: 1, Required: 1}},
		{"PRG-1 retired after it was measured counts", no,
			[]roleiq.Skill{required(scored(300)), required(retired, scored(100))}, roleiq.Result{State: "completed", Level: "entry", Done: 2, Required: 2}},
		{"PRG-1 a beta skill and one retired before it was measured", no,
			[]roleiq.Skill{required(beta), required(retired)}, roleiq.Result{State: "pending", Required: 1}},
		{"PRG-1 no required skill is left", no,
			[]roleiq.Skill{required(retired), required(optional, scored(300))}, roleiq.Result{State: "assigned"}},
		{"PRG-1 no required skill is left, selected", yes,
			[]roleiq.Skill{required(retired)}, roleiq.Result{State: "in_progress"}},
		{"PRG-1 no skills", no, nil, roleiq.Result{State: "assigned"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := roleiq.Evaluate(plan.DefaultRule, tt.selected, tt.skills)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.Started() != (tt.want.Done >= 1) {
				t.Errorf("started: %t with %d done", got.Started(), got.Done)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	all, mean := plan.LevelRule{Name: "all_required.v1"}, plan.LevelRule{Name: "mean_of_thresholds.v1"}
	kOf := func(k int) plan.LevelRule { return plan.LevelRule{Name: "k_of_n.v1", K: k} }
	tests := []struct {
		name   string
		rule   plan.LevelRule
		scores []int
		want   roleiq.Level
	}{
		{"PRG-2 all required: both below entry", all, []int{99, 99}, "beginner"},
		{"PRG-2 all required: one below entry", all, []int{99, 300}, "beginner"},
		{"PRG-2 all required: entry just met", all, []int{100, 100}, "entry"},
		{"PRG-2 all required: above entry", all, []int{101, 101}, "entry"},
		{"PRG-2 all required: one below mid", all, []int{199, 300}, "entry"},
		{"PRG-2 all required: mid just met", all, []int{200, 300}, "mid"},
		{"PRG-2 all required: above mid", all, []int{201, 300}, "mid"},
		{"PRG-2 all required: one below senior", all, []int{300, 249}, "mid"},
		{"PRG-2 all required: senior just met", all, []int{250, 250}, "senior"},
		{"PRG-2 all required: above senior", all, []int{251, 251}, "senior"},
		{"PRG-2 an unknown rule is judged as all required", plan.LevelRule{}, []int{99, 300}, "beginner"},

		{"PRG-2 two of three: one meets entry", kOf(2), []int{100, 99, 99}, "beginner"},
		{"PRG-2 two of three: two meet entry", kOf(2), []int{100, 100, 0}, "entry"},
		{"PRG-2 two of three: above entry", kOf(2), []int{101, 101, 0}, "entry"},
		{"PRG-2 two of three: one meets mid", kOf(2), []int{200, 199, 199}, "entry"},
		{"PRG-2 two of three: two meet mid", kOf(2), []int{200, 200, 0}, "mid"},
		{"PRG-2 two of three: above mid", kOf(2), []int{0, 201, 201}, "mid"},
		{"PRG-2 two of three: one meets senior", kOf(2), []int{300, 249, 249}, "mid"},
		{"PRG-2 two of three: two meet senior", kOf(2), []int{250, 250, 0}, "senior"},
		{"PRG-2 two of three: all three meet senior", kOf(2), []int{251, 251, 251}, "senior"},
		{"PRG-2 one of three", kOf(1), []int{0, 250, 0}, "senior"},
		{"PRG-2 three of two: all are needed", kOf(3), []int{100, 99}, "beginner"},
		{"PRG-2 three of two: all suffice", kOf(3), []int{100, 100}, "entry"},

		{"PRG-2 mean: a point below entry", mean, []int{0, 199}, "beginner"},
		{"PRG-2 mean: entry just met", mean, []int{0, 200}, "entry"},
		{"PRG-2 mean: above entry", mean, []int{0, 201}, "entry"},
		{"PRG-2 mean: a point below mid", mean, []int{100, 299}, "entry"},
		{"PRG-2 mean: mid just met", mean, []int{100, 300}, "mid"},
		{"PRG-2 mean: above mid", mean, []int{101, 300}, "mid"},
		{"PRG-2 mean: a point below senior", mean, []int{199, 300}, "mid"},
		{"PRG-2 mean: senior just met", mean, []int{200, 300}, "senior"},
		{"PRG-2 mean: above senior", mean, []int{201, 300}, "senior"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var skills []roleiq.Skill
			for _, score := range tt.scores {
				skills = append(skills, required(scored(score)))
			}
			skills = append(skills, required(optional, scored(0)), required(retired)) // neither is judged
			got := roleiq.Evaluate(tt.rule, false, skills)
			if got.State != roleiq.Completed || got.Level != tt.want {
				t.Errorf("got %s, level %q, want completed, level %q", got.State, got.Level, tt.want)
			}
		})
	}
	t.Run("PRG-2 no level unless completed", func(t *testing.T) {
		for _, skills := range [][]roleiq.Skill{{required(scored(300)), required()}, {required(scored(300)), required(beta)}, nil} {
			if got := roleiq.Evaluate(all, true, skills); got.Level != "" {
				t.Errorf("%s has level %q", got.State, got.Level)
			}
		}
	})
}

func TestEachSkillHasItsGoals(t *testing.T) {
	low := required(scored(10), func(s *roleiq.Skill) { s.Goals = skill.Thresholds{1, 5, 10} })
	high := required(scored(200))
	t.Run("PRG-2 all required, each against its own goals", func(t *testing.T) {
		if got := roleiq.Evaluate(plan.DefaultRule, false, []roleiq.Skill{low, high}); got.Level != "mid" {
			t.Errorf("level %q, want mid", got.Level)
		}
	})
	t.Run("PRG-2 mean, over the goals of all", func(t *testing.T) { // 210 against 101, 205, 260
		rule := plan.LevelRule{Name: plan.MeanOfThresholds}
		if got := roleiq.Evaluate(rule, false, []roleiq.Skill{low, high}); got.Level != "mid" {
			t.Errorf("level %q, want mid", got.Level)
		}
	})
}

func TestValidLevel(t *testing.T) {
	for level, want := range map[roleiq.Level]bool{"beginner": true, "entry": true, "mid": true, "senior": true, "": false, "Senior": false, "expert": false} {
		t.Run("PRG-2 level "+string(level), func(t *testing.T) {
			if got := roleiq.ValidLevel(level); got != want {
				t.Errorf("valid: %t, want %t", got, want)
			}
		})
	}
}
