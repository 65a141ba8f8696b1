package readmodels

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Rows of the directory: plans, and their members, teams and skills.
type (
	// PlanRow is a plan with its settings.
	PlanRow struct {
		Plan          string          `json:"plan"`
		Name          string          `json:"name"`
		Tier          string          `json:"tier"`
		Features      map[string]bool `json:"features,omitempty"` // single grants and withdrawals
		Recalculation string          `json:"recalculation"`
		LevelRule     string          `json:"level_rule"`
		Members       int             `json:"members"`         // without those removed
		Removed       int             `json:"removed_members"` // whose history is kept
		Licences      Licences        `json:"content_licences"`
	}
	// Licences are those for content access.
	Licences struct {
		Total   int  `json:"total"`
		Granted int  `json:"granted"`
		Own     bool `json:"own" doc:"The plan has another number than its tier."`
	}
	// MemberRow is a person in a plan.
	MemberRow struct {
		Member        string       `json:"member"`
		Name          string       `json:"name"`
		Email         string       `json:"email"`
		Title         string       `json:"title"`
		Location      string       `json:"location"`
		Department    string       `json:"department"`
		Manager       string       `json:"manager" doc:"Member to whom this one reports; empty: not known."`
		AccessRole    string       `json:"access_role"`
		BelowOwner    string       `json:"access_role_below_owner,omitempty" doc:"The access role that an owner has besides."`
		ContentAccess bool         `json:"content_access"`
		Status        string       `json:"status" enum:"invited,active,deactivated,removed"`
		Accepted      bool         `json:"accepted" doc:"The invitation was."`
		Teams         []Membership `json:"teams"`
	}
	// Membership is a member's role in a team.
	Membership struct {
		Team     string `json:"team"`
		TeamRole string `json:"team_role"`
	}
	// TeamRow is a team in the tree of teams.
	TeamRow struct {
		Team    string `json:"team"`
		Name    string `json:"name"`
		Parent  string `json:"parent"`  // empty at the top
		Members int    `json:"members"` // without those of the teams below
		Teams   int    `json:"teams"`   // right below it
	}
	// SkillRow is a skill of a plan, or of the catalog.
	SkillRow struct {
		Skill       string        `json:"skill"`
		Plan        string        `json:"plan"` // whose skill it is: the plan's own, or "catalog"
		Name        string        `json:"name"`
		Description string        `json:"description"`
		Icon        string        `json:"icon"`
		Synonyms    []string      `json:"synonyms"`
		Parent      string        `json:"parent"`
		State       string        `json:"state"`
		Benchmark   *BenchmarkRow `json:"benchmark"` // the skill's own; null before one was published
	}
	// BenchmarkRow is the current version of a benchmark.
	BenchmarkRow struct {
		Version    int    `json:"version"`
		Thresholds [3]int `json:"thresholds"` // entry, mid, senior
		Source     string `json:"source"`
	}
)

// Collections and indexes of the directory.
var (
	PlanRows   = Collection[PlanRow]{"plan"}
	MemberRows = Collection[MemberRow]{"member"}
	TeamRows   = Collection[TeamRow]{"team"}
	SkillRows  = Collection[SkillRow]{"skill"}
)

const (
	PlanIndex       = "plans" // of the catalog plan: every plan
	MemberIndex     = "members"
	MemberWordIndex = "member-words"
	TeamIndex       = "teams"
	SkillIndex      = "skills"
	SkillWordIndex  = "skill-words"
)

// Want says what part of a list is asked for, and how new it must be.
type Want struct {
	Min   eventstore.Position // wait until the read model has reached it
	After string              // cursor: entry of the last item of the page before
	Limit int
}

// List is a page of a list. Next is empty at its end.
type List[T any] struct {
	Items []T
	Next  string
}

// list reads one page of documents in the order of an index.
func list[T any](ctx context.Context, r Reader, scope Scope, c Collection[T], plan, index, prefix string, want Want) (List[*T], error) {
	entries, err := r.Entries(ctx, scope, Index{plan, index}, Range{Prefix: prefix, After: want.After, Limit: want.Limit + 1})
	if err != nil {
		return List[*T]{}, err
	}
	var page List[*T]
	if len(entries) > want.Limit {
		entries = entries[:want.Limit]
		page.Next = entries[want.Limit-1]
	}
	ids := make([]string, len(entries))
	for i, entry := range entries {
		ids[i] = EntryID(entry)
	}
	rows, err := c.Load(ctx, r, scope, plan, ids...)
	if err != nil {
		return List[*T]{}, err
	}
	page.Items = slices.DeleteFunc(rows, func(row *T) bool { return row == nil })
	return page, nil
}

