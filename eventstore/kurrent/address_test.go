package kurrent_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
)

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func refused(t *testing.T, address, want string) {
	t.Helper()
	s, err := kurrent.Open(bounded(t), address, kurrent.ConnectTimeout(time.Second))
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("said %q, want %q", err, want)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the password is in the error: %q", err)
	}
}

func TestOpenRefusesAddresses(t *testing.T) {
	garbage := write(t, []byte("no certificate"))
	for name, try := range map[string]struct{ address, want string }{
		"empty":                         {"", "must begin with esdb:// or kurrentdb://"},
		"no scheme":                     {"admin:geheim@localhost:2113", "must begin with esdb:// or kurrentdb://"},
		"a password as the scheme":      {"u:geheim://localhost:2113", "must begin with esdb:// or kurrentdb://"},
		"a question in the password":    {"esdb://admin:x?geheim@localhost:2113", "percent-encode"},
		"a setting of odd letters":      {"esdb://localhost:2113?geheim%21=1", "cannot be read"},
		"another scheme":                {"https://admin:geheim@localhost:2113", "use esdb:// or kurrentdb://"},
		"no host":                       {"esdb://", "cannot be read"},
		"no host but a port":            {"esdb://:2113", "needs a host"},
		"a port that is none":           {"esdb://admin:geheim@localhost:geheim", "cannot be read"},
		"a slash in the password":       {"esdb://admin:ge/geheim@localhost:2113", "cannot be read"},
		"an escape that is none":        {"esdb://admin:geheim%zz@localhost:2113", "cannot be read"},
		"a path":                        {"esdb://admin:geheim@localhost:2113/geheim", "cannot be read"},
		"a user without a password":     {"esdb://admin@localhost:2113", "a user without a password"},
		"a password without a user":     {"esdb://:geheim@localhost:2113", "cannot be read"},
		"an unknown setting":            {"esdb://localhost:2113?tsl=false", `"tsl"`},
		"a setting twice":               {"esdb://localhost:2113?tls=false&TLS=true", "given twice"},
		"a truth that is none":          {"esdb://localhost:2113?tls=maybe", "must be true or false"},
		"a number that is none":         {"esdb://localhost:2113?gossipTimeout=soon", "must be a number of seconds"},
		"a deadline that is none":       {"esdb://localhost:2113?defaultDeadline=-5", "must be a number of milliseconds"},
		"pings that servers hang up on": {"esdb://localhost:2113?keepAliveInterval=500", "from 10000 on"},
		"no pings":                      {"esdb://localhost:2113?keepAliveInterval=-1", "from 10000 on"},
		"nodes that lag":                {"esdb://localhost:2113?nodePreference=follower", "must be leader"},
		"an authority that is not":      {"esdb://localhost:2113?tlsCaFile=/nowhere/ca.pem", "check the path"},
		"an authority that is garbage":  {"esdb://localhost:2113?tlsCaFile=" + garbage, "holds no certificate"},
		"half a user certificate":       {"esdb://localhost:2113?userCertFile=" + garbage, "belong together"},
		"a user certificate of garbage": {"esdb://localhost:2113?userCertFile=" + garbage + "&userKeyFile=" + garbage, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, try.address, try.want) })
	}
}

