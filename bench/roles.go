package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// What this program is when its first argument says so: a process of its own, so that its memory is its own, or so that
// it can be killed.
const (
	bareServerRole = "bare-server"
	frontRole      = "front"
	fillRole       = "fill"
	followRole     = "follow"
	verifyRole     = "verify"
	openRole       = "open"
	crashRole      = "crash"
)

var roles = map[string]func(args []string) error{
	bareServerRole: runBareServer,
	frontRole:      runFront,
	fillRole:       runFill,
	followRole:     runFollow,
	verifyRole:     runVerify,
	openRole:       runOpen,
	crashRole:      runCrash,
}

// startRole starts a server that prints its address.
func startRole(ctx context.Context, folder, role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, folder, self, append([]string{role}, args...)...)
}

// runRole runs a process to its end and reads the JSON that it printed. It may kill itself after that.
func runRole(ctx context.Context, into any, role string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var stderr strings.Builder
	command := exec.CommandContext(ctx, self, append([]string{role}, args...)...)
	command.Stderr = &stderr
	output, err := command.Output()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(output) == 0 {
		return fmt.Errorf("%s: %w: %s", role, errors.Join(err, errors.New("printed nothing")), strings.TrimSpace(stderr.String()))
	}
	return json.Unmarshal(output, into)
}

// tell prints what a process has found out.
func tell(found any) error { return json.NewEncoder(os.Stdout).Encode(found) }

// die ends this process at once, as kill -9 does.
func die() error {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err == nil {
		select {} // until it happens
	}
	return err
}
