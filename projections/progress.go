package projections

import (
	"rolewise/readmodels"
)

// progress keeps every member's standing in every role they hold, and each change of it with its cause and inputs.
func progress() *Projection {
	s := &standings{
		watch:     watchProgress,
		joined:    func(*Fold) error { return nil },
		left:      func(*Fold) error { return nil },
		published: func(*Fold, string, string) error { return nil },
	}
	return New(readmodels.Progress, s.rules()...)
}

// watchProgress writes down changes of state or level, with the inputs from which the new ones were derived.
func watchProgress(f *Fold, c change, m *readmodels.MemberState) (func() error, error) {
	before := make([][2]string, len(c.roles))
	for i, role := range c.roles {
		if s := m.In(role); s != nil {
			before[i] = [2]string{s.State, s.Level}
		}
	}
	return func() error {
		for i, role := range c.roles {
			var now [2]string
			s := m.In(role)
			if s != nil {
				now = [2]string{s.State, s.Level}
			}
			if now == before[i] {
				continue
			}
			if err := noteChange(f, c, m, role, s); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// noteChange adds a change to the history; the standing is nil where the member holds the role no more.
func noteChange(f *Fold, c change, m *readmodels.MemberState, role string, s *readmodels.Standing) (err error) {
	var state, level string
	var in readmodels.Visit
	if s != nil {
		state, level = s.State, s.Level
		if in, err = inputsOf(f, c.plan, m, s); err != nil {
			return err
		}
	}
	history, err := readmodels.ProgressHistories.Edit(f.ctx, f.tx, c.plan, readmodels.PairID(c.id, role))
	if err == nil {
		history.Add(readmodels.CauseRecord{Position: f.Position, Type: f.Type, Time: f.Time}, state, level, in)
	}
	return err
}
