package role_test

import (
	"fmt"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/role"
)

const (
	craft = "01890a5d-ac96-774b-bcce-b30209900041"
	trade = "01890a5d-ac96-774b-bcce-b30209900042"
)

func TestDeleteAndRestore(t *testing.T) {
	gone, back := role.RoleDeleted{Role: engineer}, role.RoleRestored{Role: engineer}
	remove := func(title string) role.Command { return role.Delete{Role: engineer, ConfirmTitle: title} }
	deleted := decidertest.Conflict("role_deleted", "/role")
	renamed := role.RoleRenamed{Role: engineer, Title: "Next"}
	cases := []test{
		{Name: "ROL-9 delete a draft", Given: created(), When: remove("Engineer"), Then: []event{gone}},
		{Name: "ROL-9 delete a published role by the title in force", Given: published(renamed), When: remove("Engineer"), Then: []event{gone}},
		{Name: "ROL-9 delete by the title of its draft", Given: published(renamed), When: remove("Next"), Refused: decidertest.Invalid("title_not_confirmed", "/confirm_title")},
		{Name: "ROL-9 delete a draft by its new title", Given: created(renamed), When: remove("Next"), Then: []event{gone}},
		{Name: "ROL-9 delete in another spelling", Given: created(), When: remove("engineer"), Refused: decidertest.Invalid("title_not_confirmed", "/confirm_title")},
		{Name: "ROL-9 delete without a title", Given: created(), When: remove(""), Refused: decidertest.Invalid("title_not_confirmed", "/confirm_title")},
		{Name: "ROL-9 delete twice", Given: created(gone), When: remove("Engineer")},
		{Name: "ROL-9 delete no role", When: remove(""), Refused: noRole},
		{Name: "ROL-9 restore", Given: published(gone), When: role.Restore{Role: engineer}, Then: []event{back}},
		{Name: "ROL-9 restore twice", Given: created(gone, back), When: role.Restore{Role: engineer}},
		{Name: "ROL-9 restore no role", When: role.Restore{Role: engineer}, Refused: noRole},
		{Name: "ROL-9 delete once more", Given: created(gone, back), When: remove("Engineer"), Then: []event{gone}},
		{Name: "ROL-9 edit what was restored", Given: created(gone, back), When: role.Rename{Role: engineer, Title: "Next"}, Then: []event{renamed}},
		{Name: "ROL-1 create under the id of a deleted role", Given: created(gone), When: role.Create{Role: engineer, Title: "Engineer"}, Refused: decidertest.Conflict("role_exists", "/role")},
		{Name: "ROL-3 duplicate a deleted role", When: role.Copy{Role: engineer, Source: source, SourceState: role.Decider.Fold(published(gone)...)}, Refused: decidertest.Missing("role_not_found", "/source")},
	}
	for _, c := range []role.Command{
		role.Rename{Role: engineer, Title: "Next"}, role.Describe{Role: engineer, Description: "x"}, role.Publish{Role: engineer},
		role.AddSkill{Role: engineer, Skill: sql}, role.RemoveSkill{Role: engineer, Skill: golang}, role.Transfer{Role: engineer, To: bob, ToExists: true},
		role.PersonalizeBadge{Role: engineer, Badge: role.Badge{Icon: "x", Color: "#000000"}}, role.Categorize{Role: engineer},
	} {
		cases = append(cases, test{Name: fmt.Sprintf("ROL-9 %T on a deleted role", c), Given: published(gone), When: c, Refused: deleted})
	}
	decidertest.Run(t, role.Decider, cases)
	t.Run("ROL-9 a deleted role cannot be assigned, warns of nothing and has no title", func(t *testing.T) {
		s := role.Decider.Fold(published(gone)...)
		if s.Published() || s.Titles() != nil || s.Warnings() != nil || s.Title() != "Engineer" {
			t.Errorf("published %t, titles %q, warnings %q, title %q", s.Published(), s.Titles(), s.Warnings(), s.Title())
		}
		if s = role.Decider.Evolve(s, back); !s.Published() || len(s.Titles()) != 1 {
			t.Errorf("restored: published %t, titles %q", s.Published(), s.Titles())
		}
	})
	t.Run("ROL-8 the title in force is kept beside that of the draft", func(t *testing.T) {
		if got := strings.Join(role.Decider.Fold(published(renamed)...).Titles(), ","); got != "Next,Engineer" {
			t.Errorf("titles %s", got)
		}
	})
}

