package sample

import (
	"math"
	"strings"
	"time"

	"rolewise/commands"
	"rolewise/domain/member"
	domainrole "rolewise/domain/role"
)

// person is what the generator remembers of a member.
type person struct {
	accepted   bool
	second     int32             // team besides the first; -1: none
	secondRole member.TeamRole   // in it
	selected   [2]byte           // level selected last, in the own role and in the other; 0: none
	direct     [3]int16          // roles assigned directly, plus 1; 0: none
	taken      [repertoire]int16 // day of the last sitting, plus 1, by place in skillsOf; 0: none
}

// roleState is what the generator remembers of a role.
type roleState struct {
	published bool
	draft     []entry
	extra     int // skill outside the core that was added, plus 1
	version   int
}

type entry struct {
	skill, percent, level int
	required              bool
}

// Values of generator.status.
const (
	inBeta byte = iota + 1
	inUse
	isRetired
)

// plot puts all that has a fixed time into the queue. Of long series only the first, which brings the next.
func (g *generator) plot() {
	g.queue.add(g.start.Add(30*time.Minute), g.welcomeOwner)
	g.series(g.Teams, g.teamMade, g.createTeam)
	g.series(g.Skills-1, g.skillMade, g.defineSkill)
	g.series(g.Roles, g.roleMade, g.createRole)
	g.series(g.employees(), g.joined, g.invite)
	g.series(days, func(d int) time.Time { return g.start.Add(time.Duration(d) * day) }, g.planDay)
	g.at(0.47, func() error {
		g.status[g.leavingBeta()] = inUse
		return g.send(commands.ValidateSkill{Skill: g.skill(g.leavingBeta())})
	})
	g.at(0.83, func() error {
		g.status[g.retiring()] = isRetired
		return g.send(commands.RetireSkill{Skill: g.skill(g.retiring())})
	})
	g.at(0.31, func() error {
		return g.send(commands.RenameSkill{Skill: g.skill(0), Name: g.technology(0).name + " and GitHub"})
	})
	last := g.Teams - 1
	g.at(0.56, func() error {
		return g.send(commands.RenameTeam{Team: g.team(last), Name: g.unit(last).name + " and Success"})
	})
	if last > 0 {
		g.at(0.62, func() error {
			if g.unit(last).parent == 0 {
				return g.send(commands.MoveTeam{Team: g.team(last)})
			}
			return g.send(commands.MoveTeam{Team: g.team(last), Parent: g.team(0)})
		})
	}
}

func (g *generator) welcomeOwner() error {
	state, err := g.handler.Plan(g.ctx, g.Plan)
	if err != nil {
		return err
	}
	return g.send(commands.AcceptInvitation{Member: state.Owner})
}

// at lets something happen when a part of the year is over.
func (g *generator) at(part float64, run func() error) {
	g.later(g.start.Add(time.Duration(part*days*float64(day))).Truncate(time.Second), run)
}

// series lets count things happen one after the other.
func (g *generator) series(count int, when func(int) time.Time, run func(int) error) {
	var add func(n int)
	add = func(n int) {
		if n < count {
			g.queue.add(when(n), func() error {
				add(n + 1)
				return run(n)
			})
		}
	}
	add(0)
}

func (g *generator) createTeam(n int) error {
	c := commands.CreateTeam{Team: g.team(n), Name: g.unit(n).name}
	if parent := g.unit(n).parent; parent >= 0 {
		c.Parent = g.team(parent)
	}
	return g.send(c)
}

func (g *generator) defineSkill(n int) error {
	t, state := g.technology(n), g.firstState(n)
	g.status[n] = inUse
	if state == "beta" {
		g.status[n] = inBeta
	}
	return all(
		func() error {
			return g.send(commands.DefineSkill{
				Skill: g.skill(n), Name: t.name, Description: t.about, Icon: t.icon, Synonyms: t.synonymList(), State: state,
			})
		},
		func() error {
			if n == g.newest() { // its definition is the last event there is
				return nil
			}
			return g.send(commands.PublishBenchmark{Skill: g.skill(n), Thresholds: g.thresholds(n, 0), Source: "Assessment provider, first norm sample"})
		},
	)
}

// thresholds returns those of a skill's benchmark; each edition differs a little.
func (w *world) thresholds(n, edition int) []int {
	shift := int(w.hash("benchmark shift", n*1000+edition)%13) - 6
	entry := 75 + int(w.hash("benchmark", n)%30) + shift
	return []int{entry, entry + 55 + int(w.hash("benchmark step", n)%15), entry + 115 + int(w.hash("benchmark top", n)%25)}
}

