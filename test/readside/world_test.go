package readside

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolewise/domain"
	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/shred"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
	"rolewise/sample"
	"rolewise/test/harness"
)

// plans are what the load works on.
var plans = []string{"acme", "globex", "initech"}

// world is the whole system: an event store, processes of the program, load and probes; and the test's own way to the
// log and to Redis.
type world struct {
	folder, operatorKey string
	connection          string // of the event store
	redis               string // as the processes reach it
	log                 eventstore.Store
	live                readmodels.Store
	apis, projectors    []*node
	load                *load
}

// begin fills a log and starts the system on it. Processes reach Redis at one address, the test at another, which may
// be past a proxy.
func begin(t *testing.T, apis, projectors int, reached, direct string) *world {
	t.Helper()
	w := prepare(t, reached, direct)
	w.launch(t, apis, projectors)
	return w
}

// prepare fills a log and opens what there is of the system besides its processes.
func prepare(t *testing.T, reached, direct string) *world {
	t.Helper()
	w := &world{folder: t.TempDir(), operatorKey: "rwop_" + strings.Repeat("0123456789", 5), redis: reached}
	if err := os.WriteFile(filepath.Join(w.folder, "operator.key"), []byte(w.operatorKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load = &load{world: w, random: rand.New(rand.NewPCG(1, 2))}
	w.fill(t)
	w.connection = startFront(t, filepath.Join(w.folder, "events.db"))
	w.openLog(t)
	var err error
	if w.live, err = redis.Open(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.live.Close() })
	return w
}

// launch starts the processes and returns when they are ready.
func (w *world) launch(t *testing.T, apis, projectors int) {
	t.Helper()
	for n := range projectors {
		w.projectors = append(w.projectors, &node{world: w, owner: t, name: fmt.Sprintf("projector %d", n), role: "projector"})
	}
	for n := range apis {
		w.apis = append(w.apis, &node{world: w, owner: t, name: fmt.Sprintf("api %d", n), role: "api"})
	}
	for _, n := range w.nodes() {
		n.launch(t)
	}
	for _, n := range w.nodes() {
		n.await(t)
	}
	w.load.keys = map[string]string{}
	operator, _, _ := w.apis[0].client()
	for _, plan := range plans {
		w.load.keys[plan] = operator.Command(t, plan, "create-api-key", harness.Body{"name": "readside", "scopes": []string{"*"}}).APIKey
	}
}

// fill writes the organisations on which the load works, before the event store is shared.
func (w *world) fill(t *testing.T) {
	t.Helper()
	store, emailKey, done := harness.OpenStore(t, filepath.Join(w.folder, "events.db"))
	defer done()
	for n, plan := range plans {
		options := sample.Options{
			Seed: uint64(7 + n), Plan: domain.PlanID(plan), End: time.Now().Add(-time.Minute),
			Size: sample.Size{Members: 16, Teams: 3, Skills: 10, Roles: 3, Events: 200},
		}
		if _, err := sample.Generate(t.Context(), store, emailKey, options); err != nil {
			t.Fatal(err)
		}
		end, err := sample.EndOf(t.Context(), store, options.Plan)
		if err != nil {
			t.Fatal(err)
		}
		options.End = end
		source, err := sample.NewSource(options, rand.Uint64(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		w.load.sources = append(w.load.sources, source)
	}
}

// openLog opens the shared event store as the processes do.
func (w *world) openLog(t *testing.T) {
	t.Helper()
	plain, err := kurrent.Open(t.Context(), w.connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	keys, err := shred.OpenKeys(t.Context(), filepath.Join(w.folder, "keys.db"), shred.Shared())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	fields := shred.Fields{}
	for kind, personal := range events.All.PersonalFields() {
		for _, p := range personal {
			fields[kind] = append(fields[kind], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	w.log = shred.New(plain, keys, fields)
	w.head(t) // gives the log its name, which is an event too
}

func (w *world) nodes() []*node { return append(append([]*node(nil), w.projectors...), w.apis...) }

// head is the end of the log.
func (w *world) head(t *testing.T) eventstore.Position {
	t.Helper()
	info, err := w.log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Head
}

// settle returns when every read model has reached the end of the log, while nothing is written to it.
func (w *world) settle(t *testing.T) {
	t.Helper()
	head := w.head(t)
	await(t, "the end of the log in all read models", func() error {
		for _, scope := range scopes() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := w.live.Wait(ctx, scope, head)
			cancel()
			if err != nil {
				return fmt.Errorf("%s up to %s: %w%s", scope, head, err, w.stuck())
			}
		}
		return nil
	})
}

// stuck is what the projectors say last of why they stand still.
func (w *world) stuck() string {
	var said strings.Builder
	for _, n := range w.projectors {
		log := n.process().Stderr()
		for _, line := range strings.Split(log[max(0, len(log)-2000):], "\n") {
			if strings.Contains(line, "stands still") || strings.Contains(line, "cannot") {
				fmt.Fprintf(&said, "\n%s: %s", n.name, line)
			}
		}
	}
	return said.String()
}

// alive fails the test if a process has ended that nobody has killed.
func (w *world) alive(t *testing.T) {
	t.Helper()
	for _, n := range w.nodes() {
		p := n.process()
		if err := syscall.Kill(p.PID(), 0); err != nil {
			log := p.Stderr()
			t.Errorf("%s has ended by itself: %v\n%s", n.name, err, log[max(0, len(log)-3000):])
			n.launch(t)
		}
		p.CheckLog(t)
	}
}

// node is one process of the program, which may be killed and started again.
type node struct {
	world      *world
	owner      *testing.T
	name, role string

	mu   sync.Mutex
	run  *harness.Process
	dead bool // killed, and not started again yet
	life int  // tells apart what came before a kill from what came after it
}

func (n *node) process() *harness.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run
}

// launch starts the process without waiting for anything.
func (n *node) launch(t *testing.T) {
	t.Helper()
	w := n.world
	args := []string{"serve", "--role", n.role, "--eventstore", w.connection, "--redis", w.redis, "--data", w.folder, "--admin-listen", "127.0.0.1:0"}
	if n.role == "api" {
		args = append(args, "--listen", "127.0.0.1:0", "--operator-key-file", filepath.Join(w.folder, "operator.key"),
			"--replica", filepath.Join(w.folder, strings.ReplaceAll(n.name, " ", "-")+".db"))
	}
	run := harness.Launch(n.owner, append(args, layoutFlags...)...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.run, n.dead = run, false
}

// crash kills the process and starts it again.
func (n *node) crash(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	n.life, n.dead = n.life+1, true
	run := n.run
	n.mu.Unlock()
	run.Kill(t)
	n.launch(t)
}

// died tells whether the process was killed since a life of it.
func (n *node) died(life int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life != life
}

var errNotReady = errors.New("not ready")

// await returns when the process has said that it is ready. One that ends at its start is started again, as a
// supervisor does it, a few times.
func (n *node) await(t *testing.T) {
	t.Helper()
	starts := 1
	await(t, n.name, func() error {
		p := n.process()
		if strings.Contains(p.Stdout(), "Rolewise is ready.") {
			return nil
		}
		if syscall.Kill(p.PID(), 0) != nil {
			if starts++; starts > 5 {
				t.Fatalf("%s ended before it was ready:\n%s", n.name, p.Stderr())
			}
			t.Logf("%s ended at its start and is started again: %s", n.name, p.Stderr())
			n.launch(t)
		}
		return errNotReady
	})
}

// apiLine stands in what an API prints once it is ready.
var apiLine = regexp.MustCompile(`\n +API +(http://\S+)\n`)

// client speaks to an API as the operator, once it is ready. The life is what died wants to know.
func (n *node) client() (c harness.Client, life int, ready bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := apiLine.FindStringSubmatch(n.run.Stdout())
	if found == nil || n.dead {
		return c, n.life, false
	}
	return harness.Client{Base: found[1], Key: n.world.operatorKey}, n.life, true
}
