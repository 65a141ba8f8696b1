package readmodels

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"rolewise/eventstore"
)

// Status of a member in a row.
const (
	Invited     = "invited"
	Active      = "active"
	Deactivated = "deactivated"
	Removed     = "removed"
)

// MemberStatuses lists every status.
func MemberStatuses() []string { return []string{Invited, Active, Deactivated, Removed} }

// AllMembers stands for members of every status. Without a status, those removed are left out (SPEC MEM-2).
const AllMembers = "all"

// MembersWith is the index of the members with a status, by name.
func MembersWith(status string) string { return MemberIndex + "-" + status }

const (
	TeamMembersIndex = "team-members" // team, name, member
	ChildTeamIndex   = "team-teams"   // parent, name, team
	PersonIndex      = "persons"      // of the catalog plan: address, plan, member
)

// Address maps all spellings of an e-mail address to one text, as commands do (SPEC MEM-1).
func Address(email string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(email)))
}

// Indexes lists where a member of a status stands by name.
func (m *MemberRow) Indexes() []string {
	all := []string{MembersWith(AllMembers), MembersWith(m.Status)}
	if m.Status != Removed {
		all = append(all, MemberIndex)
	}
	return all
}

// SetOwner makes the member an owner, or none. Another access role stays below it.
func (m *MemberRow) SetOwner(owner bool) {
	switch is := m.AccessRole == ownerRole; {
	case owner && !is:
		m.AccessRole, m.BelowOwner = ownerRole, m.AccessRole
	case !owner && is:
		m.AccessRole, m.BelowOwner = m.BelowOwner, ""
	}
}

// SetRole sets the access role, which for an owner is the one below.
func (m *MemberRow) SetRole(role string) {
	if m.AccessRole == ownerRole {
		m.BelowOwner = role
	} else {
		m.AccessRole = role
	}
}

const ownerRole = "owner"

// MemberFilter chooses members of a list.
type MemberFilter struct {
	Search string // words of which each must begin a word of the name or the e-mail address
	Status string // one of MemberStatuses, AllMembers, or empty for all but those removed
	Team   string // only members of the team; empty: any
	Nested bool   // also those of the teams below it
}

// permits tells whether a member is of the status and in one of the teams; nil: any.
func (f MemberFilter) permits(m *MemberRow, teams []string) bool {
	ofStatus := f.Status == AllMembers || m.Status == f.Status || f.Status == "" && m.Status != Removed
	return ofStatus && (teams == nil || slices.ContainsFunc(m.Teams, func(t Membership) bool { return slices.Contains(teams, t.Team) }))
}

// Members lists the plan's members by name, or by the word that a search found. A team that the plan does not have has
// no members.
func (q *Queries) Members(ctx context.Context, plan string, filter MemberFilter, want Want) (page List[*MemberRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Directory, plan, want.Min, func(r Reader) error {
		var teams []string
		if filter.Team != "" {
			if teams, err = teamsUnder(ctx, r, plan, filter.Team, filter.Nested); err != nil {
				return err
			}
		}
		permitted := func(m *MemberRow) bool { return filter.permits(m, teams) }
		switch {
		case filter.Search != "":
			page, err = find(ctx, r, MemberRows, plan, MemberWordIndex, filter.Search, want, permitted)
		case filter.Team != "":
			page, err = inTeams(ctx, r, plan, teams, want, permitted)
		default:
			index := MemberIndex
			if filter.Status != "" {
				index = MembersWith(filter.Status)
			}
			page, err = list(ctx, r, Directory, MemberRows, plan, index, "", want)
		}
		return err
	})
	return page, at, err
}

// teamsUnder returns a team, and if wanted all teams below it.
func teamsUnder(ctx context.Context, r Reader, plan, team string, nested bool) ([]string, error) {
	teams := []string{team}
	for i := 0; nested && i < len(teams); i++ {
		entries, err := r.Entries(ctx, Directory, Index{plan, ChildTeamIndex}, Range{Prefix: EntryOf(teams[i], "")})
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			teams = append(teams, EntryID(entry))
		}
	}
	return teams, nil
}

