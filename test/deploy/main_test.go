// Package deploy checks the files that containers are built and started from. No container engine is needed: they are
// read by the library of the compose specification, and the program's command lines by the program.
package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program, once TestMain has built it.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "rolewise-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "rolewise")
	if out, err := exec.Command("go", "build", "-o", binary, root+"/cmd/rolewise").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const root = "../.."

// files are those under test, with how many processes of each kind they start.
var files = []struct {
	name                             string
	kurrentdb, redis, api, projector int
	tls                              bool
}{
	{name: "docker-compose.yml", kurrentdb: 1, redis: 1, api: 1, projector: 1},
	{name: "docker-compose.cluster.yml", kurrentdb: 3, redis: 6, api: 2, projector: 2, tls: true},
}
