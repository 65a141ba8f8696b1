package torture

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// contents is what a store of read models holds, by projection, line by line; the checkpoint is the first line.
type contents map[string][]string

func dump(t *testing.T, models readmodels.Store) contents {
	t.Helper()
	all := contents{}
	for _, scope := range partitionsOf(t, models).Scopes() {
		at, err := models.Checkpoint(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{fmt.Sprintf("%+v", at)}
		if err := models.Dump(t.Context(), scope, func(line string) error { lines = append(lines, line); return nil }); err != nil {
			t.Fatalf("dump %s: %v", scope, err)
		}
		all[scope.String()] = lines
	}
	return all
}

func partitionsOf(t *testing.T, models readmodels.Store) readmodels.Partitions {
	t.Helper()
	parts, err := models.Partitions(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// replay folds the whole log into empty read models, in one straight pass, without the events that keep leaves out.
func replay(t *testing.T, log eventstore.Store, parts readmodels.Partitions, keep func(eventstore.Recorded) bool) contents {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	models := memory.New()
	defer models.Close()
	if _, err := models.Partitions(ctx, parts); err != nil {
		t.Fatal(err)
	}
	for _, scope := range parts.Scopes() {
		p := projections.All()[slices.IndexFunc(projections.All(), func(p *projections.Projection) bool { return p.Scope == scope.In(0) })]
		projector, err := projections.NewProjector(ctx, p.In(scope.Partition), log, models)
		if err != nil {
			t.Fatal(err)
		}
		for page, err := range log.Follow(ctx, 0, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			var events []eventstore.Recorded
			for _, e := range page.Events {
				if keep(e) && parts.Takes(scope.Partition, e.Stream.Plan) {
					events = append(events, e)
				}
			}
			page.Events = events
			if err := projector.Apply(ctx, page); err != nil {
				t.Fatal(err)
			}
			if page.Live {
				break
			}
		}
	}
	return dump(t, models)
}

func everything(eventstore.Recorded) bool { return true }

// differences lists the first line in which each projection differs.
func differences(got, want contents) (all []string) {
	for scope, lines := range want {
		have := got[scope]
		for i := range max(len(lines), len(have)) {
			if i >= len(lines) || i >= len(have) || lines[i] != have[i] {
				all = append(all, fmt.Sprintf("%s has %d lines instead of %d; line %d is\n%s\ninstead of\n%s", scope, len(have), len(lines), i+1, lineAt(have, i), lineAt(lines, i)))
				break
			}
		}
	}
	return all
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return "(missing)"
	}
	return lines[i]
}
