package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain/access"
)

var update = flag.Bool("update", false, "write docs/openapi.json and testdata anew")

const committed = "../docs/openapi.json"

func TestOpenAPIDocument(t *testing.T) {
	document, err := OpenAPI("", "0")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(committed, document, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("API-3 is the committed one", func(t *testing.T) {
		have, err := os.ReadFile(committed)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, document) {
			t.Error("docs/openapi.json is not what the code says; go test ./api -run OpenAPI -update")
		}
	})
	var parsed struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
			RequestBody struct {
				Content map[string]struct{ Schema map[string]any }
			}
			Responses map[string]struct {
				Ref     string `json:"$ref"`
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct {
			Schemas   map[string]schema
			Responses map[string]any
		}
	}
	if err := json.Unmarshal(document, &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.OpenAPI != "3.1.0" {
		t.Errorf("version %s", parsed.OpenAPI)
	}
	t.Run("API-1 has every command", func(t *testing.T) {
		for _, c := range commands.All() {
			about := c.About()
			path := "/v1/plans/{plan}/commands/" + about.Name
			if about.Action == access.OperatePlans {
				path = "/v1/operator/commands/" + about.Name
			}
			op, ok := parsed.Paths[path]["post"]
			if !ok || op.OperationID != about.Name {
				t.Errorf("%s is not at %s", about.Name, path)
				continue
			}
			ref, _ := op.RequestBody.Content["application/json"].Schema["$ref"].(string)
			body, ok := parsed.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
			if !ok || body.AdditionalProperties != false {
				t.Errorf("%s: body %q %+v", path, ref, body)
			}
			for name, property := range body.Properties {
				if types, ok := property["type"].([]any); ok {
					t.Errorf("%s: %s may be %v, but null is refused", path, name, types)
				}
			}
		}
	})
	t.Run("API-3 names every path parameter and problem", func(t *testing.T) {
		for path, item := range parsed.Paths {
			for method, op := range item {
				for _, part := range strings.Split(path, "/") {
					name := strings.Trim(part, "{}")
					if name != part && !slices.Contains(op.Parameters, struct{ Name, In string }{name, "path"}) {
						t.Errorf("%s %s does not document %s", method, path, name)
					}
				}
				for status, response := range op.Responses {
					name, isProblem := strings.CutPrefix(response.Ref, "#/components/responses/")
					if isProblem != (status >= "4") || isProblem && parsed.Components.Responses[name] == nil {
						t.Errorf("%s %s: response %s is %q", method, path, status, response.Ref)
					}
				}
			}
		}
	})
	t.Run("API-3 refers to nothing outside", func(t *testing.T) {
		for _, line := range strings.Split(string(document), "\n") {
			if strings.Contains(line, "://") || (strings.Contains(line, `"$ref"`) && !strings.Contains(line, `"#/components/`)) {
				t.Error(line)
			}
		}
		for _, ref := range strings.SplitAfter(string(document), `"#/components/schemas/`)[1:] {
			name, _, _ := strings.Cut(ref, `"`)
			if _, ok := parsed.Components.Schemas[name]; !ok {
				t.Errorf("there is no schema %s", name)
			}
		}
	})
	t.Run("API-3 query answers tell how new they are", func(t *testing.T) {
		for path, item := range parsed.Paths {
			op, ok := item["get"]
			if !ok || !strings.Contains(path, "{plan}") && path != "/v1/me/plans" {
				continue
			}
			if strings.HasSuffix(path, "/stream") { // its events tell of positions only
				continue
			}
			ref, _ := op.Responses["200"].Content["application/json"].Schema["$ref"].(string)
			answer := parsed.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
			for _, name := range []string{"position", "as_of", "lag_ms"} {
				if answer.Properties[name] == nil || !slices.Contains(answer.Required, name) {
					t.Errorf("%s: %s lacks %s", path, ref, name)
				}
			}
		}
	})
}

type schema struct {
	AdditionalProperties any
	Properties           map[string]map[string]any
	Required             []string
}
