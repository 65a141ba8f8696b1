package acceptance

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rolewise/test/harness"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func ptr[T any](v T) *T { return &v }

// final demands every number at the end of the story. Who stands where in "Tax Adviser":
//
//	Ada   direct           level selected  3 of 3: 155, 200, 180 against 155, 183, 171   completed, mid
//	Bob   unassigned       -               (1 of 3)                                     holds it no more
//	Cem   team             -               1 of 3                                       in progress
//	Dana  team             level selected  0 of 3, an optional one                      in progress
//	Eve   -                level selected  3 of 3: 116 is one short of entry            completed, beginner
//
// In the catalog's "Computer Programmers", five required skills: Ada has two of them, Fay none.
func (s *script) final() {
	s.finalRoles()
	s.finalRole()
	s.finalMembers()
	s.finalHistory()
}

func (s *script) finalRoles() {
	programmersLine := roleLine{Role: programmers, Title: "Computer Programmers", Version: 1, counts: counts{Assigned: 2, Started: 1, InProgress: 1}}
	adviserLine := roleLine{Role: adviser, Title: "Tax Adviser", Version: 1, counts: counts{
		Assigned: 3, Engaged: 3, Started: 3, InProgress: 2, Completed: 2, Levels: levelCount{Beginner: 1, Mid: 1},
	}}
	report := harness.Decode[rolesReport](s.t, s.get(s.last, "/analytics/roles"))
	same(s.t, "ANA-1 roles", report.Items, []roleLine{programmersLine, adviserLine})
	same(s.t, "ANA-1 totals", report.Totals, counts{
		Assigned: 4, Engaged: 3, Started: 3, InProgress: 3, Completed: 2, Levels: levelCount{Beginner: 1, Mid: 1},
	})
	same(s.t, "ANA-1 members", report.Members, 7)
	same(s.t, "ANA-5 metric", report.Metric, "engaged.v1")

	readCSV(s.t, s.get(s.last, "/analytics/roles", "format", "csv")).want(s.t, "ANA-8 roles", strings.Fields(
		"role title version beta assigned engaged started in_progress pending completed levels_beginner levels_entry levels_mid levels_senior"),
		[]string{programmers, "Computer Programmers", "1", "false", "2", "0", "1", "1", "0", "0", "0", "0", "0", "0"},
		[]string{adviser, "Tax Adviser", "1", "false", "3", "3", "3", "2", "0", "2", "1", "0", "1", "0"},
	)
}

func (s *script) finalRole() {
	none := func(skill, name string) skillLine {
		return skillLine{Skill: skill, Name: name, Goals: []int{75, 150, 225}}
	}
	skills := []skillLine{
		{thinking, "Critical Thinking", true, []int{95, 155, 215}, 3, skillLevels{Emerging: 2, Average: 1}, ptr(7.0 / 3), meets{3, 1, 0}},
		{listening, "Active Listening", true, []int{117, 183, 249}, 2, skillLevels{Emerging: 1, AboveAverage: 1}, ptr(3.0), meets{1, 1, 0}},
		{reading, "Reading Comprehension", true, []int{111, 171, 231}, 2, skillLevels{Emerging: 1, AboveAverage: 1}, ptr(3.0), meets{2, 1, 0}},
		none(quickbooks, "Intuit QuickBooks"),
		none(access, "Microsoft Access"),
		{excel, "Microsoft Excel", false, []int{75, 150, 225}, 1, skillLevels{Average: 1}, ptr(3.0), meets{1, 0, 0}},
		none(outlook, "Microsoft Outlook"),
	}
	report := harness.Decode[roleReport](s.t, s.get(s.last, "/analytics/roles/"+adviser))
	for i := range max(len(skills), len(report.Skills)) {
		if i >= len(report.Skills) || i >= len(skills) {
			s.t.Fatalf("ANA-2 %d skills, want %d", len(report.Skills), len(skills))
		}
		same(s.t, "ANA-2 "+skills[i].Name, deref(report.Skills[i]), deref(skills[i]))
	}
}

// deref shows an average by its value, for the message.
func deref(l skillLine) any {
	average := -1.0
	if l.AverageLevel != nil {
		average = *l.AverageLevel
	}
	l.AverageLevel = nil
	return []any{l, average}
}

// twoWeeksAfter is when a retake makes sense.
func twoWeeksAfter(t *testing.T, moment string) string {
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		t.Fatal(err)
	}
	return at.AddDate(0, 0, 14).Format(time.RFC3339)
}

