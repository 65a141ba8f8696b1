package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzDecode compares with encoding/json, which is the more lenient of the two: what is taken here is valid there, and
// means the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"title":"a","score":1}`))
	f.Add([]byte(`{"title":"\ud83d\ude00","score":-0,"at":"2026-01-31T09:30:00Z","value":{"a":[1e2,{}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		var into body
		err := Decode(data, &into)
		if !bytes.Equal(before, data) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			checkRefusal(t, data, err)
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("took what is not JSON: %q", data)
		}
		exact := json.NewDecoder(bytes.NewReader(data))
		exact.DisallowUnknownFields()
		var lenient body
		if err := exact.Decode(&lenient); err != nil || !reflect.DeepEqual(into, lenient) {
			t.Fatalf("%q: %+v, encoding/json has %+v, %v", data, into, lenient, err)
		}
		again, err := json.Marshal(into)
		if err != nil {
			return // a raw value within a time beyond year 9999 and the like
		}
		var same body
		if err := Decode(again, &same); err != nil {
			t.Fatalf("%q was written as %q: %v", data, again, err)
		}
	})
}

// checkRefusal: what is called malformed is no JSON, bad Unicode, or too deep; all else is JSON.
func checkRefusal(t *testing.T, data []byte, err error) {
	var e *Error
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		t.Fatalf("%q: %v", data, err)
	}
	for _, fault := range e.Faults {
		if fault.Code == "" || fault.Message == "" {
			t.Fatalf("%q: %+v", data, fault)
		}
		if fault.Code == "invalid_type" && bytes.HasPrefix([]byte(fault.Message), []byte("does not fit")) {
			t.Fatalf("%q: the check let it pass, encoding/json did not: %v", data, err)
		}
	}
	if !e.Malformed && !json.Valid(data) {
		t.Fatalf("%q is no JSON, but: %v", data, err)
	}
	if code := e.Faults[0].Code; (code == "malformed_json" || code == "trailing_data") && json.Valid(data) {
		t.Fatalf("%q is JSON, but: %v", data, err)
	}
}
