package sample_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/sample"
)

func TestSourceIsAccepted(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	generate(t, store, small)
	handler := commands.New(store, time.Now, emailKey)
	source, err := sample.NewSource(small, 99, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	kinds, appended := map[string]int{}, 0
	var group sync.WaitGroup
	for range 8 { // in an order that is chance
		group.Go(func() {
			for range 500 {
				request, c := source.Next()
				answer, err := handler.Handle(t.Context(), request, c)
				if err != nil {
					t.Errorf("%s: %v", c.About().Name, err)
					return
				}
				for _, item := range answer.Items {
					if item.Status == "refused" {
						t.Errorf("%s: %s", c.About().Name, item.Detail)
					}
				}
				mu.Lock()
				kinds[c.About().Name]++
				appended += len(answer.Events)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d events of %v", appended, kinds)
	for _, name := range []string{
		"record-skill-iq", "visit-role", "select-level", "assign-role", "unassign-role", "refresh-progress",
		"adjust-goal", "set-required-level", "set-skill-required", "publish-role",
	} {
		if kinds[name] == 0 {
			t.Errorf("no %s", name)
		}
	}
	if appended < 3000 {
		t.Errorf("only %d events of 4,000 commands", appended)
	}
}

func TestSourceIsSeeded(t *testing.T) {
	now := func() time.Time { return end }
	draw := func(seed uint64) (all []string) {
		source, err := sample.NewSource(small, seed, now)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]bool{}
		for range 500 {
			request, c := source.Next()
			all = append(all, fmt.Sprintf("%s %s %+v", request.Correlation, c.About().Name, c))
			keys[request.Correlation] = true
		}
		if len(keys) != 500 {
			t.Errorf("%d different correlations of 500", len(keys))
		}
		return all
	}
	if !reflect.DeepEqual(draw(1), draw(1)) {
		t.Error("the same seed gives other commands")
	}
	if reflect.DeepEqual(draw(1), draw(2)) {
		t.Error("another seed gives the same commands")
	}
}
