package sample

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
)

// Size says how much to generate.
type Size struct {
	Members int // the owner included; at least 10
	Teams   int // at least 1, at most half of the members
	Skills  int // at least 8
	Roles   int // at least 1
	// Events is how many the plan has in the end, those of every stream counted, reservations of e-mail addresses too.
	// Setting up takes about 4 a member and 12 a role: a smaller number gives just the setting up.
	Events int
}

// DefaultSize is that of the sample that comes with a new installation.
var DefaultSize = Size{Members: 240, Teams: 14, Skills: 45, Roles: 14, Events: 20_000}

func (s Size) check() error {
	switch {
	case s.Members < 10:
		return fmt.Errorf("sample: %d members are too few: at least 10", s.Members)
	case s.Teams < 1 || s.Teams > s.Members/2:
		return fmt.Errorf("sample: %d teams do not fit %d members: 1 to half of them", s.Teams, s.Members)
	case s.Skills < 8:
		return fmt.Errorf("sample: %d skills are too few: at least 8", s.Skills)
	case s.Roles < 1:
		return fmt.Errorf("sample: at least one role")
	}
	return nil
}

// Options say what to generate. The same options give the same commands in the same order at the same times.
type Options struct {
	Seed uint64
	Plan domain.PlanID // empty: acme
	Size               // zero: DefaultSize
	End  time.Time     // the last moment of the year that is generated; no later than now

	Progress func(done, total int) // events so far and in all; nil: nobody wants to know
}

func (o Options) complete() (Options, error) {
	if o.Plan == "" {
		o.Plan = "acme"
	}
	if o.Size == (Size{}) {
		o.Size = DefaultSize
	}
	if err := o.check(); err != nil {
		return o, err
	}
	if err := plan.CheckID(o.Plan); err != nil {
		return o, fmt.Errorf("sample: %w", err)
	}
	if o.End.Year() < 1971 {
		return o, fmt.Errorf("sample: the end of the year to generate is missing")
	}
	o.End = o.End.UTC().Truncate(time.Millisecond)
	return o, nil
}

// days is how long the generated history is.
const days = 365

const day = 24 * time.Hour

// world is all that follows from the options alone: who there is, what they are called, when they come to be. It is the
// common ground of the generator and of sources of load, which therefore need not tell each other anything.
type world struct {
	Options
	start time.Time
	base  uint64
}

func newWorld(o Options) *world {
	h := fnv.New64a()
	_, _ = h.Write([]byte(o.Plan)) // never fails
	return &world{Options: o, start: o.End.Add(-days * day), base: o.Seed ^ h.Sum64()}
}

// hash gives a number that looks random and depends on the seed, the plan, a kind and n only.
func (w *world) hash(kind string, n int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind)) // never fails
	return rand.NewPCG(w.base^h.Sum64(), uint64(n)).Uint64()
}

// fraction is hash as a number from 0 up to 1.
func (w *world) fraction(kind string, n int) float64 {
	return float64(w.hash(kind, n)>>11) / (1 << 53)
}

// id returns a UUID of version 7 with the time of what it names.
func (w *world) id(kind string, n int, at time.Time) string {
	var id uuid.UUID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	binary.BigEndian.PutUint64(id[8:], w.hash(kind, n))
	binary.BigEndian.PutUint16(id[6:], uint16(w.hash("upper "+kind, n)))
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id.String()
}

// spread puts the n-th of count moments into a span of time after the start.
func (w *world) spread(from, to time.Duration, n, count int) time.Time {
	return w.start.Add(from + (to-from)/time.Duration(max(1, count))*time.Duration(n)).Truncate(time.Millisecond)
}

// employees is the number of members without the owner, who comes with the plan and has an id of its own making.
func (w *world) employees() int { return w.Members - 1 }

// joined is when the n-th member is invited: most at the beginning, the others over the year. It rises with n.
func (w *world) joined(n int) time.Time {
	early := w.employees() * 7 / 10
	if n < early {
		return w.spread(2*day, 12*day, n, early)
	}
	return w.spread(14*day, 345*day, n-early, w.employees()-early)
}

func (w *world) teamMade(n int) time.Time {
	return w.spread(time.Hour, 3*time.Hour, n, w.Teams)
}

func (w *world) skillMade(n int) time.Time {
	if n == w.newest() {
		return w.End.Add(-time.Minute)
	}
	return w.spread(4*time.Hour, 20*time.Hour, n, w.Skills)
}

// roleMade is when a role is created: most in the first two days, the others until autumn.
func (w *world) roleMade(n int) time.Time {
	early := (w.Roles*6 + 9) / 10
	if n < early {
		return w.spread(day, 2*day, n, early)
	}
	return w.spread(20*day, 250*day, n-early, w.Roles-early)
}

func (w *world) member(n int) domain.MemberID {
	return domain.MemberID(w.id("member", n, w.joined(n)))
}
func (w *world) team(n int) domain.TeamID { return domain.TeamID(w.id("team", n, w.teamMade(n))) }
func (w *world) skill(n int) domain.SkillID {
	return domain.SkillID(w.id("skill", n, w.skillMade(n)))
}
func (w *world) role(n int) domain.RoleID { return domain.RoleID(w.id("role", n, w.roleMade(n))) }

// system is who sends all commands but the first.
func (w *world) system() access.Principal {
	return access.Principal{ID: "system:sample", Plan: w.Plan, Scopes: []access.Scope{access.Everything}}
}

// teamOf is the team that a member joins: the first ones lead one each, the others are spread unevenly.
func (w *world) teamOf(n int) int {
	if n < w.Teams {
		return n
	}
	f := w.fraction("team", n)
	return int(f * (0.6 + 0.4*f) * float64(w.Teams))
}

// roleOf is the role that a member works in: one of the area of the team, where there is any.
func (w *world) roleOf(n int) int {
	area, pick := w.unit(w.teamOf(n)).area, w.hash("role", n)
	kinds := min(len(jobs), w.Roles)
	var fitting []int
	for kind := range kinds {
		if jobs[kind].area == area {
			fitting = append(fitting, kind)
		}
	}
	kind := int(pick % uint64(kinds))
	if len(fitting) > 0 {
		kind = fitting[pick%uint64(len(fitting))]
	}
	laps := (w.Roles - kind + len(jobs) - 1) / len(jobs)
	return kind + len(jobs)*int((pick>>32)%uint64(laps))
}

// interest is a second role that a member looks at.
func (w *world) interest(n int) int {
	return (w.roleOf(n) + 1 + int(w.hash("interest", n)%7)) % w.Roles
}

// repertoire are the skills that a member is assessed in: those of the own role, then of the other, then some more.
// None is the newest, so that its number is free of history.
const repertoire = 12

func (w *world) skillsOf(n int) []int {
	all := make([]int, 0, repertoire)
	add := func(i int) {
		for _, had := range all {
			if had == i {
				return
			}
		}
		if len(all) < repertoire {
			all = append(all, i)
		}
	}
	for _, i := range w.coreSkills(w.roleOf(n)) {
		add(i)
	}
	for _, i := range w.coreSkills(w.interest(n)) {
		if len(all) < repertoire-2 {
			add(i)
		}
	}
	for k := range 3 {
		add(int(w.hash("extra skill", n*3+k) % uint64(w.newest())))
	}
	return all
}
