package acceptance

import (
	"bytes"
	"net/http"
	"sync"
	"testing"

	"rolewise/test/harness"
)

func TestIdempotency(t *testing.T) {
	server := serveWithCatalog(t, "memory")
	client := server.NewPlan(t, north)
	send := func(t *testing.T, c harness.Client, name, key string, body any) harness.Response {
		t.Helper()
		response, err := c.Post(t.Context(), north, name, body, "Idempotency-Key", key)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	accepted := func(t *testing.T, r harness.Response) harness.Response {
		t.Helper()
		if r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		return r
	}
	repeat := func(t *testing.T, first harness.Response, name, key string, body any) {
		t.Helper()
		watched := guard(t, client, north)
		again := accepted(t, send(t, client, name, key, body))
		if !bytes.Equal(again.Body, first.Body) {
			t.Errorf("API-1 %s, first:\n%s\nrepeated:\n%s", name, first.Body, again.Body)
		}
		watched.check(t)
	}
	client.Command(t, north, "invite-member", harness.Body{"member": ada, "name": "Ada", "email": "ada@north.example"})
	client.Command(t, north, "invite-member", harness.Body{"member": bob, "name": "Bob", "email": "bob@north.example"})
	client.Command(t, north, "create-team", harness.Body{"team": tax, "name": "Tax"})

	t.Run("API-1 an object whose id the server makes, after it moved on", func(t *testing.T) {
		create := harness.Body{"title": "First title"}
		first := accepted(t, send(t, client, "create-role", "k-create", create))
		role := harness.Decode[harness.Answer](t, first).ID
		rename := harness.Body{"role": role, "title": "Second title"}
		renamed := accepted(t, send(t, client, "rename-role", "k-rename", rename))
		client.Command(t, north, "rename-role", harness.Body{"role": role, "title": "Third title"})
		repeat(t, first, "create-role", "k-create", create)
		repeat(t, renamed, "rename-role", "k-rename", rename)
	})
	t.Run("API-1 an invitation", func(t *testing.T) {
		invite := harness.Body{"name": "Cem", "email": "cem@north.example", "teams": []harness.Body{{"team": tax, "team_role": "member"}}}
		repeat(t, accepted(t, send(t, client, "invite-member", "k-invite", invite)), "invite-member", "k-invite", invite)
	})
	t.Run("API-1 a bulk command, after it was undone", func(t *testing.T) {
		assign := harness.Body{"role": preparers, "members": []string{ada, bob}, "teams": []string{tax}}
		first := accepted(t, send(t, client, "assign-role", "k-assign", assign))
		client.Command(t, north, "unassign-role", assign)
		repeat(t, first, "assign-role", "k-assign", assign)
	})
	t.Run("API-1 a command that changes nothing, after it would", func(t *testing.T) {
		unassign := harness.Body{"role": preparers, "members": []string{ada}}
		first := accepted(t, send(t, client, "unassign-role", "k-nothing", unassign))
		same(t, "events", harness.Decode[harness.Answer](t, first).Events, []string{})
		client.Command(t, north, "assign-role", unassign)
		repeat(t, first, "unassign-role", "k-nothing", unassign)
	})
	t.Run("API-1 the same session twice, after the measurement was withdrawn", func(t *testing.T) {
		measure := harness.Body{"member": ada, "skill": thinking, "score": 100, "percentile": 50, "measured_at": day(3, 1), "session": "s1"}
		first := accepted(t, send(t, client, "record-skill-iq", "k-measure", measure))
		client.Command(t, north, "invalidate-skill-iq", harness.Body{"member": ada, "skill": thinking, "session": "s1", "reason": "wrong"})
		repeat(t, first, "record-skill-iq", "k-measure", measure)
	})
	t.Run("API-1 another body", func(t *testing.T) {
		watched := guard(t, client, north)
		refusal{422, "idempotency_key_reused", "-"}.check(t, send(t, client, "create-role", "k-create", harness.Body{"title": "Other"}))
		refusal{422, "idempotency_key_reused", "-"}.check(t, send(t, client, "create-team", "k-create", harness.Body{"name": "First title"}))
		watched.check(t)
	})
	t.Run("API-1 the same key of another principal", func(t *testing.T) {
		other := client.As(client.Command(t, north, "create-api-key", harness.Body{"name": "other", "scopes": []string{"*"}}).APIKey)
		first := accepted(t, send(t, client, "create-role", "k-two", harness.Body{"title": "Two"}))
		second := accepted(t, send(t, other, "create-role", "k-two", harness.Body{"title": "Two of the other"}))
		if harness.Decode[harness.Answer](t, first).ID == harness.Decode[harness.Answer](t, second).ID {
			t.Error("two principals share an answer")
		}
	})
	t.Run("API-1 refusals are not remembered", func(t *testing.T) {
		late := id(71)
		rename := harness.Body{"role": late, "title": "Late"}
		refusal{404, "role_not_found", "/role"}.check(t, send(t, client, "rename-role", "k-late", rename))
		client.Command(t, north, "create-role", harness.Body{"role": late, "title": "Early"})
		answer := harness.Decode[harness.Answer](t, accepted(t, send(t, client, "rename-role", "k-late", rename)))
		same(t, "events", answer.Events, []string{"RoleRenamed"})
	})
	t.Run("API-1 an API key is shown once, and made once", func(t *testing.T) {
		create := harness.Body{"name": "once", "scopes": []string{"read"}}
		first := harness.Decode[harness.Answer](t, accepted(t, send(t, client, "create-api-key", "k-key", create)))
		again := harness.Decode[harness.Answer](t, accepted(t, send(t, client, "create-api-key", "k-key", create)))
		client.As(first.APIKey).Get(t, "/v1/me")
		if again.APIKey != "" && client.As(again.APIKey).TryGet(t, "/v1/me").Status != http.StatusOK {
			t.Errorf("the repeat shows a key that is not valid")
		}
		first.APIKey, again.APIKey = "", ""
		same(t, "the rest of the answer", again, first)
	})
	t.Run("API-1 16 at the same time", func(t *testing.T) { sixteenRepeats(t, client) })
	server.Stop(t)
}

// sixteenRepeats sends the same commands 16 times at once, each under one key.
func sixteenRepeats(t *testing.T, client harness.Client) {
	commands := []struct {
		name  string
		body  harness.Body
		types []string
	}{
		{"create-role", harness.Body{"title": "Sixteen"}, []string{"RoleCreated"}},
		{"invite-member", harness.Body{"name": "Sixteen", "email": "sixteen@north.example"}, []string{"MemberInvited"}},
		{"assign-role", harness.Body{"role": programmers, "members": []string{ada, bob}}, []string{"MemberAssigned", "MemberAssigned"}},
		{"select-level", harness.Body{"role": programmers, "member": bob, "level": "mid"}, []string{"LevelSelected"}},
		{"visit-role", harness.Body{"role": programmers, "member": bob}, []string{"RoleVisited"}},
	}
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			before := lastPosition(t, client, north)
			answers := make([]harness.Response, 16)
			var group sync.WaitGroup
			for i := range answers {
				group.Go(func() {
					response, err := client.Post(t.Context(), north, c.name, c.body, "Idempotency-Key", "k-16-"+c.name)
					if err != nil {
						t.Error(err)
					}
					answers[i] = response
				})
			}
			group.Wait()
			for i, answer := range answers {
				if answer.Status != http.StatusOK || !bytes.Equal(answer.Body, answers[0].Body) {
					t.Errorf("answer %d: %d %s, the first one: %s", i, answer.Status, answer.Body, answers[0].Body)
				}
			}
			list := harness.Decode[harness.List[harness.Event]](t, client.Get(t, "/v1/plans/"+north+"/events", "after", before, "limit", "1000"))
			same(t, "effects", types(business(list.Items)), c.types)
		})
	}
}
