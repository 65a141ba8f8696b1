package readside

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// front is the program of the folder of that name, once it is built.
var front string

func buildFront(folder string) error {
	front = filepath.Join(folder, "front")
	if out, err := exec.Command("go", "build", "-o", front, "./front").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
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
