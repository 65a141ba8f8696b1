package kurrenttest_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rolewise/eventstore/kurrenttest"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// file writes a file and returns its path.
func file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	authority, stranger := must(kurrenttest.NewAuthority())(t), must(kurrenttest.NewAuthority())(t)
	front := startFront(t, openStore(t), kurrenttest.TLS(must(authority.Server())(t)))
	elsewhere := startFront(t, openStore(t), kurrenttest.TLS(must(authority.Server("kurrent.example"))(t)))
	ca, wrong := file(t, "ca.crt", authority.PEM()), file(t, "wrong.crt", stranger.PEM())
	const once = "&maxDiscoverAttempts=1"
	for name, tt := range map[string]struct{ connection, refused string }{
		"the authority is known":  {front.ConnectionString() + "&tlsCAFile=" + ca, ""},
		"not verified":            {front.ConnectionString() + "&tlsVerifyCert=false", ""},
		"the authority is not":    {front.ConnectionString() + once, "certificate signed by unknown authority"},
		"another authority":       {front.ConnectionString() + once + "&tlsCAFile=" + wrong, "certificate signed by unknown authority"},
		"a certificate elsewhere": {elsewhere.ConnectionString() + once + "&tlsCAFile=" + ca, "127.0.0.1"},
		"plain text":              {"esdb://" + front.Address() + "?tls=false" + once, "error reading server preface"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect(t, tt.connection).AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{}, some(1, "A")...)
			if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
				t.Errorf("got %v, want %q", err, tt.refused)
			}
		})
	}
	t.Run("TLS where there is none", func(t *testing.T) {
		plain := startFront(t, openStore(t))
		_, err := connect(t, "esdb://"+plain.Address()+"?tls=true"+once).AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{}, some(1, "A")...)
		if err == nil || !strings.Contains(err.Error(), "tls: first record does not look like a TLS handshake") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCredentials(t *testing.T) {
	authority := must(kurrenttest.NewAuthority())(t)
	front := startFront(t, openStore(t), kurrenttest.TLS(must(authority.Server())(t)), kurrenttest.Credentials("audit or", "pass:word@/é"))
	ca := "&tlsCAFile=" + file(t, "ca.crt", authority.PEM())
	strangers := map[string]struct {
		user string
		want esdb.ErrorCode
	}{
		"wrong password": {"admin:nothing@", esdb.ErrorCodeUnauthenticated},
		"wrong user":     {"nobody:x@", esdb.ErrorCodeUnauthenticated},
		"nobody":         {"", esdb.ErrorCodeAccessDenied},
	}
	for name, tt := range strangers {
		t.Run(name, func(t *testing.T) {
			client := connect(t, "esdb://"+tt.user+front.Address()+"?tls=true"+ca)
			many := some(40, "A") // more than the client sends before it looks for an answer
			for i := range many {
				many[i].Data = make([]byte, 20_000)
			}
			_, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{}, many...)
			if err == nil || code(t, err) != tt.want {
				t.Errorf("append: %v", err)
			}
			if _, err := drain(client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 1)); err == nil || code(t, err) != tt.want {
				t.Errorf("read: %v", err)
			}
			if _, err := drain(client.ReadAll(patience(t), esdb.ReadAllOptions{}, 1)); err == nil || code(t, err) != tt.want {
				t.Errorf("read $all: %v", err)
			}
			if _, err := client.SubscribeToAll(patience(t), esdb.SubscribeToAllOptions{}); err == nil || code(t, err) != tt.want {
				t.Errorf("subscribe: %v", err)
			}
			if err := client.CreatePersistentSubscription(patience(t), "s", "g", esdb.PersistentStreamSubscriptionOptions{}); err == nil || code(t, err) == esdb.ErrorCodeUnsupportedFeature {
				t.Errorf("what is not offered: %v", err)
			}
		})
	}
	t.Run("right", func(t *testing.T) {
		client := connect(t, front.ConnectionString()+ca)
		appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...)
		stream, err := client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 1)
		collect(t, stream, err)
	})
	t.Run("of the call, not the connection", func(t *testing.T) {
		client := connect(t, "esdb://"+front.Address()+"?tls=true"+ca)
		for password, want := range map[string]bool{"pass:word@/é": true, "wrong": false} {
			_, err := client.AppendToStream(patience(t), "t", esdb.AppendToStreamOptions{
				ExpectedRevision: esdb.Any{}, Authenticated: &esdb.Credentials{Login: "audit or", Password: password},
			}, some(1, "A")...)
			if (err == nil) != want || err != nil && code(t, err) != esdb.ErrorCodeUnauthenticated {
				t.Errorf("%s: %v", password, err)
			}
		}
	})
	t.Run("headers that are none", func(t *testing.T) {
		conn, err := grpc.NewClient(front.Address(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: authority.Pool()})))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, header := range []string{"", "Basic", "Basic %%%", "Bearer " + base64.StdEncoding.EncodeToString([]byte("audit or:pass:word@/é")), "Basic " + base64.StdEncoding.EncodeToString([]byte("no colon"))} {
			ctx := metadata.AppendToOutgoingContext(patience(t), "authorization", header)
			if _, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{}); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%q: %v", header, err)
			}
		}
		// Clients ask for features and gossip without credentials.
		if f, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(patience(t), &shared.Empty{}); err != nil || f.EventStoreServerVersion != kurrenttest.Version {
			t.Errorf("features: %v, %v", f, err)
		}
		if g, err := gossip.NewGossipClient(conn).Read(patience(t), &shared.Empty{}); err != nil || len(g.Members) != 1 {
			t.Errorf("gossip: %v, %v", g, err)
		}
	})
}