func TestOpenRefusesServers(t *testing.T) {
	_, secure, authority := secured(t)
	plain := startFront(t)
	other, err := kurrenttest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	_ = free.Close()
	elsewhere, err := authority.Server("db.example")
	if err != nil {
		t.Fatal(err)
	}
	misnamed := startFront(t, kurrenttest.TLS(elsewhere))
	ca := url.QueryEscape(write(t, authority.PEM()))
	user := func(s string) string { return strings.Replace(secure, "admin:s3cr%3Aet%2F%40%23%3F%25@", s, 1) }

	t.Run("no credentials", func(t *testing.T) { refused(t, user(""), "rights") })
	t.Run("a wrong password", func(t *testing.T) { refused(t, user("admin:geheim@"), "check user and password") })
	t.Run("another authority", func(t *testing.T) {
		address, _, _ := strings.Cut(secure, "&tlsCaFile")
		refused(t, address+"&tlsCaFile="+url.QueryEscape(write(t, other.PEM())), "give the file of its CA in tlsCaFile")
	})
	t.Run("no authority", func(t *testing.T) {
		address, _, _ := strings.Cut(secure, "&tlsCaFile")
		refused(t, address, "give the file of its CA in tlsCaFile")
	})
	t.Run("another name", func(t *testing.T) {
		refused(t, misnamed.ConnectionString()+"&tlsCaFile="+ca, "the name in the certificate")
	})
	t.Run("TLS at a server without", func(t *testing.T) {
		refused(t, "esdb://"+plain.Address(), "add tls=false")
	})
	t.Run("no TLS at a server with", func(t *testing.T) {
		refused(t, strings.Replace(user("admin:geheim@"), "tls=true", "tls=false", 1), "without TLS")
	})
	t.Run("nobody there", func(t *testing.T) {
		refused(t, "esdb://admin:geheim@"+nobody+"?tls=false", "check the address and that the server runs")
	})
	t.Run("a host that is none", func(t *testing.T) {
		refused(t, "esdb://no-such-host.invalid:2113?tls=false", "check the address and that the server runs")
	})
	t.Run("a server that never answers", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		refused(t, "esdb://"+silent.Addr().String()+"?tls=false&gossipTimeout=1", "does not answer")
	})
	t.Run("an ended context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := kurrent.Open(ctx, "esdb://"+nobody+"?tls=false"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenTakes(t *testing.T) {
	works := func(t *testing.T, address string) {
		t.Helper()
		s := open(t, address)
		if _, err := s.Append(bounded(t), stream("x"), eventstore.NoStream, event("A")); err != nil {
			t.Errorf("append: %v", err)
		}
	}
	t.Run("kurrentdb", func(t *testing.T) {
		works(t, strings.Replace(startFront(t).ConnectionString(), "esdb://", "kurrentdb://", 1))
	})
	t.Run("discover", func(t *testing.T) {
		works(t, strings.Replace(startFront(t).ConnectionString(), "esdb://", "kurrentdb+discover://", 1))
	})
	t.Run("several hosts", func(t *testing.T) {
		c, err := kurrenttest.StartCluster(context.Background(), startFront(t).store, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		works(t, c.ConnectionString())
	})
	t.Run("credentials with TLS", func(t *testing.T) {
		_, address, _ := secured(t)
		works(t, address)
	})
	t.Run("credentials without TLS", func(t *testing.T) {
		works(t, startFront(t, kurrenttest.Credentials("admin", "ch@nge/it?#%")).ConnectionString())
	})
	t.Run("a certificate that is not verified", func(t *testing.T) {
		_, address, _ := secured(t)
		address, _, _ = strings.Cut(address, "&tlsCaFile")
		works(t, address+"&tlsVerifyCert=false")
	})
	t.Run("a user certificate", func(t *testing.T) {
		users, err := kurrenttest.NewAuthority()
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := users.User("rolewise")
		if err != nil {
			t.Fatal(err)
		}
		key, err := kurrenttest.KeyPEM(certificate)
		if err != nil {
			t.Fatal(err)
		}
		f, address, _ := userFront(t, users.Pool())
		address = strings.Replace(address, f.user, "", 1) + "&userCertFile=" + url.QueryEscape(write(t, kurrenttest.CertificatePEM(certificate)))
		works(t, address+"&userKeyFile="+url.QueryEscape(write(t, key)))
	})
}

type userServer struct {
	*front
	user string
}

// userFront is a front that takes user certificates.
func userFront(t *testing.T, users *x509.CertPool) (userServer, string, *kurrenttest.Authority) {
	t.Helper()
	f, address, authority := secured(t, kurrenttest.UserCertificates(users, "rolewise"))
	user, _, _ := strings.Cut(strings.TrimPrefix(address, "esdb://"), "@")
	return userServer{front: f, user: user + "@"}, address, authority
}
