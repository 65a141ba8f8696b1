package acceptance

import (
	"reflect"
	"testing"
	"time"

	"rolewise/test/harness"
)

// run plays the whole story on a server whose catalog has the slice of O*NET, and returns what was answered.
func run(t *testing.T, server *harness.Server) *transcript {
	t.Helper()
	s := &script{t: t, seen: newTranscript(given()...), took: map[string][]time.Duration{}}
	s.client = server.NewPlan(t, north)
	s.last = s.position()
	s.people()
	s.role()
	s.assign()
	s.measure()
	s.unassign()
	s.final()
	s.checkTimes()
	return s.seen
}

// position is that of the plan's last event.
func (s *script) position() string {
	s.t.Helper()
	events := s.client.Events(s.t, north)
	return events[len(events)-1].Position
}

func (s *script) people() {
	s.do("create-team", harness.Body{"team": tax, "name": "Tax"})
	s.do("create-team", harness.Body{"team": east, "name": "Tax East", "parent": tax})
	invite := func(member, name, email string, teams ...string) {
		body := harness.Body{"member": member, "name": name, "email": email + "@north.example"}
		var memberships []harness.Body
		for _, team := range teams {
			memberships = append(memberships, harness.Body{"team": team, "team_role": "member"})
		}
		if memberships != nil {
			body["teams"] = memberships
		}
		if answer := s.do("invite-member", body); answer.ID != member {
			s.t.Errorf("MEM-1 invite-member: id %s, want %s", answer.ID, member)
		}
	}
	invite(ada, "Ada Lovelace", "ada")
	invite(bob, "Bob Byte", "bob")
	invite(cem, "Cem Öz", "cem", tax)
	invite(dana, `=Dana "D", Jr.`, "dana")
	invite(eve, "Eve Ember", "eve", east)
	invite(fay, "Fay Fox", "fay")
}

// role customises the imported role of tax preparers, and publishes it.
func (s *script) role() {
	warning := []string{"5 to 8 skills are recommended, the role has 9"}
	answer := s.do("customize-role", harness.Body{"role": adviser, "source": preparers, "title": "Tax Adviser"})
	same(s.t, "ROL-2 customize-role", answer, harness.Answer{
		ID: adviser, Stream: "role-north." + adviser, Revision: 0, Position: answer.Position, Events: []string{"RoleCustomized"}, Warnings: warning,
	})
	s.do("remove-role-skill", harness.Body{"role": adviser, "skill": office})
	answer = s.do("remove-role-skill", harness.Body{"role": adviser, "skill": word})
	same(s.t, "ROL-5 warnings with 7 skills", answer.Warnings, []string(nil))
	s.do("adjust-goal", harness.Body{"role": adviser, "skill": listening, "percent": 10})
	s.do("reorder-role-skills", harness.Body{"role": adviser, "skills": []string{thinking, listening, reading, quickbooks, access, excel, outlook}})
	answer = s.do("publish-role", harness.Body{"role": adviser})
	same(s.t, "ROL-8 publish-role", answer, harness.Answer{
		Stream: "role-north." + adviser, Revision: 5, Position: answer.Position, Events: []string{"RolePublished"},
	})
	s.ready = true

	response := s.get(answer.Position, "/roles/"+adviser)
	item := harness.Decode[struct {
		Item struct {
			Title, State, Source string
			Version              int
			InForce              struct{ Skills []roleSkill } `json:"in_force"`
		}
	}](s.t, response).Item
	same(s.t, "ROL-2 source", item.Source, preparers)
	same(s.t, "ROL-8 title, state, version", []any{item.Title, item.State, item.Version}, []any{"Tax Adviser", "published", 1})
	same(s.t, "ROL-6 skills in force", item.InForce.Skills, []roleSkill{
		{thinking, true, 0, []int{95, 155, 215}},    // level 3.62 of 7
		{listening, true, 10, []int{117, 183, 249}}, // level 3.88: 106, 166, 226, and 10 % more
		{reading, true, 0, []int{111, 171, 231}},    // level 4
		{quickbooks, false, 0, []int{75, 150, 225}}, // no benchmark yet
		{access, false, 0, []int{75, 150, 225}},
		{excel, false, 0, []int{75, 150, 225}},
		{outlook, false, 0, []int{75, 150, 225}},
	})
}

