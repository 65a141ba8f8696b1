package projections

import (
	"context"
	"fmt"

	"rolewise/domain/role"
	"rolewise/readmodels"
)

// Imagined is how a member stands in a role, and would stand after an event that has not happened.
type Imagined struct {
	Member, Name  string
	Before, After Judgement
}

// Judgement is what a standing says.
type Judgement struct{ State, Level string }

// Imagine applies the rules of standings to a version that was not published, over what a reader has of the projection
// progress, and changes nothing there. It returns all who hold the role, in no order (SPEC ROL-8).
func Imagine(ctx context.Context, r readmodels.Reader, plan string, e role.RolePublished) ([]Imagined, error) {
	var all []Imagined
	s := &standings{
		joined:    func(*Fold) error { return nil },
		published: func(*Fold, string, string) error { return nil },
		watch: func(_ *Fold, c change, m *readmodels.MemberState) (func() error, error) {
			before := judgementOf(m, string(e.Role))
			return func() error {
				if c.plan == plan {
					all = append(all, Imagined{c.id, m.Name, before, judgementOf(m, string(e.Role))})
				}
				return nil
			}, nil
		},
	}
	f := &Fold{ctx: ctx, tx: readmodels.NewTx(r, readmodels.Progress), Plan: plan, Type: "RolePublished"}
	if err := s.rolePublished(f, e); err != nil {
		return nil, fmt.Errorf("imagine version %d of a role: %w", e.Version, err)
	}
	return all, nil
}

func judgementOf(m *readmodels.MemberState, role string) Judgement {
	s := m.In(role)
	if s == nil || s.Hidden {
		return Judgement{}
	}
	return Judgement{s.State, s.Level}
}
