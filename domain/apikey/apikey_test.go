package apikey_test

import (
	"reflect"
	"strings"
	"testing"

	"rolewise/domain/access"
	"rolewise/domain/apikey"
	"rolewise/domain/decidertest"
)

const (
	ada    = "01890a5d-ac96-774b-bcce-b30209900001"
	key    = "k1"
	secret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

type test = decidertest.Case[apikey.Command, apikey.Event]

func created(scopes ...access.Scope) apikey.ApiKeyCreated {
	return apikey.ApiKeyCreated{Key: key, Name: "ci", Scopes: scopes, Hash: secret}
}

var revoked = apikey.ApiKeyRevoked{Key: key}

func TestDecide(t *testing.T) {
	create := func(edit func(*apikey.Create)) apikey.Command {
		c := apikey.Create{Key: key, Name: "ci", Scopes: []access.Scope{access.Read}, Hash: secret}
		edit(&c)
		return c
	}
	scoped := func(scopes ...access.Scope) apikey.Command {
		return create(func(c *apikey.Create) { c.Scopes = scopes })
	}
	forAda := created(access.Read)
	forAda.Member = ada
	called := func(name string) apikey.Event {
		e := created(access.Read)
		e.Name = name
		return e
	}
	events := func(e ...apikey.Event) []apikey.Event { return e }
	decidertest.Run(t, apikey.Decider, []test{
		{Name: "API-5 create", When: create(func(*apikey.Create) {}), Then: events(created(access.Read))},
		{Name: "API-5 create with every scope", When: scoped(access.Scopes()...), Then: events(created("*", "read", "write", "measurements:write", "act_as", "audit"))},
		{Name: "API-5 create for a member", When: create(func(c *apikey.Create) { c.Member, c.MemberExists = ada, true }), Then: events(forAda)},
		{Name: "API-5 create twice", Given: events(created(access.Read)), When: scoped(access.Read), Refused: decidertest.Conflict("api_key_exists", "")},
		{Name: "API-5 create a revoked key again", Given: events(created(access.Read), revoked), When: scoped(access.Read), Refused: decidertest.Conflict("api_key_exists", "")},
		{Name: "API-5 a name of 1 character", When: create(func(c *apikey.Create) { c.Name = "é" }), Then: events(called("é"))},
		{Name: "API-5 a name of 100 characters", When: create(func(c *apikey.Create) { c.Name = strings.Repeat("é", 100) }), Then: events(called(strings.Repeat("é", 100)))},
		{Name: "API-5 create without a name", When: create(func(c *apikey.Create) { c.Name = "" }), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "API-5 a name of 101 characters", When: create(func(c *apikey.Create) { c.Name = strings.Repeat("a", 101) }), Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "API-5 create without scopes", When: scoped(), Refused: decidertest.Invalid("required", "/scopes")},
		{Name: "API-5 an unknown scope", When: scoped(access.Read, "root"), Refused: decidertest.Invalid("unknown_scope", "/scopes/1")},
		{Name: "API-5 for a member that is not there", When: create(func(c *apikey.Create) { c.Member = ada }), Refused: decidertest.Missing("member_not_found", "/member")},
		{Name: "API-5 revoke", Given: events(created(access.Read)), When: apikey.Revoke{Key: key}, Then: events(revoked)},
		{Name: "API-5 revoke twice", Given: events(created(access.Read), revoked), When: apikey.Revoke{Key: key}},
		{Name: "API-5 revoke no key", When: apikey.Revoke{Key: key}, Refused: decidertest.Missing("api_key_not_found", "/key")},
	})
}

func TestValid(t *testing.T) {
	forAda := created(access.Read, access.ActAs)
	forAda.Member = ada
	t.Run("API-5 no key does not sign in", func(t *testing.T) {
		if apikey.Decider.Fold().Valid() {
			t.Error("valid")
		}
	})
	t.Run("API-5 a key signs in with what it was made with", func(t *testing.T) {
		got := apikey.Decider.Fold(forAda)
		want := apikey.State{Exists: true, Scopes: []access.Scope{access.Read, access.ActAs}, Member: ada, Hash: secret}
		if !got.Valid() || !reflect.DeepEqual(got, want) {
			t.Errorf("state %+v, want %+v", got, want)
		}
	})
	t.Run("API-5 a revoked key does not sign in", func(t *testing.T) {
		if apikey.Decider.Fold(forAda, revoked).Valid() {
			t.Error("valid")
		}
	})
}
