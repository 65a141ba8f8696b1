package observability

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// span is one span as the collector got it.
type span struct {
	Process           string // service.instance.id
	Trace, ID, Parent string
	Name              string
	Attributes        map[string]string
	Links             []string // traces
}

// otlp is a collector of spans over HTTP.
type otlp struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []span
	raw     bytes.Buffer // all that was sent
	faults  []error
	changed chan struct{}
}

func collect(t *testing.T) *otlp {
	t.Helper()
	o := &otlp{changed: make(chan struct{}, 1)}
	o.Server = httptest.NewServer(http.HandlerFunc(o.receive))
	t.Cleanup(o.Close)
	return o
}

func (o *otlp) receive(w http.ResponseWriter, r *http.Request) {
	spans, raw, err := read(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.faults = append(o.faults, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	o.spans = append(o.spans, spans...)
	o.raw.Write(raw)
	select {
	case o.changed <- struct{}{}:
	default:
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func read(r *http.Request) (spans []span, raw []byte, err error) {
	if r.URL.Path != "/v1/traces" {
		return nil, nil, fmt.Errorf("sent to %s", r.URL.Path)
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, nil, err
		}
	}
	if raw, err = io.ReadAll(body); err != nil {
		return nil, nil, err
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return nil, nil, err
	}
	for _, resource := range request.GetResourceSpans() {
		process := attributes(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				one := span{
					Process: process["service.instance.id"], Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
					Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(), Attributes: attributes(s.GetAttributes()),
				}
				for _, l := range s.GetLinks() {
					one.Links = append(one.Links, hex.EncodeToString(l.GetTraceId()))
				}
				spans = append(spans, one)
			}
		}
	}
	return spans, raw, nil
}

func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		default:
			all[a.GetKey()] = fmt.Sprint(v)
		}
	}
	return all
}

// in returns the spans of a trace once they are enough.
func (o *otlp) in(t *testing.T, trace string, enough func([]span) bool) []span {
	t.Helper()
	bound := time.After(patience)
	for {
		var found []span
		o.mu.Lock()
		for _, s := range o.spans {
			if s.Trace == trace {
				found = append(found, s)
			}
		}
		all, faults := len(o.spans), o.faults
		o.mu.Unlock()
		if len(faults) > 0 {
			t.Fatalf("the collector was sent what it cannot read: %v", faults)
		}
		if enough(found) {
			return found
		}
		select {
		case <-o.changed:
		case <-bound:
			t.Fatalf("of %d spans, the trace %s has only %+v", all, trace, found)
		}
	}
}
