package api

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"rolewise/api/strictjson"
	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// commandRoutes gives every command there is a path of its own (SPEC API-1).
func (s *server) commandRoutes() {
	for _, zero := range commands.All() {
		about := zero.About()
		path, tag := "/v1/plans/{plan}/commands/"+about.Name, "commands"
		if about.Action == access.OperatePlans {
			path, tag = "/v1/operator/commands/"+about.Name, "operator"
		}
		s.register(&huma.Operation{
			Method: http.MethodPost, Path: path, OperationID: about.Name, Summary: about.Summary, Tags: []string{tag},
			Parameters:  []*huma.Param{dryRunParam, keyHeader, matchHeader},
			RequestBody: s.requestBody(reflect.TypeOf(zero)),
			Responses:   s.responses(reflect.TypeFor[commands.Answer](), 400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
		}, s.authenticated(s.command(zero)))
	}
}

var (
	keyHeader = &huma.Param{
		Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: integer(1), MaxLength: integer(maxKey)},
		Description: "The same key and body again give the first answer; another body is refused.",
	}
	matchHeader = &huma.Param{
		Name: "If-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "Revision that the caller has seen, such as \"5\"; if the object has moved on: 412.",
	}
)

// command carries out commands of the type of zero.
func (s *server) command(zero commands.Command) func(*call) error {
	kind := reflect.TypeOf(zero)
	return func(c *call) error {
		req, err := c.request()
		if err != nil {
			return err
		}
		return c.withBody(func(body []byte) error {
			into := reflect.New(kind)
			if err := strictjson.Decode(body, into.Interface()); err != nil {
				return err
			}
			command := into.Elem().Interface().(commands.Command)
			if err := checkRaw(command); err != nil {
				return err
			}
			req.Plan = planOf(command, domain.PlanID(c.gin.Param("plan")))
			answer, err := s.Commands.Handle(c.ctx, req, command)
			if err != nil {
				return err
			}
			if answer.Events == nil {
				answer.Events = []string{}
			}
			encoded, err := encode(answer)
			if err != nil {
				return err
			}
			c.gin.Data(http.StatusOK, "application/json", encoded)
			return nil
		})
	}
}

// planOf returns the plan that a command is about: the operator's name it in their body.
func planOf(c commands.Command, path domain.PlanID) domain.PlanID {
	switch c := c.(type) {
	case commands.CreatePlan:
		return c.Plan
	case commands.ChangePlanTier:
		return c.Plan
	case commands.GrantPlanFeature:
		return c.Plan
	case commands.WithdrawPlanFeature:
		return c.Plan
	case commands.SetPlanLicences:
		return c.Plan
	}
	return path
}

// checkRaw decodes strictly what a command leaves undecoded, since how it reads it is lenient.
func checkRaw(c commands.Command) error {
	set, ok := c.(commands.SetPolicy)
	if !ok || len(set.Value) == 0 || set.Value[0] != '{' {
		return nil
	}
	var rule plan.LevelRule
	var faults *strictjson.Error
	if errors.As(strictjson.Decode(set.Value, &rule), &faults) {
		return faults.Under("/value")
	}
	return nil
}

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// request reads what stands around the body.
func (c *call) request() (commands.Request, error) {
	req := commands.Request{Principal: c.principal, Correlation: c.correlation}
	params, err := readParams(c.gin.Request.URL.RawQuery, []*huma.Param{dryRunParam})
	if err != nil {
		return req, err
	}
	req.DryRun = params.flag(dryRunParam.Name)
	faults := params.faults
	header := c.gin.Request.Header
	if keys := header.Values("Idempotency-Key"); len(keys) > 0 {
		req.Key = keys[0]
		if len(keys) > 1 || !validKey(req.Key) {
			faults = append(faults, Fault{Header: "Idempotency-Key", Code: "invalid_idempotency_key", Detail: "must be one text of 1 to 255 visible ASCII characters"})
		}
	}
	if matches := header.Values("If-Match"); len(matches) > 0 {
		revision, ok := revisionOf(matches)
		if !ok {
			faults = append(faults, Fault{Header: "If-Match", Code: "invalid_if_match", Detail: "must be one revision, such as \"5\""})
		}
		req.IfMatch = &revision
	}
	if len(faults) > 0 {
		return req, wrong(faults)
	}
	return req, nil
}

func validKey(key string) bool {
	visible := strings.IndexFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	return key != "" && len(key) <= maxKey && visible
}

// revisionOf reads "5" or 5; -1 stands for an object without events.
func revisionOf(matches []string) (eventstore.Revision, bool) {
	text := matches[0]
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	ok := err == nil && len(matches) == 1 && n >= int64(eventstore.NoStream) && strconv.FormatInt(n, 10) == text
	return eventstore.Revision(n), ok
}

// requestBody describes a body. Null is nowhere permitted in it.
func (s *server) requestBody(body reflect.Type) *huma.RequestBody {
	registry := s.api.OpenAPI().Components.Schemas
	schema := registry.Schema(body, true, "")
	without(registry, schema)
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// without takes the permission of null out of a schema and all below it.
func without(registry huma.Registry, schema *huma.Schema) {
	if schema.Ref != "" {
		schema = registry.SchemaFromRef(schema.Ref)
	}
	schema.Nullable = false
	for _, property := range schema.Properties {
		without(registry, property)
	}
	if schema.Items != nil {
		without(registry, schema.Items)
	}
}
