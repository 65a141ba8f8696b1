// Package reactors proves on the real program, killed in the middle of a bulk command, that what was accepted is done
// to the end without its client (SPEC ASG-5): by the same program started again on a SQLite event store, and by another
// replica on a KurrentDB.
package reactors

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolewise/test/harness"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// front is the program that serves a log over the protocol of KurrentDB, once it is built.
var front string

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "reactors-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for the event store's program:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	front = filepath.Join(folder, "front")
	if out, err := exec.Command("go", "build", "-o", front, "../readside/front").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the event store's program: %v\n%s", err, out)
		return 1
	}
	return harness.Main(m)
}

// startFront serves a log in a process of its own for the length of the test and returns its connection string.
func startFront(t *testing.T, path string) string {
	t.Helper()
	command := exec.Command(front, path)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatalf("start the event store: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("the event store ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = command.Process.Signal(syscall.SIGKILL)
		t.Fatalf("start the event store: %v", err)
	}
	return strings.TrimSpace(line)
}