// inTeams lists the members of several teams by name, each once. The cursor is the part of an entry behind its team.
func inTeams(ctx context.Context, r Reader, plan string, teams []string, want Want, permitted func(*MemberRow) bool) (List[*MemberRow], error) {
	var page List[*MemberRow]
	last := ""
	for after := want.After; ; {
		entries, err := nextInTeams(ctx, r, plan, teams, after, want.Limit+1)
		if err != nil || len(entries) == 0 {
			return page, err
		}
		rows, err := documents(ctx, r, MemberRows, plan, entries)
		if err != nil {
			return List[*MemberRow]{}, err
		}
		for i, row := range rows {
			if row == nil || !permitted(row) {
				continue
			}
			if len(page.Items) == want.Limit {
				page.Next = last
				return page, nil
			}
			page.Items, last = append(page.Items, row), entries[i]
		}
		after = entries[len(entries)-1]
	}
}

// nextInTeams returns the next entries of all teams together. No team can have more of them than are wanted.
func nextInTeams(ctx context.Context, r Reader, plan string, teams []string, after string, limit int) ([]string, error) {
	var all []string
	for _, team := range teams {
		prefix := EntryOf(team, "")
		from := Range{Prefix: prefix, Limit: limit}
		if after != "" {
			from.After = prefix + after
		}
		entries, err := r.Entries(ctx, Directory, Index{plan, TeamMembersIndex}, from)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			all = append(all, strings.TrimPrefix(entry, prefix))
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), limit)], nil
}

// Team returns a team with those above it, the nearest first; nil if there is none.
func (q *Queries) Team(ctx context.Context, plan, id string, min eventstore.Position) (found *TeamPlace, at Checkpoint, err error) {
	at, err = q.view(ctx, Directory, plan, min, func(r Reader) error {
		found = nil
		row, err := oneOf(ctx, r, TeamRows, plan, id)
		if err != nil || row == nil {
			return err
		}
		place := TeamPlace{TeamRow: *row, Above: []TeamName{}}
		for parent := row.Parent; parent != ""; {
			above, err := oneOf(ctx, r, TeamRows, plan, parent)
			if err != nil {
				return err
			}
			if above == nil { // overtaken by a commit
				break
			}
			place.Above = append(place.Above, TeamName{above.Team, above.Name})
			parent = above.Parent
		}
		found = &place
		return nil
	})
	return found, at, err
}

// TeamPlace is a team and where it stands in the tree.
type TeamPlace struct {
	TeamRow
	Above []TeamName `json:"above" doc:"The teams above it, the nearest first." nullable:"false"`
}

// TeamName names a team.
type TeamName struct {
	Team string `json:"team"`
	Name string `json:"name"`
}

func oneOf[T any](ctx context.Context, r Reader, c Collection[T], plan, id string) (*T, error) {
	rows, err := c.Load(ctx, r, Directory, plan, id)
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// PlansOf lists the plans, by id, in which a person is a member who is neither deactivated nor removed (SPEC PLN-3). The
// address must be known to be theirs: whoever may invite gives a member any address.
func (q *Queries) PlansOf(ctx context.Context, email string, want Want) (page List[*PlanRow], at Checkpoint, err error) {
	found := map[string]*PlanRow{}
	for p := range q.parts.Count() {
		reached, err := q.viewIn(ctx, Directory.In(p), want.Min, func(r Reader) error {
			return plansOfPerson(ctx, r, Address(email), want.After, found)
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

func plansOfPerson(ctx context.Context, r Reader, address, after string, into map[string]*PlanRow) error {
	entries, err := r.Entries(ctx, Directory, Index{Catalog, PersonIndex}, Range{Prefix: EntryOf(address, "")})
	if err != nil {
		return err
	}
	for _, entry := range entries {
		parts := strings.Split(entry, separator)
		plan, id := parts[1], parts[2]
		if plan <= after {
			continue
		}
		member, err := oneOf(ctx, r, MemberRows, plan, id)
		if err != nil {
			return err
		}
		if member == nil || member.Status != Invited && member.Status != Active {
			continue
		}
		row, err := oneOf(ctx, r, PlanRows, plan, "plan")
		if err != nil {
			return err
		}
		if row != nil {
			into[plan] = row
		}
	}
	return nil
}
