package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func recorded(options ...sdk.TracerProviderOption) (*tracetest.SpanRecorder, *Tracing) {
	spans := tracetest.NewSpanRecorder()
	return spans, New(append(options, sdk.WithSpanProcessor(spans))...)
}

func attributeOf(span sdk.ReadOnlySpan, key string) string {
	set := attribute.NewSet(span.Attributes()...)
	value, _ := set.Value(attribute.Key(key))
	return value.Emit()
}

func TestTraceOf(t *testing.T) {
	t.Run("OPS-3 every process derives the same trace", func(t *testing.T) {
		if got := TraceOf("chosen-by-caller").String(); got != "4ee112b48d476ff878e16c1f88579bfd" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("OPS-3 a sampler by ratio takes its share of UUIDs", func(t *testing.T) {
		sampler, taken := sdk.TraceIDRatioBased(0.25), 0
		const all = 4000
		for range all {
			id := TraceOf(uuid.Must(uuid.NewV7()).String())
			if sampler.ShouldSample(sdk.SamplingParameters{TraceID: id}).Decision == sdk.RecordAndSample {
				taken++
			}
		}
		if taken < all/5 || taken > all*3/10 {
			t.Errorf("%d of %d", taken, all)
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		t.Setenv(name, "")
	}
	for _, c := range []struct {
		name   string
		set    map[string]string
		on     bool
		failed string
	}{
		{"off by default", nil, false, ""},
		{"on by an endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		{"on by an endpoint for traces", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, ""},
		{"disabled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, ""},
		{"no exporter", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{"another protocol", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "grpc is not supported"},
	} {
		t.Run("OPS-3 "+c.name, func(t *testing.T) {
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			made, err := FromEnvironment(t.Context(), "v1", slog.New(slog.DiscardHandler))
			if c.failed != "" {
				if err == nil || !strings.Contains(err.Error(), c.failed) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil || (made != nil) != c.on || (made.Tracer() != nil) != c.on {
				t.Fatalf("tracing %v, %v", made, err)
			}
			if err := made.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOff shows that nothing is made when tracing is off.
func TestOff(t *testing.T) {
	var off *Tracing
	if off.HTTP() != nil || off.Pages() != nil || off.Tracer() != nil || off.Redis(t.Context(), nil) != nil {
		t.Error("OPS-3 tracing that is off stands around requests, pages or Redis")
	}
	if n := testing.AllocsPerRun(1000, func() {
		_, ended := off.Command(t.Context(), "x", "y")
		ended("done", false)
	}); n > 0 {
		t.Errorf("OPS-3 a command that is not traced allocates %v times", n)
	}
}

func TestHTTP(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	spans, traces := recorded()
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Request = c.Request.WithContext(telemetry.WithCorrelation(c.Request.Context(), "chosen-by-caller"))
	})
	engine.Use(traces.HTTP()...)
	engine.GET("/members/:id", func(c *gin.Context) {
		_, ended := traces.Command(c.Request.Context(), "invite-member", "chosen-by-caller")
		ended("unavailable", true)
		c.Status(http.StatusServiceUnavailable)
	})
	request := httptest.NewRequest(http.MethodGet, "/members/m1?q=Canary", nil)
	request.Header.Set("User-Agent", "Canary")
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	request.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	engine.ServeHTTP(httptest.NewRecorder(), request)
	all := spans.Ended()
	if len(all) != 2 {
		t.Fatalf("OPS-3 %d spans", len(all))
	}
	command, server := all[0], all[1]
	if server.SpanContext().TraceID() != TraceOf("chosen-by-caller") || server.Parent().IsValid() || command.Parent().SpanID() != server.SpanContext().SpanID() {
		t.Errorf("OPS-3 trace %s, parent %v", server.SpanContext().TraceID(), server.Parent())
	}
	if links := server.Links(); len(links) != 1 || links[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("OPS-3 links to the caller's trace: %v", links)
	}
	if server.Name() != "GET /members/:id" || attributeOf(server, "rolewise.correlation_id") != "chosen-by-caller" || attributeOf(command, "rolewise.outcome") != "unavailable" {
		t.Errorf("OPS-3 span %s, %v; %v", server.Name(), server.Attributes(), command.Attributes())
	}
	for _, a := range server.Attributes() {
		if text := a.Value.Emit(); strings.Contains(text, "Canary") || strings.Contains(text, "203.0.113.9") || strings.Contains(text, "192.0.2.1") {
			t.Errorf("OPS-3 %s tells of the person: %s", a.Key, text)
		}
	}
}

func TestStream(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	spans, traces := recorded()
	engine := gin.New()
	engine.Use(traces.HTTP()...)
	engine.GET(StreamRoute, func(c *gin.Context) {
		if trace.SpanFromContext(c.Request.Context()).IsRecording() {
			t.Error("ANA-9 what a stream does for hours is traced")
		}
	})
	engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/plans/acme/stream", nil))
	if n := len(spans.Started()); n != 0 {
		t.Errorf("ANA-9 %d spans of a stream", n)
	}
}

func pageOf(live bool, correlations ...string) eventstore.Page {
	page := eventstore.Page{Live: live, Through: 9}
	for _, c := range correlations {
		page.Events = append(page.Events, eventstore.Recorded{Event: eventstore.Event{Metadata: eventstore.Metadata{Correlation: c, Schema: 1}.Encode()}})
	}
	return page
}

// through runs a page through the middleware and returns the span under which it is applied.
func through(t *testing.T, around []message.HandlerMiddleware, page eventstore.Page, failure error) (under trace.SpanContext) {
	t.Helper()
	m := message.NewMessage("1", nil)
	m.SetContext(projections.WithPage(t.Context(), page))
	handler := around[0](func(m *message.Message) ([]*message.Message, error) {
		if got := projections.PageOf(m); len(got.Events) != len(page.Events) {
			t.Errorf("the page has %d events inside", len(got.Events))
		}
		under = trace.SpanContextFromContext(m.Context())
		return nil, failure
	})
	if _, err := handler(m); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	return under
}

func TestPages(t *testing.T) {
	names := func(spans *tracetest.SpanRecorder) (all []string) {
		for _, s := range spans.Ended() {
			all = append(all, s.Name())
		}
		return all
	}
	t.Run("OPS-3 one command", func(t *testing.T) {
		spans, traces := recorded()
		under := through(t, traces.Pages(), pageOf(true, "a", "a"), nil)
		if under.TraceID() != TraceOf("a") || !slices.Equal(names(spans), []string{"project page"}) {
			t.Errorf("trace %s, spans %q", under.TraceID(), names(spans))
		}
	})
	t.Run("OPS-3 several commands", func(t *testing.T) {
		spans, traces := recorded()
		under := through(t, traces.Pages(), pageOf(true, "a", "b", "a"), errors.New("x"))
		all := spans.Ended()
		if !slices.Equal(names(spans), []string{"project page", "project events"}) || all[1].SpanContext().TraceID() != TraceOf("b") {
			t.Fatalf("spans %q", names(spans))
		}
		if links := all[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != under.SpanID() {
			t.Errorf("links %v", links)
		}
		if all[0].Status().Description != "not applied" || all[1].Status().Description != "not applied" || !all[1].EndTime().After(all[1].StartTime()) {
			t.Errorf("status %v, %v", all[0].Status(), all[1].Status())
		}
	})
	t.Run("OPS-3 pages of history are sampled", func(t *testing.T) {
		spans, traces := recorded()
		around := traces.Pages()
		for range 2 * catchUpEvery {
			through(t, around, pageOf(false, "a", "b"), nil)
		}
		all := spans.Ended()
		if len(all) != 2 || all[0].SpanContext().TraceID() == all[1].SpanContext().TraceID() || all[0].SpanContext().TraceID() == TraceOf("a") {
			t.Errorf("spans %q", names(spans))
		}
	})
	t.Run("OPS-3 a page of nothing", func(t *testing.T) {
		spans, traces := recorded()
		if under := through(t, traces.Pages(), pageOf(true), nil); under.IsValid() || len(spans.Started()) > 0 {
			t.Errorf("spans %q", names(spans))
		}
	})
}

func TestCommandOfNoRequest(t *testing.T) {
	spans, traces := recorded()
	ctx, ended := traces.Command(context.Background(), "finish", "of-a-reactor")
	ended("done", false)
	if got := spans.Ended()[0].SpanContext().TraceID(); got != TraceOf("of-a-reactor") || telemetry.Correlation(ctx) != "of-a-reactor" {
		t.Errorf("OPS-3 trace %s", got)
	}
}
