package role_test

import (
	"slices"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/role"
	"rolewise/domain/skill"
)

const (
	ada      = "01890a5d-ac96-774b-bcce-b30209900001"
	bob      = "01890a5d-ac96-774b-bcce-b30209900002"
	golang   = "01890a5d-ac96-774b-bcce-b30209900021"
	sql      = "01890a5d-ac96-774b-bcce-b30209900022"
	docker   = "01890a5d-ac96-774b-bcce-b30209900023"
	engineer = "01890a5d-ac96-774b-bcce-b30209900031"
	source   = "01890a5d-ac96-774b-bcce-b30209900032"
)

type (
	event = role.Event
	test  = decidertest.Case[role.Command, role.Event]
)

var (
	benchmark = skill.Benchmark{Version: 3, Thresholds: skill.Thresholds{100, 200, 250}}
	noRole    = decidertest.Missing("role_not_found", "/role")
)

// has is the skill of a role as it is when just added.
func has(id domain.SkillID, required bool) role.Skill {
	return role.Skill{Skill: id, Required: required, Benchmark: benchmark, Goals: benchmark.Thresholds}
}

func added(id domain.SkillID, required bool) event {
	return role.RoleSkillAdded{Role: engineer, Skill: has(id, required)}
}

func created(more ...event) []event {
	return append([]event{role.RoleCreated{Role: engineer, Title: "Engineer", Creator: ada}}, more...)
}

// published is version 1 of a role with one required skill, and what came after.
func published(more ...event) []event {
	version := role.RolePublished{Role: engineer, Version: 1, Content: content("Engineer", has(golang, true)), OnPublish: role.ReEvaluate}
	return append(created(added(golang, true), version), more...)
}

func content(title string, skills ...role.Skill) role.Content {
	return role.Content{Title: title, Skills: skills}
}

func TestCreate(t *testing.T) {
	create := func(id domain.RoleID, title string) role.Command {
		return role.Create{Role: id, Title: title, Creator: ada}
	}
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-1 create", When: create(engineer, "Engineer"), Then: created()},
		{Name: "ROL-1 create with a title of 200 characters", When: create(engineer, strings.Repeat("é", 200)),
			Then: []event{role.RoleCreated{Role: engineer, Title: strings.Repeat("é", 200), Creator: ada}}},
		{Name: "ROL-1 create with a title of 1 character", When: create(engineer, "X"), Then: []event{role.RoleCreated{Role: engineer, Title: "X", Creator: ada}}},
		{Name: "ROL-1 create twice", Given: created(), When: create(engineer, "Engineer"), Refused: decidertest.Conflict("role_exists", "/role")},
		{Name: "ROL-1 create under no UUID", When: create("engineer", "Engineer"), Refused: decidertest.Invalid("invalid_id", "/role")},
		{Name: "ROL-1 create without a title", When: create(engineer, ""), Refused: decidertest.Invalid("invalid_length", "/title")},
		{Name: "ROL-1 create with a title of 201 characters", When: create(engineer, strings.Repeat("a", 201)), Refused: decidertest.Invalid("invalid_length", "/title")},
		{Name: "ROL-1 create with a line break in the title", When: create(engineer, "a\nb"), Refused: decidertest.Invalid("invalid_text", "/title")},
	})
}

