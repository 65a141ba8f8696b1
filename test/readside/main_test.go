// Package readside proves that the read side heals by itself (SPEC OPS-4 to OPS-7): the real program runs as several
// processes, API and projectors, on an event store that they share and on real Redis servers. Under a load of commands
// faults are injected one after the other. Commands must go on being accepted, queries must answer correctly or not at
// all, and after each fault the read models in Redis must be those that a replay of the whole log into empty ones gives.
//
// Each comparison is also shown a difference that it must find. ROLEWISE_TORTURE=1 makes the tests long.
package readside

import (
	"fmt"
	"os"
	"testing"
	"time"

	"rolewise/test/harness"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "readside-")
	if err == nil {
		defer os.RemoveAll(folder)
		err = buildFront(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the event store's program:", err)
		return 1
	}
	return harness.Main(m)
}

// TestFaults runs both installations at the same time, since each of them waits a lot. The program runs without the
// race detector here, which makes everything slower than the faults are long.
func TestFaults(t *testing.T) {
	harness.UsePlain(t)
	t.Run("redis", redisFaults)
	t.Run("cluster", clusterFaults)
}

// tortured tells whether the long form of the tests is wanted.
func tortured() bool { return os.Getenv("ROLEWISE_TORTURE") != "" }

// long chooses between what is done in the short and in the long form.
func long[T any](short, long T) T {
	if tortured() {
		return long
	}
	return short
}

// patience bounds everything that has to come about; nothing is measured by it.
const patience = 2 * time.Minute

// pause is how long a fault lasts at least, or how often something is asked; nothing depends on what happens meanwhile.
func pause(d time.Duration) { <-time.After(d) }

// await asks again until something has come about.
func await(t *testing.T, what string, done func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; pause(20 * time.Millisecond) {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has not come about within %s: %v", what, patience, err)
		}
	}
}

// insist runs also those faults that are known not to be survived.
func insist() bool { return os.Getenv("ROLEWISE_FINDINGS") != "" }
