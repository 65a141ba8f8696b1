package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"rolewise/domain/access"
	"rolewise/readmodels"
)

// Me is who calls.
type Me struct {
	ID       string         `json:"id" doc:"As it stands in events as the actor."`
	Plan     *string        `json:"plan" doc:"Null for the operator, who belongs to none."`
	Member   *string        `json:"member" doc:"The member that the key acts for."`
	Scopes   []access.Scope `json:"scopes" nullable:"false"`
	Operator bool           `json:"operator"`
}

// ownRoutes are those that belong to no plan.
func (s *server) ownRoutes() {
	s.register(&huma.Operation{
		Method: http.MethodGet, Path: "/v1/about", OperationID: "about", Summary: "What this is.", Tags: []string{"about"},
		Security: []map[string][]string{}, Responses: s.responses(reflect.TypeFor[About](), 422),
	}, s.about)
	s.register(&huma.Operation{
		Method: http.MethodGet, Path: "/v1/me", OperationID: "me", Summary: "Who calls.", Tags: []string{"about"},
		Responses: s.responses(reflect.TypeFor[Me](), 401, 422, 503),
	}, s.authenticated(s.me))
	plans := &huma.Operation{
		Method: http.MethodGet, Path: "/v1/me/plans", OperationID: "my-plans", Summary: "Plans of the caller.", Tags: []string{"about"},
		Parameters: with(positionParam), Responses: s.responses(answerOf[List[*readmodels.PlanRow]](), 400, 401, 422, 503),
	}
	s.addFreshness(plans, false)
	s.register(plans, s.authenticated(s.myPlans))
}

func (s *server) about(c *call) error { return c.plain(s.About) }

func (s *server) me(c *call) error {
	if err := c.principal.May(access.ReadOwnPrincipal, c.principal.Plan); err != nil {
		return err
	}
	p := c.principal
	me := Me{ID: p.ID, Plan: given(p.Plan), Member: given(p.Member), Scopes: p.Scopes, Operator: p.Vendor}
	if me.Scopes == nil {
		me.Scopes = []access.Scope{}
	}
	return c.plain(me)
}

// plain answers with an object that is in no read model.
func (c *call) plain(content any) error {
	if _, err := readParams(c.gin.Request.URL.RawQuery, nil); err != nil {
		return err
	}
	body, err := encode(content)
	if err != nil {
		return err
	}
	c.gin.Data(http.StatusOK, "application/json", body)
	return nil
}

// myPlans lists the plans of a person who signed in, and the plan of a key; the operator has all (SPEC PLN-3).
func (s *server) myPlans(c *call) error {
	if err := c.principal.May(access.ReadOwnPrincipal, c.principal.Plan); err != nil {
		return err
	}
	var err error
	if c.params, err = readParams(c.gin.Request.URL.RawQuery, with(positionParam)); err != nil {
		return err
	}
	if c.min = c.params.position(positionParam.Name); c.min > 0 {
		defer c.until(s.MinPositionWait)()
	}
	want := c.page(string(c.principal.Plan), c.principal.Person)
	if err := c.params.err(); err != nil {
		return err
	}
	if c.head, err = s.head(c.ctx); err != nil {
		return err
	}
	plans, at, err := s.plansOf(c, want)
	if err != nil {
		return c.notYet(err)
	}
	return s.reply(c, answer{content: listed(c, plans), at: at})
}

func (s *server) plansOf(c *call, want readmodels.Want) (readmodels.List[*readmodels.PlanRow], readmodels.Checkpoint, error) {
	if c.principal.Vendor {
		return s.Queries.Plans(c.ctx, want)
	}
	if c.principal.Person != "" {
		return s.Queries.PlansOf(c.ctx, c.principal.Person, want)
	}
	var plans readmodels.List[*readmodels.PlanRow]
	row, at, err := s.Queries.Plan(c.ctx, string(c.principal.Plan), want.Min)
	if row != nil {
		plans.Items = append(plans.Items, row)
	}
	return plans, at, err
}

// given is the JSON form of an id that may be absent: null.
func given[ID ~string](id ID) *string {
	if id == "" {
		return nil
	}
	text := string(id)
	return &text
}