func TestCopy(t *testing.T) {
	draft := role.State{Exists: true, Draft: content("Draft", has(golang, true))}
	inForce := role.State{Exists: true, Version: 4, InForce: content("Analyst", has(sql, true), has(golang, false)), Draft: draft.Draft}
	clone := func(title string, fromCatalog bool, from role.State) role.Copy {
		return role.Copy{Role: engineer, Title: title, Creator: bob, Source: source, FromCatalog: fromCatalog, SourceState: from}
	}
	noUUID := clone("", true, inForce)
	noUUID.Role = ""
	customized := role.RoleCustomized{Role: engineer, Source: source, SourceVersion: 4, Content: inForce.InForce, Creator: bob}
	retitled := customized
	retitled.Content.Title = "Engineer"
	duplicated := role.RoleDuplicated{Role: engineer, Source: source, SourceVersion: 4, Content: inForce.InForce, Creator: bob}
	ofDraft := role.RoleDuplicated{Role: engineer, Source: source, Content: draft.Draft, Creator: bob}
	noSource := decidertest.Missing("role_not_found", "/source")
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-2 customise keeps content, source and its version", When: clone("", true, inForce), Then: []event{customized}},
		{Name: "ROL-2 customise under another title", When: clone("Engineer", true, inForce), Then: []event{retitled}},
		{Name: "ROL-2 customise what the catalog lacks", When: clone("", true, role.State{}), Refused: noSource},
		{Name: "ROL-2 customise a draft of the catalog", When: clone("", true, draft), Refused: noSource},
		{Name: "ROL-3 duplicate the version in force", When: clone("", false, inForce), Then: []event{duplicated}},
		{Name: "ROL-3 duplicate a draft", When: clone("", false, draft), Then: []event{ofDraft}},
		{Name: "ROL-3 duplicate what the plan lacks", When: clone("", false, role.State{}), Refused: noSource},
		{Name: "ROL-2 customise into a role that is there", Given: created(), When: clone("", true, inForce), Refused: decidertest.Conflict("role_exists", "/role")},
		{Name: "ROL-3 duplicate under no UUID", When: noUUID, Refused: decidertest.Invalid("invalid_id", "/role")},
		{Name: "ROL-3 a title of 201 characters", When: clone(strings.Repeat("a", 201), false, inForce), Refused: decidertest.Invalid("invalid_length", "/title")},
	})
	t.Run("ROL-2 the copy is a draft with the content of its source", func(t *testing.T) {
		s := role.Decider.Fold(customized)
		if s.Published() || s.Source != source || s.Creator != bob || s.Draft.Title != "Analyst" || len(s.Draft.Skills) != 2 {
			t.Errorf("state %+v", s)
		}
	})
	t.Run("ROL-3 the duplicate is a draft with the content of its source", func(t *testing.T) {
		s := role.Decider.Fold(duplicated)
		if s.Published() || s.Source != source || s.Creator != bob || s.Draft.Title != "Analyst" || len(s.Draft.Skills) != 2 {
			t.Errorf("state %+v", s)
		}
	})
}

func TestRenameAndDescribe(t *testing.T) {
	rename := func(title string) role.Command { return role.Rename{Role: engineer, Title: title} }
	describe := func(text string, responsibilities ...string) role.Command {
		return role.Describe{Role: engineer, Description: text, Responsibilities: responsibilities}
	}
	described := func(text string, responsibilities ...string) event {
		return role.RoleDescribed{Role: engineer, Description: text, Responsibilities: responsibilities}
	}
	invalid := decidertest.Invalid
	longest := append(slices.Repeat([]string{"x"}, 99), strings.Repeat("é", 1000))
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-5 rename", Given: created(), When: rename("Developer"), Then: []event{role.RoleRenamed{Role: engineer, Title: "Developer"}}},
		{Name: "ROL-5 rename to the title it has", Given: created(role.RoleRenamed{Role: engineer, Title: "Developer"}), When: rename("Developer")},
		{Name: "ROL-5 rename to 1 character", Given: created(), When: rename("X"), Then: []event{role.RoleRenamed{Role: engineer, Title: "X"}}},
		{Name: "ROL-5 rename to nothing", Given: created(), When: rename(""), Refused: invalid("invalid_length", "/title")},
		{Name: "ROL-5 rename to 201 characters", Given: created(), When: rename(strings.Repeat("a", 201)), Refused: invalid("invalid_length", "/title")},
		{Name: "ROL-5 rename no role", When: rename("Developer"), Refused: noRole},
		{Name: "ROL-12 describe", Given: created(), When: describe("Builds.\nRuns.", "Code", "Review"), Then: []event{described("Builds.\nRuns.", "Code", "Review")}},
		{Name: "ROL-12 describe as it is described", Given: created(described("Builds.", "Code")), When: describe("Builds.", "Code")},
		{Name: "ROL-12 describe with the responsibilities in another order", Given: created(described("Builds.", "Code", "Review")),
			When: describe("Builds.", "Review", "Code"), Then: []event{described("Builds.", "Review", "Code")}},
		{Name: "ROL-12 take the description away", Given: created(described("Builds.", "Code")), When: describe(""), Then: []event{described("")}},
		{
			Name: "ROL-12 describe with everything at its longest", Given: created(), When: describe(strings.Repeat("é", 10_000), longest...),
			Then: []event{described(strings.Repeat("é", 10_000), longest...)},
		},
		{Name: "ROL-12 a description of 10,001 characters", Given: created(), When: describe(strings.Repeat("a", 10_001)), Refused: invalid("invalid_length", "/description")},
		{Name: "ROL-12 101 responsibilities", Given: created(), When: describe("", make([]string, 101)...), Refused: invalid("too_many", "/responsibilities")},
		{Name: "ROL-12 an empty responsibility", Given: created(), When: describe("", "Code", ""), Refused: invalid("invalid_length", "/responsibilities/1")},
		{Name: "ROL-12 a responsibility of 1,001 characters", Given: created(), When: describe("", strings.Repeat("a", 1001)), Refused: invalid("invalid_length", "/responsibilities/0")},
		{Name: "ROL-12 describe no role", When: describe("Builds."), Refused: noRole},
	})
}

