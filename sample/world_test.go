package sample

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"rolewise/domain"
)

func testWorld(s Size) *world {
	return newWorld(Options{Seed: 5, Plan: "acme", Size: s, End: time.Date(2025, time.June, 30, 15, 0, 0, 0, time.UTC)})
}

func TestPeople(t *testing.T) {
	w := testWorld(DefaultSize)
	form := regexp.MustCompile(`^[a-z]+\.[a-z]+[0-9]*@acme\.example$`)
	emails := map[string]bool{}
	for n := range 20_000 {
		name, email := w.person(n)
		if emails[email] || !form.MatchString(email) || name == "" {
			t.Fatalf("member %d is %s <%s>", n, name, email)
		}
		emails[email] = true
	}
}

func TestTechnologies(t *testing.T) {
	for _, skills := range []int{8, 45, 46, 1000} {
		w := testWorld(Size{Members: 10, Teams: 1, Skills: skills, Roles: 1})
		names := map[string]bool{}
		for n := range skills {
			name := w.technology(n).name
			if names[name] {
				t.Errorf("of %d skills two are called %s", skills, name)
			}
			names[name] = true
		}
	}
}

func TestJobs(t *testing.T) {
	w := testWorld(DefaultSize)
	for n := range w.Roles {
		core := w.coreSkills(n)
		if len(core) < 5 || len(core) > 8 {
			t.Errorf("%s has %d skills", w.job(n).title, len(core))
		}
		for _, s := range core {
			if s < 0 || s == w.newest() || s == w.retiring() {
				t.Errorf("%s has skill %d", w.job(n).title, s)
			}
		}
	}
	if all := (len(technologies) + len(late)); all != DefaultSize.Skills {
		t.Errorf("%d names for %d skills", all, DefaultSize.Skills)
	}
}

func TestSkillsOfAMemberDiffer(t *testing.T) {
	for _, skills := range []int{8, 45} {
		w := testWorld(Size{Members: 500, Teams: 14, Skills: skills, Roles: 14})
		for n := range w.employees() {
			got := w.skillsOf(n)
			if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(sorted) != len(got) || slices.Contains(got, w.newest()) {
				t.Fatalf("member %d is assessed in %v", n, got)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	w := testWorld(DefaultSize)
	at := time.Date(2024, time.July, 1, 0, 0, 0, 0, time.UTC)
	id := w.id("member", 1, at)
	if domain.CheckID("/member", id) != nil || id[:13] != "01906b97-5c00" || id[14] != '7' {
		t.Errorf("id %s", id)
	}
	for _, other := range []string{w.id("member", 2, at), w.id("team", 1, at)} {
		if other == id {
			t.Errorf("id %s twice", id)
		}
	}
}
