package member

import "rolewise/domain"

// Profile is what is told of a member besides the e-mail address. Manager is who they report to: a line in the profile,
// that gives no rights, and may lead in a circle.
type Profile struct {
	Name, Title, Location, Department string
	Manager                           domain.MemberID
}

// Events of the profile. Each holds the whole of what it is about, so that the last one counts.
type (
	MemberProfileChanged struct {
		Member     domain.MemberID `json:"member"`
		Name       string          `json:"name" personal:"member"`
		Title      string          `json:"title,omitempty" personal:"member"`
		Location   string          `json:"location,omitempty" personal:"member"`
		Department string          `json:"department,omitempty" personal:"member"`
		Manager    domain.MemberID `json:"manager,omitempty"`
	}
	MemberEmailChanged struct {
		Member domain.MemberID `json:"member"`
		Email  string          `json:"email" personal:"member"`
	}
)

// ChangeProfile changes what is given; nil leaves it as it is, an empty text clears it. ManagerExists is a fact.
type ChangeProfile struct {
	Member                                   domain.MemberID
	Name, Email, Title, Location, Department *string
	Manager                                  *domain.MemberID
	ManagerExists                            bool
}

func (ChangeProfile) command() {}

// decideProfile answers with one event for the profile and one for the address, whichever changed (SPEC MEM-1).
func decideProfile(s State, c ChangeProfile) ([]Event, error) {
	next := s.Profile
	given := false
	for _, field := range []struct {
		pointer string
		text    *string
		into    *string
		least   int
	}{
		{"/name", c.Name, &next.Name, 1}, {"/title", c.Title, &next.Title, 0},
		{"/location", c.Location, &next.Location, 0}, {"/department", c.Department, &next.Department, 0},
	} {
		if field.text == nil {
			continue
		}
		if err := domain.CheckText(field.pointer, *field.text, field.least, 200); err != nil {
			return nil, err
		}
		*field.into, given = *field.text, true
	}
	if c.Manager != nil {
		if err := checkManager(c); err != nil {
			return nil, err
		}
		next.Manager, given = *c.Manager, true
	}
	var events []Event
	if next != s.Profile {
		events = append(events, MemberProfileChanged{c.Member, next.Name, next.Title, next.Location, next.Department, next.Manager})
	}
	if c.Email != nil {
		if err := checkEmail(*c.Email); err != nil {
			return nil, err
		}
		given = true
		if *c.Email != s.Email {
			events = append(events, MemberEmailChanged{c.Member, *c.Email})
		}
	}
	if !given {
		return nil, domain.Invalidf("", "required", "give at least one field to change")
	}
	return events, nil
}

func checkManager(c ChangeProfile) error {
	switch {
	case *c.Manager == "":
		return nil
	case *c.Manager == c.Member:
		return domain.Invalidf("/manager", "own_manager", "a member cannot be their own manager")
	case !c.ManagerExists:
		return domain.Missing("member").At("/manager")
	}
	return nil
}
