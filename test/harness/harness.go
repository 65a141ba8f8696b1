// Package harness starts the real program for tests, speaks HTTP to it, and ends it.
package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is the program under test, once Main has built it.
var binary string

// Main builds the program, runs the tests of a package, and returns the exit code for TestMain. The program is built
// with the race detector if the tests are.
func Main(m *testing.M) int {
	folder, err := os.MkdirTemp("", "rolewise-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "rolewise")
	if err := build(binary, Race); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	return m.Run()
}

// UsePlain makes the rest of a test run the program without the race detector, which would falsify its times. The test
// must not be parallel to others.
func UsePlain(t testing.TB) {
	t.Helper()
	if !Race {
		return
	}
	plain := filepath.Join(t.TempDir(), "rolewise")
	if err := build(plain, false); err != nil {
		t.Fatalf("build the program: %v", err)
	}
	raced := binary
	binary = plain
	t.Cleanup(func() { binary = raced })
}

func build(to string, race bool) error {
	args := []string{"build", "-o", to}
	if race {
		args = append(args, "-race")
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	command := exec.Command("go", append(args, "./cmd/rolewise")...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// moduleRoot finds the folder of go.mod above the package under test.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("there is no go.mod above the working directory")
		}
		folder = parent
	}
}

// ONET is the folder of the O*NET tables as published, which lie beside the repository since they are too large to be
// part of it. A test is skipped, with the reason, where they are not.
func ONET(t testing.TB) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "..", "shared", "data", "onet")
	if _, err := os.Stat(filepath.Join(folder, "Skills.txt")); errors.Is(err, os.ErrNotExist) {
		t.Skip("the published tables of O*NET are not in ../shared/data/onet beside the repository")
	}
	return folder
}

// environment is that of this process, without settings of Rolewise and with races made fatal.
func environment() []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "ROLEWISE_") && !strings.HasPrefix(setting, "GORACE=") {
			env = append(env, setting)
		}
	}
	return append(env, "GORACE=halt_on_error=1 exitcode=66")
}
