package catalogimport_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rolewise/commands/catalogimport"
	"rolewise/domain"
)

// published is where the tables of O*NET lie beside the repository; they are too large to be part of it.
const published = "../../../shared/data/onet"

func requirePublished(t *testing.T) {
	t.Helper()
	_, err := os.Stat(filepath.Join(published, "Skills.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published tables of O*NET are not in %s beside the repository", published)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestONETAsPublished imports the whole tables, cut off in the middle and continued.
func TestONETAsPublished(t *testing.T) {
	requirePublished(t)
	const appends = 23_103 + 967 // the titles' reservations
	store := openStore(t)
	start := time.Now()
	crash(t, store, published, appends/2)
	t.Logf("half of the import took %v", time.Since(start).Round(time.Millisecond))
	report := importDir(t, store, published)
	t.Logf("in all it took %v\n%s", time.Since(start).Round(time.Millisecond), summary(report))
	whole := contents(t, store)

	t.Run("IMP-4 967 occupations become published roles", func(t *testing.T) {
		equal(t, "roles", report.Roles, 967)
		equal(t, "skills", report.Skills, 35)
		equal(t, "technologies", report.Technologies, 142)
		equal(t, "optional skills", report.Optional, 7013)
		equal(t, "rejections", report.Rejections, 0)
		equal(t, "occupations without skills", report.WithoutSkills, 1110-967)
		equal(t, "rows of unmatched hot technologies", report.Unmatched, 3694)
	})
	t.Run("IMP-3 an import that was cut off continues, and repeats nothing", func(t *testing.T) {
		want := map[string]int{
			"PlanCreated": 1, "SkillDefined": 35 + 142, "BenchmarkPublished": 6506, "RoleCreated": 967, "RoleDescribed": 967,
			"RoleSkillAdded": 6506 + 7013, "RolePublished": 967,
		}
		if got := countTypes(whole); !maps.Equal(got, want) {
			t.Errorf("the log has %v, want %v", got, want)
		}
		if n := report.Appended(); n > appends/2+1 {
			t.Errorf("the second run appended %d events of %d", n, appends)
		}
	})
	t.Run("IMP-4 320 roles have fewer than three qualifying skills, 175 of them none", func(t *testing.T) {
		none, topUp := 0, 0
		for _, few := range report.TooFew {
			if few.Qualifying == 0 {
				none++
			}
			topUp += 3 - few.Qualifying
			equal(t, few.Code, len(few.Taken), 3)
		}
		equal(t, "fewer than three", len(report.TooFew), 320)
		equal(t, "none", none, 175)
		equal(t, "required", report.Required, 5761+topUp)
	})
	t.Run("IMP-4 a role is what the tables say", func(t *testing.T) {
		role := roleOf(t, store, "11-1011.00")
		equal(t, "title", role.InForce.Title, "Chief Executives")
		first := role.InForce.Skills[0]
		equal(t, "first skill", first.Skill, domain.SkillID(catalogimport.ID("skill", "2.B.4.e"))) // Judgment and Decision Making, 4.75, level 5.75
		equal(t, "goals", first.Goals, [3]int{186, 246, 300})
	})
	t.Run("IMP-4 a second run appends nothing", func(t *testing.T) {
		start := time.Now()
		again := importDir(t, store, published)
		t.Logf("second run took %v", time.Since(start).Round(time.Millisecond))
		equal(t, "appended", again.Appended(), 0)
		equal(t, "unchanged", again.Unchanged, 967)
		same(t, contents(t, store), whole)
	})
}
