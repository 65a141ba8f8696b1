package domain

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type tellingID string

type tellingEvent struct {
	ID    tellingID `json:"id"`
	Count int8      `json:"count"`
	Yes   bool      `json:"yes"`
	At    time.Time `json:"at"`
	Note  string    `json:"note,omitempty"`
	Many  []string  `json:"many,omitempty"`
}

// TestPlainForm tells which texts are read without encoding/json; that the answers are equal is tested with the events.
func TestPlainForm(t *testing.T) {
	form := plainFormOf(reflect.TypeFor[tellingEvent]())
	event := tellingEvent{ID: "é1", Count: -7, Yes: true, At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Note: "n"}
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	var got tellingEvent
	if !form.fill(reflect.ValueOf(&got).Elem(), text) || !reflect.DeepEqual(got, event) {
		t.Errorf("what Encode writes is not read in plain form: %+v", got)
	}
	for text, plain := range map[string]bool{
		`{}`: true, `{"note":"b","id":"a"}`: true, `{"count":127}`: true, `{"yes":false}`: true,
		`{"count":128}`: false, `{"id": "a"}`: false, `{"ID":"a"}`: false, `{"id":"\u0061"}`: false, `{"many":["a"]}`: false, `{"id":null}`: false,
	} {
		if got := form.fill(reflect.ValueOf(new(tellingEvent)).Elem(), []byte(text)); got != plain {
			t.Errorf("%s: plain %v", text, got)
		}
	}
	for name, other := range map[string]reflect.Type{
		"embedded": reflect.TypeFor[struct{ tellingEvent }](), "untagged": reflect.TypeFor[struct{ A int }](),
		"quoted": reflect.TypeFor[struct {
			A int `json:"a,string"`
		}](), "no struct": reflect.TypeFor[string](), "its own decoder": reflect.TypeFor[time.Time](),
	} {
		if plainFormOf(other) != nil {
			t.Errorf("%s: a type that only encoding/json reads", name)
		}
	}
}
