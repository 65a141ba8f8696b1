package catalogimport_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/commands/catalogimport"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/role"
	"rolewise/domain/skill"
)

// wanted is a skill as the sample must make it: its name and, if required, the middle threshold.
type wanted struct {
	name string
	mid  int
}

var sampleRoles = []struct {
	code, title, description string
	skills                   []wanted
}{
	{"11-1011.00", "Chief Executives", "Determine and formulate policies", []wanted{
		{"Judgment and Decision Making", 246}, {"Critical Thinking", 204}, {"Speaking", 209}, {"Monitoring", 236}, {"Systems Analysis", 231},
		{"Systems Evaluation", 219}, {"Time Management", 204}, {"Adobe Systems Adobe Acrobat", 0}, {"Atlassian JIRA", 0},
	}},
	{"15-1132.00", "Software Developers, Applications", "Develop, create, and modify", []wanted{
		{"Programming", 204}, {"Systems Analysis", 182}, {"Systems Evaluation", 193}, {"Judgment and Decision Making", 177},
		{"Critical Thinking", 171}, {"C++", 0}, {"Git", 0},
	}},
	{"53-7061.00", "Cleaners of Vehicles and Equipment", "Wash or otherwise clean", []wanted{
		{"Operation and Control", 123}, {"Time Management", 96}, {"Monitoring", 102}, {"Microsoft Windows", 0},
	}},
	{"99-9998.00", `"Quoted" Workers, All Other`, `All "quoted" workers—not listed`, []wanted{{"Monitoring", 90}, {"Speaking", 86}}},
	{"99-9999.00", "Table Testers", "", []wanted{{"Critical Thinking", 150}, {"Monitoring", 299}, {"Time Management", 1}}},
}

