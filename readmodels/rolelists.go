package readmodels

import (
	"context"
	"slices"
	"strings"
)

// RoleFilter says which roles are listed.
type RoleFilter struct {
	State string // draft (never published), published, beta (published, with a required skill in beta), deleted; empty: draft and published
	// Creators are those whose drafts and deleted roles are listed; nil: everyone's.
	Creators []string
}

// roleSource is a part of the list of roles: the entries of an index below a prefix, without it.
type roleSource struct{ index, prefix string }

// sources returns the indexes that together have the roles of a filter.
func (f RoleFilter) sources() []roleSource {
	whole := map[string]string{"": RoleIndex, "draft": DraftIndex, "published": PublishedIndex, "beta": PublishedIndex, "deleted": DeletedIndex}
	by := map[string]string{"": DraftByIndex, "draft": DraftByIndex, "deleted": DeletedByIndex}[f.State]
	if f.Creators == nil || by == "" {
		return []roleSource{{whole[f.State], ""}}
	}
	var sources []roleSource
	if f.State == "" {
		sources = append(sources, roleSource{PublishedIndex, ""})
	}
	for _, creator := range f.Creators {
		sources = append(sources, roleSource{by, creator + separator})
	}
	return sources
}

// Roles lists the plan's roles by title.
func (q *Queries) Roles(ctx context.Context, plan string, filter RoleFilter, want Want) (page List[*RoleRow], at Checkpoint, err error) {
	at, err = q.view(ctx, Roles, plan, want.Min, func(r Reader) error {
		if filter.State == "beta" {
			page, err = betaRoles(ctx, r, plan, want)
		} else {
			page, err = rolesFrom(ctx, r, plan, filter.sources(), want)
		}
		if err != nil {
			return err
		}
		return complete(ctx, r, plan, page.Items...)
	})
	return page, at, err
}

// rolesFrom reads one page of several lists in one order.
func rolesFrom(ctx context.Context, r Reader, plan string, sources []roleSource, want Want) (List[*RoleRow], error) {
	var all []string
	for _, s := range sources {
		part := Range{Prefix: s.prefix, Limit: want.Limit + 1}
		if want.After != "" {
			part.After = s.prefix + want.After
		}
		entries, err := r.Entries(ctx, Roles, Index{plan, s.index}, part)
		if err != nil {
			return List[*RoleRow]{}, err
		}
		for _, entry := range entries {
			all = append(all, strings.TrimPrefix(entry, s.prefix))
		}
	}
	slices.Sort(all)
	var page List[*RoleRow]
	if len(all) > want.Limit {
		all = all[:want.Limit]
		page.Next = all[want.Limit-1]
	}
	rows, err := loadRoles(ctx, r, plan, all)
	page.Items = slices.DeleteFunc(rows, func(row *RoleRow) bool { return row == nil })
	return page, err
}

func loadRoles(ctx context.Context, r Reader, plan string, entries []string) ([]*RoleRow, error) {
	ids := make([]string, len(entries))
	for i, entry := range entries {
		ids[i] = EntryID(entry)
	}
	return RoleRows.Load(ctx, r, Roles, plan, ids...)
}

// betaBatch is how many published roles are looked at together for required skills in beta. Which these are changes with
// the skills, also those of the catalog, so they are in no index.
const betaBatch = 500

func betaRoles(ctx context.Context, r Reader, plan string, want Want) (List[*RoleRow], error) {
	var page List[*RoleRow]
	last := ""
	for after := want.After; ; {
		entries, err := r.Entries(ctx, Roles, Index{plan, PublishedIndex}, Range{After: after, Limit: betaBatch})
		if err != nil {
			return page, err
		}
		rows, err := loadRoles(ctx, r, plan, entries)
		if err != nil {
			return page, err
		}
		beta, err := inBeta(ctx, r, plan, rows)
		if err != nil {
			return page, err
		}
		for i, row := range rows {
			if !beta[i] {
				continue
			}
			if len(page.Items) == want.Limit {
				page.Next = last
				return page, nil
			}
			page.Items, last = append(page.Items, row), entries[i]
		}
		if len(entries) < betaBatch {
			return page, nil
		}
		after = entries[len(entries)-1]
	}
}

// inBeta tells which roles have a required skill in beta in the version in force.
func inBeta(ctx context.Context, r Reader, plan string, rows []*RoleRow) ([]bool, error) {
	var required []RoleSkill
	var of []int // the place of each one's role
	for i, row := range rows {
		if row == nil || row.InForce == nil {
			continue
		}
		for _, s := range row.InForce.Skills {
			if s.Required {
				required, of = append(required, s), append(of, i)
			}
		}
	}
	beta := make([]bool, len(rows))
	named, err := namesOf(ctx, r, Roles, plan, required)
	for i, skill := range named {
		beta[of[i]] = beta[of[i]] || skill.State == "beta"
	}
	return beta, err
}

// complete fills in what a role shows besides its own row.
func complete(ctx context.Context, r Reader, plan string, rows ...*RoleRow) error {
	categories := make([]string, len(rows))
	for i, row := range rows {
		if err := nameSkills(ctx, r, plan, row); err != nil {
			return err
		}
		categories[i] = row.Category
	}
	in, err := CategoryRows.Load(ctx, r, Roles, plan, categories...)
	if err != nil {
		return err
	}
	visibility, err := DirectoryPolicies.Load(ctx, r, Roles, plan, "plan")
	if err != nil {
		return err
	}
	onlyFeatured := visibility[0] != nil && visibility[0].OnlyFeatured
	for i, row := range rows {
		row.InDirectory = row.State == "published" && (!onlyFeatured || in[i] != nil && in[i].Featured)
	}
	return nil
}
