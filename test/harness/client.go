package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Client sends requests under one key.
type Client struct {
	Base string // such as http://127.0.0.1:8080
	Key  string // empty: none is sent
}

// requestBound is far above what any request may take; it keeps a hanging server from hanging the tests.
const requestBound = 60 * time.Second

// transport is shared, so that connections are used again. It never asks a proxy.
var transport = &http.Transport{MaxIdleConnsPerHost: 64}

// As returns a client of the same server under another key.
func (c Client) As(key string) Client { return Client{c.Base, key} }

// Request is one HTTP request. Header names and values follow each other in Headers.
type Request struct {
	Method, Path string
	Query        url.Values
	Body         []byte
	Headers      []string
}

// Response is its answer, read to the end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration // from sending to the last byte
}

// Do sends a request. An error means that no whole answer came.
func (c Client) Do(ctx context.Context, r Request) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestBound)
	defer cancel()
	target := c.Base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, err
	}
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		request.Header.Set(r.Headers[i], r.Headers[i+1])
	}
	begin := time.Now()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return Response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return Response{}, fmt.Errorf("read the answer: %w", err)
	}
	return Response{answer.StatusCode, answer.Header, body, time.Since(begin)}, nil
}

// Answer is what a command gives back.
type Answer struct {
	ID       string   `json:"id"`
	Stream   string   `json:"stream"`
	Revision int64    `json:"revision"`
	Position string   `json:"position"`
	Events   []string `json:"events"`
	Warnings []string `json:"warnings"`
	Items    []Item   `json:"items"`
	APIKey   string   `json:"api_key"`
}

// Item is what became of one member or team of a bulk command.
type Item struct {
	Member string `json:"member"`
	Team   string `json:"team"`
	Status string `json:"status"`
	Code   string `json:"code"`
}

// Body is a JSON object.
type Body map[string]any

// CommandPath is where a command of a plan goes; for the empty plan, one of the operator's.
func CommandPath(plan, name string) string {
	if plan == "" {
		return "/v1/operator/commands/" + name
	}
	return "/v1/plans/" + plan + "/commands/" + name
}

// Post sends a command and returns whatever is answered.
func (c Client) Post(ctx context.Context, plan, name string, body any, headers ...string) (Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return Response{}, err
	}
	return c.Do(ctx, Request{Method: http.MethodPost, Path: CommandPath(plan, name), Body: data, Headers: headers})
}

// Command sends a command that has to be accepted.
func (c Client) Command(t testing.TB, plan, name string, body any, headers ...string) Answer {
	t.Helper()
	response, err := c.Post(t.Context(), plan, name, body, headers...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if response.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", name, response.Status, response.Body)
	}
	return Decode[Answer](t, response)
}

// Get sends a query that has to succeed. Names and values of parameters follow each other.
func (c Client) Get(t testing.TB, path string, parameters ...string) Response {
	t.Helper()
	response := c.TryGet(t, path, parameters...)
	if response.Status != http.StatusOK {
		t.Fatalf("GET %s %v: %d %s", path, parameters, response.Status, response.Body)
	}
	return response
}

// TryGet sends a query and returns whatever is answered.
func (c Client) TryGet(t testing.TB, path string, parameters ...string) Response {
	t.Helper()
	response, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: path, Query: Parameters(parameters...)})
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return response
}

// Parameters makes a query of names and values that follow each other.
func Parameters(pairs ...string) url.Values {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return query
}

// Decode reads the JSON of an answer.
func Decode[T any](t testing.TB, r Response) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(r.Body, &value); err != nil {
		t.Fatalf("decode %s: %v", r.Body, err)
	}
	return value
}

// List is the envelope of a list.
type List[T any] struct {
	Items    []T       `json:"items"`
	Next     *string   `json:"next"`
	Position string    `json:"position"`
	AsOf     time.Time `json:"as_of"`
	LagMS    *int64    `json:"lag_ms"`
}

// Event is an item of the audit feed.
type Event struct {
	Position    string          `json:"position"`
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Version     int             `json:"version"`
	Stream      string          `json:"stream"`
	Revision    int64           `json:"revision"`
	Time        time.Time       `json:"time"`
	Actor       string          `json:"actor"`
	Command     string          `json:"command"`
	Correlation string          `json:"correlation"`
	Data        json.RawMessage `json:"data"`
}

// Events returns all events of a plan, in order, page by page.
func (c Client) Events(t testing.TB, plan string) []Event {
	t.Helper()
	var all []Event
	after := "0"
	for {
		page := Decode[List[Event]](t, c.Get(t, "/v1/plans/"+plan+"/events", "after", after, "limit", "1000"))
		all = append(all, page.Items...)
		if len(page.Items) < 1000 {
			return all
		}
		after = page.Items[len(page.Items)-1].Position
	}
}

// Problem is a refusal.
type Problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Code      string  `json:"code"`
	Errors    []Fault `json:"errors"`
	RequestID string  `json:"request_id"`
}

// Fault is one field of it.
type Fault struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}
