package commands

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"rolewise/domain"
	"rolewise/domain/apikey"
	"rolewise/domain/assignment"
	"rolewise/domain/category"
	"rolewise/domain/command"
	"rolewise/domain/member"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/reservation"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
	"rolewise/eventstore"
)

// aggregate binds a decider to the category of its streams and to its events.
type aggregate[S, C, E any] struct {
	category string
	decider  domain.Decider[S, C, E]
	events   *domain.Catalog
	warnings func(S) []string // recommendations to show with every answer; nil: none
}

var (
	plans       = aggregate[plan.State, plan.Command, plan.Event]{plan.Category, plan.Decider, plan.Events, nil}
	members     = aggregate[member.State, member.Command, member.Event]{member.Category, member.Decider, member.Events, nil}
	teams       = aggregate[team.State, team.Command, team.Event]{team.Category, team.Decider, team.Events, nil}
	chairs      = aggregate[seats.State, seats.Command, seats.Event]{seats.Category, seats.Decider, seats.Events, nil}
	skills      = aggregate[skill.State, skill.Command, skill.Event]{skill.Category, skill.Decider, skill.Events, nil}
	roles       = aggregate[role.State, role.Command, role.Event]{role.Category, role.Decider, role.Events, role.State.Warnings}
	assignments = aggregate[assignment.State, assignment.Command, assignment.Event]{assignment.Category, assignment.Decider, assignment.Events, nil}
	measured    = aggregate[results.State, results.Command, results.Event]{results.Category, results.Decider, results.Events, nil}
	standings   = aggregate[progress.State, progress.Command, progress.Event]{progress.Category, progress.Decider, progress.Events, nil}
	apikeys     = aggregate[apikey.State, apikey.Command, apikey.Event]{apikey.Category, apikey.Decider, apikey.Events, nil}
	emails      = aggregate[reservation.State, reservation.Command, reservation.Event]{reservation.EmailCategory, reservation.Emails, reservation.Events, nil}
	titles      = aggregate[reservation.State, reservation.Command, reservation.Event]{reservation.TitleCategory, reservation.Titles, reservation.Events, nil}
	categories  = aggregate[category.State, category.Command, category.Event]{category.Category, category.Decider, category.Events, nil}
	pathways    = aggregate[pathway.State, pathway.Command, pathway.Event]{pathway.Category, pathway.Decider, pathway.Events, nil}
	keyed       = aggregate[command.State, struct{}, command.Event]{command.Category, domain.Decider[command.State, struct{}, command.Event]{
		Initial: func() command.State { return command.State{} }, Evolve: command.Evolve,
	}, command.Events, nil}
)

// loaded is a stream's state at its last revision.
type loaded[S any] struct {
	state    S
	revision eventstore.Revision
	position eventstore.Position
}

// states keeps folded states, so that a hot stream is not folded from its start again. It never answers alone: the
// tail of the stream is read each time, so a state is as new as the store.
type states struct {
	cache *lru.Cache[eventstore.StreamID, any] // of loaded[S]
	mu    sync.Mutex
}

// cachedStates bounds the memory of states: about 1 KiB each.
const cachedStates = 50_000

func newStates() *states {
	cache, err := lru.New[eventstore.StreamID, any](cachedStates)
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &states{cache: cache}
}

// keep stores a state unless a newer one of the stream is kept already.
func keep[S any](s *states, stream eventstore.StreamID, at loaded[S]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.cache.Peek(stream); ok && old.(loaded[S]).revision >= at.revision {
		return
	}
	s.cache.Add(stream, at)
}

// load folds a stream up to its last event.
func load[S, C, E any](ctx context.Context, h *Handler, a aggregate[S, C, E], planID domain.PlanID, id string) (loaded[S], error) {
	stream := eventstore.StreamID{Category: a.category, Plan: string(planID), ID: id}
	at := loaded[S]{state: a.decider.Initial(), revision: eventstore.NoStream}
	if stream.Validate() != nil {
		return at, nil // no stream can have that name, so nothing exists under it
	}
	if kept, ok := h.states.cache.Get(stream); ok {
		at = kept.(loaded[S])
	}
	from := at.revision
	for recorded, err := range h.store.Read(ctx, stream, at.revision+1) {
		if err != nil {
			return at, fmt.Errorf("read %s: %w", stream, err)
		}
		event, _, err := decode[E](a.events, recorded)
		if err != nil {
			return at, err
		}
		at = loaded[S]{a.decider.Evolve(at.state, event), recorded.Revision, recorded.Position}
	}
	if at.revision > from {
		keep(h.states, stream, at)
	}
	return at, nil
}

// decode returns an event of an aggregate with its envelope.
func decode[E any](catalog *domain.Catalog, r eventstore.Recorded) (E, eventstore.Metadata, error) {
	var none E
	meta, err := eventstore.DecodeMetadata(r.Metadata)
	if err != nil {
		return none, meta, fmt.Errorf("%s revision %d: %w", r.Stream, r.Revision, err)
	}
	value, err := catalog.Decode(r.Type, meta.Schema, r.Data)
	if err != nil {
		return none, meta, fmt.Errorf("%s revision %d: %w", r.Stream, r.Revision, err)
	}
	event, ok := value.(E)
	if !ok {
		return none, meta, fmt.Errorf("%s revision %d: a %s does not belong there", r.Stream, r.Revision, r.Type)
	}
	return event, meta, nil
}
