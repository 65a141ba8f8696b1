package readmodels

import (
	"context"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Rows of the assignments: paths as they were given. What a member holds through teams is put together when queried.
type (
	// PathsOfMember is what a member was given directly, and the teams through which more may come.
	PathsOfMember struct {
		Name   string   `json:"name"`
		Email  string   `json:"email"`
		Teams  []string `json:"teams"`
		Direct []string `json:"direct"` // roles
		// Removed members keep their paths, and are listed with nobody who holds a role (SPEC MEM-2).
		Removed bool `json:"removed,omitempty"`
	}
	// PathsOfTeam is what a team was given.
	PathsOfTeam struct {
		Roles   []string `json:"roles"`
		Deleted bool     `json:"deleted,omitempty"` // it gives nothing any more, whatever is still to come
	}
	// HolderRow is a member who holds a role by some path.
	HolderRow struct {
		Member string   `json:"member"`
		Name   string   `json:"name"`
		Email  string   `json:"email"`
		Paths  []string `json:"paths"` // "direct" and "team:<id>"
	}
)

// Collections and indexes of the assignments.
var (
	MemberPaths = Collection[PathsOfMember]{"member"}
	TeamPaths   = Collection[PathsOfTeam]{"team"}
)

const (
	DirectIndex     = "direct"       // role, member
	RoleTeamIndex   = "role-teams"   // role, team
	TeamMemberIndex = "team-members" // team, member
)

// Direct is the path of a member who was assigned by name.
const Direct = "direct"

// TeamPath is the path of a member through a team.
func TeamPath(team string) string { return "team:" + team }

// Paths returns by which paths a member holds a role, in a fixed order, given what each of the member's teams holds.
func (m PathsOfMember) Paths(role string, teamHolds func(team string) bool) []string {
	paths := []string{}
	if slices.Contains(m.Direct, role) {
		paths = append(paths, Direct)
	}
	for _, team := range m.Teams {
		if teamHolds(team) {
			paths = append(paths, TeamPath(team))
		}
	}
	return paths
}

// RoleMembers lists the members who hold a role by some path, ordered by id.
func (q *Queries) RoleMembers(ctx context.Context, plan, role string, want Want) (page List[*HolderRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Assignments, plan, want.Min, func(r Reader) error {
		page, err = holders(ctx, r, plan, role, want)
		return err
	})
	return page, at, err
}

func holders(ctx context.Context, r Reader, plan, role string, want Want) (List[*HolderRow], error) {
	ids, err := idsIn(ctx, r, Assignments, plan, DirectIndex, role)
	if err != nil {
		return List[*HolderRow]{}, err
	}
	teams, err := idsIn(ctx, r, Assignments, plan, RoleTeamIndex, role)
	if err != nil {
		return List[*HolderRow]{}, err
	}
	for _, team := range teams {
		more, err := idsIn(ctx, r, Assignments, plan, TeamMemberIndex, team)
		if err != nil {
			return List[*HolderRow]{}, err
		}
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id <= want.After })
	var page List[*HolderRow]
	if len(ids) > want.Limit {
		ids = ids[:want.Limit]
		page.Next = ids[want.Limit-1]
	}
	rows, err := MemberPaths.Load(ctx, r, Assignments, plan, ids...)
	if err != nil {
		return List[*HolderRow]{}, err
	}
	for i, row := range rows {
		if row == nil {
			continue
		}
		page.Items = append(page.Items, &HolderRow{
			Member: ids[i], Name: row.Name, Email: row.Email,
			Paths: row.Paths(role, func(team string) bool { return slices.Contains(teams, team) }),
		})
	}
	return page, nil
}

// idsIn returns the ids of all entries under one id of an index of pairs.
func idsIn(ctx context.Context, r Reader, scope Scope, plan, index, id string) ([]string, error) {
	prefix := id + separator
	entries, err := r.Entries(ctx, scope, Index{plan, index}, Range{Prefix: prefix})
	for i, entry := range entries {
		entries[i] = strings.TrimPrefix(entry, prefix)
	}
	return entries, err
}

// HeldRoles returns the paths by which a member holds roles, by role; nil if there is no such member.
func (q *Queries) HeldRoles(ctx context.Context, plan, member string, min eventstore.Position) (held map[string][]string, at Checkpoint, err error) {
	at, err = q.view(ctx, Assignments, plan, min, func(r Reader) error {
		held = nil
		rows, err := MemberPaths.Load(ctx, r, Assignments, plan, member)
		if err != nil || rows[0] == nil {
			return err
		}
		held = map[string][]string{}
		for _, role := range rows[0].Direct {
			held[role] = append(held[role], Direct)
		}
		teams, err := TeamPaths.Load(ctx, r, Assignments, plan, rows[0].Teams...)
		if err != nil {
			return err
		}
		for i, team := range teams {
			if team == nil {
				continue
			}
			for _, role := range team.Roles {
				held[role] = append(held[role], TeamPath(rows[0].Teams[i]))
			}
		}
		return nil
	})
	return held, at, err
}
