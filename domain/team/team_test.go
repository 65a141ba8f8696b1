package team_test

import (
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/team"
)

const (
	sales  = "01890a5d-ac96-774b-bcce-b30209900011"
	north  = "01890a5d-ac96-774b-bcce-b30209900012"
	city   = "01890a5d-ac96-774b-bcce-b30209900013"
	other  = "01890a5d-ac96-774b-bcce-b30209900014"
	nobody = "01890a5d-ac96-774b-bcce-b30209900015"
)

type test = decidertest.Case[team.Command, team.Event]

// tree is Sales › North › City, and Other beside Sales.
func tree(more ...team.Event) []team.Event {
	return append([]team.Event{
		team.TeamCreated{Team: sales, Name: "Sales"},
		team.TeamCreated{Team: north, Name: "North", Parent: sales},
		team.TeamCreated{Team: city, Name: "City", Parent: north},
		team.TeamCreated{Team: other, Name: "Other"},
	}, more...)
}

func TestCreate(t *testing.T) {
	create := func(name string, parent domain.TeamID) team.Command {
		return team.Create{Team: nobody, Name: name, Parent: parent}
	}
	created := func(name string, parent domain.TeamID) []team.Event {
		return []team.Event{team.TeamCreated{Team: nobody, Name: name, Parent: parent}}
	}
	long := strings.Repeat("ü", 200)
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 create the first", When: create("Sales", ""), Then: created("Sales", "")},
		{Name: "MEM-3 create below another", Given: tree(), When: create("South", sales), Then: created("South", sales)},
		{Name: "MEM-3 create with the name of a team elsewhere", Given: tree(), When: create("North", ""), Then: created("North", "")},
		{Name: "MEM-3 create with a name of 2 characters", When: create("HR", ""), Then: created("HR", "")},
		{Name: "MEM-3 create with a name of 200 characters", When: create(long, ""), Then: created(long, "")},
		{Name: "MEM-3 create with a name of 1 character", When: create("é", ""), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "MEM-3 create with a name of 201 characters", When: create(long+"x", ""), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "MEM-3 create with a name of blanks", When: create("   ", ""), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "MEM-3 create with the name of a sibling", Given: tree(), When: create("North", sales), Refused: decidertest.Conflict("team_name_taken", "/name")},
		{Name: "MEM-3 create with the name of a sibling in other case", Given: tree(), When: create("sALES", ""), Refused: decidertest.Conflict("team_name_taken", "/name")},
		{Name: "MEM-3 create below a team that is not there", Given: tree()[:1], When: create("South", north), Refused: decidertest.Missing("team_not_found", "/parent")},
		{Name: "MEM-3 create below itself", When: create("South", nobody), Refused: decidertest.Missing("team_not_found", "/parent")},
		{Name: "MEM-3 create under no UUID", When: team.Create{Team: "sales", Name: "Sales"}, Refused: decidertest.Invalid("invalid_id", "/team")},
		{Name: "MEM-3 create twice", Given: tree(), When: team.Create{Team: sales, Name: "Sales"}, Refused: decidertest.Conflict("team_exists", "/team")},
	})
}

func TestRename(t *testing.T) {
	rename := func(id domain.TeamID, name string) team.Command { return team.Rename{Team: id, Name: name} }
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 rename", Given: tree(), When: rename(north, "South"), Then: []team.Event{team.TeamRenamed{Team: north, Name: "South"}}},
		{Name: "MEM-3 rename to the name it has", Given: tree(), When: rename(north, "North")},
		{Name: "MEM-3 rename to its own name in other case", Given: tree(), When: rename(north, "NORTH"), Then: []team.Event{team.TeamRenamed{Team: north, Name: "NORTH"}}},
		{Name: "MEM-3 rename to the name of a sibling", Given: tree(), When: rename(sales, "other"), Refused: decidertest.Conflict("team_name_taken", "/name")},
		{
			Name: "MEM-3 rename to a name that a sibling gave up", Given: tree(team.TeamRenamed{Team: other, Name: "Else"}),
			When: rename(sales, "Other"), Then: []team.Event{team.TeamRenamed{Team: sales, Name: "Other"}},
		},
		{
			Name: "MEM-3 a renamed team stays below its parent", Given: tree(team.TeamRenamed{Team: north, Name: "South"}),
			When: team.Create{Team: nobody, Name: "South", Parent: sales}, Refused: decidertest.Conflict("team_name_taken", "/name"),
		},
		{Name: "MEM-3 rename to one character", Given: tree(), When: rename(sales, "X"), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "MEM-3 rename a team that is not there", Given: tree(), When: rename(nobody, "Some"), Refused: decidertest.Missing("team_not_found", "/team")},
	})
}

func TestMove(t *testing.T) {
	move := func(id, parent domain.TeamID) team.Command { return team.Move{Team: id, Parent: parent} }
	moved := func(id, parent domain.TeamID) []team.Event {
		return []team.Event{team.TeamMoved{Team: id, Parent: parent}}
	}
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 move below another", Given: tree(), When: move(city, other), Then: moved(city, other)},
		{Name: "MEM-3 move to the top", Given: tree(), When: move(city, ""), Then: moved(city, "")},
		{Name: "MEM-3 move with all below", Given: tree(), When: move(north, other), Then: moved(north, other)},
		{Name: "MEM-3 move to where it is", Given: tree(), When: move(city, north)},
		{Name: "MEM-3 move the top to the top", Given: tree(), When: move(sales, "")},
		{Name: "MEM-3 move below itself", Given: tree(), When: move(sales, sales), Refused: decidertest.Conflict("team_cycle", "/parent")},
		{Name: "MEM-3 move below its child", Given: tree(), When: move(sales, north), Refused: decidertest.Conflict("team_cycle", "/parent")},
		{Name: "MEM-3 move below its grandchild", Given: tree(), When: move(sales, city), Refused: decidertest.Conflict("team_cycle", "/parent")},
		{
			Name: "MEM-3 move below what was its child", Given: tree(team.TeamMoved{Team: north, Parent: ""}),
			When: move(sales, city), Then: moved(sales, city),
		},
		{
			Name: "MEM-3 move beside a sibling of the same name", Given: tree(team.TeamRenamed{Team: city, Name: "other"}),
			When: move(city, ""), Refused: decidertest.Conflict("team_name_taken", "/name"),
		},
		{
			Name: "MEM-3 a moved team keeps its name", Given: tree(team.TeamMoved{Team: city, Parent: ""}),
			When: team.Create{Team: nobody, Name: "City"}, Refused: decidertest.Conflict("team_name_taken", "/name"),
		},
		{Name: "MEM-3 move a team that is not there", Given: tree(), When: move(nobody, ""), Refused: decidertest.Missing("team_not_found", "/team")},
		{Name: "MEM-3 move below a team that is not there", Given: tree(), When: move(city, nobody), Refused: decidertest.Missing("team_not_found", "/parent")},
	})
}
