package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startBound = 120 * time.Second // a busy machine, the race detector, and a year of history to be written
	stopBound  = 30 * time.Second
)

// Process is one run of the program.
type Process struct {
	URL, AdminURL string        // of a server, once it is ready
	Startup       time.Duration // from its launch until it was ready

	command *exec.Cmd
	out     output // standard output
	log     output // standard error
	ended   chan struct{}
	code    int // exit code, valid once ended is closed
}

// Launch starts the program without waiting for anything. It is killed at the end of the test if it still runs then.
func Launch(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{ended: make(chan struct{})}
	p.out.changed, p.log.changed = make(chan struct{}, 1), make(chan struct{}, 1)
	started := make(chan error)
	go func() {
		// The child dies with the thread that started it, so the thread is kept until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.command = exec.Command(binary, args...)
		p.command.Env = environment()
		p.command.Stdout, p.command.Stderr = &p.out, &p.log
		p.command.SysProcAttr = dieWithParent()
		err := p.command.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.command.Wait() // the exit code tells
		p.code = p.command.ProcessState.ExitCode()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start rolewise %s: %v", strings.Join(args, " "), err)
	}
	t.Cleanup(func() { p.Kill(t) })
	return p
}

// Start starts a server and waits until it is ready.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	begin := time.Now()
	p := Launch(t, args...)
	if err := p.AwaitReady(); err != nil {
		t.Fatalf("rolewise %s: %v", strings.Join(args, " "), err)
	}
	p.Startup = time.Since(begin)
	return p
}

// addresses stand in what a server prints once it is ready.
var addresses = regexp.MustCompile(`(?s)Rolewise is ready\..*\n +API +(http://\S+)\n +admin +(http://\S+)\n`)

// AwaitReady returns once a server has said that it is ready, or why it is not.
func (p *Process) AwaitReady() error {
	timeout := time.After(startBound)
	for {
		if found := addresses.FindStringSubmatch(p.Stdout()); found != nil {
			p.URL, p.AdminURL = found[1], found[2]
			return nil
		}
		select {
		case <-p.out.changed:
		case <-p.ended:
			return fmt.Errorf("ended with code %d before it was ready\n%s%s", p.code, p.Stdout(), p.tail())
		case <-timeout:
			return fmt.Errorf("not ready within %s\n%s%s", startBound, p.Stdout(), p.tail())
		}
	}
}

// Stop ends a server as an operator would. It must end in time, with code 0, and without a word about a fault.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopBound):
		t.Errorf("did not end within %s of SIGTERM\n%s", stopBound, p.tail())
		p.Kill(t)
		return
	}
	if p.code != 0 {
		t.Errorf("ended with code %d\n%s", p.code, p.tail())
	}
	p.CheckLog(t)
}

// Kill ends the process at once, as a crash would; one that has ended already is left alone.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Errorf("kill: %v", err)
		return
	}
	<-p.ended
	p.CheckLog(t)
}

// CheckLog fails the test if the process has reported a panic or a data race.
func (p *Process) CheckLog(t testing.TB) {
	t.Helper()
	log := p.Stderr()
	for _, fault := range []string{"panic:", "DATA RACE", "goroutine "} {
		if at := strings.Index(log, fault); at >= 0 {
			t.Errorf("the server reports a fault:\n%s", log[max(0, at-500):min(len(log), at+8000)])
			return
		}
	}
}

func (p *Process) signal(s syscall.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	// Between this check and the signal the process may end, but its id is not given away before Wait has returned.
	err := p.command.Process.Signal(s)
	if errors.Is(err, syscall.ESRCH) || (err != nil && strings.Contains(err.Error(), "already finished")) {
		return nil
	}
	return err
}

// PID is the process id.
func (p *Process) PID() int { return p.command.Process.Pid }

// tail is the end of the log, for messages.
func (p *Process) tail() string {
	log := p.Stderr()
	return log[max(0, len(log)-4000):]
}

// Stdout is what the process has printed so far.
func (p *Process) Stdout() string { return p.out.String() }

// Stderr is what the process has logged so far.
func (p *Process) Stderr() string { return p.log.String() }

// Result is a run that has come to its end.
type Result struct {
	Code           int
	Stdout, Stderr string
	Took           time.Duration
}

// Run runs the program to its end.
func Run(t testing.TB, args ...string) Result {
	t.Helper()
	begin := time.Now()
	p := Launch(t, args...)
	select {
	case <-p.ended:
	case <-time.After(startBound):
		t.Fatalf("rolewise %s did not end within %s\n%s%s", strings.Join(args, " "), startBound, p.Stdout(), p.Stderr())
	}
	return Result{p.code, p.Stdout(), p.Stderr(), time.Since(begin)}
}

// MustRun is Run for a command line that has to succeed; it returns what was printed.
func MustRun(t testing.TB, args ...string) string {
	t.Helper()
	result := Run(t, args...)
	if result.Code != 0 {
		t.Fatalf("rolewise %s: code %d\n%s%s", strings.Join(args, " "), result.Code, result.Stdout, result.Stderr)
	}
	return result.Stdout
}

// output collects what a process writes, and tells when there is more.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // holds at most one token
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	o.text.Write(b)
	o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
