package sample

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"rolewise/commands"
	"rolewise/domain/results"
	"rolewise/domain/roleiq"
)

// Source gives commands on a generated plan without end: the load of benchmarks and torture tests. It needs neither the
// store nor the outcome of earlier commands, and each command is valid whatever the others did, in any order, repeated or
// never carried out. It is safe for concurrent use.
type Source struct {
	world *world
	now   func() time.Time

	mu     sync.Mutex
	random *rand.Rand
	salt   uint64
	count  int
}

// NewSource returns a source of load on the plan that Generate made from these options. Their End must be that with
// which the generation was begun, see EndOf. The seed is that of the load: the same seed gives the same commands, times
// apart. Measurements are dated by now.
func NewSource(o Options, seed uint64, now func() time.Time) (*Source, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	w := newWorld(o)
	return &Source{world: w, now: now, random: rand.New(rand.NewPCG(w.base, seed)), salt: seed}, nil
}

// Next returns the next command. The correlation of the request is different for each command of a seed, so that it can
// be used as an Idempotency-Key too; the key itself is left to the caller.
func (s *Source) Next() (commands.Request, commands.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	request := commands.Request{
		Plan: s.world.Plan, Principal: s.world.system(), Correlation: fmt.Sprintf("load-%d-%d", s.salt, s.count),
	}
	return request, s.draw()
}

func (s *Source) draw() commands.Command {
	w := s.world
	n := s.random.IntN(w.employees())
	role := w.roleOf(n)
	if s.random.IntN(4) == 0 {
		role = s.random.IntN(w.Roles)
	}
	switch p := s.random.IntN(1000); {
	case p < 500:
		return s.measure()
	case p < 750:
		return commands.VisitRole{Role: w.role(role), Member: w.member(n)}
	case p < 830:
		return commands.SelectLevel{Role: w.role(role), Level: roleiq.Levels[s.random.IntN(len(roleiq.Levels))], Member: w.member(n)}
	case p < 890:
		return commands.AssignRole{Role: w.role(role), Members: idList(w.member(n))}
	case p < 940:
		return commands.UnassignRole{Role: w.role(role), Members: idList(w.member(n))}
	case p < 945:
		return s.assignMany(role)
	case p < 950:
		return commands.RefreshProgress{Role: w.role(role)}
	case p < 960:
		return s.assignTeam(role)
	}
	return s.edit(role)
}

// measure goes through members and their skills in turn, so that the sittings of one member in one skill lie as far
// apart as they can.
func (s *Source) measure() commands.Command {
	w := s.world
	n := s.count % w.employees()
	var skills []int
	for _, k := range w.skillsOf(n) {
		if k != w.retiring() {
			skills = append(skills, k)
		}
	}
	k := skills[s.count/w.employees()%len(skills)]
	taken := s.now().UTC().Truncate(time.Second)
	percentile := s.random.IntN(101)
	return commands.RecordSkillIQ{
		Member: w.member(n), Skill: w.skill(k), Score: min(300, percentile*3), Percentile: percentile, MeasuredAt: taken,
		Session: results.Session(w.id(fmt.Sprintf("load %d", s.salt), s.count, w.End)), Source: "load",
	}
}

func (s *Source) assignMany(role int) commands.Command {
	w := s.world
	c := commands.AssignRole{Role: w.role(role)}
	for range 2 + s.random.IntN(8) {
		if id := w.member(s.random.IntN(w.employees())); !slices.Contains(c.Members, id) {
			c.Members = append(c.Members, id)
		}
	}
	return c
}

func (s *Source) assignTeam(role int) commands.Command {
	w := s.world
	team := idList(w.team(s.random.IntN(w.Teams)))
	if s.random.IntN(2) == 0 {
		return commands.UnassignRole{Role: w.role(role), Teams: team}
	}
	return commands.AssignRole{Role: w.role(role), Teams: team}
}

// edit changes a skill that is in the role for certain, or publishes what was changed.
func (s *Source) edit(role int) commands.Command {
	w := s.world
	core := w.coreSkills(role)
	at := s.random.IntN(len(core))
	id, skill := w.role(role), w.skill(core[at])
	switch s.random.IntN(4) {
	case 0:
		return commands.AdjustGoal{Role: id, Skill: skill, Percent: 10 * (s.random.IntN(3) - 1)}
	case 1:
		return commands.SetRequiredLevel{Role: id, Skill: skill, Level: s.random.IntN(6)}
	case 2:
		if at > 0 {
			return commands.SetSkillRequired{Role: id, Skill: skill, Required: s.random.IntN(2) == 0}
		}
	}
	return commands.PublishRole{Role: id}
}
