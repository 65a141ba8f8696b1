package sample

import (
	"math"
	"slices"
	"strconv"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/results"
	"rolewise/domain/roleiq"
)

// planDay puts a day's activity into the queue: its share of the events that are left.
func (g *generator) planDay(d int) error {
	fixed := 4*(g.employees()-g.invited) + g.queue.Len()
	for n := range g.roles {
		if len(g.roles[n].draft) == 0 {
			fixed += 18
		}
	}
	left := max(0, g.Events-1-g.store.total-fixed)
	share := 0.0
	if g.weights[d] > 0 {
		share = g.busyness(d) / g.weights[d]
	}
	count := int(float64(left)*share + g.random.Float64())
	moments := make([]time.Duration, count)
	for i := range moments { // between 7 and 19 o'clock, most around noon
		moments[i] = 7*time.Hour + time.Duration((g.random.Float64()+g.random.Float64())*float64(6*time.Hour))
	}
	slices.Sort(moments)
	for _, m := range moments {
		g.later(g.workday(d).Add(m).Truncate(time.Millisecond), func() error {
			_, err := g.act()
			return err
		})
	}
	return nil
}

// activities are what members and leaders do, by weight. One that is not possible at the moment does nothing and says so.
var activities = []struct {
	weight int
	run    func(*generator) (bool, error)
}{
	{540, (*generator).sit},
	{270, (*generator).visit},
	{50, (*generator).selectLevel},
	{55, (*generator).assign},
	{25, (*generator).unassign},
	{3, (*generator).assignTeam},
	{2, (*generator).unassignTeam},
	{14, (*generator).changeTeams},
	{6, (*generator).refresh},
	{3, (*generator).editRole},
	{2, (*generator).renew},
}

// act lets something happen, a visit if what was drawn is not possible; false: not even that.
func (g *generator) act() (bool, error) {
	sum := 0
	for _, a := range activities {
		sum += a.weight
	}
	draw := g.random.IntN(sum)
	for _, a := range activities {
		if draw -= a.weight; draw < 0 {
			if did, err := a.run(g); did || err != nil {
				return did, err
			}
			break
		}
	}
	return g.visit()
}

// somebody draws a member who has accepted, -1 if that finds none.
func (g *generator) somebody() int {
	for range 20 {
		if g.invited == 0 {
			break
		}
		if n := g.random.IntN(g.invited); g.people[n].accepted {
			return n
		}
	}
	return -1
}

// zealous draws like somebody, but people are not equally keen on assessments.
func (g *generator) zealous() int {
	n := g.somebody()
	for range 5 {
		if f := g.fraction("zeal", n); n < 0 || g.random.Float64() < 0.05+f*f {
			break
		}
		n = g.somebody()
	}
	return n
}

// someRole draws a role that is published, -1 if that finds none.
func (g *generator) someRole() int {
	for range 20 {
		if n := g.random.IntN(g.Roles); g.roles[n].published {
			return n
		}
	}
	return -1
}

// concern draws a role that matters to a member: the own one, mostly.
func (g *generator) concern(n int) (role, place int) {
	if g.random.IntN(5) == 0 {
		return g.interest(n), 1
	}
	return g.roleOf(n), 0
}

// date is the calendar day, in UTC, counted from that of the start.
func (g *generator) date() int {
	return int(g.now.Sub(g.start.Truncate(day)) / day)
}

// retakeDays lies between two sittings of a member in a skill (SPEC MSR-2).
const retakeDays = 14

