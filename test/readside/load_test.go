package readside

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/sample"
	"rolewise/test/harness"
)

// load sends commands to the APIs, on several plans, and demands that they are accepted.
type load struct {
	world   *world
	keys    map[string]string // by plan
	sources []*sample.Source

	made     atomic.Int64
	accepted atomic.Int64
	lost     atomic.Int64  // answers that did not come, since the API was killed
	newest   atomic.Uint64 // position that was acknowledged

	mu      sync.Mutex
	random  *rand.Rand
	pending []*step // by worker: not answered yet

	stop    chan struct{}
	workers sync.WaitGroup
}

// step is a command to be sent, as often as it takes until it is answered.
type step struct {
	plan, key, name string
	body            []byte
}

const workers = 3

// breath is what a worker takes between two commands, so that logs stay small enough to be replayed after each fault.
var breath = long(60*time.Millisecond, 10*time.Millisecond)

// start lets the workers work, until halt.
func (l *load) start(t *testing.T) {
	l.stop = make(chan struct{})
	if l.pending == nil {
		l.pending = make([]*step, workers)
	}
	for n := range workers {
		l.workers.Go(func() { l.work(t, n) })
	}
}

// halt returns when no command is in hand.
func (l *load) halt() {
	close(l.stop)
	l.workers.Wait()
}

func (l *load) work(t *testing.T, n int) {
	for turn := n; ; turn++ {
		select {
		case <-l.stop:
			return
		case <-time.After(breath):
		}
		if l.pending[n] == nil {
			l.pending[n] = l.next(t)
		}
		api := l.world.apis[turn%len(l.world.apis)]
		if l.send(t, api, l.pending[n]) {
			l.pending[n] = nil
		}
	}
}

func (l *load) next(t *testing.T) *step {
	n := l.made.Add(1)
	plan := int(n) % len(plans)
	request, command := l.sources[plan].Next()
	name, body := command.About().Name, any(command)
	switch n % 20 {
	case 3:
		name, body = "create-role", harness.Body{"title": fmt.Sprintf("Role %d", n)}
	case 7, 13:
		name, body = "invite-member", harness.Body{"name": fmt.Sprintf("Guest %d", n), "email": fmt.Sprintf("guest%d@example.com", n)}
	case 17:
		name, body = "create-team", harness.Body{"name": fmt.Sprintf("Team %d", n)}
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
	}
	return &step{plans[plan], request.Correlation, name, b}
}

// send sends a command and tells whether it is done with. No answer comes only from an API that was killed.
func (l *load) send(t *testing.T, api *node, s *step) (done bool) {
	client, life, ready := api.client()
	if !ready {
		return false
	}
	response, err := client.As(l.keys[s.plan]).Do(t.Context(), harness.Request{
		Method: http.MethodPost, Path: harness.CommandPath(s.plan, s.name), Body: s.body, Headers: []string{"Idempotency-Key", s.key},
	})
	switch {
	case err != nil && api.died(life):
		l.lost.Add(1)
		return false
	case err != nil:
		t.Errorf("%s to %s: %v", s.name, api.name, err)
		return false
	case response.Status == http.StatusOK:
		var answer harness.Answer
		if err := json.Unmarshal(response.Body, &answer); err != nil {
			t.Errorf("%s: %v: %s", s.name, err, response.Body)
		}
		l.accepted.Add(1)
		l.saw(answer.Position)
		return true
	case response.Status == http.StatusConflict: // another command was faster
		return false
	}
	t.Errorf("%s %s on %s: %d %s", s.name, s.body, s.plan, response.Status, response.Body)
	return true
}

func (l *load) saw(position string) {
	at, _ := strconv.ParseUint(position, 10, 64) // of a command without events there is none
	for {
		newest := l.newest.Load()
		if at <= newest || l.newest.CompareAndSwap(newest, at) {
			return
		}
	}
}

// more returns when so many more commands were accepted: faults are as long as work goes on under them.
func (l *load) more(t *testing.T, commands int64) {
	t.Helper()
	goal := l.accepted.Load() + commands
	await(t, fmt.Sprintf("%d commands accepted", commands), func() error {
		if have := l.accepted.Load(); have < goal {
			return fmt.Errorf("%d are missing", goal-have)
		}
		return nil
	})
}