func TestONET(t *testing.T) {
	store := openStore(t)
	var steps []int
	total := 0
	report, err := catalogimport.ONET(t.Context(), newHandler(store), sampleDir, catalogimport.Options{
		Progress: func(done, all int) { steps, total = append(steps, done), all },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("IMP-4 every occupation with skills becomes a published role", func(t *testing.T) {
		for _, want := range sampleRoles {
			got := roleOf(t, store, want.code)
			equal(t, want.code+" version", got.Version, 1)
			equal(t, want.code+" title", got.InForce.Title, want.title)
			if !strings.HasPrefix(got.InForce.Description, want.description) || (want.description == "") != (got.InForce.Description == "") {
				t.Errorf("%s is described %q", want.code, got.InForce.Description)
			}
			if names := skillsOf(t, newHandler(store), got); !reflect.DeepEqual(names, want.skills) {
				t.Errorf("%s has %v, want %v", want.code, names, want.skills)
			}
		}
	})
	t.Run("SKL-3 the level is the benchmark of the skill in the role, within the scale and rising", func(t *testing.T) {
		for code, want := range map[string][]skill.Thresholds{
			"11-1011.00": {{186, 246, 300}, {144, 204, 264}},
			"99-9999.00": {{90, 150, 210}, {239, 299, 300}, {0, 1, 61}},
		} {
			r := roleOf(t, store, code)
			if len(r.InForce.Skills) < len(want) {
				t.Fatalf("%s has %d skills", code, len(r.InForce.Skills))
			}
			for i, thresholds := range want {
				entry := r.InForce.Skills[i]
				equal(t, code+" goals", entry.Goals, thresholds)
				equal(t, code+" benchmark", entry.Benchmark, skill.Benchmark{Role: domain.RoleID(catalogimport.ID("role", code)), Version: 1, Thresholds: thresholds})
			}
		}
	})
	t.Run("IMP-4 the report counts what was found and done", func(t *testing.T) {
		want := map[string]int{
			"SkillDefined": 14, "BenchmarkPublished": 20, "RoleCreated": 5, "RoleDescribed": 4, "RoleSkillAdded": 25, "RolePublished": 5,
		}
		if !reflect.DeepEqual(report.Events, want) {
			t.Errorf("appended %v, want %v", report.Events, want)
		}
		for what, n := range map[string][2]int{
			"roles": {report.Roles, 5}, "skills": {report.Skills, 9}, "technologies": {report.Technologies, 5}, "published": {report.Published, 5},
			"required": {report.Required, 20}, "optional": {report.Optional, 5}, "unmatched": {report.Unmatched, 1}, "without skills": {report.WithoutSkills, 1},
		} {
			equal(t, what, n[0], n[1])
		}
		few := []catalogimport.TooFew{
			{Code: "53-7061.00", Title: "Cleaners of Vehicles and Equipment", Taken: []string{"Operation and Control", "Time Management", "Monitoring"}},
			{Code: "99-9998.00", Title: `"Quoted" Workers, All Other`, Taken: []string{"Monitoring", "Speaking"}},
			{Code: "99-9999.00", Title: "Table Testers", Qualifying: 1, Taken: []string{"Critical Thinking", "Monitoring", "Time Management"}},
		}
		if !reflect.DeepEqual(report.TooFew, few) {
			t.Errorf("too few: %+v", report.TooFew)
		}
		if doubtful := []string{"99-9999.00 Table Testers: Critical Thinking, level 3.5"}; !reflect.DeepEqual(report.Doubtful, doubtful) {
			t.Errorf("doubtful: %q", report.Doubtful)
		}
	})
	t.Run("IMP-3 progress rises to its end", func(t *testing.T) {
		for i := range steps[1:] {
			if steps[i+1] < steps[i] {
				t.Fatalf("progress fell from %d to %d", steps[i], steps[i+1])
			}
		}
		equal(t, "last step", steps[len(steps)-1], total)
	})
	t.Run("IMP-3 a second run appends nothing", func(t *testing.T) {
		again := importDir(t, store, sampleDir)
		equal(t, "appended", again.Appended(), 0)
		equal(t, "unchanged", again.Unchanged, 5)
		equal(t, "rejections", again.Rejections, report.Rejections)
	})
}

// skillsOf returns the skills of the version in force.
func skillsOf(t *testing.T, h *commands.Handler, r role.State) []wanted {
	t.Helper()
	var all []wanted
	for _, entry := range r.InForce.Skills {
		s, err := h.Skill(t.Context(), domain.CatalogPlan, entry.Skill)
		if err != nil {
			t.Fatal(err)
		}
		w := wanted{name: s.Name}
		if entry.Required {
			w.mid = entry.Goals[1]
		}
		all = append(all, w)
	}
	return all
}

func TestRejections(t *testing.T) {
	report := importDir(t, openStore(t), sampleDir)
	want := []string{
		`Occupation Data.txt line 7, O*NET-SOC Code "53-7061.00": the occupation is described in an earlier row`,
		`Occupation Data.txt line 8, Description "": must have 1 to 10000 characters`,
		`Skills.txt line 70: has 7 fields where the header has 15`,
		`Skills.txt line 71, O*NET-SOC Code "11-1011": must look like 15-1132.00`,
		`Skills.txt line 72, Data Value "n/a": must be a number from 1 to 5`,
		`Skills.txt line 73, Data Value "5.5": must be a number from 1 to 5`,
		`Skills.txt line 74, Data Value "7.01": must be a number from 0 to 7`,
		`Skills.txt line 75, Data Value "NaN": must be a number from 0 to 7`,
		`Skills.txt line 76, Scale ID "XX": must be IM or LV`,
		`Skills.txt line 77, Recommend Suppress "?": must be Y, N or empty`,
		`Skills.txt line 78, Not Relevant "n": must be Y, N or empty`,
		`Skills.txt line 79, Element ID "2.A.1.d": the occupation has this skill on this scale in line 58 already`,
		`Skills.txt line 80, Scale ID "IM": the occupation has no level (LV) for this skill`,
		`Skills.txt line 81, Scale ID "LV": the occupation has no importance (IM) for this skill`,
		`Skills.txt line 82, Element Name "System Analysis": element 2.B.4.g is "Systems Analysis" in an earlier row`,
		"Skills.txt line 83, Element Name \"Systems\\u200b Analysis\": must not contain control, zero-width or direction characters",
		`Skills.txt line 84, Element ID "": must have 1 to 100 characters`,
		`Technology Skills.txt line 20, Example "": must have 1 to 200 characters`,
		`Technology Skills.txt line 21, Hot Technology "yes": must be Y, N or empty`,
	}
	for i := range max(len(want), len(report.Rejected)) {
		got, expected := "nothing", "nothing"
		if i < len(report.Rejected) {
			got = report.Rejected[i].String()
		}
		if i < len(want) {
			expected = want[i]
		}
		equal(t, "rejection", got, expected)
	}
	if text := report.String(); !strings.Contains(text, "Rejected: 19\n") || !strings.Contains(text, want[3]) {
		t.Errorf("the report reads\n%s", text)
	}
}

// edited returns a folder with the sample's tables, some texts in them replaced: old, new, old, new.
func edited(t *testing.T, replacements ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Occupation Data.txt", "Skills.txt", "Technology Skills.txt"} {
		b, err := os.ReadFile(filepath.Join(sampleDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.NewReplacer(replacements...).Replace(string(b))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestChangedTables(t *testing.T) {
	const developers = "15-1132.00\tSoftware Developers, Applications\t"
	for _, test := range []struct {
		name    string
		replace []string
		events  map[string]int
		code    string
		skills  []wanted // of the role, if they change
	}{
		{"another level: a new benchmark, taken over in its place",
			[]string{developers + "2.B.4.g\tSystems Analysis\tLV\tLevel\t4.25", developers + "2.B.4.g\tSystems Analysis\tLV\tLevel\t5"},
			map[string]int{"BenchmarkPublished": 1, "RoleSkillRemoved": 1, "RoleSkillAdded": 1, "RoleSkillsReordered": 1, "RolePublished": 1},
			"15-1132.00", []wanted{{"Programming", 204}, {"Systems Analysis", 214}, {"Systems Evaluation", 193}, {"Judgment and Decision Making", 177}, {"Critical Thinking", 171}, {"C++", 0}, {"Git", 0}}},
		{"another importance: one skill more",
			[]string{developers + "2.A.1.d\tSpeaking\tIM\tImportance\t3.25", developers + "2.A.1.d\tSpeaking\tIM\tImportance\t3.5"},
			map[string]int{"BenchmarkPublished": 1, "RoleSkillAdded": 1, "RoleSkillsReordered": 1, "RolePublished": 1},
			"15-1132.00", []wanted{{"Programming", 204}, {"Systems Analysis", 182}, {"Systems Evaluation", 193}, {"Judgment and Decision Making", 177}, {"Critical Thinking", 171}, {"Speaking", 161}, {"C++", 0}, {"Git", 0}}},
		{"a technology cooled down", []string{"Y\tC++", "N\tC++"}, map[string]int{"RoleSkillRemoved": 1, "RolePublished": 1},
			"15-1132.00", []wanted{{"Programming", 204}, {"Systems Analysis", 182}, {"Systems Evaluation", 193}, {"Judgment and Decision Making", 177}, {"Critical Thinking", 171}, {"Git", 0}}},
		{"other words", []string{"Chief Executives\tDetermine", "Chief Officers\tDecide"},
			map[string]int{"RoleRenamed": 1, "RoleDescribed": 1, "RolePublished": 1}, "11-1011.00", nil},
		{"another name of a skill", []string{"\tProgramming\t", "\tCoding\t"}, map[string]int{"SkillRenamed": 1}, "15-1132.00",
			[]wanted{{"Coding", 204}, {"Systems Analysis", 182}, {"Systems Evaluation", 193}, {"Judgment and Decision Making", 177}, {"Critical Thinking", 171}, {"C++", 0}, {"Git", 0}}},
	} {
		t.Run("IMP-4 "+test.name, func(t *testing.T) {
			store := openStore(t)
			importDir(t, store, sampleDir)
			dir := edited(t, test.replace...)
			report := importDir(t, store, dir)
			if !reflect.DeepEqual(report.Events, test.events) {
				t.Errorf("appended %v, want %v", report.Events, test.events)
			}
			state := roleOf(t, store, test.code)
			equal(t, "version", state.Version, 1+test.events["RolePublished"])
			if got := skillsOf(t, newHandler(store), state); test.skills != nil && !reflect.DeepEqual(got, test.skills) {
				t.Errorf("has %v, want %v", got, test.skills)
			}
			equal(t, "appended by a repeat", importDir(t, store, dir).Appended(), 0)
		})
	}
}

func TestOperatorsGoalsStay(t *testing.T) {
	store := openStore(t)
	importDir(t, store, sampleDir)
	h, id := newHandler(store), domain.RoleID(catalogimport.ID("role", "15-1132.00"))
	analysis := domain.SkillID(catalogimport.ID("skill", "2.B.4.g"))
	for _, c := range []commands.Command{
		commands.AdjustGoal{Role: id, Skill: analysis, Percent: 10}, commands.SetRequiredLevel{Role: id, Skill: analysis, Level: 4}, commands.PublishRole{Role: id},
	} {
		request := commands.Request{Plan: domain.CatalogPlan, Principal: access.Principal{ID: "operator", Vendor: true}}
		if _, err := h.Handle(t.Context(), request, c); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "appended", importDir(t, store, sampleDir).Appended(), 0)
	importDir(t, store, edited(t, "Applications\t2.B.4.g\tSystems Analysis\tLV\tLevel\t4.25", "Applications\t2.B.4.g\tSystems Analysis\tLV\tLevel\t7"))
	got := roleOf(t, store, "15-1132.00").InForce.Skills[1]
	equal(t, "percent", got.Percent, 10)
	equal(t, "required level", got.RequiredLevel, 4)
	equal(t, "goals", got.Goals, skill.Thresholds{263, 299, 300})
}

func TestRetiredSkillStaysOut(t *testing.T) {
	store := openStore(t)
	h := newHandler(store)
	if err := h.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	programming := domain.SkillID(catalogimport.ID("skill", "2.B.3.e"))
	for _, c := range []commands.Command{
		commands.DefineSkill{Skill: programming, Name: "Programming", State: skill.Validated}, commands.RetireSkill{Skill: programming},
	} {
		if _, err := h.Handle(t.Context(), commands.Request{Plan: domain.CatalogPlan, Principal: access.Principal{ID: "operator", Vendor: true}}, c); err != nil {
			t.Fatal(err)
		}
	}
	report := importDir(t, store, sampleDir)
	equal(t, "rejections", report.Rejections, 20)
	equal(t, "published", report.Published, 5)
	equal(t, "appended by a repeat", importDir(t, store, sampleDir).Appended(), 0)
}

// TestCrash breaks imports off at many places and runs them again: a first one, and one of tables that changed.
func TestCrash(t *testing.T) {
	changed := edited(t, "Applications\t2.B.4.g\tSystems Analysis\tLV\tLevel\t4.25", "Applications\t2.B.4.g\tSystems Analysis\tLV\tLevel\t7",
		"Chief Executives\tDetermine", "Chief Officers\tDecide", "Y\tC++", "N\tC++", "\tProgramming\t", "\tCoding\t")
	whole := openStore(t)
	first := importDir(t, whole, sampleDir).Appended() + 1 // and the catalog plan
	wantFirst := contents(t, whole)
	second := importDir(t, whole, changed).Appended()
	wantSecond := contents(t, whole)
	for n := 0; n < first; n += 1 + n/12 {
		t.Run(fmt.Sprintf("IMP-3 first import, after %d appends", n), func(t *testing.T) {
			store := openStore(t)
			crash(t, store, sampleDir, n)
			importDir(t, store, sampleDir)
			same(t, contents(t, store), wantFirst)
		})
	}
	for n := range second {
		t.Run(fmt.Sprintf("IMP-3 changed tables, after %d appends", n), func(t *testing.T) {
			store := openStore(t)
			importDir(t, store, sampleDir)
			crash(t, store, changed, n)
			importDir(t, store, changed)
			same(t, contents(t, store), wantSecond)
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := catalogimport.ONET(ctx, newHandler(openStore(t)), sampleDir, catalogimport.Options{Progress: func(done, _ int) {
		if done == 10 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestUnreadableTables(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"missing":        {"Skills.txt", "", "import O*NET: Skills.txt: cannot be opened: "},
		"empty":          {"Skills.txt", "\x00", "import O*NET: Skills.txt line 1: the file is empty: a header is missing"},
		"another header": {"Occupation Data.txt", "Code\tTitle\r\n", `import O*NET: Occupation Data.txt line 1: column "O*NET-SOC Code" is missing; there are ["Code" "Title"]`},
		"a column twice": {"Technology Skills.txt", "Example\tExample\n", `import O*NET: Technology Skills.txt line 1: column "Example" stands there twice`},
		"not lines": {"Occupation Data.txt", "O*NET-SOC Code\tTitle\tDescription\n" + strings.Repeat("x", 70_000),
			"import O*NET: Occupation Data.txt line 2: the line is longer than 65536 bytes"},
		"no rows": {"Skills.txt", "O*NET-SOC Code\tTitle\tElement ID\tElement Name\tScale ID\tData Value\tRecommend Suppress\tNot Relevant\r\n",
			"import O*NET: Skills.txt: has no usable row"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := edited(t)
			path := filepath.Join(dir, test.file)
			err := os.Remove(path)
			if test.text != "" {
				err = os.WriteFile(path, []byte(strings.Trim(test.text, "\x00")), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			store := openStore(t)
			_, err = catalogimport.ONET(t.Context(), newHandler(store), dir, catalogimport.Options{})
			var table *catalogimport.TableError
			if !errors.As(err, &table) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if got := contents(t, store); len(got) > 0 {
				t.Errorf("appended to %d streams", len(got))
			}
		})
	}
}

func TestIDs(t *testing.T) {
	role, same, technology := catalogimport.ID("role", "15-1132.00"), catalogimport.ID("role", "15-1132.00"), catalogimport.ID("technology", "15-1132.00")
	equal(t, "again", same, role)
	equal(t, "for ever", role, "0164f2c8-c000-7180-b9ce-3c171718ec5b")
	if role == technology || role[14] != '7' || domain.CheckID("/role", role) != nil {
		t.Errorf("%s, %s", role, technology)
	}
}
