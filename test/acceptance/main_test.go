// Package acceptance starts the real program and uses it as its clients do: over HTTP and on the command line.
package acceptance

import (
	"os"
	"testing"

	"rolewise/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
