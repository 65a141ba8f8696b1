package readside

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// TestReadYourWrites writes to one API and reads from another, at the position that the first has returned: the answer
// has what was written, always. Without the position it has not, now and then, or else the test would show nothing.
func TestReadYourWrites(t *testing.T) {
	harness.UsePlain(t)
	server := redistest.StartServer(t)
	w := begin(t, 3, 2, server.URL, server.URL)
	t.Run("ANA-6 with the position", func(t *testing.T) {
		p := w.pairs(t, long[int64](400, 100_000), true)
		if p.stale.Load() > 0 || 10*p.refused.Load() > p.done.Load() {
			t.Errorf("%d answers are older than what was written, %d questions were refused", p.stale.Load(), p.refused.Load())
		}
	})
	t.Run("ANA-6 without it", func(t *testing.T) {
		if p := w.pairs(t, 10_000, false); p.stale.Load() == 0 {
			t.Error("no answer is stale")
		}
	})
	w.alive(t)
}

// pairs counts what became of writes and the reads that followed.
type pairs struct {
	begun, done, stale, refused atomic.Int64
	slowest                     atomic.Int64 // read, in nanoseconds
}

// pen is one thing that one worker renames again and again, and what shows its name.
type pen struct {
	plan, key, kind, id, path string
}

// pairs makes so many pairs, by workers that do not wait for each other. Without positions it ends with the first stale
// answer.
func (w *world) pairs(t *testing.T, most int64, position bool) *pairs {
	t.Helper()
	p, begin := &pairs{}, time.Now()
	var all sync.WaitGroup
	for n := range 12 {
		pen := w.pen(t, n)
		all.Go(func() {
			for p.begun.Add(1) <= most && !t.Failed() && (position || p.stale.Load() == 0) {
				if err := p.pair(t, w, pen, position); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	t.Logf("%d writes and reads in %s; %d stale, %d refused; slowest read %s", p.done.Load(), took.Round(time.Millisecond),
		p.stale.Load(), p.refused.Load(), time.Duration(p.slowest.Load()).Round(time.Millisecond))
	return p
}

// pen makes the thing of a worker: of a plan, and of a projection.
func (w *world) pen(t *testing.T, n int) pen {
	t.Helper()
	client, _, _ := w.apis[n%len(w.apis)].client()
	p := pen{plan: plans[n%len(plans)]}
	p.key = w.load.keys[p.plan]
	name := fmt.Sprintf("Pen %d of %d", n, rand.Uint64())
	if n%2 == 0 {
		p.kind, p.path = "team", "/teams"
		p.id = client.As(p.key).Command(t, p.plan, "create-team", harness.Body{"name": name}).ID
	} else {
		p.kind = "role"
		p.id = client.As(p.key).Command(t, p.plan, "create-role", harness.Body{"title": name}).ID
		p.path = "/roles/" + p.id
	}
	return p
}

// pair gives the thing a name that it never had, and reads it elsewhere. An answer without the name is stale.
func (p *pairs) pair(t *testing.T, w *world, pen pen, position bool) error {
	from := rand.IntN(len(w.apis))
	to := (from + 1 + rand.IntN(len(w.apis)-1)) % len(w.apis)
	writer, _, _ := w.apis[from].client()
	reader, _, _ := w.apis[to].client()
	name := "Name " + strconv.FormatUint(rand.Uint64(), 36)
	body := harness.Body{"team": pen.id, "name": name}
	if pen.kind == "role" {
		body = harness.Body{"role": pen.id, "title": name}
	}
	response, err := writer.As(pen.key).Post(t.Context(), pen.plan, "rename-"+pen.kind, body)
	if err != nil || response.Status != http.StatusOK {
		return fmt.Errorf("rename the %s: %v, %d %s", pen.kind, err, response.Status, response.Body)
	}
	var answer harness.Answer
	if err := json.Unmarshal(response.Body, &answer); err != nil {
		return err
	}
	parameters := []string{}
	if pen.kind == "team" {
		parameters = append(parameters, "limit", "1000")
	}
	if position {
		parameters = append(parameters, "min_position", answer.Position)
	}
	begin := time.Now()
	response, err = reader.As(pen.key).Do(t.Context(), harness.Request{
		Method: http.MethodGet, Path: "/v1/plans/" + pen.plan + pen.path, Query: harness.Parameters(parameters...),
	})
	if err != nil {
		return fmt.Errorf("read the %s: %w", pen.kind, err)
	}
	for took := int64(time.Since(begin)); ; {
		if slowest := p.slowest.Load(); took <= slowest || p.slowest.CompareAndSwap(slowest, took) {
			break
		}
	}
	p.done.Add(1)
	switch {
	case response.Status == http.StatusServiceUnavailable:
		p.refused.Add(1)
	case response.Status == http.StatusNotFound && !position: // not even made yet
		p.stale.Add(1)
	case response.Status != http.StatusOK:
		return fmt.Errorf("read the %s: %d %s", pen.kind, response.Status, response.Body)
	case !strings.Contains(string(response.Body), strconv.Quote(name)):
		p.stale.Add(1)
	}
	return nil
}
