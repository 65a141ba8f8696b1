package reactors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/command"
	"rolewise/domain/events"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/eventstore/shred"
	"rolewise/eventstore/sqlite"
	"rolewise/reactors"
)

const acme = domain.PlanID("acme")

var (
	operator = access.Principal{ID: "operator", Vendor: true}
	clock    = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// rig is a plan with members, in a log whose personal data is encrypted.
type rig struct {
	testing.TB
	bare    eventstore.Store // as it is on disk
	store   eventstore.Store
	keys    *shred.Keys
	members []domain.MemberID
	roles   []domain.RoleID // published
	next    int             // role that was not assigned yet
}

func newRig(t testing.TB, members, roles int) *rig {
	t.Helper()
	folder := t.TempDir()
	bare, err := sqlite.Open(t.Context(), filepath.Join(folder, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := shred.OpenKeys(t.Context(), filepath.Join(folder, "keys.db"))
	if err != nil {
		t.Fatal(err)
	}
	fields := shred.Fields{}
	for kind, personal := range events.All.PersonalFields() {
		for _, p := range personal {
			fields[kind] = append(fields[kind], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	r := &rig{TB: t, bare: bare, store: shred.New(bare, keys, fields), keys: keys}
	t.Cleanup(func() {
		if err := errors.Join(r.store.Close(), keys.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := handlerOn(r.store).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.do(commands.CreatePlan{Plan: acme, Name: "Acme", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@example.org"})
	for i := range members {
		r.members = append(r.members, domain.MemberID(r.do(commands.InviteMember{Name: "Max", Email: fmt.Sprint(i, "@example.org")}).ID))
	}
	known := domain.SkillID(r.do(commands.DefineSkill{Name: "Go", State: skill.Validated}).ID)
	for i := range roles {
		role := domain.RoleID(r.do(commands.CreateRole{Title: fmt.Sprint("Engineer ", i)}).ID)
		r.do(commands.AddRoleSkill{Role: role, Skill: known, Required: true})
		r.do(commands.PublishRole{Role: role})
		r.roles = append(r.roles, role)
	}
	return r
}

func handlerOn(store eventstore.Store) *commands.Handler {
	return commands.New(store, func() time.Time { return clock }, []byte("key of the tests"))
}

func (r *rig) do(c commands.Command) commands.Answer {
	r.Helper()
	answer, err := handlerOn(r.store).Handle(r.Context(), commands.Request{Plan: acme, Principal: operator}, c)
	if err != nil {
		r.Fatalf("%s: %v", c.About().Name, err)
	}
	return answer
}

// role returns a role that nobody holds.
func (r *rig) role() domain.RoleID {
	r.next++
	return r.roles[r.next-1]
}

// events returns what the log has after a position.
func (r *rig) events(after eventstore.Position) []eventstore.Recorded {
	r.Helper()
	var all []eventstore.Recorded
	for page, err := range r.store.Follow(r.Context(), after, eventstore.Filter{}) {
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, page.Events...)
		if page.Live {
			break
		}
	}
	return all
}

func (r *rig) head() eventstore.Position {
	r.Helper()
	info, err := r.store.Info(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return info.Head
}

// reactor is that of bulk commands in a process of its own, on a store that may fail.
func (r *rig) reactor(store eventstore.Store) reactors.Reactor {
	reactor := reactors.Commands(store, handlerOn(store), r.keys.Destroy)
	reactor.Patience = 5 * time.Millisecond
	return reactor
}

// outcome is what becomes of an append.
type outcome int

const (
	committed outcome = iota
	lost              // nothing is written, and the caller does not know
	unknown           // it is written, and the caller does not know
)

// failing is a store of which some appends fail; what it fails at is drawn by the caller.
type failing struct {
	eventstore.Store
	mu       sync.Mutex
	outcomes func() outcome
}

var errTrouble = &eventstore.UnavailableError{Unknown: true, Err: errors.New("as the test wants it")}

func (f *failing) Append(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	f.mu.Lock()
	next := f.outcomes()
	f.mu.Unlock()
	if next == lost {
		return 0, errTrouble
	}
	position, err := f.Store.Append(ctx, stream, at, events...)
	if next == unknown && err == nil {
		return 0, errTrouble
	}
	return position, err
}

// crashesAt fails at the n-th append and at all after it, as a process does that is gone; done tells whether it came
// to that.
func crashesAt(n int, how outcome) (outcomes func() outcome, done func() bool) {
	calls := 0
	return func() outcome {
		calls++
		switch {
		case calls < n:
			return committed
		case calls == n:
			return how
		}
		return lost
	}, func() bool { return calls >= n }
}

// sent is a bulk command on its way.
type sent struct {
	rig    *rig
	req    commands.Request
	body   commands.Command
	before eventstore.Position
	want   []string // what must become of each item
	effect string   // type of the event of an item that is done
}

// send has a process carry the command out that dies on the way, or answers; ok tells whether it was answered.
func (s *sent) send(store eventstore.Store) (answer commands.Answer, ok bool) {
	s.rig.Helper()
	s.before = s.rig.head()
	answer, err := handlerOn(store).Handle(s.rig.Context(), s.req, s.body)
	var unavailable *eventstore.UnavailableError
	if err != nil && !errors.As(err, &unavailable) {
		s.rig.Fatal(err)
	}
	return answer, err == nil
}

// stream is the command's own, where the log has one.
func (s *sent) stream() (id eventstore.StreamID, accepted bool) {
	for _, e := range s.rig.events(s.before) {
		if e.Type == "CommandAccepted" {
			return e.Stream, true
		}
	}
	return id, false
}

// answered returns the answer that was kept, and how often one was.
func (s *sent) answered() (answer commands.Answer, times int) {
	s.rig.Helper()
	for _, e := range s.rig.events(s.before) {
		if e.Type != "CommandAnswered" {
			continue
		}
		var kept command.CommandAnswered
		if err := errors.Join(json.Unmarshal(e.Data, &kept), json.Unmarshal(kept.Answer, &answer)); err != nil {
			s.rig.Fatal(err)
		}
		times++
	}
	return answer, times
}

// check returns what is not as it must be once the command is finished: one effect for each item that is done and none
// for the others, under the ids of the first attempt, one answer, and that answer for whoever repeats the request.
func (s *sent) check() (faults []string) {
	s.rig.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	answer, times := s.answered()
	if times != 1 {
		fault("answered %d times", times)
	}
	if len(answer.Items) != len(s.want) {
		fault("%d items in the answer, want %d", len(answer.Items), len(s.want))
		return faults
	}
	own, accepted := s.stream()
	if !accepted {
		fault("was never accepted")
	}
	effects, foreign := map[string]int{}, 0
	for _, e := range s.rig.events(s.before) {
		meta, err := eventstore.DecodeMetadata(e.Metadata)
		if err != nil {
			s.rig.Fatal(err)
		}
		if e.Type == s.effect && meta.Actor == s.req.Principal.ID {
			effects[e.Stream.ID]++
			if meta.Command != own.ID || e.ID != uuid.NewSHA1(uuid.MustParse(own.ID), []byte(e.Stream.String()+"#0")) || meta.Correlation != s.req.Correlation {
				foreign++
			}
		}
	}
	if foreign > 0 {
		fault("%d effects do not follow from the command", foreign)
	}
	done := map[string]bool{}
	for i, item := range s.items() {
		if answer.Items[i].Status != s.want[i] {
			fault("item %d is %q, want %q", i, answer.Items[i].Status, s.want[i])
		}
		if s.want[i] == "done" {
			done[item] = true
		}
	}
	for _, item := range s.items() {
		if n, want := effects[item], map[bool]int{true: 1}[done[item]]; n != want {
			fault("%s has %d effects, want %d", item, n, want)
		}
	}
	if s.req.Key != "" {
		faults = append(faults, s.repeat(answer)...)
	}
	return faults
}

// repeat sends the request once more under its key.
func (s *sent) repeat(kept commands.Answer) (faults []string) {
	s.rig.Helper()
	head := s.rig.head()
	answer, err := handlerOn(s.rig.store).Handle(s.rig.Context(), s.req, s.body)
	if err != nil {
		return []string{fmt.Sprintf("the repeat: %v", err)}
	}
	for i, item := range s.items() {
		if got := answer.Items[i]; got.Member+got.Team != item || got.Status != s.want[i] {
			faults = append(faults, fmt.Sprintf("item %d of the repeat is %+v", i, got))
		}
	}
	if answer.Position != kept.Position || len(answer.Events) != len(kept.Events) {
		faults = append(faults, fmt.Sprintf("the repeat is answered with %+v, kept was %+v", answer, kept))
	}
	if s.rig.head() != head {
		faults = append(faults, "the repeat appended something")
	}
	return faults
}

func (s *sent) items() (ids []string) {
	assign, ok := s.body.(commands.AssignRole)
	if !ok {
		assign = commands.AssignRole(s.body.(commands.UnassignRole))
	}
	for _, id := range assign.Members {
		ids = append(ids, string(id))
	}
	return ids
}
