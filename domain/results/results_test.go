package results_test

import (
	"strings"
	"testing"
	"time"

	"rolewise/domain/decidertest"
	"rolewise/domain/results"
	"rolewise/domain/skill"
)

const (
	ada    = "01890a5d-ac96-774b-bcce-b30209900001"
	golang = "01890a5d-ac96-774b-bcce-b30209900021"
)

var (
	now   = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	noon  = now.Add(-24 * time.Hour)
	paris = time.FixedZone("Paris", 3600)
)

type (
	event = results.Event
	test  = decidertest.Case[results.Command, results.Event]
)

func record(edits ...func(*results.Record)) results.Record {
	c := results.Record{
		Member: ada, MemberExists: true, Skill: golang, SkillStatus: skill.Validated,
		Score: 150, Percentile: 50, MeasuredAt: noon, Session: "s1", Now: now,
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func measured(edits ...func(*results.SkillIQMeasured)) results.SkillIQMeasured {
	e := results.SkillIQMeasured{
		Member: ada, Skill: golang, Session: "s1", Score: 150, Percentile: 50,
		Level: skill.Average, Scheme: "percentile.v1", MeasuredAt: noon,
	}
	for _, edit := range edits {
		edit(&e)
	}
	return e
}

var (
	taken       = results.BetaAssessmentTaken{Member: ada, Skill: golang, Session: "s1", TakenAt: noon}
	invalidated = results.SkillIQInvalidated{Member: ada, Skill: golang, Session: "s1", Reason: "proctor's report"}
)

func TestRecord(t *testing.T) {
	second := func(c *results.Record) { c.Session = "s2" }
	at := func(t time.Time) func(*results.Record) { return func(c *results.Record) { c.MeasuredAt = t } }
	status := func(s skill.Status) func(*results.Record) { return func(c *results.Record) { c.SkillStatus = s } }
	decidertest.Run(t, results.Decider, []test{
		{Name: "MSR-1 record", When: record(), Then: []event{measured()}},
		{
			Name: "MSR-1 record with everything",
			When: record(func(c *results.Record) { c.AssessmentVersion, c.Source = "2026-1", "assessments" }),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.AssessmentVersion, e.Source = "2026-1", "assessments" })},
		},
		{
			Name: "MSR-1 record with everything at its longest",
			When: record(func(c *results.Record) {
				c.Session, c.AssessmentVersion, c.Source = results.Session(strings.Repeat("é", 200)), strings.Repeat("é", 100), strings.Repeat("é", 200)
			}),
			Then: []event{measured(func(e *results.SkillIQMeasured) {
				e.Session, e.AssessmentVersion, e.Source = results.Session(strings.Repeat("é", 200)), strings.Repeat("é", 100), strings.Repeat("é", 200)
			})},
		},
		{
			Name: "MSR-1 a session of 1 character", When: record(func(c *results.Record) { c.Session = "é" }),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Session = "é" })},
		},
		{
			Name: "MSR-1 the bottom of the scales",
			When: record(func(c *results.Record) { c.Score, c.Percentile = 0, 0 }),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Score, e.Percentile, e.Level = 0, 0, skill.Novice })},
		},
		{
			Name: "MSR-1 the top of the scales",
			When: record(func(c *results.Record) { c.Score, c.Percentile = 300, 100 }),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Score, e.Percentile, e.Level = 300, 100, skill.Expert })},
		},
		{Name: "MSR-1 the time is kept in UTC", When: record(at(noon.In(paris))), Then: []event{measured()}},
		{
			Name: "MSR-1 five minutes ahead", When: record(at(now.Add(5 * time.Minute))),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.MeasuredAt = now.Add(5 * time.Minute) })},
		},
		{Name: "MSR-1 a session twice", Given: []event{measured()}, When: record()},
		{Name: "MSR-1 a session twice with another score", Given: []event{measured()}, When: record(func(c *results.Record) { c.Score = 1 })},
		{Name: "MSR-5 a session again after it was withdrawn", Given: []event{measured(), invalidated}, When: record()},
		{
			Name: "MSR-1 a second session", Given: []event{measured()}, When: record(second),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Session = "s2" })},
		},
		{
			Name: "MSR-5 a late result, older than the one there is", Given: []event{measured()}, When: record(second, at(noon.AddDate(-1, 0, 0))),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Session, e.MeasuredAt = "s2", noon.AddDate(-1, 0, 0) })},
		},
		{Name: "MSR-3 in beta there is no score", When: record(status(skill.Beta), at(noon.In(paris))), Then: []event{taken}},
		{Name: "MSR-3 a beta session twice", Given: []event{taken}, When: record(status(skill.Beta))},
		{Name: "MSR-3 a beta session is no measurement later", Given: []event{taken}, When: record()},
		{
			Name: "MSR-3 the retake after validation", Given: []event{taken}, When: record(second),
			Then: []event{measured(func(e *results.SkillIQMeasured) { e.Session = "s2" })},
		},
		{Name: "MSR-4 retired", When: record(status(skill.Retired)), Refused: decidertest.Conflict("skill_retired", "/skill")},
		{Name: "MSR-4 a session again after the skill was retired", Given: []event{measured()}, When: record(status(skill.Retired))},
	})
}

