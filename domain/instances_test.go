package domain_test

import (
	"time"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/apikey"
	"rolewise/domain/assignment"
	"rolewise/domain/category"
	"rolewise/domain/command"
	"rolewise/domain/member"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/reactor"
	"rolewise/domain/reservation"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/roleiq"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
)

const (
	ada      = "01890a5d-ac96-774b-bcce-b30209900001"
	bob      = "01890a5d-ac96-774b-bcce-b30209900002"
	sales    = "01890a5d-ac96-774b-bcce-b30209900011"
	north    = "01890a5d-ac96-774b-bcce-b30209900012"
	golang   = "01890a5d-ac96-774b-bcce-b30209900021"
	sql      = "01890a5d-ac96-774b-bcce-b30209900022"
	engineer = "01890a5d-ac96-774b-bcce-b30209900031"
	analyst  = "01890a5d-ac96-774b-bcce-b30209900032"
	craft    = "01890a5d-ac96-774b-bcce-b30209900041"
)

var (
	bench   = skill.Benchmark{Role: engineer, Version: 3, Thresholds: skill.Thresholds{100, 200, 250}}
	content = role.Content{
		Title: "Site engineer", Description: "Keeps “the site” up & running <always>.", Responsibilities: []string{"On call", "Post-mortems"},
		Skills: []role.Skill{
			{Skill: golang, Required: true, Percent: 10, Benchmark: bench, Goals: skill.Thresholds{110, 220, 275}, RequiredLevel: 4},
			{Skill: sql, Required: true, Percent: -10, Benchmark: bench, Goals: skill.Thresholds{90, 180, 225}, RequiredLevel: 2},
		},
		Badge: role.Badge{Icon: "server", Color: "#1d4ed8"},
	}
	hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// instances has one event of each type, with every field set to something else than its zero value.
var instances = []any{
	plan.PlanCreated{Plan: "acme", Name: "Acme Ltd", Tier: plan.Enterprise, Owner: ada},
	plan.PlanTierChanged{From: plan.Starter, To: plan.Professional},
	plan.PlanFeatureGranted{Feature: plan.Authoring},
	plan.PlanFeatureWithdrawn{Feature: plan.AdvancedAnalytics},
	plan.RecalculationPolicySet{Recalculation: plan.OnVisit},
	plan.PlanLicencesSet{Licences: 250},
	plan.LevelRulePolicySet{Rule: plan.LevelRule{Name: plan.KOfN, K: 3}},
	plan.RoleEditingPolicySet{Editing: plan.AdminsEdit},
	plan.DirectoryVisibilityPolicySet{Visibility: plan.FeaturedCategory},

	member.MemberInvited{Member: ada, Name: "Ada Lovelace", Email: "ada@example.org", Title: "Analyst", AccessRole: member.Owner},
	member.MemberInvitationAbandoned{Member: ada},
	member.InvitationAccepted{Member: ada},
	member.TeamMemberAdded{Member: ada, Team: sales, TeamRole: member.Manager},
	member.TeamRoleChanged{Member: ada, Team: sales, TeamRole: member.Stakeholder},
	member.TeamMemberRemoved{Member: ada, Team: sales},
	member.MemberProfileChanged{Member: ada, Name: "Ada King", Title: "Countess", Location: "London", Department: "Analysis", Manager: bob},
	member.MemberEmailChanged{Member: ada, Email: "ada.king@example.org"},
	member.MemberChangeAbandoned{Member: ada},
	member.MemberDeactivated{Member: ada},
	member.MemberReactivated{Member: ada},
	member.MemberRemoved{Member: ada},
	member.AccessRoleGranted{Member: ada, AccessRole: member.HR},
	member.AccessRoleWithdrawn{Member: ada, AccessRole: member.HR},

	seats.OwnerGranted{Member: ada},
	seats.OwnerWithdrawn{Member: ada},
	seats.ContentAccessGranted{Member: ada},
	seats.ContentAccessWithdrawn{Member: ada},
	seats.MemberSeatsClosed{Member: ada, Events: 7},

	team.TeamCreated{Team: north, Name: "North", Parent: sales},
	team.TeamRenamed{Team: north, Name: "Far North"},
	team.TeamMoved{Team: north, Parent: sales},
	team.TeamDeleted{Team: north},

	skill.SkillDefined{
		Skill: golang, Name: "Go", Description: "A language.\nCompiled.", Icon: "go", Synonyms: []string{"Golang", "Go lang"},
		Parent: sql, State: skill.Beta,
	},
	skill.SkillRenamed{Skill: golang, Name: "Go (language)"},
	skill.SkillValidated{Skill: golang},
	skill.SkillRetired{Skill: golang},
	skill.BenchmarkPublished{Skill: golang, Role: engineer, Version: 3, Thresholds: skill.Thresholds{100, 200, 250}, Source: "survey 2026"},

	role.RoleCreated{Role: engineer, Title: "Site engineer", Creator: ada},
	role.RoleCustomized{Role: engineer, Source: analyst, SourceVersion: 2, Content: content, Creator: ada},
	role.RoleDuplicated{Role: engineer, Source: analyst, SourceVersion: 2, Content: content, Creator: ada},
	role.RoleRenamed{Role: engineer, Title: "Reliability engineer"},
	role.RoleDescribed{Role: engineer, Description: "Keeps the site up.", Responsibilities: []string{"On call"}},
	role.RoleSkillAdded{Role: engineer, Skill: content.Skills[0]},
	role.RoleSkillRemoved{Role: engineer, Skill: golang},
	role.RoleSkillsReordered{Role: engineer, Skills: []domain.SkillID{sql, golang}},
	role.RoleSkillRequirementSet{Role: engineer, Skill: golang, Required: true},
	role.GoalAdjusted{Role: engineer, Skill: golang, Percent: -10, Goals: skill.Thresholds{90, 180, 225}},
	role.RequiredLevelSet{Role: engineer, Skill: golang, Level: 4},
	role.RoleBadgePersonalized{Role: engineer, Badge: role.Badge{Icon: "server", Color: "#1d4ed8"}},
	role.RoleCategorized{Role: engineer, Category: craft},
	role.RoleDeleted{Role: engineer},
	role.RoleRestored{Role: engineer},
	role.RoleTransferred{Role: engineer, From: ada, To: bob},
	role.RoleTitleYielded{Role: engineer},
	role.RolePublished{Role: engineer, Version: 2, Content: content, OnPublish: role.Grandfather},

	category.CategoryCreated{Category: craft, Name: "Craft", Featured: true},
	category.CategoryFeatureSet{Category: craft, Featured: true},

	pathway.PathwaySet{Role: engineer, AdvancesFrom: []domain.RoleID{analyst}},

	assignment.MemberAssigned{Member: ada, Role: engineer, Message: "Welcome!", Notify: true},
	assignment.MemberUnassigned{Member: ada, Role: engineer, Message: "Thank you.", Notify: true},
	assignment.TeamAssigned{Team: sales, Role: engineer, Message: "Welcome!", Notify: true},
	assignment.TeamUnassigned{Team: sales, Role: engineer, Message: "Thank you.", Notify: true},

	results.SkillIQMeasured{
		Member: ada, Skill: golang, Session: "s-1", Score: 187, Percentile: 71, Level: skill.AboveAverage, Scheme: skill.SchemeV1,
		MeasuredAt: time.Date(2026, 3, 4, 11, 22, 33, 444555666, time.UTC), AssessmentVersion: "2026-1", Source: "assessments",
	},
	results.BetaAssessmentTaken{Member: ada, Skill: golang, Session: "s-1", TakenAt: time.Date(2026, 3, 4, 11, 22, 33, 0, time.UTC)},
	results.SkillIQInvalidated{Member: ada, Skill: golang, Session: "s-1", Reason: "interrupted"},

	progress.LevelSelected{Member: ada, Role: engineer, Level: roleiq.Mid},
	progress.RoleVisited{Member: ada, Role: engineer},
	progress.ProgressRefreshed{Role: engineer, Members: []domain.MemberID{ada, bob}},

	apikey.ApiKeyCreated{Key: "01890a5d", Name: "ci", Scopes: []access.Scope{access.Read, access.MeasurementsWrite}, Member: ada, Hash: apikey.Hash(hash)},
	apikey.ApiKeyRevoked{Key: "01890a5d"},

	reservation.Reserved{Owner: ada, Events: 7},
	reservation.Released{Owner: ada},

	command.CommandClaimed{Name: "invite-member", BodyHash: command.BodyHash(hash), Stream: "member-acme." + ada, NewID: ada},
	command.CommandReleased{},
	command.CommandAccepted{
		Command: north, Name: "assign-role", BodyHash: command.BodyHash(hash), Role: engineer, Members: []domain.MemberID{ada, bob},
		Teams: []domain.TeamID{sales}, Message: "Welcome, you two!", Notify: true, Mode: "atomic",
	},
	command.CommandResumed{},
	command.CommandAnswered{BodyHash: command.BodyHash(hash), Answer: []byte(`{"events":["MemberInvited"]}`)},

	reactor.ReactorAdvanced{Reactor: "commands", Position: 81},
	reactor.ReactionRefused{Reactor: "commands", Position: 80, Stream: "command-acme." + north, Reason: "there is no such bulk command"},
}
