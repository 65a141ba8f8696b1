package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

const keyScheme = "api_key"

func (s *server) config() huma.Config {
	version := s.About.Version
	if version == "" {
		version = "0"
	}
	document := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Rolewise", Version: version,
			Description: "Commands change what an organisation's roles and skills are; queries answer from read models that follow. " +
				"Pass the position of a command's answer as min_position to a query to see its effect.",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				keyScheme: {Type: "http", Scheme: "bearer", Description: "An API key; X-API-Key: <key> does the same."},
			},
		},
		Security: []map[string][]string{{keyScheme: {}}},
	}
	if s.BaseURL != "" {
		document.Servers = []*huma.Server{{URL: strings.TrimSuffix(s.BaseURL, "/")}}
	}
	return huma.Config{OpenAPI: document} // no docs page, no schema links, no transformers
}

// register puts a route into the router and the document. Path parameters are documented from the path.
func (s *server) register(op *huma.Operation, handle func(*call) error) {
	for part := range strings.SplitSeq(op.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			op.Parameters = append(op.Parameters, pathParam(strings.TrimSuffix(name, "}")))
		}
	}
	s.api.OpenAPI().AddOperation(op)
	serve := s.answering(handle)
	s.api.Adapter().Handle(op, func(ctx huma.Context) { serve(humagin.Unwrap(ctx)) })
}

func pathParam(name string) *huma.Param {
	param := &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"}}
	if name == "plan" {
		param.Schema = &huma.Schema{Type: huma.TypeString, Pattern: "^[a-z0-9-]{2,40}$"}
	}
	return param
}

// responses describes a body and the problems that may come instead, by status.
func (s *server) responses(body reflect.Type, problems ...int) map[string]*huma.Response {
	components := s.api.OpenAPI().Components
	all := map[string]*huma.Response{"200": {
		Description: "OK",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: components.Schemas.Schema(body, true, "")}},
	}}
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	for _, status := range append(problems, http.StatusInternalServerError) {
		name := strings.ReplaceAll(http.StatusText(status), " ", "")
		components.Responses[name] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")}},
		}
		all[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
	}
	return all
}

// addFreshness documents what every answer to a query has besides what was found.
func (s *server) addFreshness(op *huma.Operation, csv bool) {
	registry := s.api.OpenAPI().Components.Schemas
	fresh := registry.Schema(reflect.TypeFor[Freshness](), false, "")
	op.Responses["304"] = &huma.Response{Description: "The caller has it already: If-None-Match names its ETag."}
	ok := op.Responses["200"]
	found := registry.SchemaFromRef(ok.Content["application/json"].Schema.Ref)
	for name, property := range fresh.Properties {
		if found.Properties[name] == nil {
			found.Properties[name] = property
			found.Required = append(found.Required, name)
		}
	}
	slices.Sort(found.Required)
	if csv {
		ok.Content["text/csv"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	ok.Headers = map[string]*huma.Param{
		"ETag":                {Schema: &huma.Schema{Type: huma.TypeString}},
		"X-Rolewise-Position": {Description: "As position in the body.", Schema: &huma.Schema{Type: huma.TypeString}},
		"X-Rolewise-As-Of":    {Description: "As as_of in the body.", Schema: &huma.Schema{Type: huma.TypeString, Format: "date-time"}},
	}
}
