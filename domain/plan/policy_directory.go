package plan

import "rolewise/domain"

// DirectoryVisibility says which roles learners find in the directory (SPEC ROL-12).
type DirectoryVisibility string

const (
	PublishedRoles   DirectoryVisibility = "published"         // all that are published
	FeaturedCategory DirectoryVisibility = "featured_category" // of those, the ones in a featured category
)

// DirectoryVisibilityPolicySet says which roles learners find from now on.
type DirectoryVisibilityPolicySet struct {
	Visibility DirectoryVisibility `json:"visibility"`
}

func (DirectoryVisibilityPolicySet) plan() {}

// SetDirectoryVisibility sets the policy directory_visibility.
type SetDirectoryVisibility struct{ Visibility DirectoryVisibility }

func (SetDirectoryVisibility) command() {}

func (c SetDirectoryVisibility) decide(s State) ([]Event, error) {
	if c.Visibility != PublishedRoles && c.Visibility != FeaturedCategory {
		return nil, domain.Invalidf("/value", "invalid_policy_value", "directory_visibility is published or featured_category")
	}
	if c.Visibility == s.DirectoryVisibility {
		return nil, nil
	}
	return []Event{DirectoryVisibilityPolicySet(c)}, nil
}