func TestRecordRefuses(t *testing.T) {
	missing, invalid := decidertest.Missing, decidertest.Invalid
	tests := []struct {
		name string
		edit func(*results.Record)
		want decidertest.Refusal
	}{
		{"MSR-1 member no UUID", func(c *results.Record) { c.Member = "ada" }, invalid("invalid_id", "/member")},
		{"MSR-1 skill no UUID", func(c *results.Record) { c.Skill = "" }, invalid("invalid_id", "/skill")},
		{"MSR-1 unknown member", func(c *results.Record) { c.MemberExists = false }, missing("member_not_found", "/member")},
		{"MSR-1 unknown skill", func(c *results.Record) { c.SkillStatus = "" }, missing("skill_not_found", "/skill")},
		{"MSR-1 score -1", func(c *results.Record) { c.Score = -1 }, invalid("out_of_range", "/score")},
		{"MSR-1 score 301", func(c *results.Record) { c.Score = 301 }, invalid("out_of_range", "/score")},
		{"MSR-1 percentile -1", func(c *results.Record) { c.Percentile = -1 }, invalid("out_of_range", "/percentile")},
		{"MSR-1 percentile 101", func(c *results.Record) { c.Percentile = 101 }, invalid("out_of_range", "/percentile")},
		{"MSR-1 over five minutes ahead", func(c *results.Record) { c.MeasuredAt = now.Add(5*time.Minute + 1) }, invalid("time_in_future", "/measured_at")},
		{"MSR-1 no time", func(c *results.Record) { c.MeasuredAt = time.Time{} }, invalid("invalid_time", "/measured_at")},
		{"MSR-1 no session", func(c *results.Record) { c.Session = "" }, invalid("invalid_length", "/session")},
		{"MSR-1 session of 201 characters", func(c *results.Record) { c.Session = results.Session(strings.Repeat("a", 201)) }, invalid("invalid_length", "/session")},
		{"MSR-1 assessment version of 101 characters", func(c *results.Record) { c.AssessmentVersion = strings.Repeat("a", 101) }, invalid("invalid_length", "/assessment_version")},
		{"MSR-1 source of 201 characters", func(c *results.Record) { c.Source = strings.Repeat("a", 201) }, invalid("invalid_length", "/source")},
		{"MSR-3 score 301 in beta", func(c *results.Record) { c.Score, c.SkillStatus = 301, skill.Beta }, invalid("out_of_range", "/score")},
	}
	var cases []test
	for _, tt := range tests {
		cases = append(cases, test{Name: tt.name, When: record(tt.edit), Refused: tt.want})
	}
	decidertest.Run(t, results.Decider, cases)
}

func TestInvalidate(t *testing.T) {
	invalidate := func(reason string) results.Command {
		return results.Invalidate{Member: ada, Skill: golang, Session: "s1", Reason: reason}
	}
	other := func(e *results.SkillIQMeasured) { e.Session = "s2" }
	decidertest.Run(t, results.Decider, []test{
		{Name: "MSR-5 withdraw", Given: []event{measured()}, When: invalidate("proctor's report"), Then: []event{invalidated}},
		{Name: "MSR-5 withdraw twice", Given: []event{measured(), invalidated}, When: invalidate("again")},
		{Name: "MSR-5 withdraw a beta session", Given: []event{taken}, When: invalidate("again")},
		{Name: "MSR-5 withdraw the older of two", Given: []event{measured(), measured(other)}, When: invalidate("proctor's report"), Then: []event{invalidated}},
		{
			Name: "MSR-5 a reason of 1 character", Given: []event{measured()}, When: invalidate("é"),
			Then: []event{results.SkillIQInvalidated{Member: ada, Skill: golang, Session: "s1", Reason: "é"}},
		},
		{
			Name: "MSR-5 a reason of 500 characters", Given: []event{measured()}, When: invalidate(strings.Repeat("é", 500)),
			Then: []event{results.SkillIQInvalidated{Member: ada, Skill: golang, Session: "s1", Reason: strings.Repeat("é", 500)}},
		},
		{Name: "MSR-5 withdraw without a reason", Given: []event{measured()}, When: invalidate(""), Refused: decidertest.Invalid("invalid_length", "/reason")},
		{Name: "MSR-5 a reason of 501 characters", Given: []event{measured()}, When: invalidate(strings.Repeat("a", 501)), Refused: decidertest.Invalid("invalid_length", "/reason")},
		{Name: "MSR-5 withdraw an unknown session", Given: []event{measured(other)}, When: invalidate("x"), Refused: decidertest.Missing("measurement_not_found", "/session")},
	})
}

func TestStreamID(t *testing.T) {
	if got := results.StreamID(ada, golang); got != ada+"."+golang {
		t.Errorf("stream %q", got)
	}
}
