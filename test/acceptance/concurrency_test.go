package acceptance

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"rolewise/test/harness"
)

// edit is one of the commands that meet on a role.
type edit struct {
	name    string
	body    harness.Body
	headers []string
}

// TestConcurrentEdits sends 16 commands to one role at once, and compares the answers with the history.
func TestConcurrentEdits(t *testing.T) {
	server := serveWithCatalog(t, "memory")
	client := server.NewPlan(t, north)
	skill := func(n int) string { return id(60 + n) }
	for n := range 16 {
		client.Command(t, north, "define-skill", harness.Body{"skill": skill(n), "name": fmt.Sprintf("Skill %d", n), "state": "validated"})
	}
	rename := func(role string, n int) harness.Body {
		return harness.Body{"role": role, "title": fmt.Sprintf("Title %d of %s", n, role)}
	}
	tests := []struct {
		name    string
		edits   func(role string) []edit
		winners int            // how many have an effect; -1: some
		refused map[string]int // the others, by status and code
	}{
		{"different changes all succeed, one after the other", func(role string) []edit {
			return sixteen(func(n int) edit { return edit{"rename-role", rename(role, n), nil} })
		}, 16, map[string]int{}},
		{"different skills are all added", func(role string) []edit {
			return sixteen(func(n int) edit {
				return edit{"add-role-skill", harness.Body{"role": role, "skill": skill(n), "required": true}, nil}
			})
		}, 16, map[string]int{}},
		{"of the same skill one is added", func(role string) []edit {
			return sixteen(func(n int) edit {
				return edit{"add-role-skill", harness.Body{"role": role, "skill": skill(0), "required": true}, nil}
			})
		}, 1, map[string]int{"409 skill_in_role": 15}},
		{"of those that demand a revision one wins", func(role string) []edit {
			return sixteen(func(n int) edit { return edit{"rename-role", rename(role, n), []string{"If-Match", `"0"`}} })
		}, 1, map[string]int{"412 revision_mismatch": 15}},
		{"of those that create one wins", func(role string) []edit {
			created := role[:len(role)-4] + "9" + role[len(role)-3:]
			return sixteen(func(n int) edit {
				return edit{"create-role", harness.Body{"role": created, "title": fmt.Sprintf("Title %d of %s", n, created)}, nil}
			})
		}, 1, map[string]int{"409 role_exists": 15}},
		{"all kinds together", func(role string) []edit {
			return sixteen(func(n int) edit {
				switch n % 4 {
				case 0:
					return edit{"rename-role", rename(role, n), []string{"If-Match", `"0"`}}
				case 1:
					return edit{"add-role-skill", harness.Body{"role": role, "skill": skill(n / 8), "required": n%8 == 1}, nil}
				case 2:
					return edit{"describe-role", harness.Body{"role": role, "description": fmt.Sprintf("Description %d", n)}, nil}
				}
				return edit{"publish-role", harness.Body{"role": role}, nil}
			})
		}, -1, nil},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			role := id(80 + i)
			client.Command(t, north, "create-role", harness.Body{"role": role, "title": "Start of " + role})
			before := lastPosition(t, client, north)
			winners, refused := atOnce(t, client, tt.edits(role))
			list := harness.Decode[harness.List[harness.Event]](t, client.Get(t, "/v1/plans/"+north+"/events", "after", before, "limit", "1000"))
			compare(t, winners, business(list.Items))
			if tt.winners >= 0 {
				same(t, "winners", len(winners), tt.winners)
				same(t, "refusals", refused, tt.refused)
			}
			for what := range refused {
				if what[:3] != "409" && what[:3] != "412" {
					t.Errorf("refused with %s", what)
				}
			}
		})
	}
	server.Stop(t)
}

func sixteen(make func(n int) edit) []edit {
	var all []edit
	for n := range 16 {
		all = append(all, make(n))
	}
	return all
}

// atOnce sends commands at the same time; it returns the answers of those that had an effect, and counts the refusals.
func atOnce(t *testing.T, client harness.Client, edits []edit) (winners []harness.Answer, refused map[string]int) {
	t.Helper()
	refused = map[string]int{}
	start := make(chan struct{})
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, e := range edits {
		group.Go(func() {
			<-start
			response, err := client.Post(t.Context(), north, e.name, e.body, e.headers...)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case response.Status != http.StatusOK:
				refused[fmt.Sprintf("%d %s", response.Status, harness.Decode[harness.Problem](t, response).Code)]++
			default:
				if answer := harness.Decode[harness.Answer](t, response); len(answer.Events) > 0 {
					winners = append(winners, answer)
				}
			}
		})
	}
	close(start)
	group.Wait()
	return winners, refused
}

// compare demands that the history has exactly what the winners were answered, without a gap in revisions.
func compare(t *testing.T, winners []harness.Answer, events []harness.Event) {
	t.Helper()
	slices.SortFunc(winners, func(a, b harness.Answer) int { return cmp.Compare(a.Revision, b.Revision) })
	if len(winners) != len(events) {
		t.Errorf("%d winners, %d events", len(winners), len(events))
		return
	}
	for i, answer := range winners {
		e := events[i]
		if answer.Stream != e.Stream || answer.Revision != e.Revision || answer.Position != e.Position || !slices.Equal(answer.Events, []string{e.Type}) {
			t.Errorf("answered %+v, the history has %s revision %d at %s: %s", answer, e.Stream, e.Revision, e.Position, e.Type)
		}
		if i > 0 && e.Revision != events[i-1].Revision+1 {
			t.Errorf("revision %d follows %d", e.Revision, events[i-1].Revision)
		}
	}
}
