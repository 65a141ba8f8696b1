package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/category"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/role"
	"rolewise/eventstore"
)

// CreateCategory adds a category for roles.
type CreateCategory struct {
	Category domain.CategoryID `json:"category,omitempty" doc:"Id of the new category; one is made if it is left out."`
	Name     string            `json:"name" doc:"Unique in the plan."`
	Featured bool              `json:"featured"`
}

func (CreateCategory) About() About {
	return About{Name: "create-category", Summary: "Add a category for roles.", Action: access.ClassifyRoles, Feature: plan.Authoring}
}

func (c CreateCategory) run(w *work) (Answer, error) {
	id := domain.CategoryID(w.newID(string(c.Category)))
	answer, err := decide(w, categories, eventstore.PlanWide, func(s category.State) (category.Command, error) {
		create := category.Create{Category: id, Name: c.Name, Featured: c.Featured}
		for _, other := range s.Categories {
			create.NameTaken = create.NameTaken || sameTitle(other.Name) == sameTitle(c.Name)
		}
		return create, nil
	})
	answer.ID = string(id)
	return answer, err
}

// FeatureCategory says whether a category is featured: under the policy directory_visibility "featured_category" learners
// find only roles of such categories.
type FeatureCategory struct {
	Category domain.CategoryID `json:"category"`
	Featured bool              `json:"featured"`
}

func (FeatureCategory) About() About {
	return About{Name: "feature-category", Summary: "Feature a category, or no longer.", Action: access.ClassifyRoles, Feature: plan.Authoring}
}

func (c FeatureCategory) run(w *work) (Answer, error) {
	return decide(w, categories, eventstore.PlanWide, func(category.State) (category.Command, error) { return category.Feature(c), nil })
}

// SetPathway says from which roles one advances to a role.
type SetPathway struct {
	Role         domain.RoleID   `json:"role" doc:"Of the plan, or of the catalog."`
	AdvancesFrom []domain.RoleID `json:"advances_from" doc:"Roles of the plan or of the catalog, in no order; they replace those there were."`
}

func (SetPathway) About() About {
	return About{Name: "set-pathway", Summary: "Set from which roles one advances to a role.", Action: access.ClassifyRoles, Feature: plan.Authoring}
}

func (c SetPathway) run(w *work) (Answer, error) {
	return decide(w, pathways, eventstore.PlanWide, func(s pathway.State) (pathway.Command, error) {
		set := pathway.Set{Role: c.Role, AdvancesFrom: c.AdvancesFrom, Unknown: -1}
		of, err := w.liveRole(c.Role)
		set.RoleExists = of.Exists
		for i := 0; err == nil && set.Unknown < 0 && i < len(c.AdvancesFrom); i++ {
			var from role.State
			if from, err = w.liveRole(c.AdvancesFrom[i]); err == nil && !from.Exists {
				set.Unknown = i
			}
		}
		if err != nil {
			return nil, err
		}
		set.Titles = map[domain.RoleID]string{}
		for _, id := range s.Cycle(c.Role, c.AdvancesFrom) {
			on, err := w.Role(w.ctx, w.req.Plan, id)
			if err != nil {
				return nil, err
			}
			set.Titles[id] = on.Title()
		}
		return set, nil
	})
}

// liveRole is Role without what was deleted.
func (w *work) liveRole(id domain.RoleID) (role.State, error) {
	s, err := w.Role(w.ctx, w.req.Plan, id)
	if s.Deleted {
		s = role.State{}
	}
	return s, err
}
