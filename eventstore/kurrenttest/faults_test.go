package kurrenttest_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"

	"rolewise/eventstore/kurrenttest"
)

func TestAppendFaults(t *testing.T) {
	front := startFront(t, openStore(t))
	for name, tt := range map[string]struct {
		fault     kurrenttest.Fault
		want      esdb.ErrorCode
		committed bool
	}{
		"not leader":               {kurrenttest.NotLeader("127.0.0.1", 1), esdb.ErrorCodeNotLeader, false},
		"unavailable":              {kurrenttest.Unavailable(), esdb.ErrorUnavailable, false},
		"aborted after commit":     {kurrenttest.AbortedAfterCommit(), esdb.ErrorAborted, true},
		"unavailable after commit": {kurrenttest.UnavailableAfterCommit(), esdb.ErrorUnavailable, true},
		"refused":                  {kurrenttest.Refused(codes.ResourceExhausted, "x"), esdb.ErrorCodeUnknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			events := some(2, "A")
			appendOnce := func() error {
				client := connect(t, front.ConnectionString()) // a new one, since some faults make it go elsewhere
				_, err := client.AppendToStream(patience(t), name, esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events...)
				return err
			}
			front.Inject(2, tt.fault)
			for range 2 {
				if err := appendOnce(); err == nil || code(t, err) != tt.want {
					t.Fatalf("got %v, want code %d", err, tt.want)
				}
			}
			_, err := drain(connect(t, front.ConnectionString()).ReadStream(patience(t), name, esdb.ReadStreamOptions{}, 9))
			if (err == nil) != tt.committed {
				t.Errorf("the stream reads with %v", err)
			}
			if err := appendOnce(); err != nil { // the fault is over, and the repeat finds what was committed
				t.Error(err)
			}
			stream, err := connect(t, front.ConnectionString()).ReadStream(patience(t), name, esdb.ReadStreamOptions{}, 9)
			if got := collect(t, stream, err); len(got) != 2 {
				t.Errorf("the stream has %d events", len(got))
			}
		})
	}
	t.Run("until cleared", func(t *testing.T) {
		client := connect(t, front.ConnectionString())
		clear := front.Inject(-1, kurrenttest.AbortedAfterCommit())
		for range 3 {
			if _, err := client.AppendToStream(patience(t), "c", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, some(1, "A")...); err == nil {
				t.Error("no error")
			}
		}
		clear()
		appendTo(t, client, "c", esdb.Revision(2), some(1, "A")...)
	})
	t.Run("of other calls", func(t *testing.T) {
		client := connect(t, front.ConnectionString())
		front.Inject(1, kurrenttest.Unavailable().On(kurrenttest.Subscriptions))
		appendTo(t, client, "o", esdb.NoStream{}, some(1, "A")...)
		if _, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{}); err == nil || code(t, err) != esdb.ErrorUnavailable {
			t.Errorf("got %v", err)
		}
	})
}

func TestDroppedStreams(t *testing.T) {
	front := startFront(t, openStore(t), kurrenttest.SystemEvents(0))
	client := connect(t, front.ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(5, "A")...)
	t.Run("after some events", func(t *testing.T) {
		front.Inject(1, kurrenttest.Cut(2))
		s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
		if err != nil {
			t.Fatal(err)
		}
		got := heard(t, s, "dropped")
		if len(got) != 3 || got[1] != "s@1" || !strings.Contains(got[2], "Consumer too slow") {
			t.Errorf("heard %q", got)
		}
		front.Inject(1, kurrenttest.Cut(3))
		events, err := drain(client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 9))
		if len(events) != 3 || err == nil || code(t, err) != esdb.ErrorAborted {
			t.Errorf("read %d events, %v", len(events), err)
		}
	})
	t.Run("now", func(t *testing.T) {
		var running []*esdb.Subscription
		for range 3 {
			s, err := client.SubscribeToStream(t.Context(), "s", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
			if err != nil {
				t.Fatal(err)
			}
			heard(t, s, "caught up")
			running = append(running, s)
		}
		if n := front.DropStreams(); n != 3 {
			t.Errorf("%d were running", n)
		}
		for _, s := range running {
			if got := heard(t, s, "dropped"); !strings.Contains(got[len(got)-1], "Aborted") {
				t.Errorf("heard %q", got)
			}
		}
		appendTo(t, client, "s", esdb.Revision(4), some(1, "A")...)
	})
}

func TestOddCheckpoints(t *testing.T) {
	front := startFront(t, openStore(t))
	front.Inject(1, kurrenttest.OddCheckpoints())
	s, err := connect(t, front.ConnectionString()).SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.End{}, Filter: esdb.ExcludeSystemEventsFilter()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e := s.Recv(); e.CheckPointReached == nil || e.CheckPointReached.Commit != ^uint64(0) {
		t.Errorf("got %+v", e)
	}
}

