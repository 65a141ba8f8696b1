// Package sample makes up the plausible history of a plan: an organisation whose people are assigned roles, are
// assessed, get better. All of it goes through the command handlers, each command at its own time in the past.
//
// It is seeded and sizeable, and so the source of load for demonstrations, benchmarks and torture tests alike; for
// endless load on top of a generated plan see Source.
package sample

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// Generate makes the plan of the options in a store, through command handlers of its own with a clock that runs through
// the year before Options.End. The emailKey must be the one that other handlers on the store use.
//
// A plan that is complete is left alone, and Mix says so: its last event defines the newest skill, so that tells. If an
// earlier generation with the same seed and size was cut off, by a crash or a cancelled context, it is completed, with
// the End that it was begun with. For that the commands are made again from the first one on; where their events are
// there already, they are compared instead of appended. Nothing else may write to the plan before it is complete; if
// something has, the error is a *ForeignEventError. A plan of the same id from elsewhere is an error too.
//
// The same options give the same commands, and the same events in the same order, whatever the store. Chance are only
// event ids, command ids, and the id of the owner, which create-plan makes.
//
// Memory grows with members and roles (some hundred bytes a member, and the handler's cache), not with events.
func Generate(ctx context.Context, store eventstore.Store, emailKey []byte, o Options) (Mix, error) {
	mix := Mix{Events: map[string]int{}}
	o, err := o.complete()
	if err != nil {
		return mix, err
	}
	begun, err := Begun(ctx, store, o.Plan)
	if err != nil {
		return mix, fmt.Errorf("sample: %w", err)
	}
	if !begun.IsZero() {
		o.End = begun.Add(days * day)
	}
	g := newGenerator(ctx, newWorld(o))
	complete, err := g.complete(store, emailKey)
	if err != nil || complete {
		mix.Already = complete
		return mix, err
	}
	if err := g.createPlan(store, emailKey); err != nil {
		return mix, fmt.Errorf("sample: create plan %s: %w", o.Plan, err)
	}
	g.store = &counting{Store: store, events: mix.Events}
	if !begun.IsZero() {
		if mix.Resumed, err = g.resume(store); err != nil {
			return mix, fmt.Errorf("sample: %w", err)
		}
	}
	g.store.count(firstEvents)
	g.handler = commands.New(g.store, g.clock, emailKey)
	if err := g.run(); err != nil {
		return mix, fmt.Errorf("sample: %w", err)
	}
	return mix, nil
}

// Begun returns when a plan was created, the zero time if it does not exist. For a generated plan that is a year (365
// days) before its End, which a Source needs.
func Begun(ctx context.Context, store eventstore.Store, id domain.PlanID) (time.Time, error) {
	stream := eventstore.StreamID{Category: plan.Category, Plan: string(id), ID: eventstore.PlanWide}
	for recorded, err := range store.Read(ctx, stream, 0) {
		if err != nil {
			return time.Time{}, err
		}
		meta, err := eventstore.DecodeMetadata(recorded.Metadata)
		return meta.Time, err
	}
	return time.Time{}, nil
}

// EndOf returns the End that the generated plan of an id was begun with, the zero time if there is no such plan.
func EndOf(ctx context.Context, store eventstore.Store, id domain.PlanID) (time.Time, error) {
	begun, err := Begun(ctx, store, id)
	if err != nil || begun.IsZero() {
		return time.Time{}, err
	}
	return begun.Add(days * day), nil
}

// generator walks through the year.
type generator struct {
	*world
	ctx     context.Context
	store   *counting
	handler *commands.Handler
	random  *rand.Rand
	now     time.Time
	queue   queue
	weights [days + 1]float64 // share of the activity that is left from a day on

	people   []person
	invited  int
	roles    []roleState
	status   []byte // of skills: 0 not there yet
	given    map[[2]int]bool
	sittings int
	reported int
}

func newGenerator(ctx context.Context, w *world) *generator {
	g := &generator{
		world: w, ctx: ctx, random: rand.New(rand.NewPCG(w.base, 1)), now: w.start,
		people: make([]person, w.employees()), roles: make([]roleState, w.Roles), status: make([]byte, w.Skills), given: map[[2]int]bool{},
	}
	for d := days - 1; d >= 0; d-- {
		g.weights[d] = g.weights[d+1] + w.busyness(d)
	}
	return g
}

// workday is the calendar day, in UTC, on which the activity of day d takes place.
func (w *world) workday(d int) time.Time {
	return w.start.Add(time.Duration(d+1) * day).Truncate(day)
}

// busyness is how much happens on a day, compared with others: little on weekends, more as the year goes on.
func (w *world) busyness(d int) float64 {
	if d < 3 {
		return 0
	}
	growing := 0.7 + 0.6*float64(d)/days
	switch w.workday(d).Weekday() {
	case time.Saturday, time.Sunday:
		return 0.1 * growing
	}
	return growing
}

