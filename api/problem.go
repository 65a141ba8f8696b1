package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"rolewise/api/strictjson"
	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Problem says why a request was refused or failed (RFC 9457). Code is stable; Title and Detail are for people.
type Problem struct {
	Type      string  `json:"type" doc:"urn:rolewise:problem: and the code."`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Instance  string  `json:"instance" doc:"Path of the request."`
	Code      string  `json:"code" doc:"Stable name of the reason."`
	Errors    []Fault `json:"errors,omitempty" doc:"What exactly is at fault, where it can be named."`
	RequestID string  `json:"request_id"`

	retryAfter int    // seconds; 0: not said
	challenge  string // WWW-Authenticate
}

// Fault is one thing that is wrong with a request: in its body (pointer), query (parameter) or header.
type Fault struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer into the body."`
	Parameter string `json:"parameter,omitempty" doc:"Query parameter."`
	Header    string `json:"header,omitempty" doc:"Request header."`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// statuses is the one map from kinds of refusals to HTTP.
var statuses = map[domain.Kind]int{
	domain.Invalid:   http.StatusUnprocessableEntity,
	domain.NotFound:  http.StatusNotFound,
	domain.Conflict:  http.StatusConflict,
	domain.Stale:     http.StatusPreconditionFailed,
	domain.Forbidden: http.StatusForbidden,
}

var (
	errNoKey error = &Problem{
		Status: http.StatusUnauthorized, Code: "unauthorized", Detail: "a valid API key is needed: Authorization: Bearer <key>",
		challenge: "Bearer",
	}
	// errNotYet says that the read model did not reach min_position in time (SPEC ANA-6).
	errNotYet error = &Problem{
		Status: http.StatusServiceUnavailable, Code: "not_yet_visible",
		Detail: "the read model has not reached min_position yet", retryAfter: 1,
	}
)

func refuse(status int, code, detail string, faults ...Fault) *Problem {
	return &Problem{Status: status, Code: code, Detail: detail, Errors: faults}
}

func internal() *Problem {
	return refuse(http.StatusInternalServerError, "internal", "something went wrong here; the log has it under the request id")
}

// statusGone is what nobody reads: the client went away before the answer.
const statusGone = 499

// problemOf returns the problem that an error stands for. What the API does not know about is internal, and its text is
// not shown.
func problemOf(err error) *Problem {
	var (
		own         *Problem
		body        *strictjson.Error
		large       *eventstore.TooLargeError
		unavailable *eventstore.UnavailableError
		models      *readmodels.UnavailableError
		rebuilding  *readmodels.RebuildingError
	)
	switch refusals := refusalsIn(err); {
	case len(refusals) > 0:
		return refusal(refusals)
	case errors.As(err, &own):
		copied := *own
		return &copied
	case errors.As(err, &body):
		return malformed(body)
	case errors.As(err, &large):
		return refuse(http.StatusRequestEntityTooLarge, "too_large", "what would be stored exceeds 1 MiB; send it in several commands")
	case errors.As(err, &unavailable):
		return unavailableProblem(unavailable.Unknown)
	case errors.As(err, &rebuilding):
		detail := "the read model is being rebuilt: position " + rebuilding.Have.String() + " of " + rebuilding.Want.String()
		return &Problem{Status: http.StatusServiceUnavailable, Code: "rebuilding", Detail: detail, retryAfter: 1}
	case errors.As(err, &models):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "read_models_unavailable", Detail: "the read models do not answer at present", retryAfter: 1}
	case errors.Is(err, eventstore.ErrClosed), errors.Is(err, readmodels.ErrClosed):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "shutting_down", Detail: "the server is going down", retryAfter: 1}
	case errors.Is(err, context.Canceled):
		return refuse(statusGone, "client_gone", "the request was given up")
	case errors.Is(err, context.DeadlineExceeded):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "timeout", Detail: "it took too long; try again", retryAfter: 1}
	}
	return internal()
}

func unavailableProblem(unknown bool) *Problem {
	detail := "the event store takes no events at present"
	if unknown {
		detail = "the event store did not say whether it took the events; repeat the command with the same Idempotency-Key"
	}
	return &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Detail: detail, retryAfter: 1}
}

// refusalsIn returns the refusals that an error consists of, none if anything else is among them.
func refusalsIn(err error) []*domain.Error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		var one *domain.Error
		if errors.As(err, &one) {
			return []*domain.Error{one}
		}
		return nil
	}
	var all []*domain.Error
	for _, part := range joined.Unwrap() {
		more := refusalsIn(part)
		if len(more) == 0 {
			return nil
		}
		all = append(all, more...)
	}
	return all
}

// refusal makes one problem of refusals. Where they differ in kind it is 422: no single status tells the truth.
func refusal(all []*domain.Error) *Problem {
	first := all[0]
	p := refuse(statuses[first.Kind], first.Code, first.Message)
	for _, one := range all {
		if one.Kind != first.Kind {
			p.Status = http.StatusUnprocessableEntity
		}
		if one.Code != first.Code {
			p.Code = severalCode
		}
		if one.Field != "" || len(all) > 1 {
			p.Errors = append(p.Errors, Fault{Pointer: one.Field, Code: one.Code, Detail: one.Message})
		}
	}
	return p.summed()
}

// severalCode is the code of a problem whose faults have different ones.
const severalCode = "several_faults"

func malformed(e *strictjson.Error) *Problem {
	p := refuse(http.StatusUnprocessableEntity, e.Faults[0].Code, e.Faults[0].Message)
	if e.Malformed {
		p.Status = http.StatusBadRequest
	}
	for _, f := range e.Faults {
		if f.Code != p.Code {
			p.Code = severalCode
		}
		p.Errors = append(p.Errors, Fault{Pointer: f.Pointer, Code: f.Code, Detail: f.Message})
	}
	return p.summed()
}

// wrong makes one problem of faults outside the body.
func wrong(faults []Fault) *Problem {
	p := refuse(http.StatusUnprocessableEntity, faults[0].Code, faults[0].Detail, faults...)
	for _, f := range faults {
		if f.Code != p.Code {
			p.Code = severalCode
		}
	}
	return p.summed()
}

// summed puts the number of faults where the detail of one would mislead.
func (p *Problem) summed() *Problem {
	if len(p.Errors) > 1 {
		p.Detail = strconv.Itoa(len(p.Errors)) + " things are wrong; see errors"
	}
	return p
}

// write answers with a problem. It takes the problem over.
func (c *call) write(p *Problem) {
	p.Type, p.Title = "urn:rolewise:problem:"+p.Code, http.StatusText(p.Status)
	p.Instance, p.RequestID = c.gin.Request.URL.EscapedPath(), c.id
	header := c.gin.Writer.Header()
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.challenge != "" {
		header.Set("WWW-Authenticate", p.challenge)
	}
	body, err := encode(p)
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	c.gin.Data(p.Status, "application/problem+json", body)
}
