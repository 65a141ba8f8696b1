package readside

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"rolewise/test/harness"
)

// paths are what is asked of each plan; their lists only grow under the load.
var paths = []string{"/members", "/roles", "/teams", "/analytics/roles"}

// probe asks the APIs the same questions again and again: the answer is correct or 503. What is correct is known of
// lists that only grow: they are never shorter, nor at an older position, than the same API has shown them before.
type probe struct {
	world *world
	stop  chan struct{}
	asks  sync.WaitGroup

	mu      sync.Mutex
	shown   map[string]shown // by API and path
	since   time.Time
	answers int
	errors  int
	last    time.Duration // from since to the end of the last error
	slowest time.Duration // answer of either kind
}

type shown struct {
	items    int
	position uint64
}

// watch starts a probe of every API for the rest of the test.
func watch(t *testing.T, w *world) *probe {
	p := &probe{world: w, stop: make(chan struct{}), shown: map[string]shown{}, since: time.Now()}
	for _, api := range w.apis {
		p.asks.Go(func() { p.ask(t, api) })
	}
	t.Cleanup(p.end)
	return p
}

func (p *probe) end() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.asks.Wait()
}

func (p *probe) ask(t *testing.T, api *node) {
	for turn := 0; ; turn++ {
		select {
		case <-p.stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		client, life, ready := api.client()
		if !ready {
			continue
		}
		plan := plans[turn/len(paths)%len(plans)]
		path := "/v1/plans/" + plan + paths[turn%len(paths)]
		begin := time.Now()
		response, err := client.As(p.world.load.keys[plan]).Do(t.Context(), harness.Request{
			Method: http.MethodGet, Path: path, Query: harness.Parameters("limit", "1000"),
		})
		if api.died(life) {
			continue
		}
		select {
		case <-p.stop:
			return
		default:
		}
		if err != nil {
			t.Errorf("GET %s from %s: %v after %s", path, api.name, err, time.Since(begin))
			continue
		}
		if wrong := p.judge(api.name+" "+path, response, time.Since(begin)); wrong != "" {
			t.Errorf("GET %s from %s: %s", path, api.name, wrong)
		}
	}
}

// judge notes an answer and says what is wrong with it.
func (p *probe) judge(question string, response harness.Response, took time.Duration) (wrong string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers++
	p.slowest = max(p.slowest, took)
	switch response.Status {
	case http.StatusServiceUnavailable:
		p.errors++
		p.last = time.Since(p.since)
		if response.Header.Get("Retry-After") == "" {
			return fmt.Sprintf("503 without Retry-After: %s", response.Body)
		}
		return ""
	case http.StatusOK:
	default:
		p.errors++
		return fmt.Sprintf("%d %s", response.Status, response.Body)
	}
	var list harness.List[json.RawMessage]
	if err := json.Unmarshal(response.Body, &list); err != nil {
		return err.Error()
	}
	position, _ := strconv.ParseUint(list.Position, 10, 64)
	now, before := shown{len(list.Items), position}, p.shown[question]
	if now.items < before.items || now.position < before.position {
		return fmt.Sprintf("%d items at %d, after %d items at %d", now.items, now.position, before.items, before.position)
	}
	p.shown[question] = now
	return ""
}

// seen is what a probe has seen since its last report.
type seen struct {
	answers, errors int
	last, slowest   time.Duration
}

func (s seen) String() string {
	return fmt.Sprintf("%d answers, %d of them errors, the last of these after %s; slowest answer %s",
		s.answers, s.errors, s.last.Round(time.Millisecond), s.slowest.Round(time.Millisecond))
}

// report returns what was seen, and begins to count anew.
func (p *probe) report() seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := seen{p.answers, p.errors, p.last, p.slowest}
	p.since, p.answers, p.errors, p.last, p.slowest = time.Now(), 0, 0, 0, 0
	return s
}

// TestJudge shows the probe answers that it must not take.
func TestJudge(t *testing.T) {
	answer := func(status int, body string) harness.Response {
		return harness.Response{Status: status, Body: []byte(body), Header: http.Header{"Retry-After": {"1"}}}
	}
	for name, tt := range map[string]struct {
		response harness.Response
		wrong    bool
	}{
		"the same":         {answer(200, `{"items":[1,2],"position":"7"}`), false},
		"longer":           {answer(200, `{"items":[1,2,3],"position":"9"}`), false},
		"refused for now":  {answer(503, `{}`), false},
		"refused, no hint": {harness.Response{Status: 503}, true},
		"empty":            {answer(200, `{"items":[],"position":"7"}`), true},
		"one is missing":   {answer(200, `{"items":[1],"position":"9"}`), true},
		"from the past":    {answer(200, `{"items":[1,2],"position":"6"}`), true},
		"broken":           {answer(200, `{"items":[`), true},
		"a fault":          {answer(500, `{}`), true},
		"not there":        {answer(404, `{}`), true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &probe{shown: map[string]shown{"api /members": {items: 2, position: 7}}}
			if wrong := p.judge("api /members", tt.response, 0); (wrong != "") != tt.wrong {
				t.Errorf("%q", wrong)
			}
		})
	}
}
