// Package strictjson decodes the JSON that clients send, and refuses what other decoders let pass (SPEC API-4): unknown,
// duplicate and case-variant keys, missing fields, null, trailing data, bad UTF-8, lone surrogates, deep nesting.
//
// Each fault is named by a JSON pointer (RFC 6901) and a stable code:
//
//	malformed: malformed_json, invalid_utf8, lone_surrogate, trailing_data, too_deep
//	invalid:   unknown_field, duplicate_field, wrong_case, required, invalid_type, out_of_range, invalid_time,
//	           invalid_length, too_many_faults
package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 32

// MaxFaults is how many faults of one text are named.
const MaxFaults = 100

// Fault is one thing that is wrong with a text.
type Fault struct {
	Pointer string // to the value at fault; "" is the whole text
	Code    string
	Message string
}

// Error is the refusal of a text, with all its faults in the order of the text. A malformed text has one: where it
// stops being JSON.
type Error struct {
	Malformed bool
	Faults    []Fault
}

func (e *Error) Error() string {
	all := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		all[i] = f.Code + " at " + strings.TrimSpace(f.Pointer+" "+f.Message)
	}
	return strings.Join(all, "; ")
}

// Under returns the error with all pointers below another pointer, for a text that is part of a larger one.
func (e *Error) Under(pointer string) *Error {
	under := &Error{Malformed: e.Malformed, Faults: make([]Fault, len(e.Faults))}
	for i, f := range e.Faults {
		under.Faults[i] = Fault{pointer + f.Pointer, f.Code, f.Message}
	}
	return under
}

// Decode reads one JSON value into what into points to, or returns an *Error and leaves it as it was.
//
// The Go type says what is permitted. A field of a struct is required unless it is tagged omitempty. Types may consist
// of structs, slices, arrays, pointers, strings, booleans, numbers, time.Time (RFC 3339) and json.RawMessage (any value,
// under the same rules); another type is a mistake of the programmer and panics. Data is not kept.
func Decode(data []byte, into any) error {
	target := reflect.TypeOf(into)
	if target == nil || target.Kind() != reflect.Pointer {
		panic(fmt.Sprintf("strictjson: cannot decode into %T", into))
	}
	c := checker{data: data}
	c.document(shapeOf(target.Elem()))
	if c.broken != nil {
		return &Error{Malformed: true, Faults: []Fault{*c.broken}}
	}
	if len(c.faults) > 0 {
		return &Error{Faults: c.faults}
	}
	if err := json.Unmarshal(data, into); err != nil {
		// The check above knows all that encoding/json refuses; should they ever differ, the text is refused all the same.
		return &Error{Faults: []Fault{{Code: "invalid_type", Message: "does not fit: " + err.Error()}}}
	}
	return nil
}