// The official client ends the process on such an event, so this looks at the wire itself.
func TestWithoutCreated(t *testing.T) {
	front := startFront(t, openStore(t))
	appendTo(t, connect(t, front.ConnectionString()), "s", esdb.NoStream{}, some(1, "A")...)
	read := func() map[string]string {
		call, err := raw(t, front).Read(patience(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s")},
				RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
			}},
			CountOption: &streams.ReadReq_Options_Count{Count: 1},
		}})
		return receiveAll(t, call, err)[0].GetEvent().GetEvent().GetMetadata()
	}
	front.Inject(1, kurrenttest.WithoutCreated())
	if m := read(); m["created"] != "" || m["type"] != "A" {
		t.Errorf("with the fault: %v", m)
	}
	if m := read(); m["created"] == "" {
		t.Errorf("without: %v", m)
	}
}

func TestServerAway(t *testing.T) {
	front := startFront(t, openStore(t))
	client := connect(t, front.ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...)
	s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	heard(t, s, "caught up")
	front.Stop()
	front.Stop()
	if front.Running() {
		t.Error("running")
	}
	heard(t, s, "dropped")
	if conn, err := net.Dial("tcp", front.Address()); err == nil {
		_ = conn.Close()
		t.Error("something listens")
	}
	if err := front.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := front.Restart(t.Context()); err == nil {
		t.Error("restarted twice")
	}
	appendTo(t, connect(t, front.ConnectionString()), "s", esdb.Revision(0), some(1, "A")...)
}

func TestCluster(t *testing.T) {
	cluster, err := kurrenttest.StartCluster(t.Context(), openStore(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	fronts := cluster.Servers()
	direct := func(i int) *esdb.Client { return connect(t, fronts[i].ConnectionString()) }
	next := func(client *esdb.Client, n int) error {
		_, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, some(n, "A")...)
		return err
	}
	t.Run("a follower names the leader, and the client goes there", func(t *testing.T) {
		client := direct(1)
		if err := next(client, 1); err == nil || code(t, err) != esdb.ErrorCodeNotLeader {
			t.Fatalf("got %v", err)
		}
		if err := next(client, 1); err != nil {
			t.Error(err)
		}
		stream, err := direct(2).ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 9)
		if got := collect(t, stream, err); len(got) != 1 {
			t.Errorf("a follower reads %d events", len(got))
		}
	})
	t.Run("gossip leads to the leader", func(t *testing.T) {
		for i, front := range fronts {
			cluster.Lead(front)
			for _, connection := range []string{cluster.ConnectionString(), strings.Replace(fronts[0].ConnectionString(), "esdb://", "esdb+discover://", 1)} {
				if err := next(connect(t, connection), 1); err != nil {
					t.Errorf("leader %d: %v", i, err)
				}
			}
			if cluster.Leader() != front {
				t.Error("another leads")
			}
		}
	})
	t.Run("the leadership moves under a client", func(t *testing.T) {
		cluster.Lead(fronts[0])
		client := connect(t, cluster.ConnectionString())
		if err := next(client, 1); err != nil {
			t.Fatal(err)
		}
		cluster.Lead(fronts[2])
		if err := next(client, 1); err == nil || code(t, err) != esdb.ErrorCodeNotLeader {
			t.Errorf("got %v", err)
		}
		if err := next(client, 1); err != nil {
			t.Errorf("after the move: %v", err)
		}
	})
	t.Run("without a leader", func(t *testing.T) {
		cluster.Lead(nil)
		if err := next(direct(0), 1); err == nil || code(t, err) != esdb.ErrorUnavailable {
			t.Errorf("got %v", err)
		}
		if err := next(connect(t, cluster.ConnectionString()+"&maxDiscoverAttempts=1"), 1); err == nil || !strings.Contains(err.Error(), "maximum discovery attempt") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a member that is away", func(t *testing.T) {
		fronts[0].Stop()
		cluster.Lead(fronts[1])
		if err := next(connect(t, cluster.ConnectionString()), 1); err != nil {
			t.Error(err)
		}
	})
	if _, err := kurrenttest.StartCluster(t.Context(), nil, 0); err == nil {
		t.Error("a cluster of none")
	}
}

// A client that pings more often than every 10 s is sent away, as the real server does.
func TestKeepaliveIsEnforced(t *testing.T) {
	front := startFront(t, openStore(t))
	conn, err := net.Dial("tcp", front.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := framer.WritePing(false, [8]byte{}); err != nil && !errors.Is(err, net.ErrClosed) {
			break // sent away already
		}
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("no farewell before %v", err)
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Error(fmt.Sprint("sent away with ", away.ErrCode))
			}
			return
		}
	}
}
