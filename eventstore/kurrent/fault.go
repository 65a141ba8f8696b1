package kurrent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"rolewise/eventstore"
)

// fault is what an error of the client means for the caller. The client's own FromError answers the wrong way round and
// looks only at the outermost error, so the codes are taken with errors.As.
type fault int

const (
	passing       fault = iota // worth another try
	busy                       // worth another try, unless that is said too often
	broken                     // worth another try, on another connection
	wrongRevision              // the stream is not at the expected revision
	notFound                   // the stream has no events
	deleted                    // the stream was deleted for good
	final                      // no repetition helps; explain says what does
)

func classify(err error) fault {
	var (
		known *esdb.Error
		away  *unreachable
	)
	switch {
	case errors.As(err, &away):
		if explain("", err) != nil {
			return final
		}
		return passing
	case errors.Is(err, errAbandoned), errors.Is(err, errSilence), errors.Is(err, errClient):
		return broken
	case errors.Is(err, errNoPosition), errors.Is(err, eventstore.ErrRestored), errors.Is(err, errForeign):
		return final
	case errors.As(err, &known):
		switch known.Code() {
		case esdb.ErrorCodeWrongExpectedVersion:
			return wrongRevision
		case esdb.ErrorCodeStreamDeleted:
			return deleted
		case esdb.ErrorCodeNotLeader, esdb.ErrorCodeConnectionClosed:
			return broken
		case esdb.ErrorCodeResourceNotFound:
			return notFound
		}
	}
	return classifyStatus(err)
}

func classifyStatus(err error) fault {
	s, ok := status.FromError(err)
	if !ok {
		return passing
	}
	switch s.Code() {
	case codes.Unavailable:
		if strings.Contains(s.Message(), "Server Is ") { // Not Ready, Too Busy: it says so itself, so the connection works
			return busy
		}
		return broken
	case codes.Canceled, codes.DeadlineExceeded:
		return broken
	case codes.NotFound: // a subscription that is dropped by a node which is not the leader any more
		return broken
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.Unimplemented, codes.ResourceExhausted, codes.OutOfRange:
		return final
	case codes.FailedPrecondition:
		switch {
		case strings.Contains(s.Message(), "WrongExpectedVersion"):
			return wrongRevision
		case strings.Contains(s.Message(), "is deleted"):
			return deleted
		}
		return final
	}
	return passing
}

var (
	errAbandoned  = errors.New("the connection was given up")
	errNoPosition = errors.New("the event has no position")
)

// problem shows the operator's sentence and keeps the cause for errors.As.
type problem struct {
	text  string
	cause error
}

func (p *problem) Error() string { return p.text }
func (p *problem) Unwrap() error { return p.cause }

// explain turns an error that no repetition helps against into one sentence that says what to do, else nil.
func explain(name string, err error) error {
	text := ""
	message := err.Error()
	has := func(part string) bool { return strings.Contains(message, part) }
	switch code := status.Code(rpc(err)); {
	case errors.Is(err, errNoPosition):
		text = "gives the events of a stream no position in the log: use EventStoreDB 22.10 or later, or KurrentDB"
	case has("certificate is valid for"), has("doesn't contain any IP SANs"), has("not valid for any names"):
		text = "has a certificate for another name: write the address with the name in the certificate"
	case has("certificate has expired"), has("not yet valid"):
		text = "has a certificate that is out of date: renew it, and check the clocks"
	case has("certificate required"), has("bad certificate"), has("tls: unknown certificate"):
		text = "does not accept the user certificate: give one that it trusts in userCertFile and userKeyFile"
	case has("failed to verify certificate"), has("x509: "):
		text = "has a certificate that is not trusted here: give the file of its CA in tlsCaFile"
	case has("first record does not look like a TLS handshake"):
		text = "does not speak TLS: add tls=false to the address, or turn TLS on there"
	case has("failed to load user certificate"):
		text = "cannot be reached with the user certificate: check userCertFile and userKeyFile"
	case code == codes.Unauthenticated:
		text = "refuses the credentials: check user and password in the address"
	case code == codes.PermissionDenied:
		text = "does not permit this: give the user rights on $all and on the streams, or use another user"
	case code == codes.Unimplemented:
		text = "does not offer what is needed: it serves its log read-only, or it is no KurrentDB (EventStoreDB 22.10 or later)"
	case code == codes.InvalidArgument && has("Maximum Append Size"):
		text = "takes smaller appends only: set its MaxAppendSize to 2097152 at least"
	case code == codes.InvalidArgument, code == codes.ResourceExhausted, code == codes.OutOfRange, code == codes.FailedPrecondition:
		text = "refuses the request: " + status.Convert(rpc(err)).Message()
	default:
		return nil
	}
	return &problem{text: "KurrentDB at " + name + " " + text, cause: err}
}

// rpc returns the status in an error, so that a code is found beneath the client's wrapping.
func rpc(err error) error {
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	var known *esdb.Error
	if errors.As(err, &known) {
		switch known.Code() {
		case esdb.ErrorCodeUnauthenticated:
			return status.Error(codes.Unauthenticated, "")
		case esdb.ErrorCodeAccessDenied:
			return status.Error(codes.PermissionDenied, "")
		}
	}
	return nil
}

// unavailable is the error for callers when the server could not be used although they would have waited. unknown says
// that an append may be committed.
func (s *Store) unavailable(err error, unknown bool) error {
	if errors.Is(err, eventstore.ErrClosed) {
		return ended(err, unknown)
	}
	if better := explain(s.address.name, err); better != nil {
		return &eventstore.UnavailableError{Unknown: unknown, Err: better}
	}
	return &eventstore.UnavailableError{Unknown: unknown, Err: fmt.Errorf("KurrentDB at %s cannot be used at present: %w", s.address.name, err)}
}

// ended is the error for callers whose context or whose store ended.
func ended(err error, unknown bool) error {
	if unknown {
		return &eventstore.UnavailableError{Unknown: true, Err: err}
	}
	return err
}