func (s *script) finalMembers() {
	measured := func(levels ...string) []memberSkill { // level and time, one after the other, in the order of the role
		names := []string{"Critical Thinking", "Active Listening", "Reading Comprehension", "Intuit QuickBooks", "Microsoft Access", "Microsoft Excel", "Microsoft Outlook"}
		var all []memberSkill
		for i, skill := range []string{thinking, listening, reading, quickbooks, access, excel, outlook} {
			cell := memberSkill{Skill: skill, Name: names[i], Required: i < 3}
			if 2*i < len(levels) && levels[2*i] != "" {
				cell.Level, cell.MeasuredAt, cell.NextRetake = &levels[2*i], &levels[2*i+1], ptr(twoWeeksAfter(s.t, levels[2*i+1]))
			}
			all = append(all, cell)
		}
		return all
	}
	want := []memberLine{
		{dana, `=Dana "D", Jr.`, "dana@north.example", []string{tax}, []string{"team:" + tax}, "in_progress", ptr("beginner"), nil, 0, 3, ptr(day(3, 8)), 1, "all_required.v1",
			measured("", "", "", "", "", "", "", "", "", "", "average", day(3, 8))},
		{ada, "Ada Lovelace", "ada@north.example", []string{}, []string{"direct"}, "completed", ptr("mid"), ptr("mid"), 3, 3, ptr(day(3, 3)), 1, "all_required.v1",
			measured("average", day(3, 3), "above_average", day(3, 1), "above_average", day(3, 2))},
		{cem, "Cem Öz", "cem@north.example", []string{tax}, []string{"team:" + tax}, "in_progress", nil, nil, 1, 3, ptr(day(3, 7)), 1, "all_required.v1",
			measured("emerging", day(3, 7))},
		{eve, "Eve Ember", "eve@north.example", []string{east}, []string{}, "completed", ptr("entry"), ptr("beginner"), 3, 3, ptr(day(3, 11)), 1, "all_required.v1",
			measured("emerging", day(3, 9), "emerging", day(3, 10), "emerging", day(3, 11))},
	}
	path := "/analytics/roles/" + adviser + "/members"
	list := harness.Decode[harness.List[memberLine]](s.t, s.get(s.last, path))
	same(s.t, "ANA-3 members", plain(s, list.Items), plain(s, want))

	columns := strings.Fields("member name email teams paths state selected_level level required_done required_total last_measured version rule")
	rows := [][]string{
		{dana, `'=Dana "D", Jr.`, "dana@north.example", tax, "team:" + tax, "in_progress", "beginner", "", "0", "3", day(3, 8), "1", "all_required.v1"},
		{ada, "Ada Lovelace", "ada@north.example", "", "direct", "completed", "mid", "mid", "3", "3", day(3, 3), "1", "all_required.v1"},
		{cem, "Cem Öz", "cem@north.example", tax, "team:" + tax, "in_progress", "", "", "1", "3", day(3, 7), "1", "all_required.v1"},
		{eve, "Eve Ember", "eve@north.example", east, "", "completed", "entry", "beginner", "3", "3", day(3, 11), "1", "all_required.v1"},
	}
	readCSV(s.t, s.get(s.last, path, "format", "csv")).want(s.t, "ANA-8 members", columns, rows...)

	var bySkill [][]string
	for i, member := range want {
		for _, cell := range member.Skills {
			row := append(slices.Clone(rows[i]), cell.Skill, cell.Name, "false", "", "", "false", "")
			if cell.Required {
				row[len(row)-5] = "true"
			}
			if cell.Level != nil {
				row[len(row)-4], row[len(row)-3], row[len(row)-1] = *cell.Level, *cell.MeasuredAt, *cell.NextRetake
			}
			bySkill = append(bySkill, row)
		}
	}
	readCSV(s.t, s.get(s.last, path, "format", "csv", "rows", "skills")).want(s.t, "ANA-8 skills of members",
		append(columns, "skills_skill", "skills_name", "skills_required", "skills_level", "skills_measured_at", "skills_stale", "skills_next_retake"), bySkill...)

	var paged []memberLine // the same, page by page
	cursor := []string{}
	for range want {
		page := harness.Decode[harness.List[memberLine]](s.t, s.client.Get(s.t, "/v1/plans/"+north+path, append(cursor, "limit", "1")...))
		paged = append(paged, page.Items...)
		if page.Next == nil {
			break
		}
		cursor = []string{"cursor", *page.Next}
	}
	same(s.t, "API-2 members, page by page", plain(s, paged), plain(s, want))
}

