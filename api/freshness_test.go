package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolewise/readmodels"
)

func TestFreshness(t *testing.T) {
	t.Run("ANA-6 position, as_of and lag", func(t *testing.T) {
		c := newCompany(t)
		c.clock.move(time.Hour)
		got := c.see("/roles")
		f := decoded[enlisted[readmodels.RoleRow]](got).Freshness
		if f.Position != c.head().String() || !f.AsOf.Equal(c.clock.Now().Add(-time.Hour)) || f.LagMS != 0 {
			t.Errorf("%+v", f)
		}
		if got.Header.Get("X-Rolewise-Position") != f.Position || got.Header.Get("X-Rolewise-As-Of") != "2026-03-01T09:00:00Z" {
			t.Errorf("%v", got.Header)
		}
		if !strings.Contains(got.Body, `"as_of":"2026-03-01T09:00:00Z","lag_ms":0}`) {
			t.Error(got.Body)
		}
	})
	t.Run("ANA-6 lag where the read model is behind", func(t *testing.T) {
		r := newRig(t, false)
		key := r.plan("acme", "enterprise")
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"items":[],"next":null,"position":"0","as_of":null,"lag_ms":0}`) {
			t.Error(got.Body)
		}
		if err := r.models.Commit(t.Context(), readmodels.Batch{Scope: readmodels.Roles, Checkpoint: readmodels.Checkpoint{Position: 1, Time: r.clock.Now()}}); err != nil {
			t.Fatal(err)
		}
		r.clock.move(1500 * time.Millisecond)
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"position":"1","as_of":"2026-03-01T09:00:00Z","lag_ms":1500}`) {
			t.Error(got.Body)
		}
		r.clock.move(-time.Hour)
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"lag_ms":0}`) {
			t.Error(got.Body)
		}
	})
}

func TestMinPosition(t *testing.T) {
	r := newRig(t, false, func(d *Deps) { d.MinPositionWait = 20 * time.Millisecond })
	key := r.plan("acme", "enterprise")
	for _, path := range []string{
		"/v1/plans/acme/roles?", "/v1/plans/acme/members/" + uid(1) + "?", "/v1/plans/acme/analytics/roles?",
		"/v1/plans/acme/analytics/roles?format=csv&", "/v1/me/plans?",
	} {
		t.Run("ANA-6 never older, else 503: "+path, func(t *testing.T) {
			got := r.get(path+"min_position="+r.head().String(), key)
			got.refused(503, "not_yet_visible")
			if got.Header.Get("Retry-After") != "1" {
				t.Errorf("%v", got.Header)
			}
		})
	}
	r.get(fmt.Sprintf("/v1/plans/acme/events?min_position=%d", r.head()+1), key).refused(503, "not_yet_visible")
	if strings.Contains(r.log.String(), "request failed") {
		t.Error("a wait in vain is logged as a failure")
	}
}

// TestMinPositionWakes: the answer comes as soon as the read model is there, not at the end of the wait.
func TestMinPositionWakes(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	answered := make(chan reply)
	go func() { answered <- r.get("/v1/plans/acme/roles?min_position="+r.head().String(), key) }()
	if err := r.models.Commit(t.Context(), readmodels.Batch{Scope: readmodels.Roles, Checkpoint: readmodels.Checkpoint{Position: r.head(), Time: r.clock.Now()}}); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got.Code != 200 || decoded[enlisted[readmodels.RoleRow]](got).Position != r.head().String() {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestETag(t *testing.T) {
	c := newCompany(t)
	first := c.see("/members/" + uid(memberAda))
	tag := first.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) || first.Header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("%v", first.Header)
	}
	t.Run("API-2 304 while the object is the same", func(t *testing.T) {
		c.send("create-team", fields{"name": "Elsewhere"})
		for _, match := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			got := c.see("/members/"+uid(memberAda), "If-None-Match", match)
			if got.Code != http.StatusNotModified || got.Body != "" || got.Header.Get("ETag") != tag || got.Header.Get("X-Rolewise-Position") != c.position {
				t.Errorf("%s: %d %s %v", match, got.Code, got.Body, got.Header)
			}
		}
		if got := c.see("/members/"+uid(memberAda), "If-None-Match", `"x"`); got.Code != 200 {
			t.Errorf("%d", got.Code)
		}
	})
	t.Run("API-2 200 when it changed", func(t *testing.T) {
		c.send("remove-team-member", fields{"member": uid(memberAda), "team": uid(teamData)})
		if got := c.see("/members/"+uid(memberAda), "If-None-Match", tag); got.Code != 200 || got.Header.Get("ETag") == tag {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}
