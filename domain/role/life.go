package role

import "rolewise/domain"

// Commands about what becomes of a role as a whole.
type (
	Categorize struct {
		Role           domain.RoleID
		Category       domain.CategoryID // empty: none
		CategoryExists bool              // fact
	}
	Delete struct {
		Role         domain.RoleID
		ConfirmTitle string
	}
	Restore  struct{ Role domain.RoleID }
	Transfer struct {
		Role     domain.RoleID
		To       domain.MemberID
		ToExists bool // fact
	}
	// YieldTitle is sent on behalf of another role, also to one that never came to be.
	YieldTitle struct{ Role domain.RoleID }
)

func (Categorize) command() {}
func (Delete) command()     {}
func (Restore) command()    {}
func (Transfer) command()   {}
func (YieldTitle) command() {}

func decideDelete(s State, c Delete) ([]Event, error) {
	switch {
	case s.Deleted:
		return nil, nil
	case c.ConfirmTitle != s.Title():
		return nil, domain.Invalidf("/confirm_title", "title_not_confirmed", "must be the title of the role, letter by letter")
	}
	return []Event{RoleDeleted{Role: c.Role}}, nil
}

func decideTransfer(s State, c Transfer) ([]Event, error) {
	switch {
	case !c.ToExists:
		return nil, domain.Missing("member").At("/to")
	case c.To == s.Creator:
		return nil, nil
	}
	return []Event{RoleTransferred{Role: c.Role, From: s.Creator, To: c.To}}, nil
}

func decideCategorize(s State, c Categorize) ([]Event, error) {
	switch {
	case c.Category != "" && !c.CategoryExists:
		return nil, domain.Missing("category").At("/category")
	case c.Category == s.Category:
		return nil, nil
	}
	return []Event{RoleCategorized{Role: c.Role, Category: c.Category}}, nil
}
