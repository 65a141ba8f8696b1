// Package redistest runs real redis-servers for tests and benchmarks, each in a folder and on a loopback port of its own.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ErrNotInstalled says what to install. Tests that need Redis fail with it; they are not skipped.
var ErrNotInstalled = errors.New("redis-server is not installed: run scripts/install-test-tools, or apt-get install redis-server")

// patience bounds the start and the end of a server on a busy machine.
const patience = 30 * time.Second

// attempts is how many ports are tried before giving up.
const attempts = 10

// Server is one redis-server process. Its methods belong to one goroutine.
type Server struct {
	URL  string // redis://127.0.0.1:port, the same after a Restart
	Port int

	folder string
	args   []string
	run    *run // nil: not running
}

// run is one life of the process.
type run struct {
	process *os.Process
	ready   chan struct{} // closed when the server answers
	ended   chan struct{} // closed when it has ended
	log     tail
}

// Start runs a server for the length of a test and returns its URL. Arguments are those of redis-server, such as
// "--maxmemory-policy", "allkeys-lru"; by default nothing is persisted.
func Start(t testing.TB, args ...string) (url string) {
	t.Helper()
	return StartServer(t, args...).URL
}

// StartServer is Start for tests that kill and restart the server.
func StartServer(t testing.TB, args ...string) *Server {
	t.Helper()
	s, err := Run(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Run starts a server for a TestMain or a benchmark program; the caller closes it.
func Run(args ...string) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, ErrNotInstalled
	}
	folder, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for redis-server: %w", err)
	}
	s := &Server{folder: folder, args: args}
	for range attempts {
		if s.Port, err = freePort(); err != nil {
			break
		}
		s.URL = "redis://" + s.Addr()
		if err = s.start(); err == nil {
			return s, nil
		}
		// Another process may have taken the port in between; any other reason would only repeat itself.
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, errors.Join(err, os.RemoveAll(folder))
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// PID is the process id, 0 while it does not run.
func (s *Server) PID() int {
	if s.run == nil {
		return 0
	}
	return s.run.process.Pid
}

// Kill ends the process at once, as a crash would. Without persistence in the arguments all data is lost.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Restart starts the server again where it was, ending it first if it still runs.
func (s *Server) Restart() error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.start()
}

// Pause stops the process without ending it: connections stay open and nothing is answered, as in a stalled network.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Close ends the process and removes its files.
func (s *Server) Close() error {
	return errors.Join(s.end(syscall.SIGKILL), os.RemoveAll(s.folder))
}

func (s *Server) signal(signal syscall.Signal) error {
	if s.run == nil {
		return errors.New("redis-server is not running")
	}
	return s.run.process.Signal(signal)
}

func (s *Server) start() error {
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--dir", s.folder,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "notice", "--logfile", ""}
	r, err := launch(slices.Concat(args, s.args))
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.run = r
	select {
	case <-r.ready:
		return nil
	case <-r.ended:
		s.run = nil
		return fmt.Errorf("redis-server ended at its start: %s", &r.log)
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("redis-server did not get ready within %s: %s", patience, &r.log), s.Kill())
	}
}

func (s *Server) end(signal syscall.Signal) error {
	r := s.run
	if r == nil {
		return nil
	}
	if err := r.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end redis-server %d: %w", r.process.Pid, err)
	}
	select {
	case <-r.ended:
		s.run = nil
		return nil
	case <-time.After(patience):
		return fmt.Errorf("redis-server %d did not end within %s", r.process.Pid, patience)
	}
}

// launch starts a process that dies with this one, however this one ends. On Linux such a child is bound to the thread
// that started it, so the thread is kept until the child has ended.
func launch(args []string) (*run, error) {
	r := &run{ready: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		command := exec.Command("redis-server", args...)
		command.SysProcAttr = dieWithParent()
		output, err := command.StdoutPipe()
		if err == nil {
			command.Stderr = command.Stdout
			err = command.Start()
		}
		if err != nil {
			started <- err
			return
		}
		r.process = command.Process
		started <- nil
		r.follow(output)
		_ = command.Wait() // killed processes never end well
		close(r.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return r, nil
}

// follow reads the log to its end, which is the end of the process.
func (r *run) follow(output io.Reader) {
	ready := false
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		r.log.add(lines.Text())
		if !ready && strings.Contains(lines.Text(), "Ready to accept connections") {
			ready = true
			close(r.ready)
		}
	}
	_, _ = io.Copy(io.Discard, output) // a line too long for the scanner must not block the server
}

// freePort finds a port below those that systems give to outgoing connections, so that it is still free at a Restart.
func freePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(12_000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("find a free port for redis-server: 100 were taken")
}

// tail keeps the last lines of a log for error messages.
type tail struct {
	mutex sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.lines) == 20 {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return strings.Join(t.lines, "\n")
}
