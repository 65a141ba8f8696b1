package readmodels

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Rows of categories and pathways, which are kept beside the roles.
type (
	// CategoryRow is a category of roles.
	CategoryRow struct {
		Category string `json:"category"`
		Name     string `json:"name"`
		Featured bool   `json:"featured"`
		Roles    int    `json:"roles"` // published ones in it; filled in when queried
	}
	// DirectoryPolicy is the policy directory_visibility.
	DirectoryPolicy struct {
		OnlyFeatured bool `json:"only_featured"`
	}
	// PathwayState is from which roles one advances to a role.
	PathwayState struct {
		From []string `json:"from"`
	}
	// PathwayRow is the ladder that a role stands on (SPEC CAR-3).
	PathwayRow struct {
		Role  string        `json:"role"`
		Title string        `json:"title"`
		Roles []PathwayRole `json:"roles"` // above and below, the lowest first
		Edges []PathwayEdge `json:"edges"`
	}
	// PathwayRole is a role on the ladder.
	PathwayRole struct {
		Role  string `json:"role"`
		Title string `json:"title"`
		Step  int    `json:"step"` // the fewest advances from it to the role asked for, below 0; or from there to it
	}
	// PathwayEdge says that one advances from a role to another.
	PathwayEdge struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
)

// Collections and indexes of categories and pathways.
var (
	CategoryRows      = Collection[CategoryRow]{"category"}
	DirectoryPolicies = Collection[DirectoryPolicy]{"directory-policy"}
	PathwayStates     = Collection[PathwayState]{"pathway"} // id: the role that one advances to
)

const (
	CategoryIndex     = "categories"
	CategoryRoleIndex = "category-roles" // category, then as in PublishedIndex
	AdvanceIndex      = "advances"       // role, role that one advances to
)

// Categories lists the plan's categories by name.
func (q *Queries) Categories(ctx context.Context, plan string, want Want) (page List[*CategoryRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Roles, plan, want.Min, func(r Reader) error {
		if page, err = list(ctx, r, Roles, CategoryRows, plan, CategoryIndex, "", want); err != nil {
			return err
		}
		for _, row := range page.Items {
			in, err := r.Entries(ctx, Roles, Index{plan, CategoryRoleIndex}, Range{Prefix: row.Category + separator})
			if err != nil {
				return err
			}
			row.Roles = len(in)
		}
		return nil
	})
	return page, at, err
}

// mostSteps bounds a ladder, in roles: what lies further away is left out.
const mostSteps = 500

// Pathway returns the published roles above and below a role of the plan or of the catalog, nil if there is no such role.
func (q *Queries) Pathway(ctx context.Context, plan, role string, min eventstore.Position) (row *PathwayRow, at Checkpoint, err error) {
	at, err = q.view(ctx, Roles, plan, min, func(r Reader) error {
		row = nil
		own, err := roleRow(ctx, r, plan, role)
		if err != nil || own == nil || own.State == "deleted" {
			return err
		}
		row = &PathwayRow{Role: role, Title: own.Title, Roles: []PathwayRole{}, Edges: []PathwayEdge{}}
		for _, direction := range []int{-1, 1} {
			if err := row.climb(ctx, r, plan, direction); err != nil {
				return err
			}
		}
		slices.SortFunc(row.Roles, func(a, b PathwayRole) int {
			return cmp.Or(a.Step-b.Step, strings.Compare(Fold(a.Title), Fold(b.Title)), strings.Compare(a.Role, b.Role))
		})
		slices.SortFunc(row.Edges, func(a, b PathwayEdge) int {
			return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
		})
		return nil
	})
	return row, at, err
}

// climb follows the edges in one direction, the nearest first.
func (p *PathwayRow) climb(ctx context.Context, r Reader, plan string, direction int) error {
	seen := map[string]bool{p.Role: true}
	level := []string{p.Role}
	for step := direction; len(level) > 0; step += direction {
		var next []string
		for _, at := range level {
			neighbours, err := neighbours(ctx, r, plan, at, direction)
			if err != nil {
				return err
			}
			for _, id := range neighbours {
				other, err := roleRow(ctx, r, plan, id)
				if err != nil {
					return err
				}
				if other == nil || other.State != "published" || len(seen) > mostSteps {
					continue
				}
				edge := PathwayEdge{From: id, To: at}
				if direction > 0 {
					edge = PathwayEdge{From: at, To: id}
				}
				p.Edges = append(p.Edges, edge)
				if !seen[id] {
					seen[id] = true
					next = append(next, id)
					p.Roles = append(p.Roles, PathwayRole{Role: id, Title: other.Title, Step: step})
				}
			}
		}
		level = next
	}
	return nil
}

// neighbours returns the roles one step below or above.
func neighbours(ctx context.Context, r Reader, plan, role string, direction int) ([]string, error) {
	if direction < 0 {
		states, err := PathwayStates.Load(ctx, r, Roles, plan, role)
		if err != nil || states[0] == nil {
			return nil, err
		}
		return states[0].From, nil
	}
	entries, err := r.Entries(ctx, Roles, Index{plan, AdvanceIndex}, Range{Prefix: role + separator})
	for i, entry := range entries {
		entries[i] = EntryID(entry)
	}
	return entries, err
}

// roleRow returns a role of the plan, else a published one of the catalog.
func roleRow(ctx context.Context, r Reader, plan, id string) (*RoleRow, error) {
	own, err := RoleRows.Load(ctx, r, Roles, plan, id)
	if err != nil || own[0] != nil || plan == Catalog {
		return own[0], err
	}
	vendors, err := RoleRows.Load(ctx, r, Roles, Catalog, id)
	if err != nil || vendors[0] == nil || vendors[0].State != "published" {
		return nil, err
	}
	return vendors[0], nil
}
