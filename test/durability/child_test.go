package durability

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// programVariable names, in the environment of a child, the program that it is.
const programVariable = "ROLEWISE_DURABILITY_PROGRAM"

// patience is how long a child may take for anything; it only bounds tests that fail.
const patience = time.Minute

// child is the test binary, started again as one of the programs.
type child struct {
	command *exec.Cmd
	input   *json.Encoder
	said    chan string // closed at the end of the child
	ended   chan struct{}
	errors  bytes.Buffer // valid once ended is closed
}

// launch starts a program, under another one if before is given, such as strace. It is killed with the test.
func launch(t *testing.T, program string, spec any, before ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := append(append([]string(nil), before...), self)
	c := &child{command: exec.Command(line[0], line[1:]...), said: make(chan string, 64), ended: make(chan struct{})}
	c.command.Env = append(os.Environ(), programVariable+"="+program, "GORACE=atexit_sleep_ms=0") // a second for each child
	c.command.SysProcAttr = dieWithParent()
	c.command.Stderr = &c.errors
	input, err := c.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.input = json.NewEncoder(input)
	output, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go c.run(output, started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", strings.Join(line, " "), err)
	}
	t.Cleanup(c.kill)
	if err := c.input.Encode(spec); err != nil {
		t.Fatalf("tell the child what to do: %v", err)
	}
	return c
}

func (c *child) run(output io.Reader, started chan<- error) {
	// The child dies with the thread that started it, so the thread is kept until the child has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.command.Start()
	started <- err
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		c.said <- lines.Text()
	}
	_ = c.command.Wait() // the state tells
	close(c.said)
	close(c.ended)
}

// say tells the parent a word. Called in the child.
func say(word string) { fmt.Println(word) }

// tell sends the child a word. One that has ended hears nothing.
func (c *child) tell(word string) { _ = c.input.Encode(word) }

// await returns once the child has said a word, and false if it ended without.
func (c *child) await(t *testing.T, word string) bool {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case said, ok := <-c.said:
			if !ok || said == word {
				return ok
			}
		case <-timeout:
			t.Fatalf("the child did not say %q within %s", word, patience)
		}
	}
}

// kill ends the child as a crash would, and waits until it is gone.
func (c *child) kill() {
	_ = c.command.Process.Kill() // it may have ended
	c.drain()
}

func (c *child) drain() {
	for range c.said { // whatever it still said
	}
	<-c.ended
}

// end waits until the child has ended by itself. It must do so, with code 0.
func (c *child) end(t *testing.T) {
	t.Helper()
	impatient := time.AfterFunc(patience, func() { _ = c.command.Process.Kill() })
	c.drain()
	if !impatient.Stop() {
		t.Errorf("the child did not end within %s", patience)
	} else if code := c.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the child ended with code %d", code)
	}
	c.log(t)
}

// log fails the test with what the child complained of.
func (c *child) log(t *testing.T) {
	t.Helper()
	<-c.ended
	if text := c.errors.String(); text != "" {
		t.Errorf("the child said:\n%s", text[:min(len(text), 8000)])
	}
}
