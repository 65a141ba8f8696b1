package readmodels

import (
	"context"
	"slices"
	"time"

	"rolewise/eventstore"
)

// Rows of the roles: drafts and published versions.
type (
	// RoleRow is a role as its authors see it.
	RoleRow struct {
		Role          string       `json:"role"`
		Title         string       `json:"title"` // of the version in force, of the draft before there is one
		State         string       `json:"state"` // draft, published or deleted
		Version       int          `json:"version"`
		Source        string       `json:"source,omitempty"` // the role it was copied from
		SourceVersion int          `json:"source_version,omitempty"`
		Creator       string       `json:"creator,omitempty"`  // who may edit it (SPEC ROL-10)
		Category      string       `json:"category,omitempty"` // in force at once, no part of a version
		Draft         RoleContent  `json:"draft"`
		InForce       *RoleContent `json:"in_force"`         // null before the first publication
		Edited        bool         `json:"edited"`           // the draft was changed since the last publication
		Beta          bool         `json:"beta"`             // a required skill is in beta; filled in when queried
		InDirectory   bool         `json:"in_directory"`     // learners find it there; filled in when queried (SPEC ROL-12)
		Icons         []string     `json:"icon_suggestions"` // those of the draft's skills; filled in when queried (SPEC ROL-7)
		Warnings      []string     `json:"warnings"`         // filled in when queried
		Revision      int64        `json:"revision"`         // for If-Match
	}
	// RoleContent is what a draft or a version consists of.
	RoleContent struct {
		Title            string      `json:"title"`
		Description      string      `json:"description"`
		Responsibilities []string    `json:"responsibilities"`
		Skills           []RoleSkill `json:"skills"`
		Badge            *RoleBadge  `json:"badge"` // null: none
	}
	// RoleBadge is shown beside a role's title: a white icon on a coloured ground.
	RoleBadge struct {
		Icon  string `json:"icon"`
		Color string `json:"color"` // #rrggbb
	}
	// RoleSkill is a skill in a role.
	RoleSkill struct {
		Skill            string `json:"skill"`
		Name             string `json:"name,omitempty"` // filled in when queried
		State            string `json:"state,omitempty"`
		Required         bool   `json:"required"`
		Percent          int    `json:"percent"`
		Goals            [3]int `json:"goals"`                    // scores from which a member is entry, mid, senior
		BenchmarkVersion int    `json:"benchmark_version"`        // taken over; 0: none was published
		BenchmarkRole    string `json:"benchmark_role,omitempty"` // the role it was published for; empty: every role
		NewerBenchmark   bool   `json:"newer_benchmark"`          // another is current; filled in when queried (SPEC ROL-6)
		RequiredLevel    int    `json:"required_level,omitempty"`
	}
	// VersionRow is one published version of a role.
	VersionRow struct {
		Role        string      `json:"role"`
		Version     int         `json:"version"`
		PublishedAt time.Time   `json:"published_at"`
		OnPublish   string      `json:"on_publish"`
		Content     RoleContent `json:"content"`
	}
	// CurrentBenchmark is the newest benchmark of a skill, for every role or for one.
	CurrentBenchmark struct {
		Version int `json:"version"`
	}
	// SkillName is what roles show of a skill.
	SkillName struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Icon  string `json:"icon,omitempty"` // only where roles are read
	}
)

// Collections and indexes of the roles.
var (
	RoleRows    = Collection[RoleRow]{"role"}
	VersionRows = Collection[VersionRow]{"version"}
	SkillNames  = Collection[SkillName]{"skill"}
	Benchmarks  = Collection[CurrentBenchmark]{"benchmark"} // id: skill, or skill and role
)

const (
	RoleIndex      = "roles" // all but the deleted
	DraftIndex     = "roles-draft"
	PublishedIndex = "roles-published"
	DeletedIndex   = "roles-deleted"
	DraftByIndex   = "roles-draft-by" // creator, then as in DraftIndex
	DeletedByIndex = "roles-deleted-by"
	VersionIndex   = "versions"
)

// Role returns a role of the plan, nil if there is none.
func (q *Queries) Role(ctx context.Context, plan, id string, min eventstore.Position) (row *RoleRow, at Checkpoint, err error) {
	at, err = q.view(ctx, Roles, plan, min, func(r Reader) error {
		rows, err := RoleRows.Load(ctx, r, Roles, plan, id)
		if err != nil || rows[0] == nil {
			row = nil
			return err
		}
		row = rows[0]
		return complete(ctx, r, plan, row)
	})
	return row, at, err
}

