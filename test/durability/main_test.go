// Package durability proves what the embedded event store promises: what was acknowledged outlives crashes of the
// process, power cuts, full and failing disks, whole, once and in its place, or the damage is noticed.
//
// A crew of writers puts a load on a store and notes every acknowledgement in a ledger beside it. A checker holds the
// store against the ledger. Each harness is also run on a store or a disk that breaks its word, and must notice.
// ROLEWISE_TORTURE=1 makes them long; ROLEWISE_TORTURE_SEED repeats the choices of a run.
package durability

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// programs are what the test binary can be started as, by launch, instead of running tests. They read what they are to
// do from spec, hear the parent's words and speak to it by say.
var programs = map[string]func(ctx context.Context, spec []byte, words <-chan string) error{
	"writers":  writers,
	"server":   server,
	"injected": injected,
}

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(programVariable); ok {
		os.Exit(runProgram(name))
	}
	if code, done := inOwnMounts(); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func runProgram(name string) int {
	var spec json.RawMessage
	input := json.NewDecoder(os.Stdin)
	if err := input.Decode(&spec); err != nil {
		fmt.Fprintf(os.Stderr, "read what to do: %v\n", err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	words := make(chan string)
	go func() {
		defer cancel() // the parent is gone
		for {
			var word string
			if input.Decode(&word) != nil {
				return
			}
			words <- word
		}
	}()
	if err := programs[name](ctx, spec, words); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// tortured tells whether the long form of the tests is wanted.
func tortured() bool { return os.Getenv("ROLEWISE_TORTURE") != "" }

// cycles is how often something is done, in the short and in the long form.
func cycles(short, long int) int {
	if tortured() {
		return long
	}
	return short
}

// seeded returns the source of all choices of a test, and its seed.
func seeded(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := rand.Uint64() >> 1
	if given, err := strconv.ParseUint(os.Getenv("ROLEWISE_TORTURE_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("seed %d; set ROLEWISE_TORTURE_SEED to repeat the same load and pauses", seed)
	return rand.New(rand.NewPCG(seed, 1)), seed
}

// pause is how long a fault is waited for; nothing depends on what happens meanwhile.
func pause(d time.Duration) { <-time.After(d) }
