package plan

import (
	"slices"
	"strings"

	"rolewise/domain"
)

// Tier is what a customer subscribed to.
type Tier string

// Feature is something that a tier permits, or not.
type Feature string

const (
	Standard     Tier = "standard"
	Premium      Tier = "premium"
	Starter      Tier = "starter"
	Professional Tier = "professional"
	Enterprise   Tier = "enterprise"

	Roles             Feature = "roles"     // catalog roles, assignment, progress, basic analytics
	Authoring         Feature = "authoring" // create, customise, duplicate, publish company roles
	AdvancedAnalytics Feature = "advanced_analytics"
	Careers           Feature = "careers"
	Training          Feature = "training"
	SCIM              Feature = "scim"
	Audit             Feature = "audit"
)

// tiers in rising order, so that the lowest that has a feature can be named.
var tiers = []Tier{Standard, Premium, Starter, Professional, Enterprise}

// tierFeatures is the table of SPEC PLN-1.
var tierFeatures = map[Tier][]Feature{
	Standard:     {},
	Premium:      {},
	Starter:      {Roles},
	Professional: {Roles, Careers, Training, SCIM, Audit},
	Enterprise:   {Roles, Authoring, AdvancedAnalytics, Careers, Training, SCIM, Audit},
}

// Features lists every feature there is.
func Features() []Feature {
	return slices.Clone(tierFeatures[Enterprise])
}

// LowestTier returns the lowest tier that has a feature.
func LowestTier(f Feature) Tier {
	for _, t := range tiers {
		if slices.Contains(tierFeatures[t], f) {
			return t
		}
	}
	return ""
}

// Require refuses what the plan's tier and grants do not include, naming the feature and the lowest tier that does.
func (s State) Require(f Feature) error {
	if s.Has(f) {
		return nil
	}
	return &domain.Error{
		Kind: domain.Forbidden, Code: "feature_not_in_plan",
		Message: "the plan does not include the feature " + string(f) + "; the lowest tier that does is " + string(LowestTier(f)),
	}
}

// CheckID refuses what cannot be a plan's id: [a-z0-9-]{2,40}.
func CheckID(id domain.PlanID) error {
	s := string(id)
	if len(s) < 2 || len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return domain.Invalidf("/plan", "invalid_plan_id", "must be 2 to 40 of a-z, 0-9 and -")
	}
	return nil
}

func checkFeature(f Feature) error {
	if LowestTier(f) == "" {
		return domain.Invalidf("/feature", "unknown_feature", "there is no such feature")
	}
	return nil
}

func unknownTier() error {
	return domain.Invalidf("/tier", "unknown_tier", "must be standard, premium, starter, professional or enterprise")
}
