package team_test

import (
	"fmt"
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

func TestDelete(t *testing.T) {
	gone := tree(team.TeamDeleted{Team: city})
	missing := decidertest.Missing
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 delete a team", Given: tree(), When: team.Delete{Team: city}, Then: []team.Event{team.TeamDeleted{Team: city}}},
		{Name: "MEM-3 delete a team with teams below", Given: tree(), When: team.Delete{Team: north}, Refused: decidertest.Conflict("team_has_teams", "/team")},
		{Name: "MEM-3 delete a team whose teams were deleted", Given: gone, When: team.Delete{Team: north}, Then: []team.Event{team.TeamDeleted{Team: north}}},
		{Name: "MEM-3 delete a team that is not there", Given: tree(), When: team.Delete{Team: nobody}, Refused: missing("team_not_found", "/team")},
		{Name: "MEM-3 delete a team twice", Given: gone, When: team.Delete{Team: city}, Refused: missing("team_not_found", "/team")},
		{Name: "MEM-3 rename a deleted team", Given: gone, When: team.Rename{Team: city, Name: "Town"}, Refused: missing("team_not_found", "/team")},
		{Name: "MEM-3 move a deleted team", Given: gone, When: team.Move{Team: city}, Refused: missing("team_not_found", "/team")},
		{Name: "MEM-3 create below a deleted team", Given: gone, When: team.Create{Team: nobody, Name: "Street", Parent: city}, Refused: missing("team_not_found", "/parent")},
		{Name: "MEM-3 create under the id of a deleted team", Given: gone, When: team.Create{Team: city, Name: "City"}, Refused: decidertest.Conflict("team_exists", "/team")},
		{
			Name: "MEM-3 create with the name of a deleted team", Given: gone, When: team.Create{Team: nobody, Name: "City", Parent: north},
			Then: []team.Event{team.TeamCreated{Team: nobody, Name: "City", Parent: north}},
		},
	})
}

// chain is as many teams as wanted, each below the one before.
func chain(n int, from int) (events []team.Event, last domain.TeamID) {
	for i := range n {
		id := domain.TeamID(fmt.Sprintf("01890a5d-ac96-774b-bcce-b302099%05d", from+i))
		events = append(events, team.TeamCreated{Team: id, Name: fmt.Sprint("Level ", i), Parent: last})
		last = id
	}
	return events, last
}

func TestDepth(t *testing.T) {
	full, lowest := chain(team.MaxDepth, 1000)
	nearly, last := chain(team.MaxDepth-2, 2000)
	pair, _ := chain(2, 3000)
	triple, _ := chain(3, 4000)
	deep := decidertest.Conflict("team_too_deep", "/parent")
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 create below the 32nd level", Given: full, When: team.Create{Team: nobody, Name: "Below", Parent: lowest}, Refused: deep},
		{
			Name: "MEM-3 create on the 32nd level", Given: full[:team.MaxDepth-1],
			When: team.Create{Team: nobody, Name: "Below", Parent: full[team.MaxDepth-2].(team.TeamCreated).Team},
			Then: []team.Event{team.TeamCreated{Team: nobody, Name: "Below", Parent: full[team.MaxDepth-2].(team.TeamCreated).Team}},
		},
		{
			Name: "MEM-3 move two levels to the 31st", Given: append(nearly, pair...), When: team.Move{Team: pair[0].(team.TeamCreated).Team, Parent: last},
			Then: []team.Event{team.TeamMoved{Team: pair[0].(team.TeamCreated).Team, Parent: last}},
		},
		{
			Name: "MEM-3 move three levels to the 31st", Given: append(nearly, triple...),
			When: team.Move{Team: triple[0].(team.TeamCreated).Team, Parent: last}, Refused: deep,
		},
	})
}

func TestTwin(t *testing.T) {
	taken := decidertest.Conflict("team_name_taken", "/name")
	decidertest.Run(t, team.Decider, []test{
		{Name: "MEM-3 create with a name that is a sibling's, written otherwise", Given: tree(), When: team.Create{Team: nobody, Name: "Ｓales", Twin: true}, Refused: taken},
		{Name: "MEM-3 rename to such a name", Given: tree(), When: team.Rename{Team: other, Name: "Ｓales", Twin: true}, Refused: taken},
		{Name: "MEM-3 move beside such a name", Given: tree(), When: team.Move{Team: north, Twin: true}, Refused: taken},
	})
}

func TestHiddenCharacters(t *testing.T) {
	for name, text := range map[string]string{
		"a direction mark": "Sa\u202eles", "a zero-width space": "Sa\u200bles", "a line break": "Sa\nles", "64 KiB": strings.Repeat("Sales ", 11_000),
	} {
		code := "invalid_text"
		if name == "64 KiB" {
			code = "invalid_length"
		}
		decidertest.Run(t, team.Decider, []test{
			{Name: "MEM-3 create with " + name, When: team.Create{Team: nobody, Name: text}, Refused: decidertest.Invalid(code, "/name")},
			{Name: "MEM-3 rename to " + name, Given: tree(), When: team.Rename{Team: sales, Name: text}, Refused: decidertest.Invalid(code, "/name")},
		})
	}
}
