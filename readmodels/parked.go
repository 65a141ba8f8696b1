package readmodels

import (
	"context"
	"fmt"
	"time"

	"rolewise/eventstore"
)

// What a projection could not apply (SPEC OPS-5) is kept in the read model itself and committed with the checkpoint, so
// that it can never disagree with what was applied. A read model that holds nothing parked has none of these documents.
type (
	// ParkedStream is one stream that stands still for one projection in one partition: from its first event that could
	// not be applied on, every event that the projection has a rule for waits.
	ParkedStream struct {
		Stream string      `json:"stream"`
		First  ParkedEvent `json:"first"` // the one that could not be applied
		Error  string      `json:"error"` // why; without a word of what the event holds
		Last   ParkedEvent `json:"last"`
		Count  int         `json:"count"` // of events that wait, First and Last included
	}
	// ParkedEvent names an event that waits.
	ParkedEvent struct {
		Position eventstore.Position `json:"position"`
		Revision eventstore.Revision `json:"revision"`
		Type     string              `json:"type"`
		Time     time.Time           `json:"time"` // zero if the event does not tell
	}
	// DiscardedStream is what was given up of a stream, the oldest first. Events after it are applied again.
	DiscardedStream struct {
		Stream string         `json:"stream"`
		Runs   []ParkedStream `json:"runs"`
	}
)

// Collections of what was parked and given up, each under the plan of the stream; the id is the stream's name.
var (
	ParkedStreams    = Collection[ParkedStream]{"parked"}
	DiscardedStreams = Collection[DiscardedStream]{"discarded"}
)

// Indexes of the catalog that list the names of streams of all plans of the partition.
const (
	ParkedIndex    = "parked"
	DiscardedIndex = "discarded"
)

// Parked lists the streams that stand still in a scope, ordered by name.
func Parked(ctx context.Context, r Reader, scope Scope) ([]ParkedStream, error) {
	return streamsOf(ctx, r, scope, ParkedIndex, ParkedStreams)
}

// Discarded lists what was given up in a scope, ordered by stream.
func Discarded(ctx context.Context, r Reader, scope Scope) ([]DiscardedStream, error) {
	return streamsOf(ctx, r, scope, DiscardedIndex, DiscardedStreams)
}

// streamsOf loads the documents of all streams that an index lists. One that went meanwhile is left out.
func streamsOf[T any](ctx context.Context, r Reader, scope Scope, index string, c Collection[T]) ([]T, error) {
	names, err := r.Entries(ctx, scope, Index{Catalog, index}, Range{})
	if err != nil {
		return nil, err
	}
	plans, places := map[string][]string{}, map[string]int{}
	for i, name := range names {
		stream, err := eventstore.ParseStreamID(name)
		if err != nil {
			return nil, fmt.Errorf("read index %s of %s: %w", index, scope, err)
		}
		plans[stream.Plan] = append(plans[stream.Plan], name)
		places[name] = i
	}
	found := make([]*T, len(names))
	for plan, ids := range plans {
		documents, err := c.Load(ctx, r, scope, plan, ids...)
		if err != nil {
			return nil, err
		}
		for i, id := range ids {
			found[places[id]] = documents[i]
		}
	}
	all := make([]T, 0, len(names))
	for _, document := range found {
		if document != nil {
			all = append(all, *document)
		}
	}
	return all, nil
}

// DocumentError says that a stored document does not decode. That is not the fault of the event that needs it.
type DocumentError struct {
	Key Key
	Err error
}

func (e *DocumentError) Error() string {
	return fmt.Sprintf("decode %s %s of %s: %v", e.Key.Collection, e.Key.ID, e.Key.Plan, e.Err)
}
func (e *DocumentError) Unwrap() error { return e.Err }
