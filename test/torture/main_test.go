// Package torture kills the real program under load, again and again, and demands that nothing acknowledged is lost,
// nothing is done twice, and the read models are what a replay of the log gives.
package torture

import (
	"os"
	"testing"

	"rolewise/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
