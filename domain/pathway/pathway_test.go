package pathway_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/pathway"
)

type event = pathway.Event

func edges(to domain.RoleID, from ...domain.RoleID) event {
	return pathway.PathwaySet{Role: to, AdvancesFrom: from}
}

func set(to domain.RoleID, from ...domain.RoleID) pathway.Set {
	return pathway.Set{Role: to, AdvancesFrom: from, RoleExists: true, Unknown: -1}
}

func TestPathway(t *testing.T) {
	var many []domain.RoleID
	for i := range 51 {
		many = append(many, domain.RoleID(fmt.Sprint(i)))
	}
	unknown, nobody := set("b", "a", "x"), set("b", "a")
	unknown.Unknown, nobody.RoleExists = 1, false
	cycle := decidertest.Conflict("pathway_cycle", "/advances_from")
	ladder := []event{edges("b", "a"), edges("c", "b"), edges("d", "b", "c")}
	decidertest.Run(t, pathway.Decider, []decidertest.Case[pathway.Command, event]{
		{Name: "CAR-3 one edge", When: set("b", "a"), Then: []event{edges("b", "a")}},
		{Name: "CAR-3 the same again in another order", Given: []event{edges("b", "a", "c")}, When: set("b", "c", "a")},
		{Name: "CAR-3 others", Given: ladder, When: set("b", "x", "y"), Then: []event{edges("b", "x", "y")}},
		{Name: "CAR-3 none any more", Given: ladder, When: set("b"), Then: []event{edges("b")}},
		{Name: "CAR-3 none, as before", When: set("b")},
		{Name: "CAR-3 two ways to one role are no cycle", Given: ladder, When: set("e", "b", "d"), Then: []event{edges("e", "b", "d")}},
		{Name: "CAR-3 from itself", When: set("a", "a"), Refused: cycle},
		{Name: "CAR-3 back by one step", Given: ladder, When: set("a", "b"), Refused: cycle},
		{Name: "CAR-3 back by three steps", Given: ladder, When: set("a", "x", "d"), Refused: cycle},
		{Name: "CAR-3 no cycle once an edge went", Given: append(slices.Clone(ladder), edges("b")), When: set("a", "d"), Then: []event{edges("a", "d")}},
		{Name: "CAR-3 50 edges", When: set("b", many[:50]...), Then: []event{edges("b", many[:50]...)}},
		{Name: "CAR-3 51 edges", When: set("b", many...), Refused: decidertest.Invalid("too_many", "/advances_from")},
		{Name: "CAR-3 one role twice", When: set("b", "a", "c", "a"), Refused: decidertest.Invalid("duplicate_role", "/advances_from/2")},
		{Name: "CAR-3 from what is not there", When: unknown, Refused: decidertest.Missing("role_not_found", "/advances_from/1")},
		{Name: "CAR-3 to what is not there", When: nobody, Refused: decidertest.Missing("role_not_found", "/role")},
	})
	t.Run("CAR-3 the cycle is named", func(t *testing.T) {
		c := set("a", "d")
		c.Titles = map[domain.RoleID]string{"a": "Junior", "b": "Engineer", "d": "Lead"}
		_, err := pathway.Decider.Decide(pathway.Decider.Fold(ladder...), c)
		var refusal *domain.Error
		if !errors.As(err, &refusal) || !strings.HasSuffix(refusal.Message, ": Junior → Engineer → Lead → Junior") {
			t.Error(err)
		}
	})
}

// TestPathwayNeverCycles sends random edges and looks for a cycle in another way: roles without anything below are taken
// away until none is left.
func TestPathwayNeverCycles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom([]domain.RoleID{"a", "b", "c", "d", "e"})
		state := pathway.Decider.Initial()
		for range rapid.IntRange(1, 25).Draw(t, "commands") {
			c := set(role.Draw(t, "to"), rapid.SliceOfNDistinct(role, 0, 3, rapid.ID[domain.RoleID]).Draw(t, "from")...)
			events, err := pathway.Decider.Decide(state, c)
			tried := pathway.Decider.Evolve(state, edges(c.Role, c.AdvancesFrom...))
			if acyclic(tried.From) != (err == nil) {
				t.Fatalf("CAR-3 %v from %v: %v", c.Role, c.AdvancesFrom, err)
			}
			for _, e := range events {
				state = pathway.Decider.Evolve(state, e)
			}
		}
	})
}

func acyclic(from map[domain.RoleID][]domain.RoleID) bool {
	left := map[domain.RoleID]bool{}
	for to := range from {
		left[to] = true
	}
	for range from {
		for to := range left {
			if !slices.ContainsFunc(from[to], func(below domain.RoleID) bool { return left[below] }) {
				delete(left, to)
			}
		}
	}
	return len(left) == 0
}
