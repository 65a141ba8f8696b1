// Package plan decides about the tenant itself: its tier, its features, its policies.
// Stream: plan-<plan>.plan.
package plan

import (
	"slices"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "plan"

// Events of a plan.
type (
	Event interface{ plan() }

	PlanCreated struct {
		Plan  domain.PlanID   `json:"plan"`
		Name  string          `json:"name" personal:"-"`
		Tier  Tier            `json:"tier"`
		Owner domain.MemberID `json:"owner,omitempty"` // the first owner, invited with the plan; none in the catalog
	}
	PlanTierChanged struct {
		From Tier `json:"from"`
		To   Tier `json:"to"`
	}
	PlanFeatureGranted struct {
		Feature Feature `json:"feature"`
	}
	PlanFeatureWithdrawn struct {
		Feature Feature `json:"feature"`
	}
	RecalculationPolicySet struct {
		Recalculation Recalculation `json:"recalculation"`
	}
	LevelRulePolicySet struct {
		Rule LevelRule `json:"rule"`
	}
)

func (PlanCreated) plan()            {}
func (PlanTierChanged) plan()        {}
func (PlanFeatureGranted) plan()     {}
func (PlanFeatureWithdrawn) plan()   {}
func (RecalculationPolicySet) plan() {}
func (LevelRulePolicySet) plan()     {}

// Events lists the event types of a plan.
var Events = domain.NewCatalog(
	domain.Type[PlanCreated]("PlanCreated"),
	domain.Type[PlanTierChanged]("PlanTierChanged"),
	domain.Type[PlanFeatureGranted]("PlanFeatureGranted"),
	domain.Type[PlanFeatureWithdrawn]("PlanFeatureWithdrawn"),
	domain.Type[RecalculationPolicySet]("RecalculationPolicySet"),
	domain.Type[LevelRulePolicySet]("LevelRulePolicySet"),
	domain.Type[RoleEditingPolicySet]("RoleEditingPolicySet"),
	domain.Type[DirectoryVisibilityPolicySet]("DirectoryVisibilityPolicySet"),
	domain.Type[PlanLicencesSet]("PlanLicencesSet"),
)

// Commands to a plan.
type (
	Command interface{ command() }

	Create struct {
		Plan  domain.PlanID
		Name  string
		Tier  Tier
		Owner domain.MemberID
	}
	ChangeTier       struct{ Tier Tier }
	GrantFeature     struct{ Feature Feature }
	WithdrawFeature  struct{ Feature Feature }
	SetRecalculation struct{ Recalculation Recalculation }
	SetLevelRule     struct{ Rule LevelRule }
)

func (Create) command()           {}
func (ChangeTier) command()       {}
func (GrantFeature) command()     {}
func (WithdrawFeature) command()  {}
func (SetRecalculation) command() {}
func (SetLevelRule) command()     {}

// State is what later decisions need of a plan.
type State struct {
	Exists        bool
	Name          string
	Tier          Tier
	Owner         domain.MemberID
	Features      map[Feature]bool // single grants (true) and withdrawals (false)
	Recalculation Recalculation
	Rule          LevelRule
	Licences      *int // of its own for content access; nil: those of its tier

	RoleEditing         RoleEditing
	DirectoryVisibility DirectoryVisibility
}

// Has tells whether the plan may use a feature: by its tier, or by a single grant (SPEC PLN-1).
func (s State) Has(f Feature) bool {
	if single, set := s.Features[f]; set {
		return single
	}
	return slices.Contains(tierFeatures[s.Tier], f)
}

// Decider holds the rules of a plan (SPEC PLN-1, PLN-4).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State {
		return State{Recalculation: Automatic, Rule: DefaultRule, RoleEditing: CreatorEdits, DirectoryVisibility: PublishedRoles}
	},
	Decide: decide,
	Evolve: evolve,
}

func decide(s State, c Command) ([]Event, error) {
	if create, ok := c.(Create); ok {
		return decideCreate(s, create)
	}
	if !s.Exists {
		return nil, domain.Missing("plan")
	}
	switch c := c.(type) {
	case ChangeTier:
		if _, known := tierFeatures[c.Tier]; !known {
			return nil, unknownTier()
		}
		if c.Tier == s.Tier {
			return nil, nil
		}
		return []Event{PlanTierChanged{From: s.Tier, To: c.Tier}}, nil
	case GrantFeature:
		if err := checkFeature(c.Feature); err != nil || s.Has(c.Feature) {
			return nil, err
		}
		return []Event{PlanFeatureGranted(c)}, nil
	case WithdrawFeature:
		if err := checkFeature(c.Feature); err != nil || !s.Has(c.Feature) {
			return nil, err
		}
		return []Event{PlanFeatureWithdrawn(c)}, nil
	case SetLicences:
		return decideLicences(s, c)
	case SetRecalculation:
		if c.Recalculation != Automatic && c.Recalculation != OnVisit {
			return nil, domain.Invalidf("/value", "invalid_policy_value", "recalculation is automatic or on_visit")
		}
		if c.Recalculation == s.Recalculation {
			return nil, nil
		}
		return []Event{RecalculationPolicySet(c)}, nil
	case SetLevelRule:
		if err := c.Rule.check(); err != nil || c.Rule == s.Rule {
			return nil, err
		}
		return []Event{LevelRulePolicySet(c)}, nil
	case SetRoleEditing:
		return c.decide(s)
	case SetDirectoryVisibility:
		return c.decide(s)
	}
	return nil, nil
}

func decideCreate(s State, c Create) ([]Event, error) {
	if s.Exists {
		return nil, domain.Conflictf("plan_exists", "there is a plan of this id already").At("/plan")
	}
	if err := CheckID(c.Plan); err != nil {
		return nil, err
	}
	if err := domain.CheckText("/name", c.Name, 2, 200); err != nil {
		return nil, err
	}
	if _, known := tierFeatures[c.Tier]; !known {
		return nil, unknownTier()
	}
	return []Event{PlanCreated(c)}, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case PlanCreated:
		s.Exists, s.Name, s.Tier, s.Owner = true, e.Name, e.Tier, e.Owner
	case PlanTierChanged:
		s.Tier = e.To
	case PlanFeatureGranted:
		s.Features = with(s.Features, e.Feature, true)
	case PlanFeatureWithdrawn:
		s.Features = with(s.Features, e.Feature, false)
	case RecalculationPolicySet:
		s.Recalculation = e.Recalculation
	case LevelRulePolicySet:
		s.Rule = e.Rule
	case RoleEditingPolicySet:
		s.RoleEditing = e.Editing
	case DirectoryVisibilityPolicySet:
		s.DirectoryVisibility = e.Visibility
	case PlanLicencesSet:
		s.Licences = &e.Licences
	}
	return s
}

// with copies, since a state that was handed out must not change under its holder.
func with(features map[Feature]bool, f Feature, granted bool) map[Feature]bool {
	next := map[Feature]bool{f: granted}
	for old, value := range features {
		if old != f {
			next[old] = value
		}
	}
	return next
}
