package kurrent_test

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
)

// The adapter against the faults of the client one by one; TestBareClientHasTheFaults shows that they are there.

func must(t testing.TB, s *kurrent.Store, id eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) eventstore.Position {
	t.Helper()
	p, err := s.Append(bounded(t), id, expected, events...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return p
}

func read(t testing.TB, s *kurrent.Store, id eventstore.StreamID, from eventstore.Revision) (all []eventstore.Recorded, err error) {
	t.Helper()
	for e, err := range s.Read(bounded(t), id, from) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// followTo follows until a page says enough, and returns the events and where it ended.
func followTo(t testing.TB, s *kurrent.Store, after eventstore.Position, enough func(eventstore.Page) bool) (all []eventstore.Recorded, through eventstore.Position) {
	t.Helper()
	for page, err := range s.Follow(bounded(t), after, eventstore.Filter{}) {
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		all, through = append(all, page.Events...), page.Through
		if enough(page) {
			break
		}
	}
	return all, through
}

func live(p eventstore.Page) bool { return p.Live }

// TestCallsEndWithTheirContext lets callers wait for a server that is away, and for one that never answers.
func TestCallsEndWithTheirContext(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	must(t, s, stream("x"), eventstore.NoStream, event("A"))
	calls := func(t *testing.T) {
		var group sync.WaitGroup
		for range 64 {
			group.Go(func() {
				_, err := bound(bounded(t), t, 50*time.Millisecond, func(ctx context.Context) (int, error) {
					_, err := s.Append(ctx, stream("y"), eventstore.NoStream, event("A"))
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("append: %v", err)
					}
					_, err = s.Info(ctx)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("info: %v", err)
					}
					for _, err := range s.Read(ctx, stream("x"), 0) {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("read: %v", err)
						}
					}
					for _, err := range s.Follow(ctx, 0, eventstore.Filter{}) {
						return 0, err
					}
					return 0, nil
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("follow: %v", err)
				}
			})
		}
		group.Wait()
	}
	f.Inject(-1, kurrenttest.Delay(time.Hour))
	t.Run("silent", calls)
	f.ClearFaults()
	f.Stop()
	t.Run("away", calls)
	if err := f.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	must(t, s, stream("x"), 0, event("A"))
	_ = s.Close()
	quiet(t)
}

// TestPatience gives up on a server that stays away, and says what that means.
func TestPatience(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString(), kurrent.Patience(200*time.Millisecond))
	must(t, s, stream("x"), eventstore.NoStream, event("A"))
	f.Inject(-1, kurrenttest.UnavailableAfterCommit())
	var unavailable *eventstore.UnavailableError
	e := event("A")
	if _, err := s.Append(bounded(t), stream("y"), eventstore.NoStream, e); err != nil && (!errors.As(err, &unavailable) || !unavailable.Unknown) {
		t.Errorf("append whose answer is lost: %v", err)
	}
	f.Stop()
	_, _ = s.Append(bounded(t), stream("z"), eventstore.NoStream, event("A")) // finds out that the connection is lost
	if _, err := s.Append(bounded(t), stream("z"), eventstore.NoStream, event("A")); !errors.As(err, &unavailable) || unavailable.Unknown {
		t.Errorf("append that was never sent: %v", err)
	}
	if _, err := read(t, s, stream("x"), 0); !errors.As(err, &unavailable) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.Info(bounded(t)); !errors.As(err, &unavailable) {
		t.Errorf("info: %v", err)
	}
	f.ClearFaults()
	if err := f.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	for ctx := bounded(t); ctx.Err() == nil; {
		if _, err := s.Append(ctx, stream("y"), eventstore.NoStream, e); err == nil {
			break
		}
	}
	if all, err := read(t, s, stream("y"), 0); err != nil || len(all) != 1 {
		t.Errorf("the stream has %d events (%v)", len(all), err)
	}
}

