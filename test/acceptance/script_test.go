package acceptance

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolewise/test/harness"
)

// script is the scripted client: it sends commands one after the other, and after each one asks every report as of that
// command. What it is answered goes into a transcript.
type script struct {
	t      *testing.T
	client harness.Client
	seen   *transcript
	took   map[string][]time.Duration // by query
	last   string                     // position of the command before
	ready  bool                       // the role is published: its own reports exist
}

// queryBound is how long a query that waits for the command before it may take, in the median (SPEC ANA-6).
const queryBound = 250 * time.Millisecond

// do sends a command, and then asks for everything that it may have changed.
func (s *script) do(name string, body harness.Body) harness.Answer {
	s.t.Helper()
	response, err := s.client.Post(s.t.Context(), north, name, body)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	if response.Status != 200 {
		s.t.Fatalf("%s %v: %d %s", name, body, response.Status, response.Body)
	}
	answer := harness.Decode[harness.Answer](s.t, response)
	if len(answer.Items) > 0 { // they are appended at the same time, so which of them is the last is chance
		response.Body = bytes.ReplaceAll(response.Body, []byte(answer.Stream), []byte("one of them"))
	}
	s.seen.add(name, response)
	s.checkEvents(name, answer)
	s.ask(answer.Position)
	if len(answer.Events) > 0 { // a command that changes nothing gives the position of what there was already
		s.last = answer.Position
	}
	return answer
}

// ask sends every query that the script watches, as of a position.
func (s *script) ask(position string) {
	s.t.Helper()
	s.get(position, "/analytics/roles")
	s.get(position, "/analytics/roles", "format", "csv")
	if s.ready {
		one := "/analytics/roles/" + adviser
		s.get(position, one)
		s.get(position, one, "format", "csv")
		s.get(position, one+"/members")
		s.get(position, one+"/members", "format", "csv")
		s.get(position, one+"/members", "format", "csv", "rows", "skills")
	}
}

func (s *script) get(position, path string, parameters ...string) harness.Response {
	s.t.Helper()
	what := strings.TrimSpace(strings.ReplaceAll(path, adviser, "{id}") + " " + strings.Join(parameters, " "))
	response := s.client.Get(s.t, "/v1/plans/"+north+path, append(parameters, "min_position", position)...)
	s.took[what] = append(s.took[what], response.Took)
	s.seen.add("GET "+what, response)
	if position != "" && parameters == nil {
		s.checkFresh(what, position, response)
	}
	return response
}

// checkFresh demands that an answer is as new as was asked for, and says how new it is.
func (s *script) checkFresh(what, position string, response harness.Response) {
	s.t.Helper()
	envelope := harness.Decode[harness.List[json.RawMessage]](s.t, response)
	want, err := strconv.ParseUint(position, 10, 64)
	have, err2 := strconv.ParseUint(envelope.Position, 10, 64)
	if err != nil || err2 != nil || have < want {
		s.t.Errorf("ANA-6 %s: asked for position %q, answered as of %q", what, position, envelope.Position)
	}
	if envelope.AsOf.IsZero() || time.Since(envelope.AsOf) > time.Hour || envelope.LagMS == nil || *envelope.LagMS < 0 {
		s.t.Errorf("ANA-6 %s: as_of %v, lag_ms %v", what, envelope.AsOf, envelope.LagMS)
	}
}

