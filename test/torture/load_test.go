package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/sample"
	"rolewise/test/harness"
)

// step is a command to be sent, as often as it takes until it is answered.
type step struct {
	key, name string
	body      []byte
}

// load is where all workers take their commands from: the generator's, and some that create things under ids of the
// server's making.
type load struct {
	source *sample.Source
	made   atomic.Int64
}

func (l *load) next(t *testing.T) step {
	request, command := l.source.Next()
	name, body := command.About().Name, any(command)
	n := l.made.Add(1)
	switch n % 40 {
	case 7:
		name, body = "create-role", harness.Body{"title": fmt.Sprintf("Role %d", n)}
	case 17:
		name, body = "invite-member", harness.Body{"name": fmt.Sprintf("Guest %d", n), "email": fmt.Sprintf("guest%d@acme.example", n)}
	case 27:
		name, body = "create-team", harness.Body{"name": fmt.Sprintf("Team %d", n)}
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return step{request.Correlation, name, b}
}

// worker sends one command after the other. What was not answered is sent again, under the same key.
type worker struct {
	load    *load
	ledger  *ledger
	pending *step
	repeats int
}

// run works until the server is gone or the context ends.
func (w *worker) run(ctx context.Context, t *testing.T, client harness.Client) {
	for ctx.Err() == nil {
		if w.pending == nil {
			next := w.load.next(t)
			w.pending = &next
		} else {
			w.repeats++
		}
		if !w.send(ctx, t, client) {
			return
		}
	}
}

// send sends the pending command and tells whether an answer came.
func (w *worker) send(ctx context.Context, t *testing.T, client harness.Client) bool {
	response, err := client.Do(ctx, harness.Request{
		Method: http.MethodPost, Path: harness.CommandPath(plan, w.pending.name), Body: w.pending.body, Headers: []string{"Idempotency-Key", w.pending.key},
	})
	if err != nil {
		return false
	}
	var answer harness.Answer
	switch {
	case response.Status == http.StatusOK:
		if err := json.Unmarshal(response.Body, &answer); err != nil {
			t.Errorf("%s %s: %v: %s", w.pending.name, w.pending.key, err, response.Body)
		}
		w.ledger.add(acknowledged{w.pending.key, w.pending.name, answer})
		w.pending = nil
	case response.Status == http.StatusServiceUnavailable, response.Status == http.StatusConflict && problem(response).Code == "concurrent_change":
	default:
		t.Errorf("%s %s %s: %d %s", w.pending.name, w.pending.key, w.pending.body, response.Status, response.Body)
		w.pending = nil
	}
	return true
}

func problem(r harness.Response) (p harness.Problem) {
	_ = json.Unmarshal(r.Body, &p) // what is none has no code
	return p
}

// finish sends what is still pending until it is answered.
func (w *worker) finish(t *testing.T, client harness.Client) {
	for deadline := time.Now().Add(time.Minute); w.pending != nil; w.repeats++ {
		if !w.send(t.Context(), t, client) || time.Now().After(deadline) {
			t.Fatalf("%s %s is not answered", w.pending.name, w.pending.key)
		}
	}
}
