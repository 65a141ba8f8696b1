package main

import (
	"encoding/json"
	"regexp"
	"testing"

	"rolewise/api"
	"rolewise/telemetry/tracing"
)

func TestStreamRoute(t *testing.T) {
	text, err := api.OpenAPI("", "test")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(tracing.StreamRoute, "{$1}")
	if is := document.Paths[path]["get"].OperationID; is != "stream-changes" {
		t.Errorf("ANA-9 %s, which is not traced, is the route of %q", path, is)
	}
}
