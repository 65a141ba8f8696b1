package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) readmodels.Store { return memory.New() })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(*testing.B) readmodels.Store { return memory.New() })
}
