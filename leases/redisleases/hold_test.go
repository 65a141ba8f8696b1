package redisleases

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rolewise/leases"
)

func TestLeaseEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		l := newLease(t.Context(), time.Now().Add(time.Second), func(cause error) { causes = append(causes, cause) })
		time.Sleep(900 * time.Millisecond)
		l.extend(time.Now().Add(time.Second))
		time.Sleep(900 * time.Millisecond)
		if err := l.Err(); err != nil {
			t.Fatalf("ended although extended: %v", err)
		}
		began := time.Now()
		<-l.Done()
		synctest.Wait()
		if waited := time.Since(began); waited != 100*time.Millisecond {
			t.Fatalf("ended %s later", waited)
		}
		l.extend(time.Now().Add(time.Hour))
		if err := l.Err(); !errors.Is(err, context.Canceled) {
			t.Fatalf("extended after its end: %v", err)
		}
		l.end(leases.ErrGivenAway)
		if !errors.Is(context.Cause(l), leases.ErrLost) || len(causes) != 1 || !errors.Is(causes[0], leases.ErrLost) {
			t.Fatalf("ended because of %v, counted %v", context.Cause(l), causes)
		}
	})
}

// A process that was stopped goes on before its timers fire.
func TestErrLooksAtTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(t.Context(), time.Now().Add(time.Second), func(error) {})
		l.timer.Stop()
		time.Sleep(time.Second)
		l.extend(time.Now().Add(time.Hour)) // too late
		if err := l.Err(); err == nil || !errors.Is(context.Cause(l), leases.ErrLost) {
			t.Fatalf("got %v because of %v", err, context.Cause(l))
		}
		select {
		case <-l.Done():
		default:
			t.Fatal("not done")
		}
	})
}

func TestLeaseEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("stopped")
		parent, stop := context.WithCancelCause(t.Context())
		var causes []error
		l := newLease(parent, time.Now().Add(time.Second), func(cause error) { causes = append(causes, cause) })
		stop(stopped)
		if l.Err() == nil || context.Cause(l) != stopped {
			t.Fatalf("got %v because of %v", l.Err(), context.Cause(l))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		l.end(nil)
		if len(causes) != 1 || causes[0] != stopped {
			t.Fatalf("counted %v", causes)
		}
	})
}