func (g *generator) clock() time.Time { return g.now }

// complete tells whether the plan is there with its last event.
func (g *generator) complete(store eventstore.Store, emailKey []byte) (bool, error) {
	handler := commands.New(store, g.clock, emailKey)
	state, err := handler.Plan(g.ctx, g.Plan)
	if err != nil || !state.Exists {
		return false, err
	}
	newest, err := handler.Skill(g.ctx, g.Plan, g.skill(g.newest()))
	return newest.Exists, err
}

// firstEvents are those of createPlan.
var firstEvents = []string{"CommandClaimed", "PlanCreated", "Reserved", "MemberInvited", "CommandAnswered"}

// createPlan sends the one command that makes an id by chance. Its key makes a repeat safe, and names the seed and the
// size, so that a plan from elsewhere is recognised.
func (g *generator) createPlan(store eventstore.Store, emailKey []byte) error {
	name, email := g.person(g.employees())
	request := commands.Request{
		Plan: g.Plan, Principal: access.Principal{ID: "operator", Vendor: true},
		Key: fmt.Sprintf("sample %d %+v", g.Seed, g.Size), Correlation: "sample",
	}
	_, err := commands.New(store, g.clock, emailKey).Handle(g.ctx, request, commands.CreatePlan{
		Plan: g.Plan, Name: "Acme", Tier: plan.Enterprise, OwnerName: name, OwnerEmail: email,
	})
	return err
}

// resume prepares to meet the events that an earlier generation left, and returns how many there are.
func (g *generator) resume(store eventstore.Store) (int, error) {
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	left := 0
	for page, err := range store.Follow(ctx, 0, eventstore.Filter{Plan: string(g.Plan)}) {
		if err != nil {
			return 0, err
		}
		left += len(page.Events)
		if page.Live {
			break
		}
	}
	state, err := commands.New(store, g.clock, nil).Plan(g.ctx, g.Plan)
	if err != nil {
		return 0, err
	}
	g.store.Store = &resuming{Store: store, left: left - len(firstEvents), upTo: map[eventstore.StreamID]eventstore.Revision{
		{Category: plan.Category, Plan: string(g.Plan), ID: eventstore.PlanWide}:   0, // what createPlan made
		{Category: member.Category, Plan: string(g.Plan), ID: string(state.Owner)}: 0,
	}}
	return left, nil
}

func (c *counting) count(types []string) {
	for _, name := range types {
		c.events[name]++
	}
	c.total += len(types)
}

// run plays all days, fills up to the number of events that was asked for, and ends with the newest skill.
func (g *generator) run() error {
	g.plot()
	for g.queue.Len() > 0 {
		next := g.queue.next()
		g.wait(next.at)
		if err := next.run(); err != nil {
			return err
		}
	}
	idle := 0
	for g.store.total < g.Events-1 && idle < 1000 {
		g.wait(g.now.Add(g.lastMoment().Sub(g.now) / time.Duration(g.Events-g.store.total)))
		did, err := g.act()
		if err != nil {
			return err
		}
		if idle++; did {
			idle = 0
		}
	}
	g.wait(g.skillMade(g.newest()))
	return g.defineSkill(g.newest())
}

// wait moves the clock on; it never goes back.
func (g *generator) wait(at time.Time) {
	if at.After(g.now) {
		g.now = at
	}
}

// lastMoment is when all that has a time of its own must have happened.
func (g *generator) lastMoment() time.Time { return g.End.Add(-2 * time.Hour) }

// later lets something happen, unless the year is over by then.
func (g *generator) later(at time.Time, run func() error) {
	if at.Before(g.lastMoment()) {
		g.queue.add(at, run)
	}
}

// send carries out a command. Every one must be accepted: a refusal is a mistake of this package.
func (g *generator) send(c commands.Command) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	request := commands.Request{Plan: g.Plan, Principal: g.system(), Correlation: "sample"}
	answer, err := g.handler.Handle(g.ctx, request, c)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", c.About().Name, g.now.Format(time.RFC3339), err)
	}
	for _, item := range answer.Items {
		if item.Status == "refused" {
			return fmt.Errorf("%s at %s: %s: %s", c.About().Name, g.now.Format(time.RFC3339), item.Code, item.Detail)
		}
	}
	if g.Progress != nil && (g.store.total-g.reported >= 100 || g.store.total >= g.Events) {
		g.reported = g.store.total
		g.Progress(min(g.reported, g.Events), g.Events)
	}
	return nil
}

// all carries out several things, up to the first error.
func all(steps ...func() error) error {
	for _, run := range steps {
		if err := run(); err != nil {
			return err
		}
	}
	return nil
}
