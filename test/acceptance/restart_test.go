package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// How long rolewise dev may take until it answers: with a year of history to be written, and later.
const (
	firstStart  = 30 * time.Second
	secondStart = 3 * time.Second
)

// TestDevRestart starts rolewise dev with the sample, and again.
func TestDevRestart(t *testing.T) {
	harness.UsePlain(t)
	folder := t.TempDir()
	server := harness.Dev(t, folder)
	took, text := server.Took()
	t.Logf("first start, with the sample to be written: %s", text)
	if took > firstStart {
		t.Errorf("OPS-1 the first start takes %s, more than %s", text, firstStart)
	}
	first := server.Credentials(t)
	client := harness.Client{Base: first.URL, Key: first.APIKey}
	path := "/v1/plans/" + first.Plan + "/analytics/roles"
	same(t, "OPS-1 plan of the sample", first.Plan, "acme")
	same(t, "OPS-1 url", []string{first.URL, first.AdminURL}, []string{server.URL, server.AdminURL})
	report := harness.Decode[rolesReport](t, client.Get(t, path))
	same(t, "OPS-1 members and roles of the sample", []int{report.Members, len(report.Items)}, []int{240, 14})
	t.Run("the sign-in link works, once signed in the overview shows", func(t *testing.T) {
		response := client.As("").TryGet(t, strings.TrimPrefix(strings.SplitN(first.SignInURL, "?", 2)[0], first.URL), "token", strings.SplitN(first.SignInURL, "token=", 2)[1])
		if response.Status != 303 || response.Header.Get("Set-Cookie") == "" {
			t.Errorf("sign-in: %d %v", response.Status, response.Header)
		}
	})
	before, earlier := lastPosition(t, client, first.Plan), snapshot(t, client, first.Plan)
	server.Stop(t)
	mode(t, filepath.Join(folder, "dev-credentials.json"))

	quickest := time.Hour // of a few, so that one hiccup is no failure
	for range 3 {
		server.Again(t)
		took, text := server.Took()
		t.Logf("later start: %s", text)
		quickest = min(quickest, took)
		again := server.Credentials(t)
		same(t, "OPS-1 keys after a restart", []string{again.Plan, again.APIKey, again.OperatorKey}, []string{first.Plan, first.APIKey, first.OperatorKey})
		client.Base = server.URL
		same(t, "OPS-1 end of the log after a restart", lastPosition(t, client, first.Plan), before)
		snapshot(t, client, first.Plan).sameAs(t, earlier)
		server.Stop(t)
	}
	if quickest > secondStart {
		t.Errorf("OPS-1 a later start takes %s, more than %s", quickest, secondStart)
	}
}

func mode(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %o: others can read the keys", filepath.Base(file), info.Mode().Perm())
	}
}

// lastPosition is the end of the log, as a running server tells: the position that a query of its history reached.
func lastPosition(t *testing.T, client harness.Client, plan string) string {
	t.Helper()
	events := client.Events(t, plan)
	return events[len(events)-1].Position
}

// answers are what a server answers to every query, byte for byte but for how fresh it says to be.
type answers []string

// snapshot asks every query.
func snapshot(t *testing.T, client harness.Client, plan string) answers {
	t.Helper()
	var all answers
	get := func(path string, parameters ...string) harness.Response {
		response := client.Get(t, "/v1/plans/"+plan+path, parameters...)
		content := string(response.Body)
		if at := strings.LastIndex(content, `,"position":`); at >= 0 { // the end of the envelope: position, as_of, lag_ms
			content = content[:at]
		}
		all = append(all, "GET "+path+" "+content)
		return response
	}
	for _, path := range []string{"/roles", "/skills", "/members", "/teams", "/events"} {
		get(path, "limit", "1000")
	}
	get("/analytics/roles", "format", "csv")
	report := harness.Decode[rolesReport](t, get("/analytics/roles"))
	for _, role := range report.Items {
		get("/analytics/roles/" + role.Role)
		get("/roles/"+role.Role+"/members", "limit", "1000")
		members := harness.Decode[harness.List[memberLine]](t, get("/analytics/roles/"+role.Role+"/members", "limit", "1000"))
		for _, member := range members.Items[:min(3, len(members.Items))] {
			get("/members/" + member.Member + "/roles")
			get("/members/" + member.Member + "/skills")
		}
	}
	return all
}

// sameAs fails the test at the first answer that differs.
func (a answers) sameAs(t *testing.T, other answers) {
	t.Helper()
	if len(a) != len(other) {
		t.Errorf("%d answers instead of %d", len(a), len(other))
	}
	for i := range min(len(a), len(other)) {
		if a[i] != other[i] {
			at := 0
			for at < min(len(a[i]), len(other[i])) && a[i][at] == other[i][at] {
				at++
			}
			around := func(text string) string { return text[max(0, at-200):min(len(text), at+200)] }
			t.Errorf("%.80s: byte %d:\n%s\ninstead of\n%s", a[i], at, around(a[i]), around(other[i]))
			return
		}
	}
}

// TestServeRestart kills the server, and empties Redis, and demands the same answers each time.
func TestServeRestart(t *testing.T) {
	url := redistest.Start(t)
	server := serveWithCatalog(t, url)
	run(t, server)
	key := server.Operator.Command(t, north, "create-api-key", harness.Body{"name": "again", "scopes": []string{"*"}}).APIKey
	ask := func() (string, answers) {
		client := server.Operator.As(key)
		return lastPosition(t, client, north), snapshot(t, client, north)
	}
	before, earlier := ask()
	again := func(t *testing.T) {
		server.Again(t)
		after, now := ask()
		same(t, "end of the log", after, before)
		now.sameAs(t, earlier)
	}
	t.Run("after kill -9", func(t *testing.T) {
		server.Kill(t)
		again(t)
	})
	t.Run("after Redis lost everything while the server was down", func(t *testing.T) {
		server.Stop(t)
		flush(t, url)
		again(t)
	})
	t.Run("readiness and version", func(t *testing.T) {
		admin := harness.Client{Base: server.AdminURL}
		for _, path := range []string{"/livez", "/readyz", "/startupz", "/version", "/metrics"} {
			admin.Get(t, path)
		}
	})
	server.Stop(t)
}

func flush(t *testing.T, url string) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}
