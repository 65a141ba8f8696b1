package acceptance

import (
	"regexp"
	"strings"
	"testing"

	"rolewise/eventstore"
	"rolewise/test/harness"
)

func TestImport(t *testing.T) {
	folder := t.TempDir()
	out := importSlice(t, "--data", folder)
	wantLine(t, out, `^O\*NET: 3 roles with 11 required and 7 optional skills, `)
	wantLine(t, out, `^This run appended [1-9][0-9]* events; 3 role versions published, 0 roles unchanged$`)
	wantLine(t, out, `53-7061\.00 Cleaners of Vehicles and Equipment: 0 qualify; taken Operation and Control, Quality Control Analysis, Operation Monitoring`)
	before := head(t, folder)
	again := importSlice(t, "--data", folder)
	wantLine(t, again, `^This run appended 0 events; 0 role versions published, 3 roles unchanged$`)
	same(t, "IMP-4 end of the log after a second import", head(t, folder), before)

	server := harness.Serve(t, folder, "memory")
	client := server.NewPlan(t, north)
	titles := titlesOf(t, client, "catalog")
	same(t, "IMP-4 roles of the catalog", titles, []string{"Cleaners of Vehicles and Equipment", "Computer Programmers", "Tax Preparers"})
	same(t, "PLN-3 roles of the plan", titlesOf(t, client, north), []string(nil))
	t.Run("a server holds the store", func(t *testing.T) {
		wantTrouble(t, harness.Run(t, "import", "catalog", "--onet", slice, "--data", folder), "")
	})
	server.Stop(t)
}

// TestFullImport imports all that O*NET has published.
func TestFullImport(t *testing.T) {
	tables := harness.ONET(t)
	harness.UsePlain(t) // it is about the amount; TestImport goes the same way under the race detector
	folder := t.TempDir()
	first := harness.Run(t, "import", "catalog", "--onet", tables, "--eventstore", harness.EventStore(folder))
	if first.Code != 0 {
		t.Fatalf("import: %d %s", first.Code, first.Stderr)
	}
	wantLine(t, first.Stdout, `; 967 role versions published, 0 roles unchanged$`)
	before := head(t, folder)
	second := harness.Run(t, "import", "catalog", "--onet", tables, "--eventstore", harness.EventStore(folder))
	wantLine(t, second.Stdout, `^This run appended 0 events; 0 role versions published, 967 roles unchanged$`)
	same(t, "IMP-4 end of the log after a second import", head(t, folder), before)

	server := harness.Serve(t, folder, "memory")
	client := server.NewPlan(t, north)
	titles := titlesOf(t, client, "catalog")
	same(t, "IMP-4 roles of the catalog", len(titles), 967)
	t.Logf("import took %s, the second %s, the server %s to its first answer over %s events", first.Took, second.Took, server.Startup, before)

	// The role that the story customises is the same in the whole catalog as in the slice.
	client.Command(t, north, "customize-role", harness.Body{"role": adviser, "source": preparers})
	answer := client.Command(t, north, "publish-role", harness.Body{"role": adviser})
	report := harness.Decode[roleReport](t, client.Get(t, "/v1/plans/"+north+"/analytics/roles/"+adviser, "min_position", answer.Position))
	same(t, "ROL-2 title", report.Item.Title, "Tax Preparers")
	for i, want := range []skillLine{
		{Skill: listening, Name: "Active Listening", Required: true, Goals: []int{106, 166, 226}},
		{Skill: reading, Name: "Reading Comprehension", Required: true, Goals: []int{111, 171, 231}},
		{Skill: thinking, Name: "Critical Thinking", Required: true, Goals: []int{95, 155, 215}},
		{Skill: quickbooks, Name: "Intuit QuickBooks", Goals: []int{75, 150, 225}},
	} {
		same(t, "ROL-6 "+want.Name, report.Skills[i], want)
	}
	server.Stop(t)
}

// titlesOf lists the titles of a plan's roles, page by page.
func titlesOf(t *testing.T, client harness.Client, plan string) []string {
	t.Helper()
	var titles []string
	parameters := []string{"limit", "100", "state", "published"}
	for {
		page := harness.Decode[harness.List[struct{ Title string }]](t, client.Get(t, "/v1/plans/"+plan+"/roles", parameters...))
		for _, role := range page.Items {
			titles = append(titles, role.Title)
		}
		if page.Next == nil {
			return titles
		}
		parameters = []string{"limit", "100", "state", "published", "cursor", *page.Next}
	}
}

// head is the end of the log of a store that no process holds.
func head(t *testing.T, folder string) eventstore.Position {
	t.Helper()
	store, _, done := harness.OpenStore(t, folder+"/events.db")
	defer done()
	info, err := store.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Head
}

func wantLine(t *testing.T, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile("(?m)" + pattern).MatchString(text) {
		t.Errorf("no line like %s in\n%s", pattern, firstLines(text, 20))
	}
}

func firstLines(text string, n int) string {
	lines := strings.SplitAfterN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "")
}
