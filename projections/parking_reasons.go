package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"rolewise/domain"
	"rolewise/readmodels"
)

// plainError is an error whose text was made for operators; the cause behind it may quote what an event holds.
type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

// undecodable tells why data does not decode, from what the decoder knows of the type: its own text may quote values.
func undecodable(schema int, err error) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	text := "the data does not decode"
	switch {
	case errors.Is(err, domain.ErrUnknownEvent):
		text = fmt.Sprintf("version %d of the data is unknown", schema)
	case errors.As(err, &wrong) && wrong.Field != "":
		text = fmt.Sprintf("the data does not decode: %s has the wrong type", wrong.Field)
	case errors.As(err, &syntax):
		text = fmt.Sprintf("the data is no JSON from byte %d on", syntax.Offset)
	}
	return &plainError{text, err}
}

// longestReason is the most of a rule's text that is kept, in bytes.
const longestReason = 300

// broken tells why a rule failed, in the words of the rule, except for those that stand in the event: names, numbers
// and ids of people.
func broken(data []byte, kind string, cause any) error {
	err, _ := cause.(error)
	text := withoutWords(fmt.Sprint(cause), wordsOf(data))
	if len(text) > longestReason {
		text = strings.ToValidUTF8(text[:longestReason], "") + "…"
	}
	return &plainError{kind + ": " + text, err}
}

// wordsOf returns the words of all values in JSON, in lower case.
func wordsOf(data []byte) map[string]bool {
	found := map[string]bool{}
	numbers := json.NewDecoder(bytes.NewReader(data))
	numbers.UseNumber()
	var value any
	if numbers.Decode(&value) == nil {
		collect(value, found)
	}
	return found
}

func collect(value any, into map[string]bool) {
	switch v := value.(type) {
	case string:
		eachWord(v, func(word string) string { into[strings.ToLower(word)] = true; return "" })
	case json.Number:
		eachWord(v.String(), func(word string) string { into[word] = true; return "" })
	case []any:
		for _, one := range v {
			collect(one, into)
		}
	case map[string]any:
		for _, one := range v {
			collect(one, into)
		}
	}
}

// withoutWords replaces words of a text.
func withoutWords(text string, words map[string]bool) string {
	return eachWord(text, func(word string) string {
		if words[strings.ToLower(word)] {
			return "…"
		}
		return word
	})
}

// eachWord returns the text with each run of letters and digits replaced.
func eachWord(text string, replace func(word string) string) string {
	var out strings.Builder
	start := -1
	for i, r := range text {
		in := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		if in && start < 0 {
			start = i
		}
		if !in {
			if start >= 0 {
				out.WriteString(replace(text[start:i]))
				start = -1
			}
			out.WriteRune(r)
		}
	}
	if start >= 0 {
		out.WriteString(replace(text[start:]))
	}
	return out.String()
}

// transient tells whether an error is that of a store, a lease or a context, and says nothing of the event.
func transient(err error) bool {
	var (
		unavailable *readmodels.UnavailableError
		fenced      *readmodels.FencedError
		step        *readmodels.OutOfStepError
		document    *readmodels.DocumentError
	)
	return errors.As(err, &unavailable) || errors.As(err, &fenced) || errors.As(err, &step) || errors.As(err, &document) ||
		errors.Is(err, readmodels.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// watched is a reader that remembers whether a read failed, whatever the rule that asked makes of it.
type watched struct {
	readmodels.Reader
	failure error
}

var errReading = errors.New("read of the read models did not end")

// during runs a read. One that panics has failed too.
func (w *watched) during(read func() error) error {
	before := w.failure
	w.failure = errReading
	err := read()
	if w.failure = before; before == nil {
		w.failure = err
	}
	return err
}

func (w *watched) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) (values [][]byte, err error) {
	err = w.during(func() error {
		values, err = w.Reader.Get(ctx, scope, keys...)
		return err
	})
	return values, err
}

func (w *watched) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) (values []string, err error) {
	err = w.during(func() error {
		values, err = w.Reader.Entries(ctx, scope, index, r)
		return err
	})
	return values, err
}
