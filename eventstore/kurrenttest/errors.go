package kurrenttest

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rolewise/eventstore"
)

// failure is an error as the server sends it: a status, and trailers that name the exception.
type failure struct {
	status   *status.Status
	trailers metadata.MD
}

func (f *failure) Error() string              { return f.status.Err().Error() }
func (f *failure) GRPCStatus() *status.Status { return f.status }

func fail(code codes.Code, text string, trailers ...string) error {
	return &failure{status: status.New(code, text), trailers: metadata.Pairs(trailers...)}
}

func accessDenied() error {
	return fail(codes.PermissionDenied, "Access Denied", "exception", "access-denied")
}

func unauthenticated() error { return fail(codes.Unauthenticated, "Unauthenticated") }

func notLeader(host string, port int) error {
	return fail(codes.NotFound, "Leader info available",
		"exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", strconv.Itoa(port))
}

func streamDeleted(name string) error {
	return fail(codes.FailedPrecondition, "Event stream '"+name+"' is deleted.",
		"exception", "stream-deleted", "stream-name", printable(name))
}

func appendTooLarge() error {
	limit := strconv.Itoa(eventstore.MaxAppend)
	return fail(codes.InvalidArgument, "Maximum Append Size of "+limit+" Exceeded.",
		"exception", "maximum-append-size-exceeded", "maximum-append-size", limit)
}

func metadataMissing(property string) error {
	return fail(codes.InvalidArgument, "Required Metadata Property '"+property+"' is missing",
		"exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type")
}

func invalid(text string) error { return fail(codes.InvalidArgument, text) }

func timedOut(text string) error { return fail(codes.Aborted, "Operation timed out: "+text) }

func notReady() error { return fail(codes.Unavailable, "Server Is Not Ready") }

// printable makes a name fit for a header.
func printable(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return name
	}
	return url.PathEscape(name)
}

// translate turns an error of the store into one of the server. An append that may have been committed is answered like
// a commit that timed out.
func translate(err error) error {
	var (
		known       *failure
		tooLarge    *eventstore.TooLargeError
		refused     *eventstore.InvalidError
		unavailable *eventstore.UnavailableError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return appendTooLarge()
	case errors.As(err, &refused):
		return invalid(refused.Error())
	case errors.As(err, &unavailable) && unavailable.Unknown:
		return timedOut("Commit timeout")
	case errors.As(err, &unavailable), errors.Is(err, eventstore.ErrClosed):
		return notReady()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	return fail(codes.Unknown, err.Error())
}

// answer sends the trailers of a failure and returns what the handler is to return.
func answer(stream grpc.ServerStream, err error) error {
	err = translate(err)
	var f *failure
	if errors.As(err, &f) {
		stream.SetTrailer(f.trailers)
		return f.status.Err()
	}
	return err
}
