package skill_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolewise/domain/decidertest"
	"rolewise/domain/skill"
)

const (
	golang = "01890a5d-ac96-774b-bcce-b30209900021"
	parent = "01890a5d-ac96-774b-bcce-b30209900022"
)

type (
	event = skill.Event
	test  = decidertest.Case[skill.Command, skill.Event]
)

// defined is a skill in beta, or in the state that later events bring it to.
func defined(more ...event) []event {
	return append([]event{skill.SkillDefined{Skill: golang, Name: "Go", State: skill.Beta}}, more...)
}

var (
	validated = skill.SkillValidated{Skill: golang}
	retired   = skill.SkillRetired{Skill: golang}
)

func TestDefine(t *testing.T) {
	define := func(edit func(*skill.Define)) skill.Define {
		c := skill.Define{Skill: golang, Name: "Go", State: skill.Beta}
		edit(&c)
		return c
	}
	invalid := decidertest.Invalid
	decidertest.Run(t, skill.Decider, []test{
		{Name: "SKL-1 define in beta", When: define(func(*skill.Define) {}), Then: defined()},
		{
			Name: "SKL-1 define with everything",
			When: define(func(c *skill.Define) {
				c.State, c.Description, c.Icon = skill.Validated, "A language.\n\tCompiled.", "go"
				c.Synonyms, c.Parent, c.ParentExists = []string{"Golang", "Go lang"}, parent, true
			}),
			Then: []event{skill.SkillDefined{
				Skill: golang, Name: "Go", State: skill.Validated, Description: "A language.\n\tCompiled.", Icon: "go",
				Synonyms: []string{"Golang", "Go lang"}, Parent: parent,
			}},
		},
		{
			Name: "SKL-1 define with everything at its longest",
			When: define(func(c *skill.Define) {
				c.Name, c.Description, c.Icon = strings.Repeat("é", 200), strings.Repeat("é", 4000), strings.Repeat("é", 64)
				c.Synonyms = append(slices.Repeat([]string{"G"}, 49), strings.Repeat("é", 200))
			}),
			Then: []event{skill.SkillDefined{
				Skill: golang, Name: strings.Repeat("é", 200), Description: strings.Repeat("é", 4000), Icon: strings.Repeat("é", 64),
				Synonyms: append(slices.Repeat([]string{"G"}, 49), strings.Repeat("é", 200)), State: skill.Beta,
			}},
		},
		{
			Name: "SKL-1 define with a name of 1 character", When: define(func(c *skill.Define) { c.Name = "R" }),
			Then: []event{skill.SkillDefined{Skill: golang, Name: "R", State: skill.Beta}},
		},
		{
			Name: "SKL-1 define with a synonym of 201 characters", When: define(func(c *skill.Define) { c.Synonyms = []string{strings.Repeat("a", 201)} }),
			Refused: invalid("invalid_length", "/synonyms/0"),
		},
		{Name: "SKL-1 define twice", Given: defined(), When: define(func(*skill.Define) {}), Refused: decidertest.Conflict("skill_exists", "/skill")},
		{Name: "SKL-1 define under no UUID", When: define(func(c *skill.Define) { c.Skill = "go" }), Refused: invalid("invalid_id", "/skill")},
		{Name: "SKL-1 define without a name", When: define(func(c *skill.Define) { c.Name = "" }), Refused: invalid("invalid_length", "/name")},
		{
			Name: "SKL-1 define with a name of 201 characters", When: define(func(c *skill.Define) { c.Name = strings.Repeat("a", 201) }),
			Refused: invalid("invalid_length", "/name"),
		},
		{
			Name: "SKL-1 define with a description of 4,001 characters", When: define(func(c *skill.Define) { c.Description = strings.Repeat("a", 4001) }),
			Refused: invalid("invalid_length", "/description"),
		},
		{Name: "SKL-1 define with a line break in the icon", When: define(func(c *skill.Define) { c.Icon = "a\nb" }), Refused: invalid("invalid_text", "/icon")},
		{
			Name: "SKL-1 define with an icon of 65 characters", When: define(func(c *skill.Define) { c.Icon = strings.Repeat("a", 65) }),
			Refused: invalid("invalid_length", "/icon"),
		},
		{
			Name: "SKL-1 define with 51 synonyms", When: define(func(c *skill.Define) { c.Synonyms = make([]string, 51) }),
			Refused: invalid("too_many", "/synonyms"),
		},
		{
			Name: "SKL-1 define with 50 synonyms, the last empty", When: define(func(c *skill.Define) {
				c.Synonyms = append(slices.Repeat([]string{"Golang"}, 49), "")
			}),
			Refused: invalid("invalid_length", "/synonyms/49"),
		},
		{Name: "SKL-1 define below a skill that is not there", When: define(func(c *skill.Define) { c.Parent = parent }), Refused: decidertest.Missing("skill_not_found", "/parent")},
		{Name: "SKL-2 define as retired", When: define(func(c *skill.Define) { c.State = skill.Retired }), Refused: invalid("invalid_state", "/state")},
		{Name: "SKL-2 define without a state", When: define(func(c *skill.Define) { c.State = "" }), Refused: invalid("invalid_state", "/state")},
	})
}

