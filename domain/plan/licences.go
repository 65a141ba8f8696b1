package plan

import "rolewise/domain"

// PlanLicencesSet says for how many members at a time content access was bought.
type PlanLicencesSet struct {
	Licences int `json:"licences"`
}

func (PlanLicencesSet) plan() {}

// SetLicences sets the number, whatever the tier. Fewer than are granted is permitted: nobody loses content access, but
// nobody gets it until enough was withdrawn (as SPEC PLN-2 has it for a downgrade).
type SetLicences struct{ Licences int }

func (SetLicences) command() {}

// MostLicences bounds them.
const MostLicences = 10_000_000

// tierLicences is how many licences for content access come with a tier (SPEC ACC-3).
var tierLicences = map[Tier]int{Standard: 10, Starter: 10, Premium: 50, Professional: 100, Enterprise: 1000}

// ContentLicences returns how many members may have content access at a time (SPEC ACC-3).
func (s State) ContentLicences() int {
	if s.Licences != nil {
		return *s.Licences
	}
	return TierLicences(s.Tier)
}

// TierLicences returns how many licences come with a tier.
func TierLicences(t Tier) int { return tierLicences[t] }

func decideLicences(s State, c SetLicences) ([]Event, error) {
	if c.Licences < 0 || c.Licences > MostLicences {
		return nil, domain.Invalidf("/licences", "out_of_range", "must be 0 to %d", MostLicences)
	}
	if s.Licences != nil && *s.Licences == c.Licences {
		return nil, nil
	}
	return []Event{PlanLicencesSet(c)}, nil
}
