package api

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"rolewise/api/live"
	"rolewise/readmodels"
)

// TestStreamsMissNothing lets clients live on what streams tell them, while several write and connections break at
// random: in the end each client knows what whoever asks for everything gets.
func TestStreamsMissNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	onBoth(t, "ANA-9 who reads again only what was told has what everybody has", func(t *testing.T, start func(...func(*Deps)) *streaming) {
		s := start()
		keys := map[string]string{"acme": s.plan("acme", "enterprise"), "beech": s.plan("beech", "enterprise")}
		s.furnish("catalog", operatorKey, 0)
		s.furnish("acme", keys["acme"], 1000)
		s.furnish("beech", keys["beech"], 2000)
		done := make(chan struct{})
		var writing, reading sync.WaitGroup
		for i, plan := range []string{"acme", "acme", "beech", "catalog"} {
			writing.Go(func() { s.write(rand.New(rand.NewPCG(seed, uint64(i))), plan, 60) })
		}
		for i := range 6 {
			plan := []string{"acme", "beech"}[i%2]
			c := &client{s: s, plan: plan, key: keys[plan], random: rand.New(rand.NewPCG(seed, uint64(100+i))), knows: map[string]string{}}
			reading.Go(func() { c.live(done) })
		}
		writing.Wait()
		for plan, key := range keys {
			for report := range s.paths(plan) {
				s.fetch(0, plan, key, report, "?min_position="+s.head().String())
			}
		}
		close(done)
		reading.Wait()
	})
}

// base is where the ids of a plan's things begin.
var base = map[string]int{"catalog": 0, "acme": 1000, "beech": 2000}

// furnish gives a plan a role with a skill.
func (s *streaming) furnish(plan, key string, base int) {
	s.command(plan, "define-skill", key, fields{"skill": uid(base + 1), "name": "Go", "state": "validated"})
	s.command(plan, "publish-benchmark", key, fields{"skill": uid(base + 1), "thresholds": []int{100, 150, 200}, "source": "test"})
	s.command(plan, "create-role", key, fields{"role": uid(base + 2), "title": "Engineer"})
	s.command(plan, "add-role-skill", key, fields{"role": uid(base + 2), "skill": uid(base + 1), "required": true})
	s.command(plan, "publish-role", key, fields{"role": uid(base + 2)})
}

// write sends random commands, of which some may be refused.
func (s *streaming) write(r *rand.Rand, plan string, n int) {
	base := base[plan]
	member := func() string { return uid(base + 10 + r.IntN(3)) }
	role := func() string { return []string{uid(base + 2), uid(2)}[r.IntN(2)] }
	text := func() string { return string(rune('A'+r.IntN(26))) + string(rune('a'+r.IntN(26))) }
	for i := range n {
		kinds := []func() (string, fields){
			func() (string, fields) { return "rename-skill", fields{"skill": uid(base + 1), "name": text()} },
			func() (string, fields) { return "rename-role", fields{"role": uid(base + 2), "title": text()} },
			func() (string, fields) { return "publish-role", fields{"role": uid(base + 2)} },
			func() (string, fields) { return "create-team", fields{"name": text()} },
			func() (string, fields) {
				id := member()
				return "invite-member", fields{"member": id, "name": text(), "email": text() + id + "@example.org"}
			},
			func() (string, fields) {
				return "assign-role", fields{"role": role(), "members": []string{member()}}
			},
			func() (string, fields) {
				return "unassign-role", fields{"role": role(), "members": []string{member()}}
			},
			func() (string, fields) {
				return "record-skill-iq", fields{
					"member": member(), "skill": []string{uid(base + 1), uid(1)}[r.IntN(2)], "score": r.IntN(300), "percentile": 50,
					"measured_at": "2026-02-01T10:00:00Z", "session": text() + text() + text(),
				}
			},
		}
		if plan == "catalog" {
			kinds = kinds[:3]
		}
		name, body := kinds[r.IntN(len(kinds))]()
		encoded, err := json.Marshal(body)
		if err != nil {
			s.t.Error(err)
			return
		}
		got := s.do(http.MethodPost, "/v1/plans/"+plan+"/commands/"+name, operatorKey, string(encoded))
		if got.Code >= 500 || got.Code == 404 && strings.Contains(got.Body, "route_not_found") || i == 0 && got.Code == 401 {
			s.t.Errorf("%s: %d %s", name, got.Code, got.Body)
			return
		}
	}
}