// sit lets a member take an assessment. Its result arrives at once or, one in eight, days later, so that a result may be
// overtaken by that of the next sitting (SPEC MSR-5).
func (g *generator) sit() (bool, error) {
	n := g.zealous()
	if n < 0 {
		return false, nil
	}
	p, skills := &g.people[n], g.skillsOf(n)
	for range 8 {
		// The square prefers the skills of the own role.
		f := g.random.Float64()
		place := int(f * f * float64(len(skills)))
		s := skills[place]
		if g.status[s] == 0 || g.status[s] == isRetired || (p.taken[place] > 0 && g.date()+1-int(p.taken[place]) <= retakeDays) {
			continue
		}
		attempt := 0
		if p.taken[place] > 0 {
			attempt = 1
		}
		p.taken[place] = int16(g.date() + 1)
		r := g.result(n, s, attempt)
		if arrives := g.now.Add(time.Duration(1+g.random.IntN(25)) * day); g.random.IntN(8) == 0 && arrives.Before(g.lastMoment()) {
			g.later(arrives, func() error { return g.record(r, s) })
			return true, nil
		}
		return true, g.record(r, s)
	}
	return false, nil
}

// result makes up how a sitting went that ended just now. Ability is a member's own, differs by skill, and grows.
func (g *generator) result(n, s, attempt int) commands.RecordSkillIQ {
	g.sittings++
	ability := 55 + 165*g.fraction("ability", n) + 50*(g.fraction("aptitude", n*4096+s)-0.5)
	growth := 75 * g.fraction("diligence", n) * float64(g.date()) / days
	score := int(math.Round(ability + growth + 8*float64(attempt) + 14*g.random.NormFloat64()))
	score = min(max(score, 0), 300)
	percentile := int(math.Round(50 * (1 + math.Erf((float64(score)-150)/(55*math.Sqrt2)))))
	taken := g.now.Add(-time.Duration(1+g.random.IntN(40)) * time.Minute).Truncate(time.Second)
	return commands.RecordSkillIQ{
		Member: g.member(n), Skill: g.skill(s), Score: score, Percentile: percentile, MeasuredAt: taken,
		Session: results.Session(g.id("sitting", g.sittings, taken)), AssessmentVersion: "v" + strconv.Itoa(1+g.date()/120), Source: "assessments",
	}
}

var reasons = []string{"Identity could not be confirmed", "Technical fault during the assessment", "Withdrawn at the member's request"}

// record hands in a result, if the skill is still measured. A few are withdrawn later.
func (g *generator) record(r commands.RecordSkillIQ, s int) error {
	if g.status[s] == isRetired {
		return nil
	}
	if g.status[s] == inUse && g.random.IntN(150) == 0 {
		g.later(g.now.Add(time.Duration(1+g.random.IntN(9*24))*time.Hour), func() error {
			return g.send(commands.InvalidateSkillIQ{Member: r.Member, Skill: r.Skill, Session: r.Session, Reason: reasons[g.random.IntN(len(reasons))]})
		})
	}
	return g.send(r)
}

func (g *generator) visit() (bool, error) {
	n := g.somebody()
	if n < 0 {
		return false, nil
	}
	role, _ := g.concern(n)
	if d := g.people[n].direct[g.random.IntN(3)]; d > 0 {
		role = int(d) - 1
	}
	if !g.roles[role].published {
		return false, nil
	}
	return true, g.send(commands.VisitRole{Role: g.role(role), Member: g.member(n)})
}

// selectLevel lets a member take up a role, or aim higher, sometimes lower.
func (g *generator) selectLevel() (bool, error) {
	n := g.somebody()
	if n < 0 {
		return false, nil
	}
	role, place := g.concern(n)
	if !g.roles[role].published || (place == 1 && role == g.roleOf(n)) {
		return false, nil
	}
	levels := len(roleiq.Levels)
	level := g.random.IntN(levels)
	if had := int(g.people[n].selected[place]) - 1; had >= 0 {
		level = min(had+1, levels-1)
		if level == had || g.random.IntN(4) == 0 {
			level = (had + levels - 1) % levels
		}
	}
	g.people[n].selected[place] = byte(level + 1)
	return true, g.send(commands.SelectLevel{Role: g.role(role), Level: roleiq.Levels[level], Member: g.member(n)})
}

var messages = []string{"", "", "", "Please have a look at this role until our next talk.", "A step that would suit you.", "As discussed."}

