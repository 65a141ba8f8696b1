package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Server is a running server with what is needed to talk to it and to start it again.
type Server struct {
	*Process
	Folder   string // of the event store
	Operator Client // under the operator's key
	args     []string
	owner    testing.TB // the test that the server lasts as long as, though parts of it may start it again
}

// anyPort makes the system choose the ports.
var anyPort = []string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}

// EventStore is the URL of the event store in a folder.
func EventStore(folder string) string { return "sqlite:" + filepath.Join(folder, "events.db") }

// Serve starts rolewise serve on the event store in a folder, and on a Redis by its URL or on "memory".
func Serve(t testing.TB, folder, redis string) *Server {
	t.Helper()
	return ServeOn(t, EventStore(folder), folder, redis)
}

// ServeOn starts rolewise serve on an event store by its URL, with its other files in a folder.
func ServeOn(t testing.TB, eventstore, folder, redis string) *Server {
	t.Helper()
	s := &Server{owner: t, Folder: folder, args: append([]string{"serve", "--eventstore", eventstore, "--data", folder, "--redis", redis}, anyPort...)}
	s.Again(t)
	return s
}

// Dev starts rolewise dev on a data directory.
func Dev(t testing.TB, folder string, flags ...string) *Server {
	t.Helper()
	s := &Server{owner: t, Folder: folder, args: append(append([]string{"dev", "--data", folder}, anyPort...), flags...)}
	s.Again(t)
	return s
}

// Again starts a server that has ended as it was started before, on other ports.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	s.Process = Start(s.owner, s.args...)
	s.connect(t)
}

// Relaunch is Again without waiting until it is ready, for those who kill it before.
func (s *Server) Relaunch(t testing.TB) {
	t.Helper()
	s.Process = Launch(s.owner, s.args...)
}

func (s *Server) connect(t testing.TB) {
	t.Helper()
	key := ""
	if s.args[0] == "dev" {
		key = s.Credentials(t).OperatorKey
	} else {
		b, err := os.ReadFile(filepath.Join(s.Folder, "operator.key"))
		if err != nil {
			t.Fatal(err)
		}
		key = strings.TrimSpace(string(b))
	}
	s.Operator = Client{Base: s.URL, Key: key}
}

// Credentials is what rolewise dev leaves for its users (SPEC 15).
type Credentials struct {
	URL         string `json:"url"`
	AdminURL    string `json:"admin_url"`
	Plan        string `json:"plan"`
	APIKey      string `json:"api_key"`
	OperatorKey string `json:"operator_key"`
	SignInURL   string `json:"sign_in_url"`
}

// Credentials reads those of rolewise dev.
func (s *Server) Credentials(t testing.TB) Credentials {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Folder, "dev-credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c Credentials
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatalf("dev-credentials.json: %v", err)
	}
	return c
}

// NewPlan creates an enterprise plan and returns a client with a key of every scope in it.
func (s *Server) NewPlan(t testing.TB, plan string) Client {
	t.Helper()
	s.Operator.Command(t, "", "create-plan", Body{
		"plan": plan, "name": "Plan " + plan, "tier": "enterprise", "owner_name": "Olga Owner", "owner_email": "olga@" + plan + ".example",
	})
	answer := s.Operator.Command(t, plan, "create-api-key", Body{"name": "tests", "scopes": []string{"*"}})
	if answer.APIKey == "" {
		t.Fatal("create-api-key gave no key")
	}
	return s.Operator.As(answer.APIKey)
}
