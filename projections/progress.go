package projections

import (
	"rolewise/readmodels"
)

// progress keeps every member's standing in every role they hold, and each change of it with its cause and inputs.
func progress() *Projection {
	s := &standings{
		watch:     watchProgress,
		joined:    func(*Fold) error { return nil },
		published: func(*Fold, string, string) error { return nil },
	}
	return New(readmodels.Progress, s.rules()...)
}

// watchProgress writes down changes of state or level.
func watchProgress(f *Fold, plan, id string, m *readmodels.MemberState, roles []string) (func(map[string]readmodels.Visit) error, error) {
	before := map[string][2]string{}
	for _, role := range roles {
		if s := m.Standings[role]; s != nil {
			before[role] = [2]string{s.State, s.Level}
		}
	}
	return func(inputs map[string]readmodels.Visit) error {
		for _, role := range roles {
			var now [2]string
			if s := m.Standings[role]; s != nil {
				now = [2]string{s.State, s.Level}
			}
			if now == before[role] {
				continue
			}
			history, err := readmodels.ProgressHistories.Edit(f.ctx, f.tx, plan, readmodels.PairID(id, role))
			if err != nil {
				return err
			}
			history.Changes = append(history.Changes, readmodels.ProgressChange{
				Cause: readmodels.CauseRow{Position: f.Position.String(), Type: f.Type, Time: f.Time},
				State: now[0], Level: readmodels.Optional(now[1]), Inputs: inputs[role],
			})
		}
		return nil
	}, nil
}
