package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkCommand carries out create-role without a network: decided only, appended one after another, and appended by
// many clients at once, whose commits the store groups.
func BenchmarkCommand(b *testing.B) {
	r := newRig(b, false)
	key := r.plan("acme", "enterprise")
	var titles atomic.Int64
	send := func(b *testing.B, path string) {
		req := httptest.NewRequest("POST", path, strings.NewReader(fmt.Sprintf(`{"title":"Data engineer %d"}`, titles.Add(1))))
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Errorf("%d %s", w.Code, w.Body)
		}
	}
	const path = "/v1/plans/acme/commands/create-role"
	b.Run("dry run", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, path+"?dry_run=true")
		}
	})
	b.Run("one client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, path)
		}
	})
	b.Run("64 clients", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32) // for each of two processors
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(b, path)
			}
		})
	})
}

// BenchmarkRouting is the cost of the API around a command: routing, log, a refusal.
func BenchmarkRouting(b *testing.B) {
	r := newRig(b, false)
	b.ReportAllocs()
	for b.Loop() {
		r.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/plans/acme/commands/create-role", nil))
	}
}