// RoleVersions lists the published versions of a role, the newest first.
func (q *Queries) RoleVersions(ctx context.Context, plan, id string, want Want) (page List[*VersionRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Roles, plan, want.Min, func(r Reader) error {
		if page, err = list(ctx, r, Roles, VersionRows, plan, VersionIndex, id+separator, want); err != nil {
			return err
		}
		for _, row := range page.Items {
			if err := name(ctx, r, plan, row.Content.Skills); err != nil {
				return err
			}
		}
		return nil
	})
	return page, at, err
}

func nameSkills(ctx context.Context, r Reader, plan string, row *RoleRow) error {
	named, err := namesOf(ctx, r, Roles, plan, row.Draft.Skills)
	if err != nil {
		return err
	}
	row.Icons = []string{}
	for i, skill := range named {
		row.Draft.Skills[i].Name, row.Draft.Skills[i].State = skill.Name, skill.State
		if skill.Icon != "" && !slices.Contains(row.Icons, skill.Icon) {
			row.Icons = append(row.Icons, skill.Icon)
		}
	}
	if err := compareBenchmarks(ctx, r, plan, row.Role, row.Draft.Skills); err != nil {
		return err
	}
	shown := row.Draft.Skills
	if row.InForce != nil {
		if err := name(ctx, r, plan, row.InForce.Skills); err != nil {
			return err
		}
		if err := compareBenchmarks(ctx, r, plan, row.Role, row.InForce.Skills); err != nil {
			return err
		}
		shown = row.InForce.Skills
	}
	row.Beta, row.Warnings = false, []string{}
	for _, s := range shown {
		switch {
		case s.Required && s.State == "beta":
			row.Beta = true
		case s.Required && s.State == "retired": // SPEC PRG-1
			row.Warnings = append(row.Warnings, "the required skill "+s.Name+" is retired: it counts as optional for whoever was not measured before")
		}
	}
	return nil
}

// compareBenchmarks fills in whether a role that took the skills' goals over now would get others: from a benchmark of
// its own, else from that for every role (SPEC SKL-3, ROL-6). A copy keeps the benchmarks of its source until then.
func compareBenchmarks(ctx context.Context, r Reader, plan, role string, skills []RoleSkill) error {
	if len(skills) == 0 {
		return nil
	}
	ids := make([]string, 0, 3*len(skills))
	for _, s := range skills {
		ids = append(ids, PairID(s.Skill, role), s.Skill, PairID(s.Skill, s.BenchmarkRole))
	}
	own, err := Benchmarks.Load(ctx, r, Roles, plan, ids...)
	if err != nil {
		return err
	}
	vendor, err := Benchmarks.Load(ctx, r, Roles, Catalog, ids...)
	if err != nil {
		return err
	}
	version := func(i int) int {
		switch {
		case own[i] != nil:
			return own[i].Version
		case vendor[i] != nil:
			return vendor[i].Version
		}
		return 0
	}
	for i := range skills {
		s, forRole, general, taken := &skills[i], version(3*i), version(3*i+1), version(3*i+2)
		switch {
		case forRole > 0:
			s.NewerBenchmark = s.BenchmarkRole != role || forRole > s.BenchmarkVersion
		case s.BenchmarkRole != "":
			s.NewerBenchmark = taken > s.BenchmarkVersion
		default:
			s.NewerBenchmark = general > s.BenchmarkVersion
		}
	}
	return nil
}

// name fills in the names and states of skills, of the plan's own or else the catalog's.
func name(ctx context.Context, r Reader, plan string, skills []RoleSkill) error {
	names, err := namesOf(ctx, r, Roles, plan, skills)
	for i, named := range names {
		skills[i].Name, skills[i].State = named.Name, named.State
	}
	return err
}

func namesOf(ctx context.Context, r Reader, scope Scope, plan string, skills []RoleSkill) ([]SkillName, error) {
	ids := make([]string, len(skills))
	for i, s := range skills {
		ids[i] = s.Skill
	}
	own, err := SkillNames.Load(ctx, r, scope, plan, ids...)
	if err != nil {
		return nil, err
	}
	vendor, err := SkillNames.Load(ctx, r, scope, Catalog, ids...)
	if err != nil {
		return nil, err
	}
	names := make([]SkillName, len(ids))
	for i := range ids {
		if own[i] != nil {
			names[i] = *own[i]
		} else if vendor[i] != nil {
			names[i] = *vendor[i]
		}
	}
	return names, nil
}