// paths are those under which each report is asked for, with everything it can be asked about.
func (s *streaming) paths(plan string) map[string][]string {
	of := func(kind, rest string, ids ...string) (all []string) {
		for _, id := range ids {
			all = append(all, "/v1/plans/"+plan+kind+id+rest)
		}
		return all
	}
	base := base[plan]
	members := []string{uid(base + 10), uid(base + 11), uid(base + 12)}
	roles := []string{uid(base + 2), uid(2)}
	return map[string][]string{
		"my-plans": {"/v1/me/plans"}, "list-members": of("/members", "", ""), "list-teams": of("/teams", "", ""), "get-team": of("/teams/", "", uid(base+20)), "list-skills": of("/skills", "", ""),
		"list-roles": of("/roles", "", ""), "analytics-roles": of("/analytics/roles", "", ""), "get-member": of("/members/", "", members...),
		"list-member-roles": of("/members/", "/roles", members...), "list-member-skills": of("/members/", "/skills", members...),
		"get-role": of("/roles/", "", roles...), "list-role-versions": of("/roles/", "/versions", roles...), "list-role-members": of("/roles/", "/members", roles...),
		"analytics-role": of("/analytics/roles/", "", roles...), "analytics-role-members": of("/analytics/roles/", "/members", roles...),
	}
}

// fetch asks one process for a report, and leaves out how new the answer is.
func (s *streaming) fetch(replica int, plan, key, report string, query string) (all string) {
	s.t.Helper()
	asks := &rig{t: s.t, handler: s.replicas[replica].server.Handler}
	for _, path := range s.paths(plan)[report] {
		got := asks.get(path+query, key)
		if got.Code >= 500 {
			s.t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
		var content map[string]any
		if err := json.Unmarshal([]byte(got.Body), &content); err != nil {
			s.t.Error(err)
		}
		for _, name := range []string{"position", "as_of", "lag_ms", "request_id"} {
			delete(content, name)
		}
		encoded, err := json.Marshal(content)
		if err != nil {
			s.t.Error(err)
		}
		all += string(encoded) + "\n"
	}
	return all
}

// client knows what it was once given, and asks again only for what it is told of.
type client struct {
	s         *streaming
	plan, key string
	random    *rand.Rand
	knows     map[string]string // by report
	last      string
}

// live follows until the writers are done and everything was told, over connections that last a few events each.
func (c *client) live(done <-chan struct{}) {
	for {
		replica := c.random.IntN(len(c.s.replicas))
		f := c.s.follow(replica, c.plan, c.key, c.last)
		for range 1 + c.random.IntN(6) {
			select {
			case m := <-f.messages:
				c.take(replica, m)
				continue
			case <-done:
			}
			if c.all() {
				f.cut()
				c.compare()
				return
			}
			c.take(replica, f.next()) // what it was not told of yet must come
		}
		f.cut() // what was sent already is lost on the way
	}
}

// take asks again for what is told.
func (c *client) take(replica int, m message) {
	if m.id == "" {
		c.s.t.Errorf("no event: %+v", m)
		return
	}
	reports := m.Reports
	if m.name == "ready" && len(c.knows) == 0 {
		reports = slices.Collect(maps.Keys(c.s.paths(c.plan)))
	}
	for _, report := range reports {
		c.knows[report] = c.s.fetch(replica, c.plan, c.key, report, "")
	}
	c.last = m.id
}

// all tells whether the client was told of the last change of every projection.
func (c *client) all() bool {
	if c.last == "" {
		return false
	}
	text, _ := openCursor("stream\x00"+c.plan+"\x00"+c.s.info().ID, c.last)
	told, ok := live.ParseTold(text)
	if !ok {
		c.s.t.Errorf("id %q", c.last)
	}
	q := c.s.replicas[0].queries
	for _, scope := range readmodels.Scopes() {
		found, err := q.Changes(c.s.t.Context(), q.Home(scope, c.plan), c.plan)
		if err != nil {
			c.s.t.Error(err)
			return true
		}
		for _, at := range found.Plans[c.plan] {
			if told.Points[scope.Projection].Position < at {
				return false
			}
		}
	}
	return true
}

func (c *client) compare() {
	for report := range c.s.paths(c.plan) {
		if want := c.s.fetch(0, c.plan, c.key, report, ""); c.knows[report] != want {
			c.s.t.Errorf("%s: %s is\n%s\nthe client knows\n%s", c.plan, report, want, c.knows[report])
		}
	}
}
