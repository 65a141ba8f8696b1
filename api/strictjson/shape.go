package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

type kind uint8

const (
	anything kind = iota
	object
	array
	text
	moment
	boolean
	integer
	number
)

// names say what a value must be.
var names = [...]string{"any value", "an object", "a list", "a text", "a time as text", "true or false", "an integer", "a number"}

// shape is what a Go type permits.
type shape struct {
	kind     kind
	fields   []field        // of an object
	byName   map[string]int // index into fields
	element  *shape         // of an array
	length   int            // of an array of fixed length; 0: any
	bits     int            // of a number
	unsigned bool
}

type field struct {
	name     string
	required bool
	shape    *shape
}

var (
	free = &shape{kind: anything}

	known sync.Map   // reflect.Type to *shape, complete ones only
	build sync.Mutex // one type at a time is added to known
)

func shapeOf(t reflect.Type) *shape {
	if s, ok := known.Load(t); ok {
		return s.(*shape)
	}
	build.Lock()
	defer build.Unlock()
	under := map[reflect.Type]*shape{}
	s := newShape(t, under)
	for t, s := range under {
		known.Store(t, s)
	}
	known.Store(t, s)
	return s
}

// newShape adds structs to under before their fields, so that a type may contain itself.
func newShape(t reflect.Type, under map[reflect.Type]*shape) *shape {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &shape{kind: moment}
	case t == reflect.TypeFor[json.RawMessage]():
		return free
	case decodesItself(t):
		panic(fmt.Sprintf("strictjson: %s has a decoder of its own", t))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return newShape(t.Elem(), under)
	case reflect.String:
		return &shape{kind: text}
	case reflect.Bool:
		return &shape{kind: boolean}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &shape{kind: integer, bits: t.Bits()}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &shape{kind: integer, bits: t.Bits(), unsigned: true}
	case reflect.Float32, reflect.Float64:
		return &shape{kind: number, bits: t.Bits()}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // which encoding/json reads from base64
			return &shape{kind: array, element: newShape(t.Elem(), under)}
		}
	case reflect.Array:
		return &shape{kind: array, element: newShape(t.Elem(), under), length: t.Len()}
	case reflect.Struct:
		return structShape(t, under)
	}
	panic(fmt.Sprintf("strictjson: %s cannot be checked", t))
}

func structShape(t reflect.Type, under map[reflect.Type]*shape) *shape {
	if s := under[t]; s != nil {
		return s
	}
	s := &shape{kind: object, byName: map[string]int{}}
	under[t] = s
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "", !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous || name == "" || strings.Contains(options, "string"):
			panic(fmt.Sprintf("strictjson: field %s of %s needs a json name of its own", f.Name, t))
		}
		s.byName[name] = len(s.fields)
		s.fields = append(s.fields, field{
			name: name, required: !strings.Contains(options, "omitempty"), shape: newShape(f.Type, under),
		})
	}
	return s
}

func decodesItself(t reflect.Type) bool {
	for _, decoder := range []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()} {
		if t.Implements(decoder) || reflect.PointerTo(t).Implements(decoder) {
			return true
		}
	}
	return false
}

// named returns the index of a field, or of the one that differs in case only.
func (s *shape) named(key []byte) (index int, exact bool) {
	if i, ok := s.byName[string(key)]; ok {
		return i, true
	}
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].name, string(key)) {
			return i, false
		}
	}
	return -1, false
}
