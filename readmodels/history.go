package readmodels

import "rolewise/eventstore"

// ProgressHistory collects the changes of a member in a role. It is packed, since it only grows, and each change holds
// all inputs that led to it.
type ProgressHistory struct{ packed []byte }

// Add notes a change of state or level.
func (h *ProgressHistory) Add(cause CauseRecord, state, level string, in Visit) {
	b := packNumber(h.packed, int(cause.Position))
	b = packTime(packText(b, cause.Type), cause.Time)
	b = packText(packText(b, state), level)
	b = packNumber(packText(packNumber(b, in.Version), in.Rule), in.K)
	b = packNumber(b, len(in.Skills))
	for _, k := range in.Skills {
		b = k.pack(b)
	}
	h.packed = b
}

// All returns every change, the oldest first.
func (h *ProgressHistory) All() ([]ProgressChange, error) {
	var all []ProgressChange
	u := unpacker{rest: h.packed}
	for len(u.rest) > 0 && !u.failed {
		position := eventstore.Position(u.number())
		c := ProgressChange{Cause: CauseRow{Position: position.String(), Type: u.text(), Time: u.time()}, State: u.text(), Level: Optional(u.text())}
		c.Inputs = Visit{Version: u.number(), Rule: u.text(), K: u.number()}
		for range u.count() {
			c.Inputs.Skills = append(c.Inputs.Skills, u.input())
		}
		all = append(all, c)
	}
	return all, u.err()
}

// AppendBinary packs the document.
func (h *ProgressHistory) AppendBinary(b []byte) ([]byte, error) { return append(b, h.packed...), nil }

// UnmarshalBinary unpacks the document.
func (h *ProgressHistory) UnmarshalBinary(b []byte) error {
	h.packed = append([]byte(nil), b...)
	return nil
}

const (
	inputRequired = 1 << iota
	inputMeasured
)

func (k SkillInput) pack(b []byte) []byte {
	flags := byte(0)
	if k.Required {
		flags |= inputRequired
	}
	if k.Measured {
		flags |= inputMeasured
	}
	b = packText(packText(append(b, flags), k.Skill), k.Status)
	for _, goal := range k.Goals {
		b = packNumber(b, goal)
	}
	if k.Measured {
		b = packText(packNumber(b, *k.Score), k.Session)
	}
	return b
}

func (u *unpacker) input() SkillInput {
	flags := u.flags()
	k := SkillInput{Required: flags&inputRequired != 0, Measured: flags&inputMeasured != 0, Skill: u.text(), Status: u.text()}
	for i := range k.Goals {
		k.Goals[i] = u.number()
	}
	if k.Measured {
		score := u.number()
		k.Score, k.Session = &score, u.text()
	}
	return k
}