// plain turns lines into text, so that a difference can be read.
func plain(s *script, lines []memberLine) string {
	b, err := json.MarshalIndent(lines, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// finalHistory demands the whole history of the plan, stream by stream, without a gap.
func (s *script) finalHistory() {
	events := s.client.Events(s.t, north)
	s.note("GET /events", events)
	position := ""
	streams := map[string][]string{}
	for _, e := range events {
		if e.Revision != int64(len(streams[e.Stream])) {
			s.t.Errorf("AUD-1 %s: revision %d comes as the %d. of its stream", e.Stream, e.Revision, len(streams[e.Stream])+1)
		}
		if len(e.Position) < len(position) || (len(e.Position) == len(position) && e.Position <= position) {
			s.t.Errorf("AUD-1 position %s comes after %s", e.Position, position)
		}
		position = e.Position
		streams[e.Stream] = append(streams[e.Stream], e.Type)
	}
	invited := []string{"MemberInvited"}
	joined := []string{"MemberInvited", "TeamMemberAdded"}
	want := map[string][]string{
		"plan-north.plan": {"PlanCreated"}, "teams-north.plan": {"TeamCreated", "TeamCreated"},
		"member-north." + ada: invited, "member-north." + bob: invited, "member-north." + cem: joined,
		"member-north." + dana: joined, "member-north." + eve: joined, "member-north." + fay: invited,
		"role-north." + adviser:   {"RoleCustomized", "RoleSkillRemoved", "RoleSkillRemoved", "GoalAdjusted", "RoleSkillsReordered", "RolePublished"},
		"assignment-north." + ada: {"MemberAssigned", "MemberAssigned"}, "assignment-north." + bob: {"MemberAssigned", "MemberUnassigned"},
		"assignment-north." + tax: {"TeamAssigned"}, "assignment-north." + fay: {"MemberAssigned"},
		"progress-north." + ada + "." + adviser: {"LevelSelected"}, "progress-north." + dana + "." + adviser: {"LevelSelected"},
		"progress-north." + eve + "." + adviser:  {"LevelSelected"},
		"results-north." + ada + "." + listening: {"SkillIQMeasured", "SkillIQMeasured"}, "results-north." + ada + "." + thinking: {"SkillIQMeasured"},
		"results-north." + ada + "." + reading:  {"SkillIQMeasured", "SkillIQMeasured", "SkillIQInvalidated"},
		"results-north." + bob + "." + thinking: {"SkillIQMeasured"}, "results-north." + cem + "." + thinking: {"SkillIQMeasured"},
		"results-north." + dana + "." + excel: {"SkillIQMeasured"}, "results-north." + eve + "." + thinking: {"SkillIQMeasured"},
		"results-north." + eve + "." + listening: {"SkillIQMeasured"}, "results-north." + eve + "." + reading: {"SkillIQMeasured"},
	}
	made := map[string]int{} // streams whose ids the server made: the owner, the key, and the addresses
	for _, stream := range sortedKeys(streams) {
		if want[stream] == nil {
			category, _, _ := strings.Cut(stream, "-")
			made[category+" "+strings.Join(streams[stream], " ")]++
			delete(streams, stream)
		}
	}
	same(s.t, "AUD-1 history", streams, want)
	same(s.t, "AUD-1 history of what the server named", made, map[string]int{"member MemberInvited": 1, "apikey ApiKeyCreated": 1, "email Reserved": 7, "title Reserved": 1, "command CommandAccepted CommandAnswered": 2})
	s.wantLate(events)
}

// wantLate demands the data of the result that came late.
func (s *script) wantLate(events []harness.Event) {
	i := slices.IndexFunc(events, func(e harness.Event) bool { return strings.Contains(string(e.Data), `"s4"`) })
	if i < 0 {
		s.t.Fatal("MSR-1 the late result is not in the history")
	}
	var data map[string]any
	if err := json.Unmarshal(events[i].Data, &data); err != nil {
		s.t.Fatal(err)
	}
	same(s.t, "MSR-1 the late result", data, map[string]any{
		"member": ada, "skill": listening, "session": "s4", "score": 290.0, "percentile": 95.0, "level": "expert", "scheme": "percentile.v1",
		"measured_at": day(1, 15), "assessment_version": "2025.1", "source": "acceptance",
	})
	same(s.t, "AUD-1 the late result", []any{cmp.Compare(events[i].Version, 1), events[i].Revision}, []any{0, int64(1)})
}
