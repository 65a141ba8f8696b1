package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
	"rolewise/internal/redistest"
	"rolewise/telemetry/tracing"
	"rolewise/test/harness"
)

// installation is an API and a projector on a KurrentDB and a Redis, which send their spans to a collector.
type installation struct {
	operator harness.Client
	api      *harness.Process
	spans    *otlp
}

func install(t *testing.T) *installation {
	t.Helper()
	log, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	front, err := kurrenttest.Start(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = front.Close(), log.Close() })
	i := &installation{spans: collect(t)}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", i.spans.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	folder, redis := t.TempDir(), redistest.Start(t)
	launch := func(role string, more ...string) *harness.Process {
		t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id="+role)
		return harness.Launch(t, append([]string{"serve", "--role=" + role, "--eventstore=" + front.ConnectionString(), "--data=" + folder,
			"--redis=" + redis, "--admin-listen=127.0.0.1:0"}, more...)...)
	}
	i.api = launch("api", "--listen=127.0.0.1:0", "--replica="+filepath.Join(folder, "replica.db"))
	launch("projector")
	if err := i.api.AwaitReady(); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(folder, "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	i.operator = harness.Client{Base: i.api.URL, Key: strings.TrimSpace(string(key))}
	return i
}

// TestTraces follows one command by the correlation id that its caller chose.
func TestTraces(t *testing.T) {
	i := install(t)
	i.operator.Command(t, "", "create-plan", canaryOwner)
	const correlation, caller = "chosen-by-the-caller", "0af7651916cd43dd8448eb211c80319c"
	answer := i.operator.Command(t, canaryPlan, "invite-member", harness.Body{"member": canaryMember, "name": canaryName, "email": canaryEmail},
		"X-Correlation-Id", correlation, "traceparent", "00-"+caller+"-b7ad6b7169203331-01", "User-Agent", canaryName)
	i.operator.Get(t, "/v1/plans/"+canaryPlan+"/members", "q", canaryName, "min_position", answer.Position)
	trace := tracing.TraceOf(correlation).String()
	// The last to come are those of the projector.
	all := i.spans.in(t, trace, func(spans []span) bool {
		return find(spans, "projector", "commit directory") != nil && find(spans, "projector", "project page") != nil && find(spans, "api", "POST") != nil
	})
	request, command := find(all, "api", "POST"), find(all, "api", "command invite-member")
	appended := find(all, "api", "append member")
	page, commit := find(all, "projector", "project page"), find(all, "projector", "commit directory")
	for name, s := range map[string]*span{"request": request, "command": command, "append": appended, "page": page, "commit": commit} {
		if s == nil {
			t.Fatalf("OPS-3 there is no span of the %s in %+v", name, all)
		}
	}
	t.Run("OPS-3 from HTTP through the command to the append", func(t *testing.T) {
		if request.Name != "POST /v1/plans/:plan/commands/invite-member" || request.Parent != "" || command.Parent != request.ID || appended.Parent != command.ID {
			t.Errorf("%+v\n%+v\n%+v", request, command, appended)
		}
		if !slices.Equal(request.Links, []string{caller}) {
			t.Errorf("the caller's trace is not linked: %v", request.Links)
		}
	})
	t.Run("OPS-3 in another process to the read models in Redis", func(t *testing.T) {
		if commit.Parent != page.ID || !strings.HasPrefix(commit.Attributes["rolewise.projection"], "directory@") {
			t.Errorf("%+v\n%+v", page, commit)
		}
		within := func(s span) bool {
			return s.Process == "projector" && s.Parent == commit.ID && s.Attributes["db.system"] == "redis"
		}
		if !slices.ContainsFunc(all, within) {
			t.Errorf("no command of Redis is part of the commit: %+v", all)
		}
	})
	t.Run("OPS-3 each tells the correlation id", func(t *testing.T) {
		for _, s := range []*span{request, command, appended, page} {
			if got := s.Attributes["rolewise.correlation_id"]; got != correlation {
				t.Errorf("%s of %s: %q", s.Name, s.Process, got)
			}
		}
		if events := i.operator.Events(t, canaryPlan); events[len(events)-1].Correlation != correlation {
			t.Errorf("the event has %+v", events[len(events)-1])
		}
	})
	t.Run("OPS-3 the log tells correlation and trace", func(t *testing.T) {
		if !logged(i.api.Stderr(), map[string]any{"correlation": correlation, "trace_id": trace, "span_id": request.ID, "msg": "request"}) {
			t.Errorf("%s", i.api.Stderr())
		}
	})
	t.Run("OPS-3 no span tells of a person", func(t *testing.T) {
		i.spans.mu.Lock()
		defer i.spans.mu.Unlock()
		for _, canary := range []string{canaryName, canaryEmail, "owner@example.org", "user_agent", "client.address"} {
			if at := bytes.Index(i.spans.raw.Bytes(), []byte(canary)); at >= 0 {
				t.Errorf("%q", i.spans.raw.Bytes()[max(0, at-200):at+50])
			}
		}
	})
}

// TestCollectorAway lets the program work, and end in time, with a collector that does not answer.
func TestCollectorAway(t *testing.T) {
	away := collect(t)
	away.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", away.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	server := harness.Serve(t, t.TempDir(), "memory")
	answer := server.Operator.Command(t, "", "create-plan", canaryOwner)
	if got := server.Operator.Get(t, "/v1/plans/"+canaryPlan+"/members", "min_position", answer.Position); got.Status != http.StatusOK {
		t.Errorf("OPS-3 answered %d", got.Status)
	}
	server.Stop(t)
	if !strings.Contains(server.Stderr(), "spans are lost") {
		t.Errorf("OPS-3 nobody tells that spans are lost: %s", server.Stderr())
	}
}

// find returns a span of a process whose name begins so.
func find(spans []span, process, name string) *span {
	i := slices.IndexFunc(spans, func(s span) bool { return s.Process == process && strings.HasPrefix(s.Name, name) })
	if i < 0 {
		return nil
	}
	return &spans[i]
}

// logged tells whether a line of a log has all these values.
func logged(log string, want map[string]any) bool {
	for line := range strings.Lines(log) {
		var got map[string]any
		if json.Unmarshal([]byte(line), &got) != nil {
			continue
		}
		all := true
		for key, value := range want {
			all = all && fmt.Sprint(got[key]) == fmt.Sprint(value)
		}
		if all {
			return true
		}
	}
	return false
}