// Plan returns a plan, nil if there is none.
func (q *Queries) Plan(ctx context.Context, plan string, min eventstore.Position) (*PlanRow, Checkpoint, error) {
	return one(ctx, q, Directory, PlanRows, plan, "plan", min)
}

// Plans lists all plans by id, out of every partition. It is for the operator only.
func (q *Queries) Plans(ctx context.Context, want Want) (page List[*PlanRow], at Checkpoint, err error) {
	found := map[string]*PlanRow{} // each partition has the catalog
	for p := range q.parts.Count() {
		reached, err := q.viewIn(ctx, Directory.In(p), want.Min, func(r Reader) error {
			return plansIn(ctx, r, want, found)
		})
		if err != nil {
			return page, at, err
		}
		if p == 0 || reached.Position < at.Position {
			at = reached
		}
	}
	return firstPlans(found, want.Limit), at, nil
}

// firstPlans is a page of plans, by id.
func firstPlans(found map[string]*PlanRow, limit int) (page List[*PlanRow]) {
	ids := slices.Sorted(maps.Keys(found))
	if len(ids) > limit {
		ids = ids[:limit]
		page.Next = ids[limit-1]
	}
	for _, id := range ids {
		page.Items = append(page.Items, found[id])
	}
	return page
}

func plansIn(ctx context.Context, r Reader, want Want, into map[string]*PlanRow) error {
	entries, err := r.Entries(ctx, Directory, Index{Catalog, PlanIndex}, Range{After: want.After, Limit: want.Limit + 1})
	if err != nil {
		return err
	}
	for _, plan := range entries {
		rows, err := PlanRows.Load(ctx, r, Directory, plan, "plan")
		if err != nil {
			return err
		}
		into[plan] = rows[0]
	}
	return nil
}

// Member returns a member of the plan, nil if there is none.
func (q *Queries) Member(ctx context.Context, plan, id string, min eventstore.Position) (*MemberRow, Checkpoint, error) {
	return one(ctx, q, Directory, MemberRows, plan, id, min)
}

// Teams lists the plan's teams by name, or those right below a team; TopTeams for those below none.
func (q *Queries) Teams(ctx context.Context, plan, parent string, want Want) (page List[*TeamRow], at Checkpoint, err error) {
	index, prefix := TeamIndex, ""
	if parent != "" {
		index, prefix = ChildTeamIndex, EntryOf(strings.TrimPrefix(parent, TopTeams), "")
	}
	at, err = q.view(ctx, Directory, plan, want.Min, func(r Reader) error {
		page, err = list(ctx, r, Directory, TeamRows, plan, index, prefix, want)
		return err
	})
	return page, at, err
}

// TopTeams stands for the parent that teams at the top do not have.
const TopTeams = "top"

// Skills lists the plan's skills by name and then those of the catalog, or those of whose name or synonyms each word
// of search is a prefix.
func (q *Queries) Skills(ctx context.Context, plan, search string, want Want) (page List[*SkillRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Directory, plan, want.Min, func(r Reader) error {
		page = List[*SkillRow]{}
		own, inCatalog := strings.CutPrefix(want.After, catalogCursor)
		if !inCatalog {
			page, err = skillsOf(ctx, r, plan, search, want)
			if err != nil || page.Next != "" || plan == Catalog || len(page.Items) >= want.Limit {
				if page.Next == "" && plan != Catalog && len(page.Items) >= want.Limit {
					page.Next = catalogCursor
				}
				return err
			}
			own = ""
		}
		rest, err := skillsOf(ctx, r, Catalog, search, Want{After: own, Limit: want.Limit - len(page.Items)})
		if err != nil {
			return err
		}
		page.Items = append(page.Items, rest.Items...)
		if rest.Next != "" {
			page.Next = catalogCursor + rest.Next
		}
		return nil
	})
	return page, at, err
}

// catalogCursor begins the cursors of the catalog's part of the list. No entry of an index begins like this.
const catalogCursor = separator

func skillsOf(ctx context.Context, r Reader, plan, search string, want Want) (List[*SkillRow], error) {
	if search == "" {
		return list(ctx, r, Directory, SkillRows, plan, SkillIndex, "", want)
	}
	return find(ctx, r, SkillRows, plan, SkillWordIndex, search, want, func(*SkillRow) bool { return true })
}

// one reads a single document.
func one[T any](ctx context.Context, q *Queries, scope Scope, c Collection[T], plan, id string, min eventstore.Position) (row *T, at Checkpoint, err error) {
	at, err = q.view(ctx, scope, plan, min, func(r Reader) error {
		rows, err := c.Load(ctx, r, scope, plan, id)
		if err == nil {
			row = rows[0]
		}
		return err
	})
	return row, at, err
}
