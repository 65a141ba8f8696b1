package reactors

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/eventstore/sqlite"
	"rolewise/test/harness"
)

const (
	acme   = "acme"
	most   = 10_000 // members of one command
	enough = 1_000  // events of the command seen before its process is killed
)

// world is a plan with many members, in the files of an event store.
type world struct {
	folder, role string
	members      []string
}

// seed writes a world.
func seed(t *testing.T, members int) world {
	t.Helper()
	w := world{folder: t.TempDir(), role: uuid.NewString()}
	store, emailKey, close := harness.OpenStore(t, filepath.Join(w.folder, "events.db"))
	handler := commands.New(store, time.Now, emailKey)
	if err := handler.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	do := func(c commands.Command) error {
		_, err := handler.Handle(t.Context(), commands.Request{Plan: acme, Principal: access.Principal{ID: "operator", Vendor: true}}, c)
		return err
	}
	known := domain.SkillID(uuid.NewString())
	for _, c := range []commands.Command{
		commands.CreatePlan{Plan: acme, Name: "Acme", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@example.org"},
		commands.DefineSkill{Skill: known, Name: "Go", State: skill.Validated},
		commands.CreateRole{Role: domain.RoleID(w.role), Title: "Engineer"},
		commands.AddRoleSkill{Role: domain.RoleID(w.role), Skill: known, Required: true},
		commands.PublishRole{Role: domain.RoleID(w.role)},
	} {
		if err := do(c); err != nil {
			t.Fatal(err)
		}
	}
	close()
	// Members are written in clear, which is read as well: 10,000 keys would be made one after the other.
	plain, err := sqlite.Open(t.Context(), filepath.Join(w.folder, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	handler = commands.New(plain, time.Now, emailKey)
	var group errgroup.Group
	group.SetLimit(256)
	for i := range members {
		id := uuid.NewString()
		w.members = append(w.members, id)
		group.Go(func() error {
			return do(commands.InviteMember{Member: domain.MemberID(id), Name: "Max", Email: fmt.Sprint(i, "@example.org")})
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// replica is a running server of the world.
type replica struct {
	*harness.Process
	client harness.Client
}

// start starts a server on an event store; each one of several has a number.
func (w world) start(t *testing.T, eventstore string, number int) replica {
	t.Helper()
	p := harness.Start(t, "serve", "--eventstore", eventstore, "--data", w.folder, "--replica", filepath.Join(w.folder, fmt.Sprint("replica", number, ".db")),
		"--redis", "memory", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	key, err := os.ReadFile(filepath.Join(w.folder, "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	return replica{p, harness.Client{Base: p.URL, Key: strings.TrimSpace(string(key))}}
}

func (w world) body() harness.Body {
	return harness.Body{"role": w.role, "members": w.members, "mode": "atomic"}
}

const key = "ten-thousand"

// killed sends the command and kills the server when a part of it is done.
func (w world) killed(t *testing.T, at replica) {
	t.Helper()
	after := lastOf(at.client.Events(t, acme))
	answered := make(chan harness.Response, 1)
	go func() {
		defer close(answered)
		if response, err := at.client.Post(t.Context(), acme, "assign-role", w.body(), "Idempotency-Key", key); err == nil {
			answered <- response
		}
	}()
	await(t, "a part of the command", func() bool {
		if len(answered) > 0 {
			r := <-answered
			t.Fatalf("the command was answered before a part of it was seen: %d %.300s", r.Status, r.Body)
		}
		response := at.client.Get(t, "/v1/plans/"+acme+"/events", "after", after, "limit", "1000")
		return len(harness.Decode[harness.List[harness.Event]](t, response).Items) >= enough
	})
	at.Kill(t)
	if _, ok := <-answered; ok {
		t.Fatal("the command was answered before the server was killed: more members are needed")
	}
}

// check waits until the command is finished, without a word of its client, and looks at what it has left.
func (w world) check(t *testing.T, at replica) {
	t.Helper()
	began := time.Now()
	await(t, "the command's end", func() bool {
		line := readiness(t, at)
		return line.Open == 0 && line.Refused == 0 && line.Fault == "" && kinds(at.client.Events(t, acme))["CommandAnswered"] == 1
	})
	t.Logf("finished %s after the server was ready", time.Since(began).Round(time.Millisecond))
	events := at.client.Events(t, acme)
	if n := kinds(events); n["CommandAccepted"] != 1 || n["CommandResumed"] != 1 {
		t.Errorf("ASG-5 accepted %d times, resumed %d times", n["CommandAccepted"], n["CommandResumed"])
	}
	assigned, resumed, first := map[string]int{}, false, 0
	for _, e := range events {
		switch e.Type {
		case "CommandResumed":
			resumed = true
		case "MemberAssigned":
			var data struct{ Member string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatal(err)
			}
			assigned[data.Member]++
			if !resumed {
				first++
			}
		}
	}
	if first < enough/2 || first >= len(w.members) {
		t.Errorf("%d assignments before the server was killed: that was not in the middle", first)
	}
	t.Logf("%d assignments before the server was killed, %d by the reactor", first, len(w.members)-first)
	for _, id := range w.members {
		if assigned[id] != 1 {
			t.Fatalf("ASG-5 member %s was assigned %d times", id, assigned[id])
		}
	}
	before := lastOf(events)
	answer := at.client.Command(t, acme, "assign-role", w.body(), "Idempotency-Key", key)
	if len(answer.Items) != len(w.members) || len(answer.Events) != len(w.members) {
		t.Fatalf("ASG-5 the repeat is answered with %d items and %d events", len(answer.Items), len(answer.Events))
	}
	for i, item := range answer.Items {
		if item.Member != w.members[i] || item.Status != "done" {
			t.Fatalf("ASG-5 item %d of the repeat is %+v", i, item)
		}
	}
	if after := lastOf(at.client.Events(t, acme)); after != before {
		t.Errorf("API-1 the repeat appended something: the log ends at %s, not %s", after, before)
	}
}

func lastOf(events []harness.Event) string { return events[len(events)-1].Position }

func kinds(events []harness.Event) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		n[e.Type]++
	}
	return n
}

// line is a reactor's in readiness.
type line struct {
	Reactor, Position, Fault string
	Open, Refused            int
}

func readiness(t *testing.T, at replica) line {
	t.Helper()
	response := harness.Client{Base: at.AdminURL}.TryGet(t, "/readyz")
	lines := harness.Decode[struct{ Reactors []line }](t, response).Reactors
	if len(lines) != 1 || lines[0].Reactor != "commands" {
		t.Fatalf("readiness tells of the reactors %+v", lines)
	}
	return lines[0]
}

// patience bounds everything that has to come about; nothing is measured by it.
const patience = time.Minute

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s has not come about within %s", what, patience)
		}
	}
}

// TestKilled uses the program without the race detector: with it the other replica would take over from a command that
// is only slow.
func TestKilled(t *testing.T) {
	harness.UsePlain(t)
	t.Run("ASG-5 started again on a SQLite event store", func(t *testing.T) {
		w := seed(t, most)
		url := harness.EventStore(w.folder)
		w.killed(t, w.start(t, url, 0))
		again := w.start(t, url, 0)
		w.check(t, again)
		again.Stop(t)
	})
	t.Run("ASG-5 by another replica on a KurrentDB", func(t *testing.T) {
		members := most / 4
		if os.Getenv("ROLEWISE_TORTURE") != "" {
			members = most
		}
		w := seed(t, members)
		url := startFront(t, filepath.Join(w.folder, "events.db"))
		one, two := w.start(t, url, 1), w.start(t, url, 2)
		w.killed(t, one)
		w.check(t, two)
		two.Stop(t)
	})
}
