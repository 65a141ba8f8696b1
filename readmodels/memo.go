package readmodels

import "maps"

// Memo keeps what rules derived, for a plan, from documents of some collections of the plan and of the catalog, until
// one that it rests on is edited or the Tx forgets. What was derived must follow from the documents alone, and a document
// edited must be changed before anything is derived again.
type Memo[K comparable, V any] struct {
	plans      map[string]*PlanMemo[K, V]
	last       *PlanMemo[K, V] // that was asked for last
	rests      func(on Key, derived K) bool
	generation uint64
}

// PlanMemo is what was derived for one plan.
type PlanMemo[K comparable, V any] struct {
	plan       string
	values     map[K]V
	generation uint64
}

type memo interface {
	forget()
	edited(key Key)
}

func (m *Memo[K, V]) forget() {
	clear(m.plans)
	m.last = nil
}

func (m *Memo[K, V]) edited(key Key) {
	for _, p := range m.plans {
		if p.plan != key.Plan && key.Plan != Catalog {
			continue
		}
		maps.DeleteFunc(p.values, func(derived K, _ V) bool { return m.rests(key, derived) })
		m.generation++
		p.generation = m.generation
	}
}

// Of returns what was derived for a plan.
func (m *Memo[K, V]) Of(plan string) *PlanMemo[K, V] {
	if m.last != nil && m.last.plan == plan {
		return m.last
	}
	p := m.plans[plan]
	if p == nil {
		m.generation++
		p = &PlanMemo[K, V]{plan: plan, values: map[K]V{}, generation: m.generation}
		m.plans[plan] = p
	}
	m.last = p
	return p
}

// Generation grows each time something may have been forgotten, and is never the same again. It is never 0.
func (p *PlanMemo[K, V]) Generation() uint64 { return p.generation }

// Get returns what was kept, or derives it.
func (p *PlanMemo[K, V]) Get(key K, derive func() (V, error)) (V, error) {
	value, known := p.values[key]
	if known {
		return value, nil
	}
	value, err := derive()
	if err == nil {
		p.values[key] = value
	}
	return value, err
}

// MemoOf returns the memo of a Tx over some collections; rests tells whether something derived may rest on a document
// of them, whether there is one or not.
func MemoOf[K comparable, V any](tx *Tx, rests func(on Key, derived K) bool, collections ...string) *Memo[K, V] {
	if kept, ok := tx.memos[collections[0]].(*Memo[K, V]); ok {
		return kept
	}
	m := &Memo[K, V]{plans: map[string]*PlanMemo[K, V]{}, rests: rests}
	for _, name := range collections {
		tx.memos[name] = m
	}
	for _, on := range tx.plans {
		for _, s := range on.sets {
			s.memo = tx.memos[s.collection]
		}
	}
	return m
}
