package kurrenttest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"
)

// authenticate finds out who calls. Bad credentials are refused at once; a caller without any is nobody, who may ask for
// the server's features and gossip only.
func (s *Server) authenticate(ctx context.Context) (somebody bool, err error) {
	if s.options.user == "" && s.options.users == nil {
		return true, nil
	}
	if known, err := s.certified(ctx); known || err != nil {
		return known, err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	headers := md.Get("authorization")
	if len(headers) == 0 {
		return false, nil
	}
	scheme, encoded, _ := strings.Cut(headers[0], " ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok || !strings.EqualFold(scheme, "basic") || s.options.user == "" {
		return false, unauthenticated()
	}
	if !same(user, s.options.user) || !same(password, s.options.password) {
		return false, unauthenticated()
	}
	return true, nil
}

// strangerTime is how long a call without good credentials may take. It is refused all the same, but what it sends is read
// first, and somebody who sends nothing would stay for ever.
const strangerTime = 5 * time.Second

// admit looks at a call when its headers are there, before anything of it is read.
func (s *Server) admit(ctx context.Context, _ *tap.Info) (context.Context, error) {
	if somebody, err := s.authenticate(ctx); err == nil && somebody {
		return ctx, nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.strangers)
	context.AfterFunc(ctx, cancel) // the call has ended
	return bounded, nil
}

// same compares without telling by its time how much of the text was right.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// certified looks at the certificate that the client presented, if it did.
func (s *Server) certified(ctx context.Context) (bool, error) {
	p, ok := peer.FromContext(ctx)
	if !ok || s.options.users == nil {
		return false, nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return false, nil
	}
	chain := info.State.PeerCertificates
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: s.options.users, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil || !slices.Contains(s.options.names, chain[0].Subject.CommonName) {
		return false, unauthenticated()
	}
	return true, nil
}
