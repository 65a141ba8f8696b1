// Package archtest holds the import directions of the design as a test.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestImportDirections(t *testing.T) {
	lookAtSources(t)
	packages := list(t)
	if !slices.ContainsFunc(packages, func(p pkg) bool { return p.ImportPath == module+"/domain" }) {
		t.Fatal("go list found no domain: the test looks at the wrong module")
	}
	for _, violation := range violations(packages) {
		t.Error(violation)
	}
}

// lookAtSources has this process look at every Go file, since a cached result is only thrown away for files that the
// test itself looked at, not those that go list did.
func lookAtSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // a file may go while the tree is walked
			return nil
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		if _, err := os.Stat(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatalf("look at the sources: %v", err)
	}
}

// list returns the packages of the module and all they depend on. Test files do not count: they may import anything.
func list(t *testing.T) []pkg {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports", "./...")
	command.Dir = root
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read the answer of go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// TestRules shows, on a made-up module, that each rule finds what it is for and permits what the design permits.
func TestRules(t *testing.T) {
	const (
		esdb   = client + "v4/esdb"
		protos = client + "v4/protos/streams"
	)
	tests := []struct {
		from, to string // "rolewise/" left out
		refused  bool
	}{
		{"domain/role", "domain/skill", false},
		{"domain/role", "strings", false},
		{"domain/role", "github.com/google/uuid", true},
		{"domain/role", "golang.org/x/text/cases", true},
		{"domain/role", "eventstore", true},
		{"domain", "internal/redistest", true},
		{"eventstore", "github.com/google/uuid", false},
		{"eventstore", "domain", true},
		{"eventstore", "eventstore/sqlite", true},
		{"eventstore/sqlite", "eventstore", false},
		{"eventstore/sqlite", "domain", true},
		{"eventstore/sqlite", "readmodels", true},
		{"readmodels", "eventstore", false},
		{"readmodels", "domain", true},
		{"readmodels/redis", "readmodels/internal/dump", false},
		{"readmodels/redis", "eventstore/sqlite", true},
		{"readmodels/redis", "domain/role", true},
		{"commands", "domain/role", false},
		{"commands", "eventstore", false},
		{"commands", "readmodels", true},
		{"commands", "projections", true},
		{"commands/onet", "history", true},
		{"commands", "api", true},
		{"commands", "web", true},
		{"commands", "reactors", true},
		{"commands", "cmd/rolewise", true},
		{"sample", "commands", false},
		{"sample", "projections", true},
		{"projections", "domain/roleiq", false},
		{"projections", "readmodels", false},
		{"projections", "eventstore", false},
		{"projections", "commands", true},
		{"projections", "history", true},
		{"reactors", "commands", false},
		{"reactors", "projections", false},
		{"reactors", "api", true},
		{"history", "projections", false},
		{"history", "readmodels/memory", false},
		{"history", "eventstore/sqlite", false},
		{"history", "commands", true},
		{"api", "commands", false},
		{"api", "history", false},
		{"api/scim", "readmodels", false},
		{"api", "projections", true},
		{"api", "web", true},
		{"web", "history", false},
		{"web", "projections", true},
		{"web", "cmd/rolewise", true},
		{"cmd/rolewise", "projections", false},
		{"cmd/rolewise", "eventstore/sqlite", false},
		{"internal/helper", "projections", false},
		{"helpers", "domain", true},
		{"eventstore/kurrent", esdb, false},
		{"eventstore/kurrenttest", protos, false},
		{"eventstore/kurrenttest", esdb, true},
		{"eventstore/sqlite", esdb, true},
		{"cmd/rolewise", esdb, true},
		{"internal/helper", protos, true},
	}
	for _, tt := range tests {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			to := tt.to
			standard := to == "strings"
			if !standard && !strings.Contains(to, ".") {
				to = module + "/" + to
			}
			found := violations([]pkg{{ImportPath: module + "/" + tt.from, Imports: []string{to}}, {ImportPath: to, Standard: standard}})
			found = slices.DeleteFunc(found, func(v string) bool { return !strings.HasPrefix(v, tt.from+" ") })
			if (len(found) > 0) != tt.refused {
				t.Errorf("violations %q, want some: %t", found, tt.refused)
			}
		})
	}
	t.Run("commands to readmodels, by way of a helper", func(t *testing.T) {
		found := violations([]pkg{
			{ImportPath: module + "/commands", Imports: []string{module + "/internal/helper"}},
			{ImportPath: module + "/internal/helper", Imports: []string{module + "/readmodels"}},
			{ImportPath: module + "/readmodels"},
		})
		want := []string{"commands must not reach readmodels, but does: internal/helper → readmodels"}
		if !slices.Equal(found, want) {
			t.Errorf("violations %q, want %q", found, want)
		}
	})
}
