package readmodels

import (
	"context"
	"slices"
	"time"

	"rolewise/eventstore"
)

// Documents from which standings are derived, besides those of the members.
type (
	// Visit is what a standing is derived from.
	Visit struct {
		Version int          `json:"version"`
		Rule    string       `json:"rule"`
		K       int          `json:"k,omitempty"`
		Skills  []SkillInput `json:"skills"`
	}
	// SkillInput is what a skill of the role contributes to a member's standing.
	SkillInput struct {
		Skill    string `json:"skill"`
		Required bool   `json:"required"`
		Status   string `json:"status"`
		Goals    [3]int `json:"goals"`
		Measured bool   `json:"measured"`
		Score    *int   `json:"score"`             // 0 to 300; null where not measured, and wherever it is shown
		Session  string `json:"session,omitempty"` // of the measurement that counts
	}
	// RoleState is a role's version in force.
	RoleState struct {
		Title   string `json:"title"`
		Version int    `json:"version"`
		Deleted bool   `json:"deleted,omitempty"`
	}
	// RoleVersion is what one version of a role demands.
	RoleVersion struct {
		Skills []RoleSkill `json:"skills"`
	}
	// TeamState is what a team was given.
	TeamState struct {
		Name    string   `json:"name"`
		Roles   []string `json:"roles,omitempty"`
		Deleted bool     `json:"deleted,omitempty"` // it gives nothing any more, whatever is still to come
	}
	// PolicyState is the plan's policies that standings depend on.
	PolicyState struct {
		OnVisit bool   `json:"on_visit"`
		Rule    string `json:"rule"`
		K       int    `json:"k,omitempty"`
	}
)

// Collections and indexes below both projections.
var (
	MemberStates = Collection[MemberState]{"member"}
	RoleStates   = Collection[RoleState]{"role"}
	RoleVersions = Collection[RoleVersion]{"version"} // id: role, version
	TeamStates   = Collection[TeamState]{"team"}
	PolicyStates = Collection[PolicyState]{"policy"}
)

const (
	AllMembersIndex = "all-members"
	HolderIndex     = "holders"   // for each role: name, member; who has a standing in the role
	UseIndex        = "uses"      // skill, role: which roles of the plan have, or had, the skill
	BorrowIndex     = "borrowers" // of the catalog: role or skill, plan: which plans use it
)

// Rows of the progress.
type (
	// ProgressRow is a member's standing in a role, with what it rests on.
	ProgressRow struct {
		Role          string           `json:"role"`
		Title         string           `json:"title"`
		Version       int              `json:"version"`
		Paths         []string         `json:"paths"`
		SelectedLevel *string          `json:"selected_level"`
		State         string           `json:"state"`
		Level         *string          `json:"level"`
		RequiredDone  int              `json:"required_done"`
		RequiredTotal int              `json:"required_total"`
		Rule          string           `json:"rule"`
		Since         CauseRow         `json:"since"`
		History       []ProgressChange `json:"history"`
	}
	// CauseRow names the event behind a change.
	CauseRow struct {
		Position string    `json:"position"`
		Type     string    `json:"type"`
		Time     time.Time `json:"time"`
	}
	// ProgressChange is one change of state or level, with its cause and inputs (SPEC PRG-3).
	ProgressChange struct {
		Cause  CauseRow `json:"cause"`
		State  string   `json:"state"`
		Level  *string  `json:"level"`
		Inputs Visit    `json:"inputs"` // scores are kept, but never shown (SPEC MSR-7)
	}
	// ResultRow is a member's standing in a skill.
	ResultRow struct {
		Skill      string           `json:"skill"`
		Name       string           `json:"name"`
		State      string           `json:"state"` // of the skill
		Level      *string          `json:"level"`
		MeasuredAt *time.Time       `json:"measured_at"`
		BetaTaken  *time.Time       `json:"beta_taken_at"`
		MustRetake bool             `json:"must_retake"` // taken in beta, and validated since (SPEC MSR-3)
		History    []MeasurementRow `json:"history"`
	}
	// MeasurementRow is one measurement, the oldest first.
	MeasurementRow struct {
		Session    string    `json:"session"`
		Level      string    `json:"level"`
		MeasuredAt time.Time `json:"measured_at"`
		Valid      bool      `json:"valid"`
	}
)

