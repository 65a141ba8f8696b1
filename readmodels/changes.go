package readmodels

import (
	"context"
	"fmt"
	"slices"

	"rolewise/eventstore"
)

// changesCollection holds, for each collection and index that reports rest on, the position of the last event that
// changed anything in it. The id is the name of the collection or index.
const changesCollection = "changes"

// Report is what a query about a plan rests on, in one projection.
type Report struct {
	Name    string   // as the query is called in the API
	Scope   Scope    // the projection; its partition is that of the plan
	Own     []string // collections and indexes of the plan
	Catalog []string // and of the catalog
}

// Reports lists every report that can be watched.
func Reports() []Report {
	skills := []string{SkillRows.Name, SkillIndex, SkillWordIndex}
	named := []string{SkillNames.Name}
	benched := []string{SkillNames.Name, Benchmarks.Name}
	shown := append([]string{RoleRows.Name, CategoryRows.Name, DirectoryPolicies.Name}, benched...)
	lists := []string{RoleIndex, DraftIndex, PublishedIndex, DeletedIndex, DraftByIndex, DeletedByIndex}
	versions := []string{RoleVersions.Name, SkillNames.Name}
	return []Report{
		{"my-plans", Directory, []string{PlanRows.Name}, nil},
		{"list-members", Directory, []string{MemberRows.Name, MemberIndex, MemberWordIndex}, nil},
		{"get-member", Directory, []string{MemberRows.Name}, nil},
		{"list-teams", Directory, []string{TeamRows.Name, TeamIndex}, nil},
		{"get-team", Directory, []string{TeamRows.Name}, nil},
		{"list-skills", Directory, skills, skills},

		{"list-roles", Roles, append(lists, shown...), benched},
		{"get-role", Roles, shown, benched},
		{"get-role-diff", Roles, shown, benched},
		{"get-role-pathway", Roles, []string{RoleRows.Name, PathwayStates.Name, AdvanceIndex}, []string{RoleRows.Name}},
		{"list-categories", Roles, []string{CategoryRows.Name, CategoryIndex, CategoryRoleIndex}, nil},
		{"list-role-versions", Roles, append([]string{VersionRows.Name, VersionIndex}, named...), named},

		{"list-role-members", Assignments, []string{MemberPaths.Name, DirectIndex, RoleTeamIndex, TeamMemberIndex}, nil},

		{"list-member-roles", Progress, []string{MemberStates.Name, ProgressHistories.Name, RoleStates.Name}, []string{RoleStates.Name}},
		{"list-member-skills", Progress, append([]string{MemberStates.Name}, named...), named},

		{"analytics-roles", Analytics, append([]string{PlanTallies.Name, RoleTallies.Name, ReportIndex}, versions...), versions},
		{"analytics-role", Analytics, append([]string{RoleTallies.Name}, versions...), versions},
		{"analytics-role-members", Analytics, append([]string{RoleTallies.Name, HolderIndex, MemberStates.Name}, versions...), versions},
	}
}

// watched names the collections and indexes of a projection that reports rest on.
func watched(projection string) map[string]bool {
	names := map[string]bool{}
	for _, report := range Reports() {
		if report.Scope.Projection == projection {
			for _, name := range slices.Concat(report.Own, report.Catalog) {
				names[name] = true
			}
		}
	}
	return names
}

// Changes is what was read of a scope at one moment: for each plan and each report, the position of the last event that
// changed what the report rests on; 0 if none did.
type Changes struct {
	Scope Scope      // that answers for the projection at present
	At    Checkpoint // where it stood just before: who waits for more from there misses nothing
	Plans map[string]map[string]eventstore.Position
}

// Home is the partition of a projection in which a plan lies.
func (q *Queries) Home(projection Scope, plan string) Scope { return projection.In(q.parts.Of(plan)) }

// Changes reads what was changed last of plans that lie in a partition of a projection, in two round trips however many
// they are. What a commit changed is seen whole or not at all; an event that is seen, so is every one before it.
func (q *Queries) Changes(ctx context.Context, home Scope, plans ...string) (Changes, error) {
	home, err := q.Live(ctx, home)
	if err != nil {
		return Changes{}, err
	}
	var keys []Key
	asked := map[Key]bool{}
	ask := func(plan string, names []string) {
		for _, name := range names {
			if key := (Key{plan, changesCollection, name}); !asked[key] {
				asked[key] = true
				keys = append(keys, key)
			}
		}
	}
	reports := reportsOf(home)
	for _, report := range reports {
		for _, plan := range plans {
			ask(plan, report.Own)
		}
		ask(Catalog, report.Catalog)
	}
	found := Changes{Scope: home, Plans: map[string]map[string]eventstore.Position{}}
	if found.At, err = q.store.Checkpoint(ctx, home); err != nil {
		return Changes{}, fmt.Errorf("read where %s stands: %w", home, err)
	}
	stored, err := q.store.Get(ctx, home, keys...)
	if err != nil {
		return Changes{}, err
	}
	at := map[Key]eventstore.Position{}
	for i, key := range keys {
		if stored[i] == nil {
			continue
		}
		if at[key], err = eventstore.ParsePosition(string(stored[i])); err != nil {
			return Changes{}, &DocumentError{key, err}
		}
	}
	for _, plan := range plans {
		found.Plans[plan] = map[string]eventstore.Position{}
		for _, report := range reports {
			found.Plans[plan][report.Name] = max(latest(at, plan, report.Own), latest(at, Catalog, report.Catalog))
		}
	}
	return found, nil
}

func latest(at map[Key]eventstore.Position, plan string, names []string) (last eventstore.Position) {
	for _, name := range names {
		last = max(last, at[Key{plan, changesCollection, name}])
	}
	return last
}

func reportsOf(scope Scope) []Report {
	return slices.DeleteFunc(Reports(), func(report Report) bool { return report.Scope.Projection != scope.Projection })
}

// Moved waits until a partition of a projection has gone beyond a position, woken by the commit.
func (q *Queries) Moved(ctx context.Context, home Scope, beyond eventstore.Position) error {
	live, err := q.Live(ctx, home)
	if err != nil {
		return err
	}
	return q.store.Wait(ctx, live, beyond+1)
}

// Settled is how long it takes at most until every process reads the build that an operator has made live.
const Settled = 2 * lookAgain
