package readside

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
)

// What this package knows of how read models are spread over scopes, and how a log is folded into them.

// parts is over how many partitions the plans are spread; fewer than by default, since each is replayed after each fault.
const parts readmodels.Partitions = 4

// layoutFlags make the processes use them.
var layoutFlags = []string{"--partitions", strconv.Itoa(int(parts))}

// scopes lists all of them.
func scopes() []readmodels.Scope { return parts.Scopes() }

// fold brings empty read models to the end of a log, in pages of at most so many events. A page that could not be
// applied is applied again, as a runner does it.
func fold(t *testing.T, log eventstore.Store, models readmodels.Store, pageSize int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := models.Partitions(ctx, parts); err != nil {
		t.Fatal(err)
	}
	pages := read(ctx, t, log, pageSize)
	for _, scope := range scopes() {
		p := projections.All()[slices.IndexFunc(projections.All(), func(p *projections.Projection) bool { return p.Scope == scope.In(0) })]
		projector, err := projections.NewProjector(ctx, p.In(scope.Partition), log, models)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			page.Events = slices.DeleteFunc(slices.Clone(page.Events), func(e eventstore.Recorded) bool {
				return !parts.Takes(scope.Partition, e.Stream.Plan)
			})
			apply(ctx, t, projector, page)
		}
	}
}

// read returns the whole log.
func read(ctx context.Context, t *testing.T, log eventstore.Store, pageSize int) (pages []eventstore.Page) {
	t.Helper()
	for page, err := range log.Follow(ctx, 0, eventstore.Filter{PageSize: pageSize}) {
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
		if page.Live {
			return pages
		}
	}
	return pages
}

func apply(ctx context.Context, t *testing.T, projector *projections.Projector, page eventstore.Page) {
	t.Helper()
	for {
		err := projector.Apply(ctx, page)
		var again *readmodels.UnavailableError
		if err == nil {
			return
		}
		if !errors.As(err, &again) {
			t.Fatal(err)
		}
	}
}
