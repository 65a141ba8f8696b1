package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// reading notes what queries read: names of collections and indexes, by whose they are.
type reading struct {
	readmodels.Store
	own, catalog map[string]bool
}

func (r *reading) note(plan, name string) {
	if plan == readmodels.Catalog {
		r.catalog[name] = true
	} else {
		r.own[name] = true
	}
}

func (r *reading) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	for _, key := range keys {
		r.note(key.Plan, key.Collection)
	}
	return r.Store.Get(ctx, scope, keys...)
}

func (r *reading) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, in readmodels.Range) ([]string, error) {
	kind, _, _ := strings.Cut(index.Name, ":") // one for each role counts as one
	r.note(index.Plan, kind)
	return r.Store.Entries(ctx, scope, index, in)
}

// answers asks for a report with everything it can be asked about.
func (h *history) answers(q *readmodels.Queries, report string, in domain.PlanID) string {
	ctx, plan := h.of.Context(), string(in)
	roles, members := slices.Concat(h.roles[in], h.roles[domain.CatalogPlan]), h.members[in]
	var text strings.Builder
	add := func(answer any, _ readmodels.Checkpoint, err error) {
		if err != nil {
			h.Fatal(err)
		}
		encoded, err := json.Marshal(answer)
		if err != nil {
			h.Fatal(err)
		}
		text.Write(append(encoded, '\n'))
	}
	each := func(ids []domain.RoleID, ask func(id string)) {
		for _, id := range ids {
			ask(string(id))
		}
	}
	switch report {
	case "my-plans":
		add(unpack(q.Plan(ctx, plan, 0)))
	case "list-members":
		add(unpack(q.Members(ctx, plan, readmodels.MemberFilter{}, everything)))
		add(unpack(q.Members(ctx, plan, readmodels.MemberFilter{Search: "m", Status: readmodels.AllMembers}, everything)))
	case "get-member":
		for _, id := range members {
			add(unpack(q.Member(ctx, plan, string(id), 0)))
		}
	case "list-teams":
		add(unpack(q.Teams(ctx, plan, "", everything)))
	case "get-team":
		for _, id := range h.teams[domain.PlanID(plan)] {
			add(unpack(q.Team(ctx, plan, string(id), 0)))
		}
	case "list-skills":
		add(unpack(q.Skills(ctx, plan, "", everything)))
		add(unpack(q.Skills(ctx, plan, "s", everything)))
	case "list-roles":
		for _, state := range []string{"", "draft", "published", "beta", "deleted"} {
			add(unpack(q.Roles(ctx, plan, readmodels.RoleFilter{State: state}, everything)))
			add(unpack(q.Roles(ctx, plan, readmodels.RoleFilter{State: state, Creators: append(texts(members), "")}, everything)))
		}
	case "get-role-diff":
		each(roles, func(id string) {
			row, at, err := q.Role(ctx, plan, id, 0)
			if row != nil {
				add(row.Diff(), at, err)
			}
		})
	case "get-role-pathway":
		each(roles, func(id string) { add(unpack(q.Pathway(ctx, plan, id, 0))) })
	case "list-categories":
		add(unpack(q.Categories(ctx, plan, everything)))
	case "get-role":
		each(roles, func(id string) { add(unpack(q.Role(ctx, plan, id, 0))) })
	case "list-role-versions":
		each(roles, func(id string) { add(unpack(q.RoleVersions(ctx, plan, id, everything))) })
	case "list-role-members":
		each(roles, func(id string) { add(unpack(q.RoleMembers(ctx, plan, id, everything))) })
	case "list-member-roles":
		for _, id := range members {
			add(unpack(q.MemberProgress(ctx, plan, string(id), 0)))
		}
	case "list-member-skills":
		for _, id := range members {
			add(unpack(q.MemberResults(ctx, plan, string(id), 0)))
		}
	case "analytics-roles":
		add(unpack(q.AnalyticsRoles(ctx, plan, everything)))
	case "analytics-role":
		each(roles, func(id string) { add(unpack(q.AnalyticsRole(ctx, plan, id, 0))) })
	case "analytics-role-members":
		each(roles, func(id string) { add(unpack(q.AnalyticsMembers(ctx, plan, id, everything))) })
	default:
		h.Fatalf("this test cannot ask for %s", report)
	}
	return text.String()
}

