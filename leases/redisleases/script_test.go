package redisleases_test

import (
	"testing"

	"rolewise/leases/redisleases"
)

// Calls that arrive when their lease is another's, or another one, change nothing.
func TestOldCallsChangeNothing(t *testing.T) {
	ctx := t.Context()
	keeper, err := redisleases.New(redisleases.Options{Client: client(t, server.URL), Group: newGroup(t), Lease: long})
	if err != nil {
		t.Fatal(err)
	}
	a, b := redisleases.NewMember(keeper, "a"), redisleases.NewMember(keeper, "b")
	take := func(m redisleases.Member) uint64 {
		t.Helper()
		fence, err := m.Take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return fence
	}
	renew := func(m redisleases.Member, fence uint64, want bool) {
		t.Helper()
		if good, _, err := m.Renew(ctx, fence); err != nil || good != want {
			t.Errorf("the lease %d is good: %v, %v", fence, good, err)
		}
	}
	release := func(m redisleases.Member, fence uint64) {
		t.Helper()
		if err := m.Release(ctx, fence); err != nil {
			t.Fatal(err)
		}
	}
	first := take(a)
	if take(b) != 0 {
		t.Fatal("took what another has")
	}
	second := take(a) // as after an answer that was lost
	if second <= first {
		t.Fatalf("the fence %d follows %d", second, first)
	}
	renew(a, first, false)
	release(a, first)
	renew(a, second, true)
	release(b, second)
	renew(a, second, true)
	release(a, second)
	renew(a, second, false)
	third := take(b)
	if third <= second {
		t.Fatalf("the fence %d follows %d", third, second)
	}
	renew(a, second, false)
	release(a, second)
	renew(a, third, false)
	release(a, third)
	renew(b, third, true)
}
