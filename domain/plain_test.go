package domain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rolewise/domain/events"
)

// oddTexts are forms that a decoder of its own gets wrong: each must be read, or refused, as encoding/json does.
var oddTexts = []string{
	``, ` `, `{}`, ` {}`, `{} `, `{}}`, `{`, `{"`, `{"member"`, `{"member":`, `{"member":"a"`, `{"member":"a",`, `{"member":"a",}`,
	`null`, `[]`, `"x"`, `{"member":null}`, `{"member":1}`, `{"member":"a"}x`, `{"member":"a" }`, `{"member" :"a"}`,
	`{"member":"a","member":"b"}`, `{"MEMBER":"a"}`, `{"member":"a","Member":"b"}`, `{"Member":"b","member":"a"}`, `{"unknown":{"a":[1]}}`,
	`{"member":"\u0061"}`, `{"member":"\n"}`, "{\"member\":\"\n\"}", "{\"member\":\"\x7f\"}", `{"memb\u0065r":"a"}`, `{"member":"ü"}`,
	"{\"member\":\"\xff\"}", "{\"member\":\"\xed\xa0\x80\"}", "{\"\xff\":\"a\"}", `{"":"a"}`,
	`{"score":0}`, `{"score":-0}`, `{"score":-1}`, `{"score":01}`, `{"score":-01}`, `{"score":+1}`, `{"score":1.0}`, `{"score":1e2}`, `{"score":}`, `{"score":-}`,
	`{"score":9223372036854775807}`, `{"score":9223372036854775808}`, `{"score":999999999999999999}`, `{"score":"1"}`, `{"score":1 }`, `{"score":true}`,
	`{"notify":true}`, `{"notify":false}`, `{"notify":tru}`, `{"notify":trueish}`, `{"notify":1}`, `{"notify":"true"}`,
	`{"measured_at":"2026-01-02T03:04:05Z"}`, `{"measured_at":"2026-01-02T03:04:05.123456789+01:00"}`, `{"measured_at":"2026-01-02T3:04:05Z"}`,
	`{"measured_at":"2026-01-02T03:04:05,1Z"}`, `{"measured_at":""}`, `{"measured_at":null}`, `{"measured_at":"2026-13-02T03:04:05Z"}`, `{"measured_at":"10000-01-02T03:04:05Z"}`,
	`{"session":"a","score":1,"skill":"b"}`, `{"score":1,"score":2}`, `{"members":["a"]}`, `{"members":[]}`, `{"notify":true,"role":"r","member":"m"}`,
}

// checkDecoded compares the catalog's answer with that of encoding/json, for one type.
func checkDecoded(t *testing.T, instance any, data []byte) {
	t.Helper()
	eventType, _ := events.All.Lookup(instance)
	want := reflect.New(reflect.TypeOf(instance))
	wantErr := json.Unmarshal(data, want.Interface())
	got, err := events.All.Decode(eventType.Name, eventType.Schema, data)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s of %q: error %v, encoding/json says %v", eventType.Name, data, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want.Elem().Interface()) {
		t.Fatalf("%s of %q: read %+v, encoding/json reads %+v", eventType.Name, data, got, want.Elem().Interface())
	}
	if err != nil && !strings.HasSuffix(err.Error(), wantErr.Error()) {
		t.Fatalf("%s of %q: error %q does not say what encoding/json does: %q", eventType.Name, data, err, wantErr)
	}
}

func TestDecodeAsEncodingJSON(t *testing.T) {
	for _, instance := range instances {
		for _, text := range oddTexts {
			checkDecoded(t, instance, []byte(text))
		}
		data, err := json.Marshal(instance)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, instance, data)
		for i := range data { // cut off anywhere, and with any byte replaced by one that ends or escapes something
			checkDecoded(t, instance, data[:i])
			for _, other := range []byte("\"\\,:{}0- \x00\xff") {
				changed := bytes.Clone(data)
				changed[i] = other
				checkDecoded(t, instance, changed)
			}
		}
	}
}

// FuzzDecode looks for a text that the catalog reads otherwise than encoding/json does.
func FuzzDecode(f *testing.F) {
	golden, err := filepath.Glob(filepath.Join(wireFolder, "*.json"))
	if err != nil || len(golden) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for i, file := range golden {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			f.Fatal(err)
		}
		f.Add(i, compact.Bytes())
	}
	for i, text := range oddTexts {
		f.Add(i, []byte(text))
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		checkDecoded(t, instances[int(uint(which)%uint(len(instances)))], data)
	})
}
