package domain

import (
	"errors"
	"fmt"
)

// Kind classes a refusal. Each kind has one HTTP status, mapped in one place.
type Kind int

const (
	Invalid   Kind = iota + 1 // the command itself is wrong: a field, a value
	NotFound                  // what it names does not exist, or may not be seen
	Conflict                  // it does not fit what has happened so far
	Stale                     // the object moved on since the caller read it
	Forbidden                 // the caller may see the object, but not do this
)

// Error is a refusal. Code is stable and part of the API; Message is for people and names no person.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Field   string // JSON pointer into the command's body, such as "/skills/2"; empty if no single field is at fault
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Code + ": " + e.Message
	}
	return e.Code + " at " + e.Field + ": " + e.Message
}

// At returns the error with the field that is at fault.
func (e *Error) At(field string) *Error {
	at := *e
	at.Field = field
	return &at
}

// Invalidf refuses a field's value.
func Invalidf(field, code, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Conflictf refuses what does not fit the state.
func Conflictf(code, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Missing refuses a reference to what the plan does not have. It never tells whether another plan has it (SPEC ACC-5).
func Missing(what string) *Error {
	return &Error{Kind: NotFound, Code: what + "_not_found", Message: "there is no such " + what}
}

// CodeOf returns the code of a refusal anywhere in the chain of err, or "".
func CodeOf(err error) string {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