func TestTransferAndCategorize(t *testing.T) {
	transfer := func(to domain.MemberID, exists bool) role.Command {
		return role.Transfer{Role: engineer, To: to, ToExists: exists}
	}
	in := func(category domain.CategoryID, exists bool) role.Command {
		return role.Categorize{Role: engineer, Category: category, CategoryExists: exists}
	}
	put := role.RoleCategorized{Role: engineer, Category: craft}
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-10 transfer", Given: created(), When: transfer(bob, true), Then: []event{role.RoleTransferred{Role: engineer, From: ada, To: bob}}},
		{Name: "ROL-10 transfer to its creator", Given: created(), When: transfer(ada, true)},
		{Name: "ROL-10 transfer back", Given: created(role.RoleTransferred{Role: engineer, From: ada, To: bob}), When: transfer(ada, true), Then: []event{role.RoleTransferred{Role: engineer, From: bob, To: ada}}},
		{Name: "ROL-10 transfer to nobody", Given: created(), When: transfer(bob, false), Refused: decidertest.Missing("member_not_found", "/to")},
		{Name: "ROL-10 transfer no role", When: transfer(bob, true), Refused: noRole},
		{Name: "ROL-12 categorise", Given: created(), When: in(craft, true), Then: []event{put}},
		{Name: "ROL-12 categorise again", Given: created(put), When: in(craft, true)},
		{Name: "ROL-12 categorise otherwise", Given: published(put), When: in(trade, true), Then: []event{role.RoleCategorized{Role: engineer, Category: trade}}},
		{Name: "ROL-12 into no category", Given: created(put), When: in("", false), Then: []event{role.RoleCategorized{Role: engineer}}},
		{Name: "ROL-12 into a category that is not there", Given: created(), When: in(craft, false), Refused: decidertest.Missing("category_not_found", "/category")},
		{Name: "ROL-12 no role", When: in(craft, true), Refused: noRole},
		{Name: "ROL-1 yield a title", Given: created(), When: role.YieldTitle{Role: engineer}, Then: []event{role.RoleTitleYielded{Role: engineer}}},
		{Name: "ROL-1 yield a title before the role came to be", When: role.YieldTitle{Role: engineer}, Then: []event{role.RoleTitleYielded{Role: engineer}}},
		{Name: "ROL-1 create after that", Given: []event{role.RoleTitleYielded{Role: engineer}}, When: role.Create{Role: engineer, Title: "Engineer", Creator: ada}, Then: created()},
	})
}

