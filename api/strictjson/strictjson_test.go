package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// body has a field of every kind that a command may have.
type body struct {
	Title   string          `json:"title"`
	Score   int             `json:"score"`
	Small   int8            `json:"small,omitempty"`
	Count   uint16          `json:"count,omitempty"`
	Share   float64         `json:"share,omitempty"`
	Notify  *bool           `json:"notify,omitempty"`
	At      time.Time       `json:"at,omitempty"`
	Members []member        `json:"members,omitempty"`
	Goals   [3]int          `json:"goals,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Slash   string          `json:"a/b~c,omitempty"`
	hidden  int
	Left    int `json:"-"`
}

type member struct {
	Team string `json:"team"`
}

func TestAccepts(t *testing.T) {
	yes := true
	for _, tc := range []struct {
		text string
		want body
	}{
		{`{"title":"a","score":1}`, body{Title: "a", Score: 1}},
		{" \t\r\n{ \"score\" : -0 , \"title\" : \"\" } \n", body{}},
		{`{"\u0074itle":"\ud83d\ude00\n\u00e9 é","score":300}`, body{Title: "😀\né é", Score: 300}},
		{
			`{"title":"a","score":1,"small":-128,"count":65535,"share":-1.5e3,"notify":true,"at":"2026-01-31T09:30:00.5+01:00",` +
				`"members":[{"team":"x"},{"team":"y"}],"goals":[1,2,3],"value":{"k":[1,null,{"k":2.5E-1}]}}`,
			body{
				Title: "a", Score: 1, Small: -128, Count: 65535, Share: -1500, Notify: &yes,
				At:      time.Date(2026, 1, 31, 9, 30, 0, 5e8, time.FixedZone("", 3600)),
				Members: []member{{"x"}, {"y"}}, Goals: [3]int{1, 2, 3}, Value: json.RawMessage(`{"k":[1,null,{"k":2.5E-1}]}`),
			},
		},
		{`{"title":"a","score":1,"members":[],"value":null}`, body{Title: "a", Score: 1, Members: []member{}, Value: json.RawMessage("null")}},
	} {
		var got body
		if err := Decode([]byte(tc.text), &got); err != nil {
			t.Errorf("%s: %v", tc.text, err)
		}
		if !got.At.Equal(tc.want.At) {
			t.Errorf("%s: at %v", tc.text, got.At)
		}
		got.At = tc.want.At
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.text, got, tc.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	const fine = `"title":"a","score":1`
	for _, tc := range []struct {
		what, text, pointer, code string
	}{
		{"API-4 unknown key", `{` + fine + `,"titel":1}`, "/titel", "unknown_field"},
		{"API-4 unknown key further down", `{` + fine + `,"members":[{"team":"x"},{"team":"x","b~/":1}]}`, "/members/1/b~0~1", "unknown_field"},
		{"API-4 unexported and ignored fields", `{` + fine + `,"hidden":1}`, "/hidden", "unknown_field"},
		{"API-4 ignored field", `{` + fine + `,"-":1}`, "/-", "unknown_field"},
		{"API-4 go name", `{` + fine + `,"Left":1}`, "/Left", "unknown_field"},
		{"API-4 duplicate key", `{` + fine + `,"title":"b"}`, "/title", "duplicate_field"},
		{"API-4 duplicate key by escape", `{` + fine + `,"titl\u0065":"b"}`, "/title", "duplicate_field"},
		{"API-4 duplicate key in any value", `{` + fine + `,"value":{"x":[{"k":1,"k":2}]}}`, "/value/x/0/k", "duplicate_field"},
		{"API-4 case-variant twin in any value", `{` + fine + `,"value":{"k":1,"K":2}}`, "/value/K", "duplicate_field"},
		{"API-4 case-variant key", `{"Title":"a","title":"a","score":1}`, "/Title", "wrong_case"},
		{"API-4 Kelvin sign is no k", `{` + fine + `,"mem\u0062erſ":[]}`, "/memberſ", "wrong_case"},
		{"required", `{"score":1}`, "/title", "required"},
		{"required further down", `{` + fine + `,"members":[{}]}`, "/members/0/team", "required"},
		{"escaped pointer", `{` + fine + `,"a/b~c":1}`, "/a~1b~0c", "invalid_type"},
		{"null", `{"title":null,"score":1}`, "/title", "invalid_type"},
		{"null where optional", `{` + fine + `,"notify":null}`, "/notify", "invalid_type"},
		{"null in a list", `{` + fine + `,"members":[null]}`, "/members/0", "invalid_type"},
		{"null as body", `null`, "", "invalid_type"},
		{"list as body", `[]`, "", "invalid_type"},
		{"text as body", `"x"`, "", "invalid_type"},
		{"text for number", `{"title":"a","score":"1"}`, "/score", "invalid_type"},
		{"number for text", `{"title":1,"score":1}`, "/title", "invalid_type"},
		{"fraction for integer", `{"title":"a","score":1.0}`, "/score", "invalid_type"},
		{"exponent for integer", `{"title":"a","score":1e2}`, "/score", "invalid_type"},
		{"object for text", `{"title":{"x":1},"score":1}`, "/title", "invalid_type"},
		{"object for list", `{` + fine + `,"members":{}}`, "/members", "invalid_type"},
		{"list for object", `{` + fine + `,"members":[[]]}`, "/members/0", "invalid_type"},
		{"text for boolean", `{` + fine + `,"notify":"true"}`, "/notify", "invalid_type"},
		{"boolean for number", `{"title":"a","score":true}`, "/score", "invalid_type"},
		{"number for time", `{` + fine + `,"at":1}`, "/at", "invalid_type"},
		{"date for time", `{` + fine + `,"at":"2026-01-31"}`, "/at", "invalid_time"},
		{"no zone", `{` + fine + `,"at":"2026-01-31T09:30:00"}`, "/at", "invalid_time"},
		{"30 February", `{` + fine + `,"at":"2026-02-30T09:30:00Z"}`, "/at", "invalid_time"},
		{"too large", `{"title":"a","score":9223372036854775808}`, "/score", "out_of_range"},
		{"too large for 8 bits", `{` + fine + `,"small":128}`, "/small", "out_of_range"},
		{"negative", `{` + fine + `,"count":-1}`, "/count", "out_of_range"},
		{"infinite", `{` + fine + `,"share":1e999}`, "/share", "out_of_range"},
		{"too few", `{` + fine + `,"goals":[1,2]}`, "/goals", "invalid_length"},
		{"too many", `{` + fine + `,"goals":[1,2,3,4]}`, "/goals", "invalid_length"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			e := refused(t, tc.text)
			if e.Malformed || len(e.Faults) != 1 || e.Faults[0].Pointer != tc.pointer || e.Faults[0].Code != tc.code || e.Faults[0].Message == "" {
				t.Errorf("%s: %+v", tc.text, e)
			}
		})
	}
}

func TestRefusesMalformed(t *testing.T) {
	const fine = `"title":"a","score":1`
	for _, tc := range []struct {
		what, text, pointer, code string
	}{
		{"empty", "", "", "malformed_json"},
		{"spaces", " \n", "", "malformed_json"},
		{"byte order mark", "\ufeff{}", "", "malformed_json"},
		{"not JSON", "title=a", "", "malformed_json"},
		{"cut short", `{` + fine, "", "malformed_json"},
		{"cut short in a key", `{"tit`, "", "malformed_json"},
		{"cut short after a key", `{"title"`, "/title", "malformed_json"},
		{"cut short before a value", `{"title":`, "/title", "malformed_json"},
		{"cut short in an escape", `{"title":"\`, "/title", "malformed_json"},
		{"cut short in a word", `{"notify":tru`, "/notify", "malformed_json"},
		{"comma at the end", `{` + fine + `,}`, "", "malformed_json"},
		{"comma at the start", `{,` + fine + `}`, "", "malformed_json"},
		{"comma at the end of a list", `{"members":[1,]}`, "/members/1", "malformed_json"},
		{"no comma", `{"title":"a" "score":1}`, "", "malformed_json"},
		{"no colon", `{"title" "a"}`, "/title", "malformed_json"},
		{"key without quotes", `{title:"a"}`, "", "malformed_json"},
		{"single quotes", `{"title":'a'}`, "/title", "malformed_json"},
		{"comment", `{` + fine + `/**/}`, "", "malformed_json"},
		{"API-4 NaN", `{"score":NaN}`, "/score", "malformed_json"},
		{"API-4 Infinity", `{"score":-Infinity}`, "/score", "malformed_json"},
		{"leading zero", `{"score":01}`, "", "malformed_json"},
		{"plus", `{"score":+1}`, "/score", "malformed_json"},
		{"bare point", `{"score":1.}`, "/score", "malformed_json"},
		{"bare exponent", `{"score":1e}`, "/score", "malformed_json"},
		{"hexadecimal", `{"score":0x1}`, "", "malformed_json"},
		{"line break in a text", "{\"title\":\"a\nb\"}", "/title", "malformed_json"},
		{"unknown escape", `{"title":"\x41"}`, "/title", "malformed_json"},
		{"short \\u", `{"title":"\u12"}`, "/title", "malformed_json"},
		{"sign in \\u", `{"title":"\u+123"}`, "/title", "malformed_json"},
		{"API-4 trailing data", `{` + fine + `} {}`, "", "trailing_data"},
		{"API-4 trailing bracket", `{` + fine + `}}`, "", "trailing_data"},
		{"API-4 bad UTF-8", "{\"title\":\"a\xff\"}", "/title", "invalid_utf8"},
		{"API-4 bad UTF-8 in a key", "{\"\xc3\":1}", "", "invalid_utf8"},
		{"API-4 surrogate in UTF-8", "{\"title\":\"\xed\xa0\x80\"}", "/title", "invalid_utf8"},
		{"API-4 overlong UTF-8", "{\"title\":\"\xc0\x80\"}", "/title", "invalid_utf8"},
		{"API-4 lone high surrogate", `{"title":"\ud83d!"}`, "/title", "lone_surrogate"},
		{"API-4 two high surrogates", `{"title":"\ud83d\ud83d"}`, "/title", "lone_surrogate"},
		{"API-4 lone low surrogate", `{"title":"\ude00"}`, "/title", "lone_surrogate"},
		{"API-4 two low surrogates", `{"title":"\ude00\udc00"}`, "/title", "lone_surrogate"},
		{"API-4 lone surrogate in any value", `{"value":{"\ud800":1}}`, "/value", "lone_surrogate"},
		{"API-4 objects too deep", `{"value":` + strings.Repeat(`{"k":`, 32) + `1` + strings.Repeat("}", 32) + `}`, "/value" + strings.Repeat("/k", 31), "too_deep"},
		{"API-4 lists too deep", `{"value":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "/value" + strings.Repeat("/0", 31), "too_deep"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			e := refused(t, tc.text)
			if !e.Malformed || len(e.Faults) != 1 || e.Faults[0].Pointer != tc.pointer || e.Faults[0].Code != tc.code {
				t.Errorf("%s: %+v", tc.text, e)
			}
		})
	}
	t.Run("API-4 as deep as permitted", func(t *testing.T) {
		var b body
		if err := Decode([]byte(`{`+fine+`,"value":`+strings.Repeat("[", 31)+strings.Repeat("]", 31)+`}`), &b); err != nil {
			t.Error(err)
		}
	})
}

func TestNamesAllFaults(t *testing.T) {
	e := refused(t, `{"x":1,"title":2,"members":[{"team":"a"},{"Team":"b"}]}`)
	var got []string
	for _, f := range e.Faults {
		got = append(got, f.Pointer+" "+f.Code)
	}
	want := []string{"/x unknown_field", "/title invalid_type", "/members/1/Team wrong_case", "/members/1/team required", "/score required"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	many := refused(t, `{"title":"a","score":1,"members":[`+strings.Repeat("0,", 500)+`0]}`)
	if last := many.Faults[len(many.Faults)-1]; len(many.Faults) != MaxFaults+1 || last.Code != "too_many_faults" {
		t.Errorf("%d faults, the last %+v", len(many.Faults), last)
	}
	if under := e.Under("/value"); under.Faults[0].Pointer != "/value/x" || e.Faults[0].Pointer != "/x" {
		t.Errorf("under: %+v", under.Faults[0])
	}
}

// TestLeavesTargetAlone: a refused text changes nothing.
func TestLeavesTargetAlone(t *testing.T) {
	b := body{Title: "before"}
	if err := Decode([]byte(`{"title":"after","score":"x"}`), &b); err == nil || b.Title != "before" {
		t.Errorf("%v, %q", err, b.Title)
	}
}

func TestPanicsOnTypesItCannotCheck(t *testing.T) {
	for _, into := range []any{
		body{}, nil, new(any), new(map[string]int), new(chan int), new([]byte), new(struct{ A string }),
		new(struct {
			A int `json:"a,string"`
		}),
		new(struct {
			A json.Number `json:"a"`
			B upper       `json:"b"`
		}),
		new(struct{ member }),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was taken", into)
				}
			}()
			_ = Decode([]byte(`{}`), into)
		}()
	}
}

type upper string

func (u *upper) UnmarshalText(b []byte) error { *u = upper(strings.ToUpper(string(b))); return nil }

// nested contains itself.
type nested struct {
	Name   string   `json:"name"`
	Nested []nested `json:"nested,omitempty"`
}

func TestTypeThatContainsItself(t *testing.T) {
	var n nested
	if err := Decode([]byte(`{"name":"a","nested":[{"name":"b","nested":[{"name":"c"}]}]}`), &n); err != nil || n.Nested[0].Nested[0].Name != "c" {
		t.Errorf("%+v, %v", n, err)
	}
	var e *Error
	if err := Decode([]byte(`{"name":"a","nested":[{"name":"b","nested":[{}]}]}`), &n); !errors.As(err, &e) || e.Faults[0].Pointer != "/nested/0/nested/0/name" {
		t.Errorf("%v", err)
	}
}

func refused(t *testing.T, text string) *Error {
	t.Helper()
	var b body
	var e *Error
	if err := Decode([]byte(text), &b); !errors.As(err, &e) {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"title":"Data engineer","score":120,"members":[{"team":"01890a5d-ac96-774b-bcce-b302099a8057"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		var into body
		if err := Decode(text, &into); err != nil {
			b.Fatal(err)
		}
	}
}
