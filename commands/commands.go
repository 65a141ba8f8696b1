// Package commands carries out what clients ask for: authorise, load, decide, append. It reads the event store only,
// never a read model, so that no decision rests on what may lag (SPEC ACC-4).
package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// Command is the body of one kind of command. The types that implement it are the API: their JSON is what clients send.
type Command interface {
	About() About
	run(w *work) (Answer, error)
}

// About says what is the same for all commands of a kind.
type About struct {
	Name    string        // kebab-case, as in the path
	Summary string        // one sentence for the documentation
	Action  access.Action // what the caller must be permitted
	Feature plan.Feature  // what the plan must include; empty: nothing
}

// Request is everything around the body.
type Request struct {
	Plan        domain.PlanID
	Principal   access.Principal
	Key         string               // Idempotency-Key; empty: none
	IfMatch     *eventstore.Revision // revision that the caller has seen; nil: any
	DryRun      bool                 // decide, but append nothing
	Correlation string               // empty: one is made
}

// Answer is what a command gives back.
type Answer struct {
	ID       string   `json:"id,omitempty" doc:"Id of what was created."`
	Stream   string   `json:"stream" doc:"Event stream that the command is about."`
	Revision int64    `json:"revision" doc:"Revision of the stream after the command; -1 if it has no events."`
	Position string   `json:"position" doc:"Pass it as min_position to a query to read your own write."`
	Events   []string `json:"events" doc:"Types of the appended events, in order; empty if nothing changed."`
	Warnings []string `json:"warnings,omitempty" doc:"Recommendations that the result does not follow."`
	Items    []Item   `json:"items,omitempty" doc:"Of a bulk command: what became of each item."`
	APIKey   string   `json:"api_key,omitempty" doc:"Of create-api-key: the key, shown this once: a repeat under the same Idempotency-Key is answered without it."`
}

// Item is what became of one member or team in a bulk command.
type Item struct {
	Member string `json:"member,omitempty"`
	Team   string `json:"team,omitempty"`
	Status string `json:"status" enum:"done,unchanged,refused"`
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Handler carries out commands. It is safe for concurrent use.
type Handler struct {
	store    eventstore.Store
	now      func() time.Time
	emailKey []byte
	states   *states
	observe  Observer

	invitations invitations
}

// Observer is told of a command before it is carried out, and by the function that it returns how that ended. The
// command goes on under the context that it returns.
type Observer func(ctx context.Context, name string, req Request) (context.Context, func(error))

// New returns a handler on a store. Times of events come from now; emailKey keys the hash under which an e-mail address
// is reserved, and must be the same for the life of the store.
func New(store eventstore.Store, now func() time.Time, emailKey []byte) *Handler {
	return &Handler{store: store, now: now, emailKey: emailKey, states: newStates(), invitations: invitations{plans: map[domain.PlanID]*foundOwners{}}}
}

// Observe sets who is told of commands; before the first one.
func (h *Handler) Observe(o Observer) { h.observe = o }

// Handle carries out a command, or returns a refusal (*domain.Error, several joined for a bulk command) or a failure of
// the store (errors of package eventstore).
func (h *Handler) Handle(ctx context.Context, req Request, c Command) (answer Answer, err error) {
	if req.Correlation == "" {
		req.Correlation = uuid.Must(uuid.NewV7()).String()
	}
	if h.observe == nil {
		return h.handle(ctx, req, c)
	}
	ctx, ended := h.observe(ctx, c.About().Name, req)
	defer func() { ended(err) }()
	return h.handle(ctx, req, c)
}

func (h *Handler) handle(ctx context.Context, req Request, c Command) (Answer, error) {
	about := c.About()
	if err := req.Principal.May(about.Action, req.Plan); err != nil {
		return Answer{}, err
	}
	if named, ok := c.(interface{ plan() domain.PlanID }); ok && named.plan() != req.Plan {
		return Answer{}, domain.Invalidf("/plan", "plan_mismatch", "must be the plan that the request is about")
	}
	if about.Action != access.OperatePlans {
		if err := h.requirePlan(ctx, req.Plan, about.Feature); err != nil {
			return Answer{}, err
		}
	}
	hash, err := bodyHash(about.Name, c)
	if err != nil {
		return Answer{}, err
	}
	for {
		w := h.begin(ctx, req, about.Name, hash)
		answer, err := w.once(c)
		if errors.Is(err, errClaimed) { // another request under the same key came first: look at what it did
			continue
		}
		return answer, err
	}
}

func (h *Handler) requirePlan(ctx context.Context, id domain.PlanID, feature plan.Feature) error {
	state, err := h.Plan(ctx, id)
	switch {
	case err != nil:
		return err
	case !state.Exists:
		return domain.Missing("plan")
	case feature != "":
		return state.Require(feature)
	}
	return nil
}

// bodyHash is the SHA-256 of a command's name and body. The body was decoded strictly into a struct, so that its JSON
// is canonical.
func bodyHash(name string, c Command) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", name, err)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), body...))
	return hex.EncodeToString(sum[:]), nil
}

// Bootstrap creates the vendor's catalog plan, unless there is one.
func (h *Handler) Bootstrap(ctx context.Context) error {
	w := h.begin(ctx, Request{Plan: domain.CatalogPlan, Principal: access.Principal{ID: "system:bootstrap", Vendor: true}, Correlation: "bootstrap"}, "create-plan", "")
	_, err := decide(w, plans, eventstore.PlanWide, func(s plan.State) (plan.Command, error) {
		if s.Exists {
			return plan.ChangeTier{Tier: s.Tier}, nil
		}
		return plan.Create{Plan: domain.CatalogPlan, Name: "Catalog", Tier: plan.Enterprise}, nil
	})
	if err != nil {
		return fmt.Errorf("create the catalog plan: %w", err)
	}
	return nil
}