func (g *generator) invite(n int) error {
	name, email := g.person(n)
	team, role := g.teamOf(n), member.Plain
	if n < g.Teams {
		role = member.Manager
	}
	c := commands.InviteMember{
		Member: g.member(n), Name: name, Email: email, Title: g.titleOf(n), AccessRole: g.accessRole(n),
		Teams: []commands.TeamMembership{{Team: g.team(team), TeamRole: role}},
	}
	p := &g.people[n]
	p.second = -1
	if above := g.unit(team).parent; above >= 0 && n >= g.Teams && n < g.Teams*5/4 {
		p.second, p.secondRole = int32(above), member.Stakeholder
		c.Teams = append(c.Teams, commands.TeamMembership{Team: g.team(above), TeamRole: member.Stakeholder})
	}
	g.invited = n + 1
	if g.fraction("absent", n) >= 0.03 { // a few never answer
		after := time.Duration(math.Pow(g.fraction("accepts", n), 3) * 6 * float64(day))
		g.later(g.now.Add(after+time.Minute), func() error {
			p.accepted = true
			return g.send(commands.AcceptInvitation{Member: g.member(n)})
		})
	}
	return g.send(c)
}

// accessRole gives a few of the first members, in every thousand, a role in the plan.
func (w *world) accessRole(n int) member.AccessRole {
	switch n % 1000 {
	case 1, 5:
		return member.Admin
	case 6:
		return member.HR
	case 7:
		return member.Auditor
	}
	return ""
}

// titleOf is the job title, which is close to the role but not the same.
func (w *world) titleOf(n int) string {
	if n < w.Teams {
		return "Head of " + w.unit(n).name
	}
	title, _, _ := strings.Cut(w.job(w.roleOf(n)).title, ",")
	switch f := w.fraction("title", n); {
	case strings.HasPrefix(title, "Senior"):
	case f < 0.2:
		return "Junior " + title
	case f > 0.75:
		return "Senior " + title
	}
	return title
}

// createRole writes a role down and publishes it, some at once, some weeks later.
func (g *generator) createRole(n int) error {
	r := &g.roles[n]
	if source := g.source(n); source >= 0 {
		r.draft = append(r.draft, g.roles[source].draft...)
		r.extra = g.roles[source].extra
		if err := g.send(commands.DuplicateRole{Role: g.role(n), Source: g.role(source), Title: g.job(n).title}); err != nil {
			return err
		}
	} else if err := g.writeRole(n, r); err != nil {
		return err
	}
	after := time.Duration(1+g.hash("publish", n)%5) * 17 * time.Minute
	if n%5 == 4 {
		after = time.Duration(10+g.hash("publish", n)%30) * day
	}
	g.later(g.now.Add(after), func() error {
		r.published, r.version = true, 1
		g.giveToTeams(n)
		return g.send(commands.PublishRole{Role: g.role(n)})
	})
	return nil
}

func (g *generator) writeRole(n int, r *roleState) error {
	j := g.job(n)
	steps := []commands.Command{
		commands.CreateRole{Role: g.role(n), Title: j.title},
		commands.DescribeRole{Role: g.role(n), Description: j.about, Responsibilities: strings.Split(j.duties, ";")},
	}
	for i, s := range g.coreSkills(n) {
		e := entry{skill: s, required: i < 5 || g.hash("required", n*50+i)%2 == 0}
		steps = append(steps, commands.AddRoleSkill{Role: g.role(n), Skill: g.skill(s), Required: e.required})
		if g.hash("level", n*50+i)%3 > 0 {
			e.level = 2 + int(g.hash("level", n*50+i)%4)
			steps = append(steps, commands.SetRequiredLevel{Role: g.role(n), Skill: g.skill(s), Level: e.level})
		}
		r.draft = append(r.draft, e)
	}
	for _, c := range steps {
		g.wait(g.now.Add(time.Second))
		if err := g.send(c); err != nil {
			return err
		}
	}
	return nil
}

// giveToTeams assigns a role, days after its first publication, to a team or two of its area.
func (g *generator) giveToTeams(n int) {
	given := 0
	for k := range g.Teams {
		t := (k + n/len(jobs)*len(units)) % g.Teams
		if g.unit(t).area != g.job(n).area || given == 2 {
			continue
		}
		given++
		g.later(g.now.Add(time.Duration(1+g.hash("give", n*10+given)%9)*day), func() error {
			g.given[[2]int{t, n}] = true
			return g.send(commands.AssignRole{Role: g.role(n), Teams: idList(g.team(t)), Message: "This is the role we work in."})
		})
	}
}

func idList[ID any](id ID) []ID { return []ID{id} }

// onPublish alternates: most new versions count for everybody.
func (g *generator) onPublish() domainrole.OnPublish {
	if g.random.IntN(5) == 0 {
		return domainrole.Grandfather
	}
	return ""
}
