package acceptance

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rolewise/test/harness"
)

// TestLive watches a plan through the real server: a command is told, a new server goes on where the one before ended,
// and a server that is told to end waits for nobody who watches.
func TestLive(t *testing.T) {
	server := harness.Serve(t, t.TempDir(), "memory")
	client := server.NewPlan(t, north)
	events := follow(t, client, "")
	ready := events.next(t)
	same(t, "ANA-9 the first event", ready.name, "ready")
	first := client.Command(t, north, "create-team", harness.Body{"name": "Kitchen"})
	told := events.next(t)
	same(t, "ANA-9 reports", told.Reports, []string{"get-team", "list-teams"})
	same(t, "ANA-9 position", told.Position, first.Position)

	server.Stop(t) // fails the test unless it ends in time, with the exit code 0
	if events.lines.Scan() {
		t.Errorf("OPS-7 %q after the end", events.lines.Text())
	}
	server.Again(t)
	client.Base = server.URL
	client.Command(t, north, "create-team", harness.Body{"name": "Cellar"})
	again := follow(t, client, told.id)
	same(t, "ANA-9 the first event again", again.next(t).name, "ready")
	if missed := again.next(t); !slices.Contains(missed.Reports, "list-teams") {
		t.Errorf("ANA-9 missed: %+v", missed)
	}
	server.Stop(t)
}

// eventStream is a stream of changes as it is read.
type eventStream struct{ lines *bufio.Scanner }

type liveEvent struct {
	name, id string
	Reports  []string `json:"reports"`
	Position string   `json:"position"`
}

func follow(t *testing.T, client harness.Client, last string) *eventStream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, client.Base+"/v1/plans/"+north+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+client.Key)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("stream: %d", response.StatusCode)
	}
	return &eventStream{bufio.NewScanner(response.Body)}
}

// next reads up to the end of the next event.
func (s *eventStream) next(t *testing.T) (e liveEvent) {
	t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch {
		case s.lines.Text() == "" && e.name != "":
			return e
		case field == "event":
			e.name = value
		case field == "id":
			e.id = value
		case field == "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatalf("the stream ended: %v", s.lines.Err())
	return e
}
