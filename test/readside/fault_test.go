package readside

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"rolewise/test/harness"
)

// fault is something that goes wrong, and ends again.
type fault struct {
	name    string
	finding string // why it is not survived at present; the case is left out then
	torture bool   // only in the long form
	lasts   time.Duration
	inject  func(t *testing.T)
	end     func(t *testing.T) // nil: it has no end, or healed already
	bound   time.Duration      // after it began every question is answered again, at once; 0: no bound
}

// suffer injects a fault under load and demands that commands go on being accepted, that the system heals alone, and
// that the read models are right afterwards.
func (w *world) suffer(t *testing.T, p *probe, f fault) {
	t.Helper()
	w.load.start(t)
	halted := false
	defer func() {
		if !halted {
			w.load.halt()
		}
	}()
	w.load.more(t, 10)
	p.report()
	before, begin := w.load.accepted.Load(), time.Now()
	f.inject(t)
	pause(f.lasts)
	w.load.more(t, 10)
	under := w.load.accepted.Load() - before
	if f.end != nil {
		f.end(t)
	}
	ended := time.Now()
	w.visible(t)
	healed := time.Since(ended)
	saw := p.report()
	w.load.more(t, 10)
	w.load.halt()
	halted = true
	w.alive(t)
	lines, differ := w.compare(t)
	t.Logf("%s: %d commands accepted in its %s; healed %s after its end; %s; %d of %d lines differ", f.name, under,
		ended.Sub(begin).Round(time.Millisecond), healed.Round(time.Millisecond), saw, differ, lines)
	if saw.answers == 0 {
		t.Error("nothing was asked")
	}
	away := max(saw.last, saw.slowest).Round(time.Millisecond) // to keep somebody waiting is no better than an error
	if f.bound > 0 && away > f.bound {
		over := fmt.Sprintf("the API was away for %s, the bound is %s", away, f.bound)
		if !tortured() { // beside the tests of other packages, under the race detector, it says little of the API
			t.Log(over)
			return
		}
		t.Error(over)
	}
}

// visible returns when every API shows everything that had been acknowledged when it was called.
func (w *world) visible(t *testing.T) {
	t.Helper()
	position := strconv.FormatUint(w.load.newest.Load(), 10)
	for _, api := range w.apis {
		for _, plan := range plans {
			for _, path := range paths {
				await(t, "an answer of "+api.name+" to "+plan+path, func() error {
					client, _, ready := api.client()
					if !ready {
						return errNotReady
					}
					response, err := client.As(w.load.keys[plan]).Do(t.Context(), harness.Request{
						Method: http.MethodGet, Path: "/v1/plans/" + plan + path, Query: harness.Parameters("min_position", position),
					})
					if err == nil && response.Status != http.StatusOK {
						err = errorOf(response, w)
					}
					return err
				})
			}
		}
	}
}

// errorOf is an answer as an error, with what keeps the projectors.
func errorOf(r harness.Response, w *world) error { return &answered{r, w.stuck()} }

type answered struct {
	response harness.Response
	stuck    string
}

func (a *answered) Error() string {
	return strconv.Itoa(a.response.Status) + " " + string(a.response.Body) + a.stuck
}

// each runs faults one after the other.
func (w *world) each(t *testing.T, p *probe, faults []fault) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if f.finding != "" && !insist() {
				t.Skip(f.finding)
			}
			if f.torture && !tortured() {
				t.Skip("only in the long form: ROLEWISE_TORTURE=1")
			}
			w.suffer(t, p, f)
		})
	}
}
