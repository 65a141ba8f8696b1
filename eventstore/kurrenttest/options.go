package kurrenttest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"rolewise/eventstore"
)

type options struct {
	listen       string
	listener     net.Listener
	certificate  *tls.Certificate
	users        *x509.CertPool
	names        []string
	user         string
	password     string
	readOnly     bool
	systemEvents int
	strangers    time.Duration // how long the call of somebody unknown may take
	strict       bool
}

// Option changes how a front serves.
type Option func(*options)

// Listen gives the TCP address, host:port. Without it a free port of 127.0.0.1 is taken.
func Listen(address string) Option { return func(o *options) { o.listen = address } }

// OnListener serves on a listener that was opened already. The front closes it.
func OnListener(l net.Listener) Option { return func(o *options) { o.listener = l } }

// TLS serves with a certificate. Without it the front speaks plain text.
func TLS(certificate tls.Certificate) Option {
	return func(o *options) { o.certificate = &certificate }
}

// Credentials demands basic authentication, with which the one user may do everything. Official clients send credentials
// over TLS only.
func Credentials(user, password string) Option {
	return func(o *options) { o.user, o.password = user, password }
}

// UserCertificates also takes a client's certificate of these authorities for its common name, which must be one of the
// names. Any other certificate is refused. It needs TLS.
func UserCertificates(authorities *x509.CertPool, names ...string) Option {
	return func(o *options) { o.users, o.names = authorities, names }
}

// ReadOnly denies all appends.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// SystemEvents puts an event of a $-stream behind every n-th position, and a few before the first; 0: none at all.
// The default is 5.
func SystemEvents(n int) Option { return func(o *options) { o.systemEvents = max(0, n) } }

// StrictPositions refuses reads of $all from a position at which no event lies. The real server refuses most of them,
// depending on the bytes it finds there. Without it such a position stands for the place between two events.
func StrictPositions() Option { return func(o *options) { o.strict = true } }

// largest is the most bytes of a message. Appends up to the server's own limit are received, to be refused by name.
func (o *options) largest() int {
	if o.readOnly {
		return 2 * eventstore.MaxAppend
	}
	return 17 << 20
}