// ProgressHistories has the id member, role.
var ProgressHistories = Collection[ProgressHistory]{"history"}

// MemberProgress returns a member's standing in every role they hold, ordered by role; nil if there is no such member.
func (q *Queries) MemberProgress(ctx context.Context, plan, member string, min eventstore.Position) (rows []ProgressRow, at Checkpoint, err error) {
	at, err = q.view(ctx, Progress, plan, min, func(r Reader) error {
		rows = nil
		states, err := MemberStates.Load(ctx, r, Progress, plan, member)
		if err != nil || states[0] == nil {
			return err
		}
		rows = []ProgressRow{}
		for _, standing := range states[0].Standings {
			if !standing.Holds() || standing.Hidden {
				continue
			}
			row, err := progressRow(ctx, r, plan, member, standing.Role, standing)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, at, err
}

func progressRow(ctx context.Context, r Reader, plan, member, role string, s *Standing) (ProgressRow, error) {
	state, err := roleState(ctx, r, Progress, plan, role)
	if err != nil {
		return ProgressRow{}, err
	}
	history, err := ProgressHistories.Load(ctx, r, Progress, plan, PairID(member, role))
	if err != nil {
		return ProgressRow{}, err
	}
	row := ProgressRow{
		Role: role, Title: state.Title, Version: s.Version, Paths: orEmpty(s.Paths), SelectedLevel: Optional(s.Selected), State: s.State,
		Level: Optional(s.Level), RequiredDone: s.Done, RequiredTotal: s.Required, Rule: s.Rule,
		Since: CauseRow{s.Since.Position.String(), s.Since.Type, s.Since.Time}, History: []ProgressChange{},
	}
	if history[0] != nil {
		changes, err := history[0].All()
		if err != nil {
			return ProgressRow{}, err
		}
		row.History = withoutScores(changes)
	}
	return row, nil
}

// withoutScores takes the scores out of what is shown: they reach nobody under the policy level_only, which is the
// default (SPEC MSR-7).
func withoutScores(changes []ProgressChange) []ProgressChange {
	for _, change := range changes {
		for i := range change.Inputs.Skills {
			change.Inputs.Skills[i].Score = nil
		}
	}
	return changes
}

// MemberResults returns a member's standing in every skill they were measured in, ordered by skill; nil if there is no
// such member.
func (q *Queries) MemberResults(ctx context.Context, plan, member string, min eventstore.Position) (rows []ResultRow, at Checkpoint, err error) {
	at, err = q.view(ctx, Progress, plan, min, func(r Reader) error {
		rows = nil
		states, err := MemberStates.Load(ctx, r, Progress, plan, member)
		if err != nil || states[0] == nil {
			return err
		}
		rows = []ResultRow{}
		for _, skill := range skillsTaken(states[0]) {
			names, err := namesOf(ctx, r, Progress, plan, []RoleSkill{{Skill: skill}})
			if err != nil {
				return err
			}
			row, err := resultRow(skill, names[0], states[0])
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, at, err
}

// skillsTaken lists the skills that a member was assessed in, in beta too, sorted.
func skillsTaken(m *MemberState) []string {
	var taken []string
	for i := range m.Results {
		taken = append(taken, m.Results[i].Skill)
	}
	for _, beta := range m.Beta {
		taken = append(taken, beta.Skill)
	}
	slices.Sort(taken)
	return slices.Compact(taken)
}

func resultRow(skill string, named SkillName, m *MemberState) (ResultRow, error) {
	results := m.Of(skill)
	row := ResultRow{Skill: skill, Name: named.Name, State: named.State, History: []MeasurementRow{}}
	newest := results.Counts()
	if newest != nil {
		row.Level, row.MeasuredAt = &newest.Level, &newest.MeasuredAt
	}
	for _, taken := range m.Beta {
		if taken.Skill == skill {
			row.BetaTaken, row.MustRetake = &taken.At, named.State == "validated" && newest == nil
		}
	}
	all, err := results.All()
	for _, result := range all {
		row.History = append(row.History, MeasurementRow{result.Session, result.Level, result.MeasuredAt, !result.Invalid})
	}
	return row, err
}