func (s *script) assign() {
	answer := s.do("assign-role", harness.Body{"role": adviser, "members": []string{ada, bob}, "teams": []string{tax}, "message": "Welcome, all."})
	same(s.t, "ASG-1 items", answer.Items, []harness.Item{{Member: ada, Status: "done"}, {Member: bob, Status: "done"}, {Team: tax, Status: "done"}})
	s.wantAdviser("after the assignment", counts{Assigned: 3})
	answer = s.do("assign-role", harness.Body{"role": adviser, "members": []string{bob}, "teams": []string{tax}})
	same(s.t, "ASG-3 items", answer.Items, []harness.Item{{Member: bob, Status: "unchanged"}, {Team: tax, Status: "unchanged"}})
	same(s.t, "ASG-3 events", answer.Events, []string{})
	s.do("add-team-member", harness.Body{"team": tax, "member": dana, "team_role": "member"})
	s.wantAdviser("after Dana joined the team", counts{Assigned: 4})
	s.do("select-level", harness.Body{"role": adviser, "level": "mid", "member": ada})
	s.do("select-level", harness.Body{"role": adviser, "level": "beginner", "member": dana})
	s.do("select-level", harness.Body{"role": adviser, "level": "entry", "member": eve}) // unasked (ASG-4)
	s.wantAdviser("after levels were selected", counts{Assigned: 4, Engaged: 3, InProgress: 3})
}

// measured records a result and returns its answer.
func (s *script) measured(member, skill string, score, percentile int, at, session string) harness.Answer {
	return s.do("record-skill-iq", harness.Body{
		"member": member, "skill": skill, "score": score, "percentile": percentile, "measured_at": at, "session": session,
		"assessment_version": "2025.1", "source": "acceptance",
	})
}

func (s *script) measure() {
	s.measured(ada, listening, 200, 70, day(3, 1), "s1")
	s.measured(ada, reading, 180, 65, day(3, 2), "s2")
	s.measured(ada, thinking, 155, 45, day(3, 3), "s3") // exactly the goal
	mid := counts{Assigned: 4, Engaged: 3, Started: 1, InProgress: 2, Completed: 1, Levels: levelCount{Mid: 1}}
	s.wantAdviser("after Ada completed", mid)
	s.measured(ada, listening, 290, 95, day(1, 15), "s4") // older than s1, and arrives after it
	s.wantAdviser("MSR-5 after a late result", mid)
	s.measured(ada, reading, 120, 25, day(5, 1), "s5") // newer than s2
	entry := mid
	entry.Levels = levelCount{Entry: 1}
	s.wantAdviser("MSR-5 after a retake", entry)

	s.measured(bob, thinking, 250, 90, day(3, 5), "s6")
	s.measured(cem, thinking, 100, 30, day(3, 7), "s7")
	s.measured(dana, excel, 140, 50, day(3, 8), "s8")
	s.measured(eve, thinking, 95, 20, day(3, 9), "s9")
	s.measured(eve, listening, 116, 22, day(3, 10), "s10")
	s.measured(eve, reading, 111, 21, day(3, 11), "s11")
	answer := s.measured(eve, reading, 300, 100, day(3, 12), "s11")
	same(s.t, "MSR-1 the same session twice", answer.Events, []string{})
	s.do("invalidate-skill-iq", harness.Body{"member": ada, "skill": reading, "session": "s5", "reason": "the sitting was interrupted"})
	s.wantAdviser("MSR-5 after the retake was withdrawn", counts{
		Assigned: 4, Engaged: 3, Started: 4, InProgress: 3, Completed: 2, Levels: levelCount{Beginner: 1, Mid: 1},
	})
}

func (s *script) unassign() {
	s.do("assign-role", harness.Body{"role": programmers, "members": []string{ada}})
	s.do("assign-role", harness.Body{"role": programmers, "members": []string{fay}})
	answer := s.do("unassign-role", harness.Body{"role": adviser, "members": []string{bob}, "notify": false})
	same(s.t, "ASG-1 unassign", answer.Items, []harness.Item{{Member: bob, Status: "done"}})
}

// wantAdviser demands the line of the role in the report, as of the last command.
func (s *script) wantAdviser(when string, want counts) {
	s.t.Helper()
	report := harness.Decode[roleReport](s.t, s.get(s.last, "/analytics/roles/"+adviser))
	same(s.t, when, report.Item, roleLine{Role: adviser, Title: "Tax Adviser", Version: 1, counts: want})
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
