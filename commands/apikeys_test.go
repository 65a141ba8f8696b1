package commands_test

import (
	"bytes"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/apikey"
)

func TestAuthenticate(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	r.fixture("zeta")
	create := commands.CreateAPIKey{Name: "robot", Scopes: []access.Scope{access.Read, access.Write}, Member: f.member}
	answer := r.handle(request("acme", create, "once"), create)
	key := answer.APIKey
	_, secret, _ := strings.Cut(strings.TrimPrefix(key, "rw_"), "_")
	if !strings.HasPrefix(key, "rw_acme."+answer.ID+"_") || len(secret) < 40 {
		t.Fatalf("key %q", key)
	}
	second := r.do("acme", create)
	_, secondSecret, _ := strings.Cut(strings.TrimPrefix(second.APIKey, "rw_"), "_")
	signsIn := func(t *testing.T, h *commands.Handler, key string, want bool) access.Principal {
		t.Helper()
		p, ok, err := h.Authenticate(t.Context(), key)
		if err != nil || ok != want {
			t.Errorf("key %q: %v, %v, want %v", key, ok, err, want)
		}
		return p
	}
	t.Run("API-5 a key signs in as what it was made for", func(t *testing.T) {
		for _, h := range []*commands.Handler{r.handler, handlerOn(r.store)} {
			equal(t, "principal", signsIn(t, h, key, true), access.Principal{ID: "key:" + answer.ID, Plan: "acme", Member: f.member, Scopes: []access.Scope{"read", "write"}})
		}
	})
	bad := map[string]string{
		"nothing":                    "",
		"only a prefix":              "rw_",
		"without its prefix":         strings.TrimPrefix(key, "rw_"),
		"another prefix":             "RW_" + strings.TrimPrefix(key, "rw_"),
		"truncated by one":           key[:len(key)-1],
		"without its secret":         strings.TrimSuffix(key, secret),
		"without its underline":      strings.TrimSuffix(key, "_"+secret),
		"one more letter":            key + "a",
		"a line break behind it":     key + "\n",
		"a space before it":          " " + key,
		"in upper case":              strings.ToUpper(key),
		"the secret of another key":  strings.TrimSuffix(key, secret) + secondSecret,
		"the hash as the secret":     strings.TrimSuffix(key, secret) + hashOf(r, answer.ID),
		"the prefix of another plan": strings.Replace(key, "rw_acme.", "rw_zeta.", 1),
		"a plan that does not exist": strings.Replace(key, "rw_acme.", "rw_none.", 1),
		"a plan that cannot be":      strings.Replace(key, "rw_acme.", "rw_A B.", 1),
		"the id of no key":           "rw_acme." + newID() + "_" + secret,
		"an empty id":                "rw_acme._" + secret,
		"an empty secret of no key":  "rw_acme." + newID() + "_",
		"an id of 2,000 bytes":       "rw_acme." + strings.Repeat("x", 2000) + "_" + secret,
		"a zero byte in its id":      "rw_acme." + answer.ID + "\x00_" + secret,
		"bytes that are no UTF-8":    "rw_acme.\xff\xfe_" + secret,
		"another stream in its id":   "rw_acme.x/../" + answer.ID + "_" + secret,
		"a dot more":                 "rw_acme.." + answer.ID + "_" + secret,
		"doubled":                    key + key,
	}
	for name, key := range bad {
		t.Run("API-5 refused: "+name, func(t *testing.T) {
			equal(t, "principal", signsIn(t, r.handler, key, false), access.Principal{})
		})
	}
	t.Run("API-5 the secret is nowhere in the store", func(t *testing.T) {
		for _, e := range r.on(t, r.store).events(0) {
			for _, s := range []string{secret, secondSecret, key} {
				if bytes.Contains(e.Data, []byte(s)) || bytes.Contains(e.Metadata, []byte(s)) || strings.Contains(e.Stream.String(), s) {
					t.Errorf("%s %s has it: %s", e.Stream, e.Type, e.Data)
				}
			}
		}
	})
	t.Run("API-5 a key is shown once", func(t *testing.T) {
		if again := r.on(t, r.store).handle(request("acme", create, "once"), create); again.APIKey != "" || again.ID != answer.ID {
			t.Errorf("repeat %+v", again)
		}
	})
	t.Run("ACC-4 once its revocation is answered, a key is refused", func(t *testing.T) {
		other := handlerOn(r.store) // a replica that has the key in memory
		signsIn(t, other, key, true)
		r.do("acme", commands.RevokeAPIKey{Key: apikey.KeyID(answer.ID)})
		for _, h := range []*commands.Handler{r.handler, other, handlerOn(r.store)} {
			signsIn(t, h, key, false)
			signsIn(t, h, second.APIKey, true)
		}
		if again := r.on(t, r.store).handle(request("acme", create, "once"), create); again.ID != answer.ID || again.APIKey != "" {
			t.Errorf("the repeat of its creation: %+v", again)
		}
		signsIn(t, r.handler, key, false)
	})
	t.Run("API-5 wrong keys are not made", func(t *testing.T) {
		tests := []struct {
			c           commands.CreateAPIKey
			code, field string
		}{
			{commands.CreateAPIKey{Name: "x"}, "required", "/scopes"},
			{commands.CreateAPIKey{Name: "x", Scopes: []access.Scope{"read", "root"}}, "unknown_scope", "/scopes/1"},
			{commands.CreateAPIKey{Scopes: []access.Scope{"read"}}, "invalid_length", "/name"},
		}
		for _, tt := range tests {
			r.on(t, r.store).refused(request("acme", tt.c, ""), tt.c, domain.Invalid, tt.code, tt.field)
		}
	})
}

// hashOf returns the hash of a key's secret, as whoever reads the store has it.
func hashOf(r *rig, id string) string {
	r.Helper()
	for _, e := range r.events(0) {
		if e.Stream.Category == apikey.Category && e.Stream.ID == id {
			value, err := apikey.Events.Decode(e.Type, 1, e.Data)
			if err != nil {
				r.Fatal(err)
			}
			return string(value.(apikey.ApiKeyCreated).Hash)
		}
	}
	r.Fatal("no such key")
	return ""
}
