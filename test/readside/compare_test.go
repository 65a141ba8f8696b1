package readside

import (
	"fmt"
	"slices"
	"testing"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// contents is what a store of read models holds, by scope, line by line; the checkpoint is the first line.
type contents map[string][]string

func (c contents) lines() (n int) {
	for _, lines := range c {
		n += len(lines)
	}
	return n
}

func dump(t *testing.T, models readmodels.Store) contents {
	t.Helper()
	all := contents{}
	for _, scope := range scopes() {
		at, err := models.Checkpoint(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{fmt.Sprintf("checkpoint %s %s %s %d", at.Position, at.Time.UTC(), at.StoreID, at.Epoch)}
		if err := models.Dump(t.Context(), scope, func(line string) error { lines = append(lines, line); return nil }); err != nil {
			t.Fatalf("dump %s: %v", scope, err)
		}
		all[scope.String()] = lines
	}
	return all
}

// replay folds the whole log into empty read models.
func replay(t *testing.T, log eventstore.Store) contents {
	t.Helper()
	models := memory.New()
	defer models.Close()
	fold(t, log, models, 0)
	return dump(t, models)
}

// differences lists the lines that are missing, or there though they should not be, or there more than once.
func differences(got, want contents) (all []string) {
	for scope := range union(got, want) {
		count := map[string]int{}
		for _, line := range got[scope] {
			count[line]++
		}
		for _, line := range want[scope] {
			count[line]--
		}
		for line, n := range count {
			if n != 0 {
				all = append(all, fmt.Sprintf("%s %+d %s", scope, n, line))
			}
		}
		if len(all) == 0 && !slices.Equal(got[scope], want[scope]) {
			all = append(all, scope+": the same lines in another order")
		}
	}
	slices.Sort(all)
	return all
}

func union(a, b contents) map[string]bool {
	scopes := map[string]bool{}
	for scope := range a {
		scopes[scope] = true
	}
	for scope := range b {
		scopes[scope] = true
	}
	return scopes
}

// compare demands that the read models in Redis are those of a full replay. No load may run.
func (w *world) compare(t *testing.T) (lines, differ int) {
	t.Helper()
	w.settle(t)
	got, want := dump(t, w.live), replay(t, w.log)
	if want.lines() < 500 {
		t.Errorf("%d lines only: the comparison would show nothing", want.lines())
	}
	wrong := differences(got, want)
	for i, one := range wrong {
		if i == 12 {
			t.Errorf("and %d more", len(wrong)-i)
			break
		}
		t.Error(one[:min(len(one), 600)])
	}
	return want.lines(), len(wrong)
}

// TestDifferences shows the comparison single faults, each of which it must find.
func TestDifferences(t *testing.T) {
	whole := func() contents {
		return contents{
			"directory@1/00": {"checkpoint 7", `doc "acme" "member" "1" {"name":"Ada"}`, `entry "acme" "members" "ada"`},
			"roles@1/00":     {"checkpoint 7", `doc "acme" "role" "1" {"n":1}`},
		}
	}
	for name, damage := range map[string]func(c contents){
		"a changed document":    func(c contents) { c["directory@1/00"][1] = `doc "acme" "member" "1" {"name":"Bob"}` },
		"a missing document":    func(c contents) { c["roles@1/00"] = c["roles@1/00"][:1] },
		"a missing entry":       func(c contents) { c["directory@1/00"] = c["directory@1/00"][:2] },
		"an entry twice":        func(c contents) { c["directory@1/00"] = append(c["directory@1/00"], c["directory@1/00"][2]) },
		"an entry too many":     func(c contents) { c["roles@1/00"] = append(c["roles@1/00"], `entry "acme" "roles" "x"`) },
		"an older checkpoint":   func(c contents) { c["roles@1/00"][0] = "checkpoint 6" },
		"a scope is missing":    func(c contents) { delete(c, "roles@1/00") },
		"a scope too many":      func(c contents) { c["roles@1/01"] = []string{"checkpoint 0"} },
		"lines in other scopes": func(c contents) { c["roles@1/00"], c["directory@1/00"] = c["directory@1/00"], c["roles@1/00"] },
		"lines in other order":  func(c contents) { slices.Reverse(c["directory@1/00"]) },
	} {
		t.Run(name, func(t *testing.T) {
			damaged := whole()
			damage(damaged)
			if len(differences(damaged, whole())) == 0 || len(differences(whole(), damaged)) == 0 {
				t.Error("not found")
			}
		})
	}
	if all := differences(whole(), whole()); len(all) > 0 {
		t.Errorf("found in what is equal: %q", all)
	}
}
