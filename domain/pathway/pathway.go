// Package pathway decides from which roles a role advances: one stream for all edges of a plan, since they must form no
// cycle. Stream: pathways-<plan>.plan.
package pathway

import (
	"maps"
	"slices"
	"strings"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "pathways"

// Events of the pathways.
type (
	Event interface{ pathway() }

	// PathwaySet replaces all edges that lead to a role.
	PathwaySet struct {
		Role         domain.RoleID   `json:"role"`
		AdvancesFrom []domain.RoleID `json:"advances_from"`
	}
)

func (PathwaySet) pathway() {}

// Events lists the event types of the pathways.
var Events = domain.NewCatalog(domain.Type[PathwaySet]("PathwaySet"))

// Commands to the pathways.
type (
	Command interface{ command() }

	Set struct {
		Role         domain.RoleID
		AdvancesFrom []domain.RoleID
		RoleExists   bool                     // fact
		Unknown      int                      // fact: place of the first of AdvancesFrom that the plan does not have; -1: none
		Titles       map[domain.RoleID]string // facts: of the roles of Cycle
	}
)

func (Set) command() {}

// State is the edges that lead to each role.
type State struct {
	From map[domain.RoleID][]domain.RoleID
}

// most bounds the edges that lead to one role.
const most = 50

// Decider holds the rules of pathways (SPEC CAR-3, ROL-12).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve: func(s State, e Event) State {
		next := maps.Clone(s.From)
		if next == nil {
			next = map[domain.RoleID][]domain.RoleID{}
		}
		if e, ok := e.(PathwaySet); ok {
			next[e.Role] = e.AdvancesFrom
		}
		return State{next}
	},
}

func decide(s State, c Command) ([]Event, error) {
	set, ok := c.(Set)
	if !ok {
		return nil, nil
	}
	if !set.RoleExists {
		return nil, domain.Missing("role").At("/role")
	}
	if len(set.AdvancesFrom) > most {
		return nil, domain.Invalidf("/advances_from", "too_many", "at most %d roles", most)
	}
	for i, from := range set.AdvancesFrom {
		at := domain.ItemPointer("/advances_from", i)
		switch {
		case i == set.Unknown:
			return nil, domain.Missing("role").At(at)
		case slices.Contains(set.AdvancesFrom[:i], from):
			return nil, domain.Invalidf(at, "duplicate_role", "is named twice")
		}
	}
	if cycle := s.Cycle(set.Role, set.AdvancesFrom); cycle != nil {
		names := make([]string, len(cycle))
		for i, id := range cycle {
			if names[i] = set.Titles[id]; names[i] == "" {
				names[i] = string(id)
			}
		}
		return nil, domain.Conflictf("pathway_cycle", "the pathway would lead back to where it began: %s", strings.Join(names, " → ")).At("/advances_from")
	}
	if sameSet(s.From[set.Role], set.AdvancesFrom) {
		return nil, nil
	}
	return []Event{PathwaySet{set.Role, slices.Clone(set.AdvancesFrom)}}, nil
}

// sameSet compares lists without repetitions; their order means nothing.
func sameSet(a, b []domain.RoleID) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(id domain.RoleID) bool { return !slices.Contains(b, id) })
}

// Cycle returns the roles of a cycle that would arise if a role advanced from others, in the order in which one
// advances, with the role itself at both ends; nil if none would.
func (s State) Cycle(role domain.RoleID, from []domain.RoleID) []domain.RoleID {
	seen := map[domain.RoleID]bool{}
	var back func(at domain.RoleID) []domain.RoleID // the way from role to at, if one leads there
	back = func(at domain.RoleID) []domain.RoleID {
		if at == role {
			return []domain.RoleID{role}
		}
		if seen[at] {
			return nil
		}
		seen[at] = true
		for _, before := range s.From[at] {
			if way := back(before); way != nil {
				return append(way, at)
			}
		}
		return nil
	}
	for _, before := range from {
		if way := back(before); way != nil {
			return append(way, role)
		}
	}
	return nil
}
