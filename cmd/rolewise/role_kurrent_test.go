package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
	"rolewise/internal/redistest"
)

// command runs a command line until the test ends, and returns what it says line by line.
func command(t *testing.T, args ...string) <-chan string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	lines, ended := make(chan string, 100), make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		code := Run(ctx, args, in, &errs)
		_ = in.Close()
		ended <- code
	}()
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- strings.TrimSpace(scanner.Text())
		}
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("%q ends with %d: %s", args, code, errs.String())
		}
	})
	return lines
}

// said waits for the line that begins so and returns its rest.
func said(t *testing.T, lines <-chan string, begin string) string {
	t.Helper()
	bound := time.After(time.Minute)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("ended before it said %q", begin)
			}
			if rest, found := strings.CutPrefix(line, begin); found {
				return strings.TrimSpace(rest)
			}
		case <-bound:
			t.Fatalf("did not say %q", begin)
		}
	}
}

// TestServeRoles runs two APIs and two projectors by the command lines of the cluster, on a KurrentDB and a Redis, and
// reads through one API what was written through the other, with its personal data.
func TestServeRoles(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	front, err := kurrenttest.Start(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	key := newOperatorKey()
	t.Setenv(operatorKeyVariable, key)
	stores := []string{"--eventstore=" + front.ConnectionString(), "--redis=" + redistest.Start(t), "--data=" + t.TempDir(), "--admin-listen=127.0.0.1:0"}
	serve := func(args ...string) <-chan string {
		return command(t, append(append([]string{"serve"}, args...), stores...)...)
	}
	var urls, projectors []string
	for range 2 {
		projectors = append(projectors, said(t, serve("--role=projector"), "admin"))
	}
	for range 2 {
		lines := serve("--role=api", "--listen=127.0.0.1:0", "--replica="+filepath.Join(t.TempDir(), "replica.db"))
		urls = append(urls, said(t, lines, "API"))
	}
	send := func(method, url, body string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			for _, p := range projectors {
				_, body, err := get(t.Context(), p+"/readyz")
				t.Logf("projector: %s %v", body, err)
			}
			t.Fatalf("%s %s: %d %s %v", method, url, answer.StatusCode, content, err)
		}
		return string(content)
	}
	answer := send(http.MethodPost, urls[0]+"/v1/operator/commands/create-plan",
		`{"plan":"acme","name":"Acme","tier":"enterprise","owner_name":"Ada Lovelace","owner_email":"ada@example.com"}`)
	_, position, _ := strings.Cut(answer, `"position":"`)
	position, _, _ = strings.Cut(position, `"`)
	if page := send(http.MethodGet, urls[1]+"/v1/plans/acme/members?min_position="+position, ""); !strings.Contains(page, "Ada Lovelace") {
		t.Errorf("OPS-6 what one API wrote, the other shows as %s", page)
	}
}
