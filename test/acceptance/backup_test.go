package acceptance

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// TestBackupAndRestore backs up a running server and verifies its log (SPEC OPS-4, AUD-4), lets it go on, and puts the
// backup in its place: read models in Redis that had read further begin anew.
func TestBackupAndRestore(t *testing.T) {
	folder, url := t.TempDir(), redistest.Start(t)
	server := harness.Serve(t, folder, url)
	client := server.NewPlan(t, "acme")
	store, copied := harness.EventStore(folder), filepath.Join(t.TempDir(), "backup.db")
	before := snapshot(t, client, "acme")

	if said := harness.MustRun(t, "backup", "--eventstore", store, "--to", copied); !strings.Contains(said, "Backed up") {
		t.Errorf("backup said %q", said)
	}
	for i, name := range []string{"Go", "SQL", "Rust"} {
		client.Command(t, "acme", "define-skill", harness.Body{"skill": id(60 + i), "name": name, "state": "validated"})
	}
	said := harness.MustRun(t, "audit", "verify", "--eventstore", store)
	head := harness.MustRun(t, "audit", "head", "--eventstore", store)
	if hash := regexp.MustCompile(`hash +([0-9a-f]{64})\n`).FindStringSubmatch(said); hash == nil || !strings.Contains(head, hash[1]) {
		t.Errorf("AUD-4 verify said %q, the head is %q", said, head)
	}
	if refused := harness.Run(t, "restore", "--from", copied, "--eventstore", store); refused.Code != 1 || !strings.Contains(refused.Stderr, "in use by another process: stop that one first") {
		t.Errorf("restore under a running server: %+v", refused)
	}
	server.Stop(t)

	if said := harness.MustRun(t, "restore", "--from", copied, "--eventstore", store); !strings.Contains(said, "begin anew at the next start") {
		t.Errorf("restore said %q", said)
	}
	server.Again(t)
	client.Base = server.URL
	snapshot(t, client, "acme").sameAs(t, before)
	// What is written now stands where the lost events stood, and is not taken for them.
	client.Command(t, "acme", "define-skill", harness.Body{"skill": id(69), "name": "Zig", "state": "validated"})
	skills := string(client.Get(t, "/v1/plans/acme/skills").Body)
	if !strings.Contains(skills, "Zig") || strings.Contains(skills, "Rust") {
		t.Errorf("skills after the restore: %s", skills)
	}
	server.Stop(t)
}