// TestCloseDuringCalls closes while calls of every kind are under way and wait.
func TestCloseDuringCalls(t *testing.T) {
	for _, away := range []bool{false, true} {
		f := startFront(t)
		s := open(t, f.ConnectionString())
		must(t, s, stream("x"), eventstore.NoStream, events(500)...)
		var group, started sync.WaitGroup
		started.Add(32)
		for i := range 32 {
			group.Go(func() {
				started.Done()
				for {
					var err error
					switch i % 4 {
					case 0:
						_, err = s.Append(bounded(t), stream("y"), eventstore.NoStream, event("A"))
						var conflict *eventstore.ConflictError
						if errors.As(err, &conflict) {
							err = nil
						}
					case 1:
						_, err = read(t, s, stream("x"), 0)
					case 2:
						for _, e := range s.Follow(bounded(t), 0, eventstore.Filter{PageSize: 10}) {
							err = e
						}
					default:
						_, err = s.Info(bounded(t))
					}
					if err != nil {
						if !errors.Is(err, eventstore.ErrClosed) {
							t.Errorf("call %d ended with %v", i%4, err)
						}
						return
					}
				}
			})
		}
		started.Wait()
		if away {
			f.Stop()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		quiet(t)
	}
}

// TestRepeatedUnavailable leaves no connection behind, however often a server or a network fails.
func TestRepeatedUnavailable(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	for i := range 40 {
		times := 1
		if i%20 == 19 {
			times = 9 // as often as another node is looked for
		}
		f.Inject(times, kurrenttest.Unavailable().On(kurrenttest.Appends))
		must(t, s, stream("x"), eventstore.Revision(i-1), event("A"))
	}
	_ = s.Close()
	quiet(t)
}

// TestLeaderNotThere follows the hint to a leader that has died, and comes back.
func TestLeaderNotThere(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString()+"&gossipTimeout=1")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	f.Inject(1, kurrenttest.NotLeader("127.0.0.1", port))
	must(t, s, stream("x"), eventstore.NoStream, event("A"))
	must(t, s, stream("x"), 0, event("A"))
	_ = s.Close()
	quiet(t)
}

// TestWithoutCreated reads events without a time of creation, which end the process of the bare client.
func TestWithoutCreated(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	must(t, s, stream("x"), eventstore.NoStream, events(3)...)
	f.Inject(-1, kurrenttest.WithoutCreated())
	if all, err := read(t, s, stream("x"), 0); err != nil || len(all) != 3 {
		t.Errorf("read %d events and %v", len(all), err)
	}
	if all, _ := followTo(t, s, 0, live); len(all) != 3 {
		t.Errorf("followed %d events", len(all))
	}
}

// TestOddCheckpoints ignores the checkpoint at the end of all time.
func TestOddCheckpoints(t *testing.T) {
	f := startFront(t)
	f.Inject(-1, kurrenttest.OddCheckpoints())
	s := open(t, f.ConnectionString())
	for range 5 {
		must(t, s, stream("x"), eventstore.NoStream, event("A"))
		break
	}
	n := 0
	all, through := followTo(t, s, 0, func(p eventstore.Page) bool {
		if p.Live && n < 20 {
			must(t, s, stream("x"), eventstore.Revision(n), event("A"))
			n++
		}
		return p.Live && n == 20 && len(p.Events) == 1
	})
	if through == math.MaxUint64 || len(all) < 19 {
		t.Errorf("followed %d events to %s", len(all), through)
	}
}

