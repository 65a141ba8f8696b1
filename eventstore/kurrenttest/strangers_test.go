package kurrenttest_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rolewise/eventstore/kurrenttest"
)

// TestStrangersMayNotStay opens calls that send nothing, without credentials and with wrong ones.
func TestStrangersMayNotStay(t *testing.T) {
	front := startFront(t, openStore(t), kurrenttest.Credentials("auditor", "long password"), kurrenttest.StrangerTime(20*time.Millisecond))
	conn, err := grpc.NewClient(front.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, header := range map[string]string{"nobody": "", "wrong": basic("auditor:guessed")} {
		for _, method := range []string{
			streams.Streams_Append_FullMethodName, streams.Streams_Read_FullMethodName, gossip.Gossip_Read_FullMethodName, "/unknown.Service/Method",
		} {
			t.Run(name+method, func(t *testing.T) {
				ctx := patience(t)
				if header != "" {
					ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
				}
				call, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
				if err != nil {
					t.Fatal(err)
				}
				err = call.RecvMsg(new(shared.Empty)) // ends only when the front ends it
				if ctx.Err() != nil || status.Code(err) == codes.OK {
					t.Errorf("the call ended with %v", err)
				}
			})
		}
	}
	t.Run("somebody may", func(t *testing.T) {
		ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(patience(t), "authorization", basic("auditor:long password")))
		defer cancel()
		call, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, streams.Streams_Read_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		// The strangers that come after are gone before: so the bound on them is over for this call too.
		stranger, err := conn.NewStream(patience(t), &grpc.StreamDesc{ClientStreams: true}, streams.Streams_Append_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		_ = stranger.RecvMsg(new(shared.Empty))
		if err := call.SendMsg(&streams.ReadReq{}); err != nil {
			t.Fatal(err)
		}
		if err := call.RecvMsg(new(shared.Empty)); status.Code(err) != codes.InvalidArgument {
			t.Errorf("the call ended with %v", err)
		}
	})
}

// TestMostCalls reads from the first frame of a connection how many calls it may have.
func TestMostCalls(t *testing.T) {
	front := startFront(t, openStore(t))
	var dialer net.Dialer
	conn, err := dialer.DialContext(patience(t), "tcp", front.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0} // none
	if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings...)); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 9)
	if _, err := io.ReadFull(conn, header); err != nil || header[3] != 4 {
		t.Fatalf("frame %v, %v, want the settings", header, err)
	}
	frame := make([]byte, int(header[0])<<16|int(header[1])<<8|int(header[2]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		t.Fatal(err)
	}
	const maxConcurrentStreams = 3
	for ; len(frame) >= 6; frame = frame[6:] {
		if binary.BigEndian.Uint16(frame) == maxConcurrentStreams {
			if n := binary.BigEndian.Uint32(frame[2:]); n != kurrenttest.MostCalls {
				t.Errorf("a connection may have %d calls, want %d", n, kurrenttest.MostCalls)
			}
			return
		}
	}
	t.Error("a connection may have any number of calls")
}
