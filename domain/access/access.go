// Package access decides who may do what. It is the only place that decides (SPEC ACC-1).
//
// So far callers are API keys with scopes and the operator; rights of access roles and team roles become rows of the
// same table.
package access

import (
	"slices"

	"rolewise/domain"
)

// Scope is what an API key is good for.
type Scope string

const (
	Everything        Scope = "*"                  // all of the plan, as its owner
	Read              Scope = "read"               // queries and reports
	Write             Scope = "write"              // commands, measurements excepted
	MeasurementsWrite Scope = "measurements:write" // record-skill-iq, invalidate-skill-iq
	ActAs             Scope = "act_as"             // commands of a member, on behalf of any member
	Audit             Scope = "audit"              // events and history
)

// Scopes lists every scope there is.
func Scopes() []Scope { return []Scope{Everything, Read, Write, MeasurementsWrite, ActAs, Audit} }

// Action is what a caller wants to do.
type Action string

const (
	OperatePlans     Action = "operate_plans"     // create plans, change tiers and features: the operator only
	ManagePlan       Action = "manage_plan"       // settings, API keys
	ManageOwners     Action = "manage_owners"     // make and unmake owners
	ManageMembers    Action = "manage_members"    // invite, deactivate, remove members; content access
	SeeRemoved       Action = "see_removed"       // members who were removed (SPEC MEM-2)
	ManageTeams      Action = "manage_teams"      // teams and team roles
	DefineSkills     Action = "define_skills"     // skills and benchmarks
	AuthorRoles      Action = "author_roles"      // create, customise, edit, publish
	DeleteRoles      Action = "delete_roles"      // delete and restore; see OfRole.Delete
	TransferRoles    Action = "transfer_roles"    // make another member their creator
	ClassifyRoles    Action = "classify_roles"    // categories, pathways
	AssignRoles      Action = "assign_roles"      // assign and unassign
	RefreshProgress  Action = "refresh_progress"  // on behalf of leaders
	LearnRole        Action = "learn_role"        // select a level, visit a role: for oneself
	ActForMember     Action = "act_for_member"    // the same for another member
	RecordResults    Action = "record_results"    // measurements
	QueryPlan        Action = "query_plan"        // roles, members, teams, skills
	ReadAnalytics    Action = "read_analytics"    // analytics and reports
	ReadHistory      Action = "read_history"      // events, audit
	ReadOwnPrincipal Action = "read_own_identity" // /v1/me
)

// Principal is who calls, as authentication found out. The zero Principal is anonymous.
type Principal struct {
	ID     string          // "key:<id>", "operator", "system:<what>"; stands in events as the actor
	Plan   domain.PlanID   // the plan the principal belongs to; empty for the operator
	Member domain.MemberID // the member it acts for, if any
	// Person is the e-mail address that is known to be the caller's: by it a person has several plans. An address that
	// stands with a member is not known to be theirs, so that keys have none.
	Person string
	Scopes []Scope
	Vendor bool // the operator: every action, in every plan
}

// table says which scope permits an action; Everything permits all of them but the operator's.
var table = map[Action][]Scope{
	OperatePlans:     {},
	ManagePlan:       {Everything},
	ManageOwners:     {Everything},
	ManageMembers:    {Write},
	SeeRemoved:       {Everything},
	ManageTeams:      {Write},
	DefineSkills:     {Write},
	AuthorRoles:      {Write},
	DeleteRoles:      {Write},
	TransferRoles:    {Everything},
	ClassifyRoles:    {Write},
	AssignRoles:      {Write},
	RefreshProgress:  {Write},
	LearnRole:        {Write},
	ActForMember:     {ActAs},
	RecordResults:    {MeasurementsWrite},
	QueryPlan:        {Read},
	ReadAnalytics:    {Read},
	ReadHistory:      {Audit},
	ReadOwnPrincipal: {Read, Write, MeasurementsWrite, ActAs, Audit},
}

// Actions lists every action, in no order.
func Actions() []Action {
	var all []Action
	for action := range table {
		all = append(all, action)
	}
	slices.Sort(all)
	return all
}

// May tells whether a principal may do something in a plan. Another plan than its own is NotFound, so that nobody
// learns which plans there are (SPEC ACC-5); the own plan without the right is Forbidden.
func (p Principal) May(action Action, in domain.PlanID) error {
	if p.Vendor {
		return nil
	}
	catalog := in == domain.CatalogPlan && action == QueryPlan && p.Plan != "" // readable by all who sign in
	if p.Plan == "" || (p.Plan != in && !catalog) {
		return domain.Missing("plan")
	}
	permitting, known := table[action]
	if known && action != OperatePlans && slices.Contains(p.Scopes, Everything) {
		return nil
	}
	for _, scope := range permitting {
		if slices.Contains(p.Scopes, scope) {
			return nil
		}
	}
	return &domain.Error{Kind: domain.Forbidden, Code: "not_permitted", Message: "the key has no scope that permits this"}
}
