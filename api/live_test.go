package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolewise/api/live"
	"rolewise/domain/access"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

func TestStream(t *testing.T) {
	onBoth(t, "ANA-9 what a command changed is told, with its position", func(t *testing.T, start func(...func(*Deps)) *streaming) {
		s := start()
		key := s.plan("acme", "enterprise")
		for i := range s.replicas {
			f := s.follow(i, "acme", key, "")
			if first := f.next(); first.name != "ready" || first.id == "" || len(first.Reports) != 0 {
				t.Errorf("the first event is %+v", first)
			}
			for name, want := range map[string]string{"Cache-Control": "no-cache, no-store, no-transform", "X-Accel-Buffering": "no"} {
				if got := f.header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			answer := s.command("acme", "create-team", key, fields{"name": fmt.Sprintf("Team %d", i)})
			told := f.next()
			if told.name != "changed" || !slices.Equal(told.Reports, []string{"get-team", "list-teams"}) || told.Position != answer.Position {
				t.Errorf("%+v, want list-teams and get-team at %s", told, answer.Position)
			}
			s.command("acme", "define-skill", key, fields{"name": fmt.Sprintf("Skill %d", i), "state": "validated"})
			if told := f.until("list-skills"); slices.Contains(told, "list-teams") || slices.Contains(told, "list-members") {
				t.Errorf("a skill changes %v", told)
			}
		}
	})
	onBoth(t, "ANA-9 a stream goes on where another ended, at any server", func(t *testing.T, start func(...func(*Deps)) *streaming) {
		s := start()
		key := s.plan("acme", "enterprise")
		f := s.follow(0, "acme", key, "")
		f.next()
		f.cut()
		s.command("acme", "create-team", key, fields{"name": "While nobody was there"})
		g := s.follow(len(s.replicas)-1, "acme", key, f.last)
		if first := g.next(); first.name != "ready" || first.id != f.last {
			t.Errorf("%+v", first)
		}
		if told := g.until("list-teams"); len(told) != 2 {
			t.Errorf("%v", told)
		}
		g.cut()
		h := s.follow(0, "acme", key, g.last)
		h.next()
		s.command("acme", "define-skill", key, fields{"name": "Go", "state": "validated"})
		if told := h.until("list-skills"); slices.Contains(told, "list-teams") {
			t.Errorf("what was told is told again: %v", told)
		}
	})
	onBoth(t, "ANA-9 after tells what changed since an answer", func(t *testing.T, start func(...func(*Deps)) *streaming) {
		s := start()
		key := s.plan("acme", "enterprise")
		before := s.command("acme", "define-skill", key, fields{"name": "Go", "state": "validated"}).Position
		at := s.command("acme", "create-team", key, fields{"name": "Team"}).Position
		s.get("/v1/plans/acme/teams?min_position="+at, key)
		f := s.follow(0, "acme", key, "", "?after="+before)
		f.next()
		if told := f.until("list-teams"); len(told) != 2 {
			t.Errorf("%v", told)
		}
		// Beyond the end nobody can have seen anything; what comes is told.
		g := s.follow(0, "acme", key, "", "?after=999999")
		g.next()
		s.command("acme", "create-team", key, fields{"name": "Other"})
		g.until("list-teams")
	})
	onBoth(t, "ANA-9 the vendor's changes are told where they count, other plans' never", func(t *testing.T, start func(...func(*Deps)) *streaming) {
		s := start()
		acme, beech := s.plan("acme", "enterprise"), s.plan("beech", "enterprise")
		f, g := s.follow(0, "acme", acme, ""), s.follow(0, "beech", beech, "")
		f.next()
		g.next()
		s.command("catalog", "define-skill", operatorKey, fields{"skill": uid(1), "name": "Go", "state": "validated"})
		f.until("list-skills")
		g.until("list-skills")
		s.command("beech", "create-team", beech, fields{"name": "Theirs"})
		g.until("list-teams")
		s.command("acme", "define-skill", acme, fields{"name": "Ours", "state": "validated"})
		if told := f.until("list-skills"); slices.Contains(told, "list-teams") {
			t.Errorf("acme is told of the teams of beech: %v", told)
		}
	})
}

func TestStreamRefusals(t *testing.T) {
	s := newStreaming(t, "", 1, func(d *Deps) { d.Live.Limits = live.Limits{All: 4, PerPlan: 3, PerPrincipal: 2} })
	acme, beech := s.plan("acme", "enterprise"), s.plan("beech", "starter")
	first := s.follow(0, "acme", acme, "")
	first.next()
	const path = "/v1/plans/acme/stream"
	t.Run("ANA-9 a wrong id is refused", func(t *testing.T) {
		theirs := s.follow(0, "beech", beech, "")
		theirs.next()
		theirs.cut()
		<-s.replicas[0].ended
		seal := func(text string) string { return sealCursor("stream\x00acme\x00"+s.info().ID, text) }
		for what, id := range map[string]string{
			"of another plan": theirs.last, "cut off": first.last[:len(first.last)-1], "more": first.last + "A", "nothing": seal(""), "no epoch": seal("x"),
			"no position": seal("1 directory@1/0:"), "an odd number": seal("1 directory@01/0:1"), "negative": seal("1 directory@1/-1:1"),
			"no name": seal("1 @1/0:1"), "twice": seal("1 roles@1/0:1 roles@1/0:1"), "half": seal("1 roles@1"), "no repairs": seal("1 roles@1/:4"), "a space more": seal("1 "),
		} {
			if problem := s.get(path, acme, "Last-Event-ID", id).refused(422, "invalid_last_event_id"); len(problem.Errors) != 1 || problem.Errors[0].Header != "Last-Event-ID" {
				t.Errorf("%s: %+v", what, problem)
			}
		}
	})
	t.Run("ANA-9 parameters are checked", func(t *testing.T) {
		s.get(path+"?after=-1", acme).refused(422, "invalid_position")
		s.get(path+"?min_position=1", acme).refused(422, "unknown_parameter")
	})
	t.Run("ACC-5 nobody watches another plan", func(t *testing.T) {
		s.get(path, beech).refused(404, "plan_not_found")
		s.get("/v1/plans/catalog/stream", acme).refused(404, "plan_not_found")
		s.get("/v1/plans/nowhere/stream", operatorKey).refused(404, "plan_not_found")
		s.get(path, "").refused(401, "unauthorized")
		s.get(path, s.key("acme", string(access.Write))).refused(403, "not_permitted")
	})
	t.Run("ANA-9 streams are limited by principal, plan and process", func(t *testing.T) {
		second := s.follow(0, "acme", acme, "", "") // the other of its principal
		refused := s.get(path, acme)
		if p := refused.refused(429, "too_many_streams"); !strings.Contains(p.Detail, "principal") || refused.Header.Get("Retry-After") != "5" {
			t.Errorf("%+v %v", p, refused.Header)
		}
		third := s.follow(0, "acme", s.key("acme", "read"), "")
		if p := s.get(path, operatorKey).refused(429, "too_many_streams"); !strings.Contains(p.Detail, "plan") {
			t.Errorf("%+v", p)
		}
		s.follow(0, "beech", beech, "").next()
		if p := s.get("/v1/plans/beech/stream", operatorKey).refused(429, "too_many_streams"); !strings.Contains(p.Detail, "process") {
			t.Errorf("%+v", p)
		}
		for _, f := range []*stream{second, third} {
			f.cut()
			<-s.replicas[0].ended
		}
		s.follow(0, "acme", acme, first.last).next()
	})
}

func (r *rig) info() eventstore.Info {
	r.t.Helper()
	info, err := r.store.Info(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

func TestStreamLives(t *testing.T) {
	t.Run("ANA-9 a comment is sent when nothing happens, and the server's bounds on requests do not end it", func(t *testing.T) {
		requestBound = 60 * time.Millisecond
		defer func() { requestBound = 0 }()
		s := newStreaming(t, "", 1, func(d *Deps) { d.Live.Heartbeat = 20 * time.Millisecond })
		key := s.plan("acme", "enterprise")
		f := s.follow(0, "acme", key, "")
		comments := 0
		for m := range f.some() {
			if m.comment != "" {
				comments++
			}
			if comments == 10 { // long after both
				break
			}
		}
		s.command("acme", "create-team", key, fields{"name": "Team"})
		f.until("list-teams")
	})
	t.Run("ACC-4 it ends when the key is revoked", func(t *testing.T) {
		s := newStreaming(t, "", 1, func(d *Deps) { d.Live.Recheck = 10 * time.Millisecond })
		key := s.plan("acme", "enterprise")
		doomed := s.command("acme", "create-api-key", key, fields{"name": "doomed", "scopes": []string{"read"}})
		f, g := s.follow(0, "acme", doomed.APIKey, ""), s.follow(0, "acme", key, "")
		f.next()
		g.next()
		s.command("acme", "revoke-api-key", key, fields{"key": doomed.ID})
		f.end()
		s.command("acme", "create-team", key, fields{"name": "Team"})
		g.until("list-teams")
	})
	t.Run("OPS-7 a server that goes down waits for no stream", func(t *testing.T) {
		s := newStreaming(t, "", 1)
		key := s.plan("acme", "enterprise")
		var all []*stream
		for range 10 {
			f := s.follow(0, "acme", key, "")
			f.next()
			all = append(all, f)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.replicas[0].server.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			f.end()
		}
	})
	t.Run("ANA-9 who does not read is cut off", func(t *testing.T) {
		s := newStreaming(t, "", 1, func(d *Deps) { d.Live.Patience, d.Live.Heartbeat = 50*time.Millisecond, time.Millisecond })
		key := s.plan("acme", "enterprise")
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.replicas[0].url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(1 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "GET /v1/plans/acme/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", key); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.replicas[0].ended:
		case <-time.After(patience):
			t.Fatal("the stream goes on, though nobody reads it")
		}
		if !strings.Contains(s.log.String(), "i/o timeout") {
			t.Errorf("the log does not say why: %s", s.log)
		}
	})
	t.Run("ANA-9 what a repair of a read model changed is told", func(t *testing.T) {
		s := newStreaming(t, "", 1)
		key := s.plan("acme", "enterprise")
		at := s.command("acme", "create-team", key, fields{"name": "Team"}).Position
		q := s.replicas[0].queries
		home := q.Home(readmodels.Progress, "acme")
		position, err := eventstore.ParsePosition(at)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Moved(t.Context(), home, position-1); err != nil {
			t.Fatal(err)
		}
		f := s.follow(0, "acme", key, "")
		f.next()
		s.repair(q, home)
		if told := f.next(); !slices.Equal(told.Reports, []string{"list-member-roles", "list-member-skills"}) {
			t.Errorf("%+v", told)
		}
		f.cut()
		text, _ := openCursor("stream\x00acme\x00"+s.info().ID, f.last)
		for what, change := range map[string][2]string{
			"another epoch": {"1 ", "2 "}, "another build of directory": {"directory@2/", "directory@2+17/"}, "no directory at that time": {"directory@2", "other@2"},
		} {
			if !strings.Contains(text, change[0]) {
				t.Fatalf("no %q in %q", change[0], text)
			}
			g := s.follow(0, "acme", key, sealCursor("stream\x00acme\x00"+s.info().ID, strings.Replace(text, change[0], change[1], 1)))
			g.next()
			if told := g.until("list-teams"); slices.Contains(told, "list-member-roles") != (what == "another epoch") {
				t.Errorf("%s: %v", what, told)
			}
		}
	})
}

// repair changes the read model as a replay of parked events does, between two commits of the projector.
func (s *streaming) repair(q *readmodels.Queries, home readmodels.Scope) {
	s.t.Helper()
	for {
		found, err := q.Changes(s.t.Context(), home, "acme")
		if err != nil {
			s.t.Fatal(err)
		}
		at := found.At
		at.Repairs++
		err = s.shared.Commit(s.t.Context(), readmodels.Batch{Scope: found.Scope, After: at.Position, Checkpoint: at})
		if step := (*readmodels.OutOfStepError)(nil); !errors.As(err, &step) {
			if err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
}

func TestStreamsOfManyClients(t *testing.T) {
	const many = 1000
	before := goleak.IgnoreCurrent()
	t.Run("ANA-9 a thousand streams, each told, none left behind", func(t *testing.T) {
		s := newStreaming(t, redisForOne(t), 1, func(d *Deps) { d.Live.Limits.PerPrincipal = many })
		key := s.plan("acme", "enterprise")
		var all []*stream
		for range many {
			all = append(all, s.follow(0, "acme", key, ""))
		}
		for _, f := range all {
			f.next()
		}
		s.get("/v1/plans/acme/stream", key).refused(429, "too_many_streams")
		s.command("acme", "create-team", key, fields{"name": "Team"})
		for _, f := range all {
			f.until("list-teams")
		}
		for _, f := range all {
			f.cut()
			<-s.replicas[0].ended
		}
		s.replicas[0].hub.Wait()
	})
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// TestStreamNames: what a stream tells of are the queries of the API, all that rest on read models alone.
func TestStreamNames(t *testing.T) {
	s, err := newServer(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	told := []string{}
	for _, report := range readmodels.Reports() {
		told = append(told, report.Name)
	}
	logged := []string{"list-events", "get-role-what-if"} // these rest on the log too: the second on the draft in it
	for _, q := range s.queries() {
		if !slices.Contains(logged, q.id) && !slices.Contains(told, q.id) {
			t.Errorf("ANA-9 no stream tells of %s", q.id)
		}
	}
	served := map[string]bool{"my-plans": true}
	for _, q := range s.queries() {
		served[q.id] = true
	}
	for _, name := range told {
		if !served[name] {
			t.Errorf("ANA-9 a stream tells of %s, which is not served", name)
		}
	}
}
