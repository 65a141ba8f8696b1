// Package apikey decides about the keys with which clients sign in: created once, shown once, revocable.
// Stream: apikey-<plan>.<key>.
package apikey

import (
	"slices"

	"rolewise/domain"
	"rolewise/domain/access"
)

// Category is the first part of the stream's name.
const Category = "apikey"

// KeyID identifies a key; it is no secret.
type KeyID string

// Hash is the SHA-256 of a key's secret, in hexadecimal. The secret has 256 random bits, so that a plain hash suffices.
type Hash string

// Events of a key.
type (
	Event interface{ apikey() }

	ApiKeyCreated struct {
		Key    KeyID           `json:"key"`
		Name   string          `json:"name" personal:"-"`
		Scopes []access.Scope  `json:"scopes"`
		Member domain.MemberID `json:"member,omitempty"` // on whose behalf it acts, if any
		Hash   Hash            `json:"hash"`
	}
	ApiKeyRevoked struct {
		Key KeyID `json:"key"`
	}
)

func (ApiKeyCreated) apikey() {}
func (ApiKeyRevoked) apikey() {}

// Events lists the event types of a key.
var Events = domain.NewCatalog(
	domain.Type[ApiKeyCreated]("ApiKeyCreated"),
	domain.Type[ApiKeyRevoked]("ApiKeyRevoked"),
)

// Commands to a key. MemberExists is a fact.
type (
	Command interface{ command() }

	Create struct {
		Key          KeyID
		Name         string
		Scopes       []access.Scope
		Member       domain.MemberID
		MemberExists bool
		Hash         Hash
	}
	Revoke struct{ Key KeyID }
)

func (Create) command() {}
func (Revoke) command() {}

// State is what signing in needs of a key.
type State struct {
	Exists  bool
	Revoked bool
	Scopes  []access.Scope
	Member  domain.MemberID
	Hash    Hash
}

// Valid tells whether the key signs in.
func (s State) Valid() bool { return s.Exists && !s.Revoked }

// Decider holds the rules of API keys (SPEC API-5).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Create:
		if s.Exists {
			return nil, domain.Conflictf("api_key_exists", "there is a key of this id already")
		}
		if err := domain.CheckText("/name", c.Name, 1, 100); err != nil {
			return nil, err
		}
		if len(c.Scopes) == 0 {
			return nil, domain.Invalidf("/scopes", "required", "a key needs at least one scope")
		}
		for i, scope := range c.Scopes {
			if !slices.Contains(access.Scopes(), scope) {
				return nil, domain.Invalidf(domain.ItemPointer("/scopes", i), "unknown_scope", "there is no such scope")
			}
		}
		if c.Member != "" && !c.MemberExists {
			return nil, domain.Missing("member").At("/member")
		}
		return []Event{ApiKeyCreated{Key: c.Key, Name: c.Name, Scopes: c.Scopes, Member: c.Member, Hash: c.Hash}}, nil
	case Revoke:
		if !s.Exists {
			return nil, domain.Missing("api_key").At("/key")
		}
		if s.Revoked {
			return nil, nil
		}
		return []Event{ApiKeyRevoked(c)}, nil
	}
	return nil, nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case ApiKeyCreated:
		return State{Exists: true, Scopes: e.Scopes, Member: e.Member, Hash: e.Hash}
	case ApiKeyRevoked:
		s.Revoked = true
	}
	return s
}