func TestPublish(t *testing.T) {
	publish := func(on role.OnPublish) role.Command { return role.Publish{Role: engineer, OnPublish: on} }
	version := func(n int, on role.OnPublish, c role.Content) event {
		return role.RolePublished{Role: engineer, Version: n, Content: c, OnPublish: on}
	}
	first := content("Engineer", has(golang, true))
	renamed := role.RoleRenamed{Role: engineer, Title: "Developer"}
	described := role.RoleDescribed{Role: engineer, Description: "Builds.", Responsibilities: []string{"Code"}}
	full := role.Content{Title: "Engineer", Description: "Builds.", Responsibilities: []string{"Code"}, Skills: first.Skills}
	required := decidertest.Conflict("no_required_skill", "/role")
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-8 publish the first version", Given: created(added(golang, true)), When: publish(""), Then: []event{version(1, role.ReEvaluate, first)}},
		{Name: "ROL-8 publish with re-evaluation", Given: created(added(golang, true)), When: publish("re_evaluate"), Then: []event{version(1, role.ReEvaluate, first)}},
		{Name: "ROL-8 publish with grandfathering", Given: created(added(golang, true)), When: publish("grandfather"), Then: []event{version(1, role.Grandfather, first)}},
		{Name: "ROL-8 a version has the whole content", Given: created(added(golang, true), described), When: publish(""), Then: []event{version(1, role.ReEvaluate, full)}},
		{Name: "ROL-8 publish the second version", Given: published(renamed), When: publish(""), Then: []event{version(2, role.ReEvaluate, content("Developer", has(golang, true)))}},
		{Name: "ROL-8 publish a new description", Given: published(described), When: publish(""), Then: []event{version(2, role.ReEvaluate, full)}},
		{Name: "ROL-8 publish new skills", Given: published(added(sql, false)), When: publish(""),
			Then: []event{version(2, role.ReEvaluate, content("Engineer", has(golang, true), has(sql, false)))}},
		{Name: "ROL-8 publish what is in force", Given: published(), When: publish("")},
		{Name: "ROL-8 publish what was changed and changed back", Given: published(renamed, role.RoleRenamed{Role: engineer, Title: "Engineer"}), When: publish("grandfather")},
		{Name: "ROL-5 publish without skills", Given: created(), When: publish(""), Refused: required},
		{Name: "ROL-5 publish with optional skills only", Given: created(added(golang, false), added(sql, false)), When: publish(""), Refused: required},
		{Name: "ROL-5 publish after the last required skill went", Given: published(role.RoleSkillRemoved{Role: engineer, Skill: golang}), When: publish(""), Refused: required},
		{Name: "ROL-8 an unknown way to publish", Given: created(added(golang, true)), When: publish("soon"), Refused: decidertest.Invalid("invalid_on_publish", "/on_publish")},
		{Name: "ROL-8 publish no role", When: publish(""), Refused: noRole},
	})
	t.Run("ROL-8 editing a published role leaves the version in force", func(t *testing.T) {
		s := role.Decider.Fold(published(renamed, added(sql, true), role.RoleSkillRemoved{Role: engineer, Skill: golang})...)
		if !s.Published() || s.Version != 1 || s.InForce.Title != "Engineer" || len(s.InForce.Skills) != 1 || s.InForce.Skills[0] != has(golang, true) {
			t.Errorf("in force: %+v", s.InForce)
		}
		if s.Draft.Title != "Developer" || len(s.Draft.Skills) != 1 || s.Draft.Skills[0] != has(sql, true) {
			t.Errorf("draft: %+v", s.Draft)
		}
	})
	t.Run("ROL-4 a role is a draft until published", func(t *testing.T) {
		if role.Decider.Fold(created(added(golang, true))...).Published() {
			t.Error("published")
		}
	})
}
