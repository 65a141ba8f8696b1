package skill_test

import (
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/skill"
)

const (
	engineer = "01890a5d-ac96-774b-bcce-b30209900031"
	analyst  = "01890a5d-ac96-774b-bcce-b30209900032"
)

func published(role domain.RoleID, version int, thresholds skill.Thresholds) event {
	return skill.BenchmarkPublished{Skill: golang, Role: role, Version: version, Thresholds: thresholds, Source: "survey"}
}

func TestPublishBenchmark(t *testing.T) {
	low, high := skill.Thresholds{0, 1, 2}, skill.Thresholds{298, 299, 300}
	publish := func(thresholds skill.Thresholds) skill.PublishBenchmark {
		return skill.PublishBenchmark{Skill: golang, Thresholds: thresholds, Source: "survey"}
	}
	forRole := func(role domain.RoleID, exists bool) skill.PublishBenchmark {
		c := publish(low)
		c.Role, c.RoleExists = role, exists
		return c
	}
	from := func(source string) skill.PublishBenchmark {
		c := publish(low)
		c.Source = source
		return c
	}
	invalid := decidertest.Invalid
	decidertest.Run(t, skill.Decider, []test{
		{Name: "SKL-3 publish the first, at the bottom of the scale", Given: defined(), When: publish(low), Then: []event{published("", 1, low)}},
		{Name: "SKL-3 publish at the top of the scale", Given: defined(validated), When: publish(high), Then: []event{published("", 1, high)}},
		{Name: "SKL-3 publish the second", Given: defined(published("", 1, low)), When: publish(high), Then: []event{published("", 2, high)}},
		{Name: "SKL-3 publish the first again", Given: defined(published("", 1, low)), When: publish(low)},
		{Name: "SKL-3 publish what is in force", Given: defined(published("", 1, high), published("", 2, low)), When: publish(low)},
		{Name: "SKL-3 publish what was in force once", Given: defined(published("", 1, low), published("", 2, high)), When: publish(low), Then: []event{published("", 3, low)}},
		{Name: "SKL-3 versions count for each role", Given: defined(published("", 4, low)), When: forRole(engineer, true), Then: []event{published(engineer, 1, low)}},
		{
			Name: "SKL-3 another role's benchmark is no repeat", Given: defined(published(analyst, 1, low)),
			When: forRole(engineer, true), Then: []event{published(engineer, 1, low)},
		},
		{Name: "SKL-3 publish for a role that is not there", Given: defined(), When: forRole(engineer, false), Refused: decidertest.Missing("role_not_found", "/role")},
		{Name: "SKL-3 publish for no skill", When: publish(low), Refused: decidertest.Missing("skill_not_found", "/skill")},
		{Name: "SKL-3 publish for a retired skill", Given: defined(retired), When: publish(low), Refused: decidertest.Conflict("skill_retired", "/skill")},
		{Name: "SKL-3 a threshold below 0", Given: defined(), When: publish(skill.Thresholds{-1, 1, 2}), Refused: invalid("out_of_range", "/thresholds/0")},
		{Name: "SKL-3 a threshold above 300", Given: defined(), When: publish(skill.Thresholds{1, 2, 301}), Refused: invalid("out_of_range", "/thresholds/2")},
		{Name: "SKL-3 two thresholds equal", Given: defined(), When: publish(skill.Thresholds{1, 1, 2}), Refused: invalid("not_rising", "/thresholds/1")},
		{Name: "SKL-3 thresholds falling", Given: defined(), When: publish(skill.Thresholds{1, 3, 2}), Refused: invalid("not_rising", "/thresholds/2")},
		{
			Name: "SKL-3 a source of 1 character", Given: defined(), When: from("x"),
			Then: []event{skill.BenchmarkPublished{Skill: golang, Version: 1, Thresholds: low, Source: "x"}},
		},
		{
			Name: "SKL-3 a source of 200 characters", Given: defined(), When: from(strings.Repeat("é", 200)),
			Then: []event{skill.BenchmarkPublished{Skill: golang, Version: 1, Thresholds: low, Source: strings.Repeat("é", 200)}},
		},
		{Name: "SKL-3 without a source", Given: defined(), When: from(""), Refused: invalid("invalid_length", "/source")},
		{Name: "SKL-3 a source of 201 characters", Given: defined(), When: from(strings.Repeat("a", 201)), Refused: invalid("invalid_length", "/source")},
	})
}

func TestBenchmark(t *testing.T) {
	general, own := skill.Thresholds{10, 20, 30}, skill.Thresholds{40, 50, 60}
	tests := []struct {
		name  string
		given []event
		role  domain.RoleID
		want  skill.Benchmark
	}{
		{"SKL-3 the role's own before the skill's", defined(published("", 7, general), published(engineer, 2, own)), engineer,
			skill.Benchmark{Role: engineer, Version: 2, Thresholds: own}},
		{"SKL-3 the skill's for a role without its own", defined(published("", 7, general), published(engineer, 2, own)), analyst,
			skill.Benchmark{Version: 7, Thresholds: general}},
		{"SKL-3 the skill's for no role", defined(published("", 7, general), published(engineer, 2, own)), "",
			skill.Benchmark{Version: 7, Thresholds: general}},
		{"SKL-3 the role's own where the skill has none", defined(published(engineer, 2, own)), engineer,
			skill.Benchmark{Role: engineer, Version: 2, Thresholds: own}},
		{"SKL-3 the initial one where only another role has one", defined(published(engineer, 2, own)), analyst,
			skill.Benchmark{Version: 0, Thresholds: skill.Thresholds{75, 150, 225}}},
		{"SKL-3 the initial one before any", defined(), engineer, skill.Benchmark{Version: 0, Thresholds: skill.Thresholds{75, 150, 225}}},
		{"SKL-3 the newest version", defined(published("", 1, own), published("", 2, general)), "", skill.Benchmark{Version: 2, Thresholds: general}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := skill.Decider.Fold(tt.given...).Benchmark(tt.role); got != tt.want {
				t.Errorf("benchmark %+v, want %+v", got, tt.want)
			}
		})
	}
}