func (g *generator) assign() (bool, error) {
	n, role := g.somebody(), g.someRole()
	if n < 0 || role < 0 {
		return false, nil
	}
	if own := g.roleOf(n); g.random.IntN(2) == 0 && g.roles[own].published {
		role = own
	}
	p := &g.people[n]
	free := slices.Index(p.direct[:], 0)
	if free < 0 || slices.Contains(p.direct[:], int16(role+1)) {
		return false, nil
	}
	p.direct[free] = int16(role + 1)
	c := commands.AssignRole{Role: g.role(role), Members: idList(g.member(n)), Message: messages[g.random.IntN(len(messages))]}
	if g.random.IntN(6) == 0 {
		c.Notify = new(bool)
	}
	return true, g.send(c)
}

func (g *generator) unassign() (bool, error) {
	for range 10 {
		n := g.somebody()
		if n < 0 {
			return false, nil
		}
		p, place := &g.people[n], g.random.IntN(3)
		if role := int(p.direct[place]) - 1; role >= 0 {
			p.direct[place] = 0
			return true, g.send(commands.UnassignRole{Role: g.role(role), Members: idList(g.member(n))})
		}
	}
	return false, nil
}

func (g *generator) assignTeam() (bool, error) {
	role, team := g.someRole(), g.random.IntN(g.Teams)
	if role < 0 || g.given[[2]int{team, role}] || len(g.given) > 3*g.Teams {
		return false, nil
	}
	g.given[[2]int{team, role}] = true
	return true, g.send(commands.AssignRole{Role: g.role(role), Teams: idList(g.team(team))})
}

// unassignTeam takes a role from a team, though not the one that the team is about.
func (g *generator) unassignTeam() (bool, error) {
	for range 20 {
		team, role := g.random.IntN(g.Teams), g.random.IntN(g.Roles)
		if pair := [2]int{team, role}; g.given[pair] && g.unit(team).area != g.job(role).area {
			delete(g.given, pair)
			return true, g.send(commands.UnassignRole{Role: g.role(role), Teams: idList(g.team(team)), Message: "The team's work has changed."})
		}
	}
	return false, nil
}

// changeTeams lends a member to a second team, changes what they are there, or takes them back.
func (g *generator) changeTeams() (bool, error) {
	n, team := g.somebody(), g.random.IntN(g.Teams)
	if n < 0 {
		return false, nil
	}
	p, id := &g.people[n], g.member(n)
	switch {
	case p.second < 0 && team == g.teamOf(n):
		return false, nil
	case p.second < 0:
		p.second, p.secondRole = int32(team), member.Plain
		return true, g.send(commands.AddTeamMember{Team: g.team(team), Member: id, TeamRole: member.Plain})
	case g.random.IntN(3) == 0:
		next := map[member.TeamRole]member.TeamRole{member.Plain: member.Stakeholder, member.Stakeholder: member.Manager, member.Manager: member.Plain}
		p.secondRole = next[p.secondRole]
		return true, g.send(commands.ChangeTeamRole{Team: g.team(int(p.second)), Member: id, TeamRole: p.secondRole})
	}
	team = int(p.second)
	p.second = -1
	return true, g.send(commands.RemoveTeamMember{Team: g.team(team), Member: id})
}

func (g *generator) refresh() (bool, error) {
	role := g.someRole()
	if role < 0 {
		return false, nil
	}
	c := commands.RefreshProgress{Role: g.role(role)}
	for range g.random.IntN(4) {
		if n := g.somebody(); n >= 0 && !slices.Contains(c.Members, g.member(n)) {
			c.Members = append(c.Members, g.member(n))
		}
	}
	return true, g.send(c)
}

// renew publishes a new benchmark of a skill, sometimes one for a role.
func (g *generator) renew() (bool, error) {
	s := g.random.IntN(g.newest())
	if g.status[s] != inUse {
		return false, nil
	}
	c := commands.PublishBenchmark{Skill: g.skill(s), Thresholds: g.thresholds(s, g.sittings), Source: "Assessment provider, yearly norm sample"}
	if role := g.someRole(); role >= 0 && g.random.IntN(2) == 0 {
		c.Role, c.Source = domain.RoleID(g.role(role)), "Own sample of the role"
	}
	return true, g.send(c)
}
