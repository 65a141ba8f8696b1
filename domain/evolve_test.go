package domain_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/domain"
	"rolewise/domain/apikey"
	"rolewise/domain/assignment"
	"rolewise/domain/category"
	"rolewise/domain/command"
	"rolewise/domain/member"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/reactor"
	"rolewise/domain/reservation"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
)

// TestEvolve applies random events, whether or not a decider would ever let them happen, and not only to the newest
// state but to any earlier one: no fact is refused, and no state or event that was handed out changes.
func TestEvolve(t *testing.T) {
	t.Run("plan", evolves(plan.Decider))
	t.Run("member", evolves(member.Decider))
	t.Run("team", evolves(team.Decider))
	t.Run("skill", evolves(skill.Decider))
	t.Run("role", evolves(role.Decider))
	t.Run("category", evolves(category.Decider))
	t.Run("pathway", evolves(pathway.Decider))
	t.Run("assignment", evolves(assignment.Decider))
	t.Run("results", evolves(results.Decider))
	t.Run("progress", evolves(progress.Decider))
	t.Run("seats", evolves(seats.Decider))
	t.Run("apikey", evolves(apikey.Decider))
	t.Run("reservation", evolves(reservation.Titles))
	t.Run("command", evolves(domain.Decider[command.State, any, command.Event]{
		Initial: func() command.State { return command.State{} }, Evolve: command.Evolve,
	}))
	t.Run("reactor", evolves(domain.Decider[reactor.State, any, reactor.Event]{
		Initial: func() reactor.State { return reactor.State{} }, Evolve: reactor.Evolve,
	}))
}

func evolves[S, C, E any](decider domain.Decider[S, C, E]) func(*testing.T) {
	types := typesOf[E]()
	return func(t *testing.T) {
		if len(types) == 0 {
			t.Fatal("no event types")
		}
		rapid.Check(t, func(t *rapid.T) {
			handedOut := []any{decider.Initial()}
			before := []string{snapshot(handedOut[0])}
			states := []int{0} // which of them are states
			for range rapid.IntRange(1, 30).Draw(t, "events") {
				event := reflect.New(rapid.SampledFrom(types).Draw(t, "type")).Elem()
				fill(t, event)
				from := states[rapid.IntRange(max(0, len(states)-3), len(states)-1).Draw(t, "from")]
				handedOut, before = append(handedOut, event.Interface()), append(before, snapshot(event.Interface()))
				next := decider.Evolve(handedOut[from].(S), event.Interface().(E))
				states = append(states, len(handedOut))
				handedOut, before = append(handedOut, next), append(before, snapshot(next))
				for i, value := range handedOut {
					if now := snapshot(value); now != before[i] {
						t.Fatalf("%T applied to state %d changed what was handed out as %d:\nbefore %s\nnow    %s", event.Interface(), from, i, before[i], now)
					}
				}
			}
		})
	}
}

// typesOf lists the types of the events of one aggregate.
func typesOf[E any]() []reflect.Type {
	var types []reflect.Type
	for _, event := range instances {
		if _, ok := event.(E); ok {
			types = append(types, reflect.TypeOf(event))
		}
	}
	return types
}

// snapshot writes down a value to the last detail; nil and empty lists differ in it.
func snapshot(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fill sets every field to something out of very few values, so that events often speak of the same thing.
func fill(t *rapid.T, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 3).Draw(t, "time"), 0).UTC()))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rapid.SampledFrom([]string{"null", "{}", "[1]"}).Draw(t, "json")))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 4).Draw(t, "length"), 6)) // room for an append to write into
		fallthrough
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case v.Kind() == reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "text"))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case v.Kind() == reflect.Int:
		v.SetInt(rapid.Int64Range(-1, 3).Draw(t, "number"))
	case v.Kind() == reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 3).Draw(t, "number"))
	default:
		t.Fatalf("%s: no way to make one", v.Type())
	}
}
