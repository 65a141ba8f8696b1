package decidertest

import (
	"fmt"
	"reflect"
	"strings"
)

// list prints values one a line, as Go writes them.
func list[T any](values []T) string {
	if len(values) == 0 {
		return "    (nothing)\n"
	}
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "    %T%+v\n", v, v)
	}
	return b.String()
}

// eventsDifference prints both lists in one: "  " for an event that both have in this place, "- " for a wanted one
// that is not there, "+ " for one that is there unwanted; between two events of one type only the fields that differ.
func eventsDifference[E any](want, got []E) string {
	var b strings.Builder
	b.WriteString("events differ (- wanted, + got):\n")
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			fmt.Fprintf(&b, "  - %T%+v\n", want[i], want[i])
		case i >= len(want):
			fmt.Fprintf(&b, "  + %T%+v\n", got[i], got[i])
		case reflect.DeepEqual(want[i], got[i]):
			fmt.Fprintf(&b, "    %T%+v\n", got[i], got[i])
		default:
			b.WriteString(difference(want[i], got[i]))
		}
	}
	return b.String()
}

// difference prints where two values differ: field by field if they are structs of one type, else both.
func difference(want, got any) string {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	if !w.IsValid() || !g.IsValid() || w.Type() != g.Type() || w.Kind() != reflect.Struct {
		return fmt.Sprintf("  - %T%+v\n  + %T%+v\n", want, want, got, got)
	}
	var b strings.Builder
	for i := range w.NumField() {
		if reflect.DeepEqual(w.Field(i).Interface(), g.Field(i).Interface()) {
			continue
		}
		name := w.Type().String() + "." + w.Type().Field(i).Name
		fmt.Fprintf(&b, "  - %s: %#v\n  + %s: %#v\n", name, w.Field(i).Interface(), name, g.Field(i).Interface())
	}
	return b.String()
}
