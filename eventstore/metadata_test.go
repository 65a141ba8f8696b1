package eventstore_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"rolewise/eventstore"
)

var sampleMetadata = eventstore.Metadata{
	Plan: "acme", Time: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC), Actor: "key:1", Command: "c", BodyHash: "h", Correlation: "r", Schema: 1,
}

var oddMetadata = []string{
	``, `{}`, `{"plan":"a"}`, `{"plan":"a","plan":"b"}`, `{"PLAN":"a"}`, `{"plan":"a"} `, `{ "plan":"a"}`, `{"plan":"\u0061"}`, `{"plan":"ü"}`, `{"plan":null}`,
	`{"schema":1}`, `{"schema":10}`, `{"schema":01}`, `{"schema":-1}`, `{"schema":1.0}`, `{"schema":"1"}`, `{"schema":}`, `{"schema":1`, `{"schema":1}}`, `{"schema":1,}`,
	`{"time":"2026-01-02T03:04:05Z"}`, `{"time":"2026-01-02T03:04:05+01:00"}`, `{"time":"2026-01-02T3:04:05Z"}`, `{"time":"2026-01-02T03:04:05,1Z"}`, `{"time":null}`, `{"time":""}`,
	`{"time":"2026-01-02T03:04:05.0000000000000000000000000000000000001Z"}`, `{"other":[1,{"a":2}]}`, `null`, `[]`, "{\"plan\":\"\xff\"}", "{\"plan\":\"\x00\"}",
}

func checkMetadata(t *testing.T, data []byte) {
	t.Helper()
	var want eventstore.Metadata
	wantErr := json.Unmarshal(data, &want)
	got, err := eventstore.DecodeMetadata(data)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: read %+v (%v), encoding/json reads %+v (%v)", data, got, err, want, wantErr)
	}
	stamp, err := eventstore.DecodeStamp(data)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(stamp, eventstore.Stamp{Time: want.Time, Schema: want.Schema}) {
		t.Fatalf("%q: read the stamp %+v (%v), encoding/json reads %+v (%v)", data, stamp, err, want, wantErr)
	}
}

func TestDecodeMetadataAsEncodingJSON(t *testing.T) {
	for _, text := range oddMetadata {
		checkMetadata(t, []byte(text))
	}
	data := sampleMetadata.Encode()
	checkMetadata(t, data)
	for i := range data {
		checkMetadata(t, data[:i])
		for _, other := range []byte("\"\\,:{}0- \x00\xff") {
			changed := bytes.Clone(data)
			changed[i] = other
			checkMetadata(t, changed)
		}
	}
}

// FuzzDecodeMetadata looks for a text that is read otherwise than by encoding/json.
func FuzzDecodeMetadata(f *testing.F) {
	f.Add(sampleMetadata.Encode())
	for _, text := range oddMetadata {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkMetadata(t, data) })
}
