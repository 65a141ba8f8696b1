package projections

import (
	"slices"

	"rolewise/domain/category"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/readmodels"
)

func categoryCreated(f *Fold, e category.CategoryCreated) error {
	row, err := edit(f, readmodels.CategoryRows, e.Category)
	if err != nil {
		return err
	}
	*row = readmodels.CategoryRow{Category: string(e.Category), Name: e.Name, Featured: e.Featured}
	f.tx.Add(f.Plan, readmodels.CategoryIndex, readmodels.EntryOf(readmodels.Fold(e.Name), string(e.Category)))
	return nil
}

func categoryFeatured(f *Fold, e category.CategoryFeatureSet) error {
	row, err := edit(f, readmodels.CategoryRows, e.Category)
	if err == nil {
		row.Featured = e.Featured
	}
	return err
}

func directoryPolicySet(f *Fold, e plan.DirectoryVisibilityPolicySet) error {
	policy, err := edit(f, readmodels.DirectoryPolicies, "plan")
	if err == nil {
		policy.OnlyFeatured = e.Visibility == plan.FeaturedCategory
	}
	return err
}

func pathwaySet(f *Fold, e pathway.PathwaySet) error {
	to := string(e.Role)
	state, err := edit(f, readmodels.PathwayStates, e.Role)
	if err != nil {
		return err
	}
	for _, from := range state.From {
		f.tx.Remove(f.Plan, readmodels.AdvanceIndex, readmodels.EntryOf(from, to))
	}
	state.From = texts(e.AdvancesFrom)
	slices.Sort(state.From)
	for _, from := range state.From {
		f.tx.Add(f.Plan, readmodels.AdvanceIndex, readmodels.EntryOf(from, to))
	}
	return nil
}