// TestSystemTail follows a log whose last events are of the system, which a subscription to our streams never sees.
func TestSystemTail(t *testing.T) {
	f := startFront(t, kurrenttest.SystemEvents(1))
	s := open(t, f.ConnectionString(), kurrent.Idle(20*time.Millisecond))
	last := must(t, s, stream("x"), eventstore.NoStream, events(3)...)
	target := func() eventstore.Position {
		info, err := s.Info(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		if info.Head <= last {
			t.Fatalf("the head is %s, the last of our events at %s: the front has no events of the system", info.Head, last)
		}
		return info.Head
	}
	head := target()
	if _, through := followTo(t, s, 0, live); through < head {
		t.Errorf("the end was reached at %s, the head is %s", through, head)
	}
	written := false
	all, _ := followTo(t, s, head, func(p eventstore.Page) bool {
		if !written {
			written = true
			last = must(t, s, stream("x"), 2, event("A"))
			head = target()
		}
		return p.Live && p.Through >= head
	})
	if len(all) != 1 {
		t.Errorf("followed %d events, want 1", len(all))
	}
}

// TestForeignStreams shares the log with others.
func TestForeignStreams(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	client := plainClient(t, f.ConnectionString())
	must(t, s, stream("x"), eventstore.NoStream, event("A"))
	var last uint64
	for _, name := range []string{"orders-1", "Account", "role-acme", "role.acme", "x-UPPER.1", "ünïcode-acme.x", "role-acme/1.x", kurrent.IdentityStream.String() + "2"} {
		result, err := client.AppendToStream(bounded(t), name, esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "Foreign", Data: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		last = result.CommitPosition
	}
	all, through := followTo(t, s, 0, func(p eventstore.Page) bool { return p.Live && p.Through >= eventstore.Position(last) })
	if len(all) != 2 { // the last name above is of our form
		t.Errorf("followed %d events, want 2", len(all))
	}
	_ = through
}

// TestLargeEvents follows events of which a page does not fit into memory.
func TestLargeEvents(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	const n = 40
	for i := range n {
		e := event("A")
		e.Data = make([]byte, eventstore.MaxAppend-100)
		must(t, s, stream("x"), eventstore.Revision(i-1), e)
	}
	if all, _ := followTo(t, s, 0, live); len(all) != n {
		t.Errorf("followed %d events, want %d", len(all), n)
	}
	if all, err := read(t, s, stream("x"), 0); err != nil || len(all) != n {
		t.Errorf("read %d events and %v, want %d", len(all), err, n)
	}
}

// TestSilence gives a connection up on which nothing comes back, and goes on over another one.
func TestSilence(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString()+"&defaultDeadline=200")
	must(t, s, stream("x"), eventstore.NoStream, events(3)...)
	f.Inject(1, kurrenttest.Delay(time.Hour))
	if all, err := read(t, s, stream("x"), 0); err != nil || len(all) != 3 {
		t.Errorf("read %d events and %v", len(all), err)
	}
	f.Inject(1, kurrenttest.Delay(time.Hour))
	if _, err := s.Info(bounded(t)); err != nil {
		t.Errorf("info: %v", err)
	}
	f.Inject(1, kurrenttest.Delay(time.Hour))
	must(t, s, stream("x"), 2, event("A"))
	_ = s.Close()
	quiet(t)
}

// TestSettles repeats appends that a server takes for conflicts although they are repeats.
func TestSettles(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	batch := events(3)
	first := must(t, s, stream("x"), eventstore.NoStream, batch...)
	must(t, s, stream("x"), 2, event("Later"))
	conflict := kurrenttest.Refused(codes.FailedPrecondition, "Append failed due to WrongExpectedVersion. Stream: x").On(kurrenttest.Appends)
	f.Inject(1, conflict)
	if p := must(t, s, stream("x"), eventstore.NoStream, batch...); p != first {
		t.Errorf("the repeat returned %s, the first time %s", p, first)
	}
	f.Inject(1, conflict)
	var have *eventstore.ConflictError
	if _, err := s.Append(bounded(t), stream("x"), eventstore.NoStream, batch[0], event("Other")); !errors.As(err, &have) || have.Have != 3 {
		t.Errorf("a partly matching repeat: %v", err)
	}
	f.Inject(1, conflict) // where the stream has got to the expected revision meanwhile
	must(t, s, stream("x"), 3, event("A"))
}

// TestIdentity names a log once, whoever comes first. Epochs grow also when the clock does not.
func TestIdentity(t *testing.T) {
	f := startFront(t)
	stores := make([]*kurrent.Store, 8)
	infos := make([]eventstore.Info, len(stores))
	var group sync.WaitGroup
	for i := range stores {
		stores[i] = open(t, f.ConnectionString(), clock(1000))
		group.Go(func() {
			var err error
			if infos[i], err = stores[i].Info(bounded(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, info := range infos {
		if info.ID == "" || info.ID != infos[0].ID || info.Epoch != 1 {
			t.Errorf("the log is %q, epoch %d, for one and %q for another", info.ID, info.Epoch, infos[0].ID)
		}
	}
	for i, s := range stores[:3] {
		if info, err := s.NewEpoch(bounded(t)); err != nil || info.Epoch != 1000+i {
			t.Errorf("epoch %d (%v), want %d", info.Epoch, err, 1000+i)
		}
	}
	if info, err := stores[7].Info(bounded(t)); err != nil || info.Epoch != 1002 || info.ID != infos[0].ID {
		t.Errorf("another sees %+v (%v)", info, err)
	}
	if all, _ := followTo(t, stores[2], 0, live); len(all) != 0 {
		t.Errorf("a follower sees %d events of the identity", len(all))
	}
	var invalid *eventstore.InvalidError
	if _, err := stores[0].Append(bounded(t), kurrent.IdentityStream, 3, event("A")); !errors.As(err, &invalid) {
		t.Errorf("append to the identity: %v", err)
	}
}

// TestDeletedStreams says what is wrong when streams lost their events on the server.
func TestDeletedStreams(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	client := plainClient(t, f.ConnectionString())
	truncate := func(id eventstore.StreamID, before uint64) {
		t.Helper()
		var meta esdb.StreamMetadata
		meta.SetTruncateBefore(before)
		if _, err := client.SetStreamMetadata(bounded(t), id.String(), esdb.AppendToStreamOptions{}, meta); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"dead", "deleted", "cut"} {
		must(t, s, stream(id), eventstore.NoStream, events(5)...)
	}
	f.Tombstone(stream("dead").String())
	truncate(stream("deleted"), math.MaxInt64)
	truncate(stream("cut"), 3)

	for _, id := range []string{"dead", "deleted"} {
		if _, err := read(t, s, stream(id), 0); err == nil || !strings.Contains(err.Error(), "was deleted") {
			t.Errorf("read %s: %v", id, err)
		}
	}
	if _, err := s.Append(bounded(t), stream("dead"), 4, event("A")); err == nil || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("append to the dead: %v", err)
	}
	if _, err := read(t, s, stream("cut"), 0); err == nil || !strings.Contains(err.Error(), "no events from 0 to 2") {
		t.Errorf("read the rest: %v", err)
	}
	if all, err := read(t, s, stream("cut"), 3); err != nil || len(all) != 2 {
		t.Errorf("read after the cut: %d events and %v", len(all), err)
	}
}

// TestBeyondTheEnd refuses a position of another log.
func TestBeyondTheEnd(t *testing.T) {
	f := startFront(t)
	s := open(t, f.ConnectionString())
	p := must(t, s, stream("x"), eventstore.NoStream, event("A"))
	for _, err := range s.Follow(bounded(t), p+1_000_000, eventstore.Filter{}) {
		var invalid *eventstore.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "another log") {
			t.Errorf("got %v", err)
		}
	}
}

// TestReadOnlyServer says that a log is served for reading only.
func TestReadOnlyServer(t *testing.T) {
	f := startFront(t, kurrenttest.ReadOnly())
	s := open(t, f.ConnectionString())
	var unavailable *eventstore.UnavailableError
	if _, err := s.Append(bounded(t), stream("x"), eventstore.NoStream, event("A")); !errors.As(err, &unavailable) || unavailable.Unknown {
		t.Errorf("append: %v", err)
	}
	if all, _ := followTo(t, s, 0, live); len(all) != 0 {
		t.Errorf("followed %d events", len(all))
	}
}

// TestHeaders sees that the demand for the leader and the credentials, both of which the client drops, are sent.
func TestHeaders(t *testing.T) {
	seen := make(chan metadata.MD, 16)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(stream.Context())
		seen <- md
		return status.Error(codes.Unimplemented, "not here")
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	_, err = kurrent.Open(bounded(t), "esdb://u:p@"+listener.Addr().String()+"?tls=false")
	if err == nil || !strings.Contains(err.Error(), "no KurrentDB") {
		t.Errorf("opened with %v", err)
	}
	<-seen // the features are asked for without
	if md := <-seen; strings.Join(md.Get("requires-leader"), "") != "true" || strings.Join(md.Get("authorization"), "") != "Basic dTpw" {
		t.Errorf("headers are %v", md)
	}
}