func TestBadge(t *testing.T) {
	set := func(icon string, color role.Color) role.Command {
		return role.PersonalizeBadge{Role: engineer, Badge: role.Badge{Icon: icon, Color: color}}
	}
	got := func(icon string, color role.Color) []event {
		return []event{role.RoleBadgePersonalized{Role: engineer, Badge: role.Badge{Icon: icon, Color: color}}}
	}
	low, wrong := decidertest.Invalid("low_contrast", "/color"), decidertest.Invalid("invalid_color", "/color")
	decidertest.Run(t, role.Decider, []test{
		{Name: "ROL-7 a badge", Given: created(), When: set("server", "#1d4ed8"), Then: got("server", "#1d4ed8")},
		{Name: "ROL-7 capitals", Given: created(), When: set("server", "#1D4ED8"), Then: got("server", "#1d4ed8")},
		{Name: "ROL-7 the badge it has", Given: created(got("server", "#1d4ed8")...), When: set("server", "#1D4ED8")},
		{Name: "ROL-7 another icon", Given: created(got("server", "#1d4ed8")...), When: set("cloud", "#1d4ed8"), Then: got("cloud", "#1d4ed8")},
		{Name: "ROL-7 the lightest grey with 3:1", Given: created(), When: set("x", "#949494"), Then: got("x", "#949494")},
		{Name: "ROL-7 the darkest grey below", Given: created(), When: set("x", "#959595"), Refused: low},
		{Name: "ROL-7 the lightest red with 3:1", Given: created(), When: set("x", "#ff5d5d"), Then: got("x", "#ff5d5d")},
		{Name: "ROL-7 the darkest red below", Given: created(), When: set("x", "#ff5e5e"), Refused: low},
		{Name: "ROL-7 the lightest green with 3:1", Given: created(), When: set("x", "#00ad00"), Then: got("x", "#00ad00")},
		{Name: "ROL-7 the darkest green below", Given: created(), When: set("x", "#00ae00"), Refused: low},
		{Name: "ROL-7 the lightest blue with 3:1", Given: created(), When: set("x", "#8787ff"), Then: got("x", "#8787ff")},
		{Name: "ROL-7 the darkest blue below", Given: created(), When: set("x", "#8888ff"), Refused: low},
		{Name: "ROL-7 white", Given: created(), When: set("x", "#ffffff"), Refused: low},
		{Name: "ROL-7 black", Given: created(), When: set("x", "#000000"), Then: got("x", "#000000")},
		{Name: "ROL-7 no colour", Given: created(), When: set("x", ""), Refused: wrong},
		{Name: "ROL-7 a short colour", Given: created(), When: set("x", "#000"), Refused: wrong},
		{Name: "ROL-7 a long colour", Given: created(), When: set("x", "#0000000"), Refused: wrong},
		{Name: "ROL-7 a sign for a digit", Given: created(), When: set("x", "#+10000"), Refused: wrong},
		{Name: "ROL-7 letters beyond f", Given: created(), When: set("x", "#00000g"), Refused: wrong},
		{Name: "ROL-7 without the hash", Given: created(), When: set("x", "0000000"), Refused: wrong},
		{Name: "ROL-7 no icon", Given: created(), When: set("", "#000000"), Refused: decidertest.Invalid("invalid_length", "/icon")},
		{Name: "ROL-7 an icon of 101 characters", Given: created(), When: set(strings.Repeat("x", 101), "#000000"), Refused: decidertest.Invalid("invalid_length", "/icon")},
		{Name: "ROL-7 an icon of 100 characters", Given: created(), When: set(strings.Repeat("é", 100), "#000000"), Then: got(strings.Repeat("é", 100), "#000000")},
		{Name: "ROL-7 of no role", When: set("x", "#000000"), Refused: noRole},
		{Name: "ROL-7 a new badge is a new version", Given: published(got("x", "#000000")...), When: role.Publish{Role: engineer}, Then: []event{role.RolePublished{
			Role: engineer, Version: 2, OnPublish: role.ReEvaluate,
			Content: role.Content{Title: "Engineer", Skills: []role.Skill{has(golang, true)}, Badge: role.Badge{Icon: "x", Color: "#000000"}},
		}}},
	})
}

// TestNearestColor takes the colour that a refusal names: it is accepted, of the same hue, and the next brighter is not.
func TestNearestColor(t *testing.T) {
	for _, color := range []role.Color{"#ffffff", "#ffff00", "#00ffff", "#ffa500", "#959595", "#ff5e5e", "#c0ffee", "#fefefe", "#00ff00", "#f0e68c"} {
		t.Run("ROL-7 "+string(color), func(t *testing.T) {
			ask := func(c role.Color) error {
				_, err := role.Decider.Decide(role.Decider.Fold(created()...), role.PersonalizeBadge{Role: engineer, Badge: role.Badge{Icon: "x", Color: c}})
				return err
			}
			err := ask(color)
			if domain.CodeOf(err) != "low_contrast" {
				t.Fatal(err)
			}
			text := err.Error()
			nearest := role.Color(text[len(text)-7:])
			if err := ask(nearest); err != nil {
				t.Errorf("%s is refused too: %v", nearest, err)
			}
			var was, is [3]int
			if _, err := fmt.Sscanf(string(color), "#%02x%02x%02x", &was[0], &was[1], &was[2]); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscanf(string(nearest), "#%02x%02x%02x", &is[0], &is[1], &is[2]); err != nil {
				t.Fatal(err)
			}
			brightest, to := max(was[0], was[1], was[2]), max(is[0], is[1], is[2])
			var brighter [3]int
			for i := range was {
				if exact := float64(was[i]*to) / float64(brightest); float64(is[i])-exact > 0.5 || exact-float64(is[i]) > 0.5 {
					t.Errorf("%s is of another hue", nearest)
				}
				brighter[i] = (was[i]*(to+1) + brightest/2) / brightest
			}
			if next := role.Color(fmt.Sprintf("#%02x%02x%02x", brighter[0], brighter[1], brighter[2])); ask(next) == nil {
				t.Errorf("%s is nearer than %s", next, nearest)
			}
		})
	}
}