func texts[ID ~string](ids []ID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out
}

func unpack[T any](answer T, at readmodels.Checkpoint, err error) (any, readmodels.Checkpoint, error) {
	return answer, at, err
}

// TestChanges folds event by event and compares every report with what it was before: whatever is different must be
// told at the position of the event.
func TestChanges(t *testing.T) {
	reports := readmodels.Reports()
	read := map[string]*reading{}
	for _, report := range reports {
		read[report.Name] = &reading{own: map[string]bool{}, catalog: map[string]bool{}}
	}
	t.Run("ANA-9 every change of a report is told at its position, in its plan", func(t *testing.T) {
		cases(t, 12)
		hs := newHistories(t)
		told, silent := 0, 0
		rapid.Check(t, func(r *rapid.T) {
			h := hs.random(r, 20, 60)
			w := &changing{history: h, models: memory.New(), reports: reports, read: read, before: map[string]string{}}
			defer w.models.Close()
			w.run()
			told, silent = told+w.told, silent+w.silent
		})
		// Not everything is always told: a test of that alone would pass where every event tells of every report.
		if told == 0 || silent < told {
			t.Errorf("told %d times, silent %d times", told, silent)
		}
	})
	for _, report := range reports {
		t.Run("ANA-9 what is declared is what is read: "+report.Name, func(t *testing.T) {
			got := read[report.Name]
			if same(got.own, report.Own) && same(got.catalog, report.Catalog) {
				return
			}
			t.Errorf("it reads %v, of the catalog %v, declared are %v, %v", got.own, got.catalog, report.Own, report.Catalog)
		})
	}
}

func same(read map[string]bool, declared []string) bool {
	for _, name := range declared {
		if !read[name] {
			return false
		}
	}
	return len(read) == len(declared)
}

type changing struct {
	*history
	models       *memory.Store
	reports      []readmodels.Report
	read         map[string]*reading
	before       map[string]string
	told, silent int
}

func (w *changing) run() {
	events := w.events()
	d := &delivery{T: w.T, ctx: w.of.Context(), events: events, cuts: []eventstore.Position{0}}
	for _, e := range events {
		d.cuts = append(d.cuts, e.Position)
	}
	var all []*projections.Projector
	for _, p := range projections.All() {
		projector, err := projections.NewProjector(d.ctx, p, fixed(d.info()), w.models)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, projector)
	}
	for i, e := range events {
		for _, projector := range all {
			if err := projector.Apply(d.ctx, d.page(d.cuts[i], e.Position)); err != nil {
				w.Fatal(err)
			}
		}
		w.compare(e)
	}
}

// compare looks at all reports of the plans after an event.
func (w *changing) compare(e eventstore.Recorded) {
	plain := readmodels.NewQueries(w.models, 1)
	plans := []string{string(w.plans[0]), string(w.plans[1])}
	changes := map[string]map[string]eventstore.Position{}
	for _, scope := range readmodels.Scopes() {
		found, err := plain.Changes(w.of.Context(), plain.Home(scope, plans[0]), plans...)
		if err != nil {
			w.Fatal(err)
		}
		if found.At.Position != e.Position {
			w.Fatalf("%s stands at %s after %s", scope, found.At.Position, e.Position)
		}
		for plan, positions := range found.Plans {
			for report, at := range positions {
				changes[plan+" "+report] = map[string]eventstore.Position{"": at}
			}
		}
	}
	for _, plan := range w.plans {
		for _, report := range w.reports {
			name := fmt.Sprintf("%s %s", plan, report.Name)
			read := w.read[report.Name]
			read.Store = w.models
			now := w.answers(readmodels.NewQueries(read, 1), report.Name, plan)
			at := changes[name][""]
			if at == e.Position {
				w.told++
			} else {
				w.silent++
			}
			if now != w.before[name] && at != e.Position && w.before[name] != "" {
				w.Fatalf("%s is different after %s at %s, and is told to have changed at %s:\n%s\n%s", name, e.Type, e.Position, at, w.before[name], now)
			}
			if at == e.Position && e.Stream.Plan != string(plan) && e.Stream.Plan != readmodels.Catalog {
				w.Fatalf("%s at %s of %s is told to %s", e.Type, e.Position, e.Stream.Plan, name)
			}
			w.before[name] = now
		}
	}
}