func TestLife(t *testing.T) {
	rename := func(name string) skill.Command { return skill.Rename{Skill: golang, Name: name} }
	validate, retire := skill.Validate{Skill: golang}, skill.Retire{Skill: golang}
	missing := decidertest.Missing("skill_not_found", "/skill")
	decidertest.Run(t, skill.Decider, []test{
		{Name: "SKL-1 rename", Given: defined(), When: rename("Golang"), Then: []event{skill.SkillRenamed{Skill: golang, Name: "Golang"}}},
		{Name: "SKL-1 rename to the name it has", Given: defined(skill.SkillRenamed{Skill: golang, Name: "Golang"}), When: rename("Golang")},
		{Name: "SKL-1 rename to 1 character", Given: defined(), When: rename("C"), Then: []event{skill.SkillRenamed{Skill: golang, Name: "C"}}},
		{Name: "SKL-1 rename to 200 characters", Given: defined(), When: rename(strings.Repeat("é", 200)), Then: []event{skill.SkillRenamed{Skill: golang, Name: strings.Repeat("é", 200)}}},
		{Name: "SKL-1 rename to 201 characters", Given: defined(), When: rename(strings.Repeat("a", 201)), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "SKL-1 rename to nothing", Given: defined(), When: rename(""), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "SKL-1 rename no skill", When: rename("Golang"), Refused: missing},
		{Name: "SKL-2 validate from beta", Given: defined(), When: validate, Then: []event{validated}},
		{Name: "SKL-2 validate twice", Given: defined(validated), When: validate},
		{Name: "SKL-2 validate what was defined as validated", Given: []event{skill.SkillDefined{Skill: golang, Name: "Go", State: "validated"}}, When: validate},
		{Name: "SKL-2 validate a retired skill", Given: defined(retired), When: validate, Refused: decidertest.Conflict("skill_retired", "/skill")},
		{Name: "SKL-2 validate no skill", When: validate, Refused: missing},
		{Name: "SKL-2 retire from beta", Given: defined(), When: retire, Then: []event{retired}},
		{Name: "SKL-2 retire when validated", Given: defined(validated), When: retire, Then: []event{retired}},
		{Name: "SKL-2 retire twice", Given: defined(retired), When: retire},
		{Name: "SKL-2 retire no skill", When: retire, Refused: missing},
	})
}

func TestLevelOf(t *testing.T) {
	tests := map[int]skill.Level{
		0: "novice", 19: "novice", 20: "emerging", 39: "emerging", 40: "average", 59: "average",
		60: "above_average", 79: "above_average", 80: "expert", 99: "expert", 100: "expert",
	}
	for percentile, want := range tests {
		t.Run(fmt.Sprintf("SKL-4 percentile %d", percentile), func(t *testing.T) {
			if got := skill.LevelOf(percentile); got != want {
				t.Errorf("level %s, want %s", got, want)
			}
		})
	}
}

func TestRank(t *testing.T) {
	for level, want := range map[skill.Level]int{"novice": 1, "emerging": 2, "average": 3, "above_average": 4, "expert": 5, "": 0, "guru": 0} {
		t.Run(fmt.Sprintf("SKL-4 rank of %q", level), func(t *testing.T) {
			if got := level.Rank(); got != want {
				t.Errorf("rank %d, want %d", got, want)
			}
		})
	}
}

func TestState(t *testing.T) {
	s := skill.Decider.Fold(skill.SkillDefined{Skill: golang, Name: "Go", Icon: "gopher", State: skill.Beta})
	if !s.Exists || s.Name != "Go" || s.Icon != "gopher" || s.Status != "beta" {
		t.Errorf("state %+v", s)
	}
	if s := skill.Decider.Fold(defined(retired)...); s.Status != "retired" {
		t.Errorf("state %+v", s)
	}
}
