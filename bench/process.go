package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started here, and is ended by its process id.
type process struct {
	address string // host:port
	command *exec.Cmd
	errors  string // file of its standard error
	drained chan struct{}
}

// start runs a server and waits until it has printed the address of its API: a line with http://host:port.
func start(ctx context.Context, folder, program string, args ...string) (*process, error) {
	p := &process{command: exec.Command(program, args...), errors: filepath.Join(folder, "stderr.log"), drained: make(chan struct{})}
	stderr, err := os.Create(p.errors)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p.command.Stderr = stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(p.drained)
		defer close(address)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if _, url, found := strings.Cut(lines.Text(), "http://"); found {
				address <- url
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // a full pipe must not stop the server
	}()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case found, ok := <-address:
		if ok {
			p.address = found
			return p, nil
		}
		err = errors.New("ended at its start")
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("was not ready within %s", patience)
	}
	return nil, errors.Join(fmt.Errorf("%s %w: %s", filepath.Base(program), err, p.lastError()), p.stop())
}

// stop asks the server to end, and ends it if it does not.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end process %d: %w", p.command.Process.Pid, err)
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	<-p.drained
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(p.command.Path), err, p.lastError())
	}
	return nil
}

// lastError is the end of what the server has written to standard error.
func (p *process) lastError() string {
	b, err := os.ReadFile(p.errors)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// binary builds the program that is measured, at the first call.
func (s *suite) binary(ctx context.Context) (string, error) {
	if s.built != "" {
		return s.built, nil
	}
	path := filepath.Join(s.folder, "rolewise")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/rolewise")
	build.Dir = ".."
	if b, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build rolewise: %w: %s", err, b)
	}
	s.say("rolewise built")
	s.built = path
	return path, nil
}
