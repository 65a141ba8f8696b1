package readmodels

import "rolewise/eventstore"

// marks collects for one page which event was the last to change what reports of a plan rest on. The read model keeps
// that beside its documents, one small document for each collection and index, so that whoever watches a plan learns
// what changed without a log of changes (SPEC ANA-9). It follows from the events alone: a replay leaves the same.
//
// They are written without being read before, since a later event always stands at a higher position.
type marks struct {
	watched map[string]bool // collections and indexes that reports rest on
	at      eventstore.Position
	plans   map[string]*[]mark
	plan    string // touched last, and its marks: most events touch one plan
	last    *[]mark
}

type mark struct {
	name string
	at   eventstore.Position
}

// set notes that the event at hand changed something of a collection or an index.
func (m *marks) set(plan, name string) {
	if m.last == nil || m.plan != plan {
		if m.last = m.plans[plan]; m.last == nil {
			m.last = new([]mark)
			m.plans[plan] = m.last
		}
		m.plan = plan
	}
	for i := range *m.last {
		if one := &(*m.last)[i]; one.name == name {
			one.at = m.at
			return
		}
	}
	*m.last = append(*m.last, mark{name, m.at})
}

// put adds what was noted to the documents of a page, and forgets it.
func (m *marks) put(documents map[Key][]byte) {
	for plan, all := range m.plans {
		for _, one := range *all {
			if m.watched[one.name] {
				documents[Key{plan, changesCollection, one.name}] = []byte(one.at.String())
			}
		}
	}
	m.forget()
}

func (m *marks) forget() {
	clear(m.plans)
	m.plan, m.last = "", nil
}

// At says which event the changes that follow are made by.
func (tx *Tx) At(position eventstore.Position) { tx.marks.at = position }
