package commands

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/apikey"
)

// CreateAPIKey makes a key for a client. The key itself is in the answer, and nowhere else, ever.
type CreateAPIKey struct {
	Name   string          `json:"name"`
	Scopes []access.Scope  `json:"scopes" enum:"*,read,write,measurements:write,act_as,audit"`
	Member domain.MemberID `json:"member,omitempty" doc:"The member that the key acts for."`
}

func (CreateAPIKey) About() About {
	return About{Name: "create-api-key", Summary: "Make an API key; it is shown this once.", Action: access.ManagePlan}
}

func (c CreateAPIKey) run(w *work) (Answer, error) {
	id, secret := w.newID(""), strings.ToLower(rand.Text()+rand.Text())
	answer, err := decide(w, apikeys, id, func(apikey.State) (apikey.Command, error) {
		create := apikey.Create{Key: apikey.KeyID(id), Name: c.Name, Scopes: c.Scopes, Member: c.Member, Hash: hashSecret(secret)}
		if c.Member == "" {
			return create, nil
		}
		exists, err := w.memberActs(c.Member)
		create.MemberExists = exists
		return create, err
	})
	if err != nil {
		return Answer{}, err
	}
	answer.ID = id
	at, err := load(w.ctx, w.Handler, apikeys, w.req.Plan, id)
	if err != nil {
		return Answer{}, err
	}
	if at.state.Hash == hashSecret(secret) { // not after a dry run, nor for a repeat: its secret is of no key
		answer.APIKey = "rw_" + string(w.req.Plan) + "." + id + "_" + secret
	}
	return answer, nil
}

// RevokeAPIKey ends a key: the next request with it is refused.
type RevokeAPIKey struct {
	Key apikey.KeyID `json:"key"`
}

func (RevokeAPIKey) About() About {
	return About{Name: "revoke-api-key", Summary: "Revoke an API key.", Action: access.ManagePlan}
}

func (c RevokeAPIKey) run(w *work) (Answer, error) {
	return decide(w, apikeys, string(c.Key), func(apikey.State) (apikey.Command, error) { return apikey.Revoke(c), nil })
}

// Authenticate returns the principal of an API key, false if it is none that signs in. The key's state is read from
// the event store on every call, so that a revocation counts at once (SPEC ACC-4).
func (h *Handler) Authenticate(ctx context.Context, key string) (access.Principal, bool, error) {
	name, secret, ok := strings.Cut(strings.TrimPrefix(key, "rw_"), "_")
	planID, id, ok2 := strings.Cut(name, ".")
	if !strings.HasPrefix(key, "rw_") || !ok || !ok2 {
		return access.Principal{}, false, nil
	}
	at, err := load(ctx, h, apikeys, domain.PlanID(planID), id)
	if err != nil {
		return access.Principal{}, false, err
	}
	same := subtle.ConstantTimeCompare([]byte(hashSecret(secret)), []byte(at.state.Hash)) == 1
	if !at.state.Valid() || !same {
		return access.Principal{}, false, nil
	}
	if at.state.Member != "" { // nobody acts for who was deactivated or removed
		state, err := h.Member(ctx, domain.PlanID(planID), at.state.Member)
		if err != nil || !state.Active() {
			return access.Principal{}, false, err
		}
	}
	return access.Principal{
		ID: "key:" + id, Plan: domain.PlanID(planID), Member: at.state.Member, Scopes: at.state.Scopes,
	}, true, nil
}

func hashSecret(secret string) apikey.Hash {
	sum := sha256.Sum256([]byte(secret))
	return apikey.Hash(hex.EncodeToString(sum[:]))
}
