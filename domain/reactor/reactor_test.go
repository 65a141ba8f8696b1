package reactor_test

import (
	"reflect"
	"testing"

	"rolewise/domain/reactor"
)

func TestEvolve(t *testing.T) {
	tests := []struct {
		name  string
		given []reactor.Event
		want  reactor.State
	}{
		{"ASG-5 nothing yet", nil, reactor.State{}},
		{"ASG-5 the last position counts", []reactor.Event{reactor.ReactorAdvanced{Position: 7}, reactor.ReactorAdvanced{Position: 9}}, reactor.State{Position: 9}},
		{"ASG-5 a reactor never goes back", []reactor.Event{reactor.ReactorAdvanced{Position: 9}, reactor.ReactorAdvanced{Position: 7}}, reactor.State{Position: 9}},
		{"ASG-5 a refused effect is remembered", []reactor.Event{reactor.ReactionRefused{Position: 8, Reason: "because"}, reactor.ReactorAdvanced{Position: 9}},
			reactor.State{Position: 9, Refused: map[reactor.Position]string{8: "because"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got reactor.State
			for _, event := range tt.given {
				got = reactor.Evolve(got, event)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}
