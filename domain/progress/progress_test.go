package progress_test

import (
	"fmt"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/progress"
	"rolewise/domain/roleiq"
)

const (
	ada      = "01890a5d-ac96-774b-bcce-b30209900001"
	bob      = "01890a5d-ac96-774b-bcce-b30209900002"
	engineer = "01890a5d-ac96-774b-bcce-b30209900031"
)

type (
	event = progress.Event
	test  = decidertest.Case[progress.Command, progress.Event]
)

func selected(level roleiq.Level) event {
	return progress.LevelSelected{Member: ada, Role: engineer, Level: level}
}

func TestSelectLevel(t *testing.T) {
	choose := func(member, role bool, level roleiq.Level) progress.Command {
		return progress.SelectLevel{Member: ada, MemberExists: member, Role: engineer, RolePublished: role, Level: level}
	}
	cases := []test{
		{Name: "PRG-1 select another level", Given: []event{selected("entry")}, When: choose(true, true, "mid"), Then: []event{selected("mid")}},
		{Name: "PRG-1 select the level that is selected", Given: []event{selected("entry"), selected("mid")}, When: choose(true, true, "mid")},
		{Name: "PRG-1 select a level again", Given: []event{selected("mid"), selected("entry")}, When: choose(true, true, "mid"), Then: []event{selected("mid")}},
		{Name: "PRG-1 select for a member that is not there", When: choose(false, true, "mid"), Refused: decidertest.Missing("member_not_found", "/member")},
		{Name: "PRG-1 select in a role that is not published", When: choose(true, false, "mid"), Refused: decidertest.Missing("role_not_found", "/role")},
	}
	for _, level := range []roleiq.Level{"beginner", "entry", "mid", "senior"} {
		cases = append(cases, test{Name: fmt.Sprintf("PRG-1 select %s", level), When: choose(true, true, level), Then: []event{selected(level)}})
	}
	for _, level := range []roleiq.Level{"", "expert", "Mid"} {
		cases = append(cases, test{Name: fmt.Sprintf("PRG-1 select %q", level), When: choose(true, true, level), Refused: decidertest.Invalid("invalid_level", "/level")})
	}
	decidertest.Run(t, progress.Decider, cases)
}

func TestVisit(t *testing.T) {
	visit := func(member, role bool) progress.Command {
		return progress.Visit{Member: ada, MemberExists: member, Role: engineer, RolePublished: role}
	}
	visited := progress.RoleVisited{Member: ada, Role: engineer}
	decidertest.Run(t, progress.Decider, []test{
		{Name: "PRG-3 visit", When: visit(true, true), Then: []event{visited}},
		{Name: "PRG-3 each visit counts", Given: []event{selected("mid"), visited}, When: visit(true, true), Then: []event{visited}},
		{Name: "PRG-3 a visit changes no level", Given: []event{selected("mid"), visited}, When: progress.SelectLevel{
			Member: ada, MemberExists: true, Role: engineer, RolePublished: true, Level: "mid",
		}},
		{Name: "PRG-3 visit by a member that is not there", When: visit(false, true), Refused: decidertest.Missing("member_not_found", "/member")},
		{Name: "PRG-3 visit a role that is not published", When: visit(true, false), Refused: decidertest.Missing("role_not_found", "/role")},
	})
}

func TestRefresh(t *testing.T) {
	refresh := func(published bool, unknown int, members ...domain.MemberID) progress.Command {
		return progress.Refresh{Role: engineer, RolePublished: published, Members: members, Unknown: unknown}
	}
	most := make([]domain.MemberID, 10_000)
	decidertest.Run(t, progress.Decider, []test{
		{Name: "PRG-3 refresh all", When: refresh(true, -1), Then: []event{progress.ProgressRefreshed{Role: engineer}}},
		{Name: "PRG-3 refresh two", When: refresh(true, -1, ada, bob), Then: []event{progress.ProgressRefreshed{Role: engineer, Members: []domain.MemberID{ada, bob}}}},
		{Name: "PRG-3 refresh 10,000", When: refresh(true, -1, most...), Then: []event{progress.ProgressRefreshed{Role: engineer, Members: most}}},
		{Name: "PRG-3 refresh 10,001", When: refresh(true, -1, append(most, ada)...), Refused: decidertest.Invalid("too_many", "/members")},
		{Name: "PRG-3 refresh where the first is not there", When: refresh(true, 0, ada, bob), Refused: decidertest.Missing("member_not_found", "/members/0")},
		{Name: "PRG-3 refresh where the second is not there", When: refresh(true, 1, ada, bob), Refused: decidertest.Missing("member_not_found", "/members/1")},
		{Name: "PRG-3 refresh a role that is not published", When: refresh(false, -1), Refused: decidertest.Missing("role_not_found", "/role")},
	})
}

func TestStreamID(t *testing.T) {
	if got := progress.StreamID(ada, engineer); got != ada+"."+engineer {
		t.Errorf("stream %q", got)
	}
}