// checkEvents demands that the history since the command before holds exactly what the command's answer says.
func (s *script) checkEvents(name string, answer harness.Answer) {
	s.t.Helper()
	response := s.client.Get(s.t, "/v1/plans/"+north+"/events", "after", s.last, "limit", "1000", "min_position", answer.Position)
	s.took["/events"] = append(s.took["/events"], response.Took)
	events := harness.Decode[harness.List[harness.Event]](s.t, response).Items
	s.note("GET /events after "+name, events)
	events = business(events)
	if got := types(events); !slices.Equal(got, answer.Events) && (len(answer.Items) == 0 || !sameElements(got, answer.Events)) {
		s.t.Errorf("%s: answered %v, the history has %v", name, answer.Events, got)
	}
	if len(events) == 0 {
		return
	}
	last := events[len(events)-1]
	if last.Position != answer.Position || last.Stream != answer.Stream || last.Revision != answer.Revision {
		s.t.Errorf("%s: answered %s revision %d at %s, the history has %s revision %d at %s", name,
			answer.Stream, answer.Revision, answer.Position, last.Stream, last.Revision, last.Position)
	}
	for _, e := range events {
		if e.Command != last.Command || e.Actor != last.Actor || e.Correlation == "" || e.Time.IsZero() || e.Version < 1 {
			s.t.Errorf("AUD-1 %s: envelope of %+v", name, e)
		}
	}
}

// note puts events into the transcript, those of one command in the order of their streams, as a bulk command appends
// them in any.
func (s *script) note(what string, events []harness.Event) {
	s.t.Helper()
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b harness.Event) int {
		if a.Command != b.Command || !strings.HasPrefix(a.Stream, "assignment-") || !strings.HasPrefix(b.Stream, "assignment-") {
			return 0
		}
		return cmp.Compare(a.Stream, b.Stream)
	})
	for _, e := range sorted {
		b, err := json.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Type == "CommandAnswered" { // of several items, which was the last is chance
			b = oneOfThem.ReplaceAll(b, []byte(`"stream":"one of them"`))
		}
		if e.Type == "CommandAccepted" { // once the command is answered its message is forgotten, a moment later
			b = message.ReplaceAll(b, []byte(`"message":"as it is by now"`))
		}
		s.seen.add(what, harness.Response{Status: 200, Body: b})
	}
}

var message = regexp.MustCompile(`"message":("[^"]*"|null)`)

var oneOfThem = regexp.MustCompile(`"stream":"assignment-[^"]*"`)

// business leaves out the events by which commands guard themselves: reservations and notes about keys.
func business(events []harness.Event) []harness.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e harness.Event) bool {
		return strings.HasPrefix(e.Stream, "email-") || strings.HasPrefix(e.Stream, "title-") || strings.HasPrefix(e.Stream, "command-")
	})
}

func types(events []harness.Event) []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Type
	}
	return names
}

func sameElements(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// median is the middle of some durations; the slower one of two.
func median(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }

// checkTimes demands the bound in the median, so that one hiccup of a busy machine is no failure, and reports all.
func (s *script) checkTimes() {
	s.t.Helper()
	for _, what := range sortedKeys(s.took) {
		all := s.took[what]
		s.t.Logf("%-55s %3d queries, median %8s, slowest %8s", what, len(all), median(all).Round(10*time.Microsecond), slices.Max(all).Round(10*time.Microsecond))
		if median(all) > queryBound {
			s.t.Errorf("ANA-6 %s: the median query takes %s, more than %s", what, median(all), queryBound)
		}
	}
}

// table is a CSV, by column.
type table []map[string]string

func readCSV(t *testing.T, r harness.Response) table {
	t.Helper()
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); media != "text/csv" {
		t.Errorf("ANA-8 content type %q", r.Header.Get("Content-Type"))
	}
	records, err := csv.NewReader(bytes.NewReader(r.Body)).ReadAll()
	if err != nil || len(records) == 0 {
		t.Fatalf("ANA-8 read CSV: %v\n%s", err, r.Body)
	}
	var rows table
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// wantRows demands rows in order, in the columns that are named; more columns are permitted (SPEC 15).
func (rows table) want(t *testing.T, what string, columns []string, want ...[]string) {
	t.Helper()
	if len(rows) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(rows), len(want))
		return
	}
	for i, wanted := range want {
		got := make([]string, len(columns))
		for k, column := range columns {
			value, ok := rows[i][column]
			if !ok {
				t.Errorf("%s: there is no column %q", what, column)
				return
			}
			got[k] = value
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s row %d:\n got %q\nwant %q", what, i+1, got, wanted)
		}
	}
}
