package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// query is a route that reads a plan.
type query struct {
	path    string // below /v1/plans/{plan}
	id      string
	summary string
	action  access.Action
	feature plan.Feature  // that the plan must include; empty: none
	shared  bool          // also for callers of other plans, where the plan is the catalog
	params  []*huma.Param // besides min_position
	answer  reflect.Type
	run     func(*call) (answer, error)
	csv     func(*call) (*sheet, error) // nil: there is no CSV
}

// pageParams are those of a list.
var pageParams = []*huma.Param{limitParam, cursorParam}

func with(more ...*huma.Param) []*huma.Param { return append(more, pageParams...) }

func (s *server) queries() []query {
	return []query{
		{
			path: "/roles", id: "list-roles", summary: "Roles by title.", action: access.QueryPlan, shared: true,
			params: with(stateParam), answer: answerOf[List[*readmodels.RoleRow]](), run: s.roles,
		},
		{
			path: "/roles/{id}", id: "get-role", summary: "A role: its draft and the version in force.",
			action: access.QueryPlan, shared: true,
			answer: answerOf[Item[*readmodels.RoleRow]](), run: s.role,
		},
		{
			path: "/roles/{id}/versions", id: "list-role-versions", summary: "Published versions of a role, the newest first.",
			action: access.QueryPlan, shared: true,
			params: pageParams, answer: answerOf[List[*readmodels.VersionRow]](), run: s.versions,
		},
		{
			path: "/roles/{id}/members", id: "list-role-members", summary: "Members who hold a role by any path.",
			action: access.QueryPlan,
			params: pageParams, answer: answerOf[List[*readmodels.HolderRow]](), run: s.holders,
		},
		{
			path: "/roles/{id}/diff", id: "get-role-diff", summary: "What publishing the draft would change in the version in force. For who may edit the role.",
			action: access.QueryPlan,
			answer: answerOf[Item[readmodels.RoleDiff]](), run: s.diff,
		},
		{
			path: "/roles/{id}/what-if", id: "get-role-what-if",
			summary: "Whose level would rise, fall or become incomplete if the draft were published. For who may edit the role.",
			action:  access.QueryPlan, feature: plan.Roles,
			params: with(onPublishParam), answer: answerOf[WhatIf](), run: s.whatIf,
		},
		{
			path: "/roles/{id}/pathway", id: "get-role-pathway", summary: "The published roles from which one advances to a role, and to which from it.",
			action: access.QueryPlan,
			answer: answerOf[Item[*readmodels.PathwayRow]](), run: s.pathway,
		},
		{
			path: "/categories", id: "list-categories", summary: "Categories of roles by name.", action: access.QueryPlan, shared: true,
			params: pageParams, answer: answerOf[List[*readmodels.CategoryRow]](), run: s.categories,
		},
		{
			path: "/skills", id: "list-skills", summary: "Skills of the plan and of the catalog.",
			action: access.QueryPlan, shared: true,
			params: with(searchParam), answer: answerOf[List[*readmodels.SkillRow]](), run: s.skills,
		},
		{
			path: "/members", id: "list-members", summary: "Members by name.", action: access.QueryPlan,
			params: with(searchParam, memberStateParam, teamParam, nestedParam), answer: answerOf[List[*readmodels.MemberRow]](), run: s.members,
		},
		{
			path: "/members/{id}", id: "get-member", summary: "A member.", action: access.QueryPlan,
			answer: answerOf[Item[*readmodels.MemberRow]](), run: s.member,
		},
		{
			path: "/members/{id}/roles", id: "list-member-roles", summary: "A member's standing in each role they hold.",
			action: access.QueryPlan,
			answer: answerOf[List[readmodels.ProgressRow]](), run: s.memberRoles,
		},
		{
			path: "/members/{id}/skills", id: "list-member-skills", summary: "A member's results in each skill.",
			action: access.QueryPlan,
			answer: answerOf[List[readmodels.ResultRow]](), run: s.memberSkills,
		},
		{
			path: "/teams", id: "list-teams", summary: "Teams by name.", action: access.QueryPlan,
			params: with(parentParam), answer: answerOf[List[*readmodels.TeamRow]](), run: s.teams,
		},
		{
			path: "/teams/{id}", id: "get-team", summary: "A team, with those above it.", action: access.QueryPlan,
			answer: answerOf[Item[*readmodels.TeamPlace]](), run: s.team,
		},
		{
			path: "/analytics/roles", id: "analytics-roles", summary: "Report on all roles.",
			action: access.ReadAnalytics, feature: plan.Roles,
			params: pageParams, answer: answerOf[RolesReport](), run: s.analyticsRoles, csv: s.analyticsRolesSheet,
		},
		{
			path: "/analytics/roles/{id}", id: "analytics-role", summary: "Report on one role and its skills. The CSV has the skills.",
			action: access.ReadAnalytics, feature: plan.Roles,
			answer: answerOf[RoleReport](), run: s.analyticsRole, csv: s.analyticsRoleSheet,
		},
		{
			path: "/analytics/roles/{id}/members", id: "analytics-role-members", summary: "Report on each member who holds a role.",
			action: access.ReadAnalytics, feature: plan.AdvancedAnalytics,
			params: with(rowsParam), answer: answerOf[List[readmodels.MemberLine]](), run: s.analyticsMembers, csv: s.analyticsMembersSheet,
		},
		{
			path: "/events", id: "list-events", summary: "History of the plan, the oldest first.",
			action: access.ReadHistory, feature: plan.Audit,
			params: []*huma.Param{afterParam, limitParam}, answer: answerOf[List[Event]](), run: s.events,
		},
	}
}

func answerOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func (s *server) queryRoutes() {
	for _, q := range s.queries() {
		q.params = append(slices.Clone(q.params), positionParam)
		if q.csv != nil {
			q.params = append(q.params, formatParam)
		}
		op := &huma.Operation{
			Method: http.MethodGet, Path: "/v1/plans/{plan}" + q.path, OperationID: q.id, Summary: q.summary, Tags: []string{"queries"},
			Parameters: q.params, Responses: s.responses(q.answer, 400, 401, 403, 404, 422, 503),
		}
		s.addFreshness(op, q.csv != nil)
		s.register(op, s.authenticated(s.query(q)))
	}
}

// query answers as JSON, or as CSV where the route has it and the caller asks for it.
func (s *server) query(q query) func(*call) error {
	return func(c *call) error {
		c.plan = domain.PlanID(c.gin.Param("plan"))
		if err := s.enter(c, q.action, q.feature); err != nil {
			return err
		}
		if c.guest() && !q.shared {
			return domain.Missing("plan")
		}
		var err error
		if c.params, err = readParams(c.gin.Request.URL.RawQuery, q.params); err != nil {
			return err
		}
		if c.min = c.params.position(positionParam.Name); c.min > 0 {
			defer c.until(s.MinPositionWait)()
		}
		if c.head, err = s.head(c.ctx); err != nil {
			return err
		}
		if q.csv != nil && c.wantsCSV() {
			return s.stream(c, q.csv)
		}
		a, err := q.run(c)
		if err != nil {
			return c.notYet(err)
		}
		return s.reply(c, a)
	}
}

// head is where the log ends, looked up before the query so that what comes during it is no lag.
func (s *server) head(ctx context.Context) (eventstore.Position, error) {
	info, err := s.Events.Info(ctx)
	return info.Head, err
}

// notYet tells the end of the wait for min_position from other failures.
func (c *call) notYet(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(c.ctx), errNotYet) {
		return errNotYet
	}
	return err
}

// one reads the id of a single object from the path. What cannot be an id answers as the id of nothing.
func (c *call) one(what string) (string, error) {
	if err := c.params.err(); err != nil {
		return "", err
	}
	id := c.gin.Param("id")
	if domain.CheckID("", domain.RoleID(id)) != nil {
		return "", domain.Missing(what)
	}
	return id, nil
}

func (s *server) memberRoles(c *call) (answer, error) {
	id, err := c.one("member")
	if err == nil {
		err = s.seen(c, id)
	}
	if err != nil {
		return answer{}, err
	}
	rows, at, err := s.Queries.MemberProgress(c.ctx, string(c.plan), id, c.min)
	if err == nil && rows == nil {
		err = domain.Missing("member")
	}
	return answer{content: List[readmodels.ProgressRow]{Items: rows}, at: at}, err
}

func (s *server) memberSkills(c *call) (answer, error) {
	id, err := c.one("member")
	if err == nil {
		err = s.seen(c, id)
	}
	if err != nil {
		return answer{}, err
	}
	rows, at, err := s.Queries.MemberResults(c.ctx, string(c.plan), id, c.min)
	if err == nil && rows == nil {
		err = domain.Missing("member")
	}
	return answer{content: List[readmodels.ResultRow]{Items: rows}, at: at}, err
}

func (s *server) skills(c *call) (answer, error) {
	search := c.params.search()
	want := c.page(search)
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.Skills(c.ctx, string(c.plan), search, want)
	return answer{content: listed(c, page), at: at}, err
}
