package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkCommand sends create-team dry runs and real selections of a level, without a network.
func BenchmarkCommand(b *testing.B) {
	r := newRig(b, false)
	key := r.plan("acme", "enterprise")
	r.command("acme", "invite-member", key, fields{"member": uid(1), "name": "Ada", "email": "ada@example.org"})
	r.command("acme", "define-skill", key, fields{"skill": uid(2), "name": "Go", "state": "validated"})
	r.command("acme", "publish-benchmark", key, fields{"skill": uid(2), "thresholds": []int{1, 2, 3}, "source": "x"})
	r.command("acme", "create-role", key, fields{"role": uid(3), "title": "Engineer"})
	r.command("acme", "add-role-skill", key, fields{"role": uid(3), "skill": uid(2), "required": true})
	r.command("acme", "publish-role", key, fields{"role": uid(3)})
	send := func(b *testing.B, path, body string) {
		req := httptest.NewRequest("POST", path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	visit := `{"role":"` + uid(3) + `","member":"` + uid(1) + `"}`
	b.Run("dry run", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, "/v1/plans/acme/commands/visit-role?dry_run=true", visit)
		}
	})
	b.Run("durable, one at a time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, "/v1/plans/acme/commands/create-team", `{"name":"`+strings.Repeat("x", 20)+uid(b.N)+`"}`)
			b.StopTimer()
			b.StartTimer()
		}
	})
}

var _ = io.Discard
var _ = bytes.NewReader
