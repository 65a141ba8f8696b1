package category_test

import (
	"fmt"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/category"
	"rolewise/domain/decidertest"
)

const (
	craft = "01890a5d-ac96-774b-bcce-b30209900041"
	trade = "01890a5d-ac96-774b-bcce-b30209900042"
)

type event = category.Event

func TestCategories(t *testing.T) {
	created := []event{category.CategoryCreated{Category: craft, Name: "Craft"}}
	featured := category.CategoryFeatureSet{Category: craft, Featured: true}
	var many []event
	for i := range 1000 {
		many = append(many, category.CategoryCreated{Category: domain.CategoryID(fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i)), Name: fmt.Sprint(i)})
	}
	decidertest.Run(t, category.Decider, []decidertest.Case[category.Command, event]{
		{Name: "ROL-12 create", When: category.Create{Category: craft, Name: "Craft"}, Then: created},
		{Name: "ROL-12 create a featured one", When: category.Create{Category: craft, Name: "Craft", Featured: true}, Then: []event{category.CategoryCreated{Category: craft, Name: "Craft", Featured: true}}},
		{Name: "ROL-12 create twice", Given: created, When: category.Create{Category: craft, Name: "Other"}, Refused: decidertest.Conflict("category_exists", "/category")},
		{Name: "ROL-12 create with a name that is taken", Given: created, When: category.Create{Category: trade, Name: "craft", NameTaken: true}, Refused: decidertest.Conflict("category_name_taken", "/name")},
		{Name: "ROL-12 create under no UUID", When: category.Create{Category: "craft", Name: "Craft"}, Refused: decidertest.Invalid("invalid_id", "/category")},
		{Name: "ROL-12 create without a name", When: category.Create{Category: craft}, Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "ROL-12 create with 201 characters", When: category.Create{Category: craft, Name: strings.Repeat("x", 201)}, Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "ROL-12 create the 1001st", Given: many, When: category.Create{Category: craft, Name: "Craft"}, Refused: decidertest.Conflict("too_many_categories", "")},
		{Name: "ROL-12 create the 1000th", Given: many[1:], When: category.Create{Category: craft, Name: "Craft"}, Then: created},
		{Name: "ROL-12 feature", Given: created, When: category.Feature{Category: craft, Featured: true}, Then: []event{featured}},
		{Name: "ROL-12 feature twice", Given: append(created, featured), When: category.Feature{Category: craft, Featured: true}},
		{Name: "ROL-12 feature no longer", Given: append(created, featured), When: category.Feature{Category: craft}, Then: []event{category.CategoryFeatureSet{Category: craft}}},
		{Name: "ROL-12 feature what is not there", When: category.Feature{Category: craft, Featured: true}, Refused: decidertest.Missing("category_not_found", "/category")},
	})
	t.Run("ROL-12 featuring keeps the name", func(t *testing.T) {
		if got := category.Decider.Fold(append(created, featured)...).Categories[craft]; got != (category.One{Name: "Craft", Featured: true}) {
			t.Errorf("%+v", got)
		}
	})
}
