// Package category decides about the categories that roles are put into: one stream for all of a plan, since their names
// must differ. Stream: categories-<plan>.plan.
package category

import (
	"maps"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "categories"

// Events of the categories.
type (
	Event interface{ category() }

	CategoryCreated struct {
		Category domain.CategoryID `json:"category"`
		Name     string            `json:"name" personal:"-"`
		Featured bool              `json:"featured"`
	}
	CategoryFeatureSet struct {
		Category domain.CategoryID `json:"category"`
		Featured bool              `json:"featured"`
	}
)

func (CategoryCreated) category()    {}
func (CategoryFeatureSet) category() {}

// Events lists the event types of the categories.
var Events = domain.NewCatalog(
	domain.Type[CategoryCreated]("CategoryCreated"),
	domain.Type[CategoryFeatureSet]("CategoryFeatureSet"),
)

// Commands to the categories.
type (
	Command interface{ command() }

	Create struct {
		Category domain.CategoryID
		Name     string
		Featured bool
		// NameTaken is a fact about the state that the command is decided on: another category has the name, but for case
		// and the forms of its letters.
		NameTaken bool
	}
	Feature struct {
		Category domain.CategoryID
		Featured bool
	}
)

func (Create) command()  {}
func (Feature) command() {}

// One is a category.
type One struct {
	Name     string
	Featured bool
}

// State is all categories of a plan.
type State struct{ Categories map[domain.CategoryID]One }

// Has tells whether the plan has a category.
func (s State) Has(id domain.CategoryID) bool {
	_, ok := s.Categories[id]
	return ok
}

// most bounds the stream that every decision about categories reads.
const most = 1000

// Decider holds the rules of categories (SPEC ROL-12).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve: func(s State, e Event) State {
		next := maps.Clone(s.Categories)
		if next == nil {
			next = map[domain.CategoryID]One{}
		}
		switch e := e.(type) {
		case CategoryCreated:
			next[e.Category] = One{e.Name, e.Featured}
		case CategoryFeatureSet:
			next[e.Category] = One{next[e.Category].Name, e.Featured}
		}
		return State{next}
	},
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Create:
		if err := domain.CheckID("/category", c.Category); err != nil {
			return nil, err
		}
		if err := domain.CheckText("/name", c.Name, 1, 200); err != nil {
			return nil, err
		}
		switch {
		case s.Has(c.Category):
			return nil, domain.Conflictf("category_exists", "there is a category of this id already").At("/category")
		case c.NameTaken:
			return nil, domain.Conflictf("category_name_taken", "another category has this name").At("/name")
		case len(s.Categories) >= most:
			return nil, domain.Conflictf("too_many_categories", "a plan has at most %d categories", most)
		}
		return []Event{CategoryCreated{c.Category, c.Name, c.Featured}}, nil
	case Feature:
		switch one, known := s.Categories[c.Category]; {
		case !known:
			return nil, domain.Missing("category").At("/category")
		case one.Featured == c.Featured:
			return nil, nil
		}
		return []Event{CategoryFeatureSet(c)}, nil
	}
	return nil, nil
}