func TestUserCertificates(t *testing.T) {
	authority, stranger := must(kurrenttest.NewAuthority())(t), must(kurrenttest.NewAuthority())(t)
	front := startFront(t, openStore(t), kurrenttest.TLS(must(authority.Server())(t)), kurrenttest.UserCertificates(authority.Pool(), "auditor"))
	ca := file(t, "ca.crt", authority.PEM())
	for name, tt := range map[string]struct {
		user tls.Certificate
		want string
	}{
		"known":                {must(authority.User("auditor"))(t), ""},
		"unknown":              {must(authority.User("somebody"))(t), "Unauthenticated"},
		"of another authority": {must(stranger.User("auditor"))(t), "Unauthenticated"},
		"of a server":          {must(authority.Server("auditor"))(t), "Unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := file(t, "user.crt", kurrenttest.CertificatePEM(tt.user)), file(t, "user.key", must(kurrenttest.KeyPEM(tt.user))(t))
			client := connect(t, front.ConnectionString()+"&maxDiscoverAttempts=1&tlsCAFile="+ca+"&userCertFile="+cert+"&userKeyFile="+key)
			_, err := client.AppendToStream(patience(t), name, esdb.AppendToStreamOptions{}, some(1, "A")...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := kurrenttest.Start(t.Context(), nil, kurrenttest.UserCertificates(authority.Pool())); err == nil {
		t.Error("user certificates without TLS")
	}
}

func TestReadOnly(t *testing.T) {
	store := openStore(t)
	appendTo(t, connect(t, startFront(t, store).ConnectionString()), "s", esdb.NoStream{}, some(3, "A")...)
	client := connect(t, startFront(t, store, kurrenttest.ReadOnly()).ConnectionString())
	_, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, some(100, "A")...)
	if err == nil || code(t, err) != esdb.ErrorCodeAccessDenied {
		t.Errorf("got %v", err)
	}
	stream, err := client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 10)
	if got := collect(t, stream, err); len(got) != 3 {
		t.Errorf("read %d", len(got))
	}
}

func TestNotOffered(t *testing.T) {
	front := startFront(t, openStore(t))
	client := connect(t, front.ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...)
	ctx := patience(t)
	_, deleted := client.DeleteStream(ctx, "s", esdb.DeleteStreamOptions{})
	_, tombstoned := client.TombstoneStream(ctx, "s", esdb.TombstoneStreamOptions{})
	_, subscribed := client.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	created := client.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{})
	call, err := raw(t, front).BatchAppend(ctx)
	if err == nil {
		_, err = call.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("batch append: %v", err)
	}
	for name, err := range map[string]error{"delete": deleted, "tombstone": tombstoned, "subscribe": subscribed, "create": created} {
		if err == nil || code(t, err) != esdb.ErrorCodeUnsupportedFeature {
			t.Errorf("%s: %v", name, err)
		}
	}
	version, err := client.GetServerVersion()
	if err != nil || version.Major != 24 || version.Minor != 10 {
		t.Errorf("version %v, %v", version, err)
	}
}

func TestTombstone(t *testing.T) {
	front := startFront(t, openStore(t))
	client := connect(t, front.ConnectionString())
	appendTo(t, client, "s é", esdb.NoStream{}, some(1, "A")...)
	front.Tombstone("s é")
	_, err := client.AppendToStream(patience(t), "s é", esdb.AppendToStreamOptions{}, some(1, "A")...)
	if err == nil || code(t, err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("append: %v", err)
	}
	if _, err := drain(client.ReadStream(patience(t), "s é", esdb.ReadStreamOptions{}, 1)); err == nil || code(t, err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("read: %v", err)
	}
	if _, err := client.SubscribeToStream(patience(t), "s é", esdb.SubscribeToStreamOptions{}); err == nil || code(t, err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("subscribe: %v", err)
	}
}

// A call ends when its context does, whatever the front is doing.
func TestCallsEndWithTheirContext(t *testing.T) {
	front := startFront(t, openStore(t))
	client := connect(t, front.ConnectionString())
	front.Inject(-1, kurrenttest.Delay(time.Hour))
	for name, call := range map[string]func(context.Context) error{
		"append": func(ctx context.Context) error {
			_, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, some(1, "A")...)
			return err
		},
		"read": func(ctx context.Context) error {
			_, err := drain(client.ReadAll(ctx, esdb.ReadAllOptions{}, 1))
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); err == nil || code(t, err) != esdb.ErrorCodeDeadlineExceeded {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	front.ClearFaults()
	appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...)
}
