package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Upcast turns the data of one schema version into that of the next. Numbers come as json.Number.
type Upcast func(data map[string]any) map[string]any

// EventType binds a wire name to a Go type and to the history of its data.
type EventType struct {
	Name   string
	Schema int // current version of the data, from 1
	goType reflect.Type
	decode func([]byte) (any, error)
	ups    []Upcast
}

// Type declares an event type. Each upcast adds a schema version: the first leads from 1 to 2.
func Type[E any](name string, upcasts ...Upcast) EventType {
	plain := plainFormOf(reflect.TypeFor[E]())
	return EventType{
		Name:   name,
		Schema: len(upcasts) + 1,
		goType: reflect.TypeFor[E](),
		decode: func(data []byte) (any, error) {
			var event E
			if plain.fill(reflect.ValueOf(&event).Elem(), data) {
				return event, nil
			}
			event = *new(E)
			err := json.Unmarshal(data, &event)
			return event, err
		},
		ups: upcasts,
	}
}

// Catalog lists the event types of one aggregate. It is the only place where wire names and Go types meet.
type Catalog struct {
	byName map[string]EventType
	byType map[reflect.Type]EventType
}

// NewCatalog returns a catalog. It panics on a name or type given twice: a mistake of the programmer.
func NewCatalog(types ...EventType) *Catalog {
	c := &Catalog{byName: map[string]EventType{}, byType: map[reflect.Type]EventType{}}
	for _, t := range types {
		_, named := c.byName[t.Name]
		_, typed := c.byType[t.goType]
		if named || typed {
			panic("event type declared twice: " + t.Name)
		}
		c.byName[t.Name] = t
		c.byType[t.goType] = t
	}
	return c
}

// Join returns a catalog of all types of several.
func Join(catalogs ...*Catalog) *Catalog {
	var types []EventType
	for _, c := range catalogs {
		types = append(types, c.Types()...)
	}
	return NewCatalog(types...)
}

// Types returns the event types, sorted by name.
func (c *Catalog) Types() []EventType {
	types := make([]EventType, 0, len(c.byName))
	for _, t := range c.byName {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b EventType) int { return strings.Compare(a.Name, b.Name) })
	return types
}

// Lookup returns the type of an event value.
func (c *Catalog) Lookup(event any) (EventType, bool) {
	t, ok := c.byType[reflect.TypeOf(event)]
	return t, ok
}

// Encode returns the wire name, the schema version and the data of an event.
func (c *Catalog) Encode(event any) (name string, schema int, data []byte, err error) {
	t, ok := c.byType[reflect.TypeOf(event)]
	if !ok {
		return "", 0, nil, fmt.Errorf("event type %T is in no catalog", event)
	}
	data, err = json.Marshal(event)
	if err != nil {
		return "", 0, nil, fmt.Errorf("encode %s: %w", t.Name, err)
	}
	return t.Name, t.Schema, data, nil
}

// ErrUnknownEvent says that an event's name, or its schema version, is newer than this program.
var ErrUnknownEvent = errors.New("unknown event type or version")

// Decode returns the event for stored data of any schema version up to the current one.
func (c *Catalog) Decode(name string, schema int, data []byte) (any, error) {
	t, ok := c.byName[name]
	if !ok || schema < 1 || schema > t.Schema {
		return nil, fmt.Errorf("decode %s version %d: %w", name, schema, ErrUnknownEvent)
	}
	data, err := t.upcast(schema, data)
	if err != nil {
		return nil, err
	}
	event, err := t.decode(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", name, schema, err)
	}
	return event, nil
}

func (t EventType) upcast(schema int, data []byte) ([]byte, error) {
	if schema == t.Schema {
		return data, nil
	}
	fields := map[string]any{}
	numbers := json.NewDecoder(bytes.NewReader(data))
	numbers.UseNumber() // an upcast must not round the large integers that it passes on
	if err := numbers.Decode(&fields); err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", t.Name, schema, err)
	}
	for _, up := range t.ups[schema-1:] {
		fields = up(fields)
	}
	return json.Marshal(fields)
}

// Personal is a field of an event that holds personal data, and the field beside it that names whose.
type Personal struct{ Field, Subject string }

// PersonalFields lists, by wire name of the event, the fields that must be encrypted under the key of a person.
//
// The tag `personal:"member"` on a string field says that it belongs to the person whose id stands in the field
// "member" of the same event; `personal:"-"` says that it holds no personal data. Every plain string must carry one.
func (c *Catalog) PersonalFields() map[string][]Personal {
	fields := map[string][]Personal{}
	for name, t := range c.byName {
		for i := range t.goType.NumField() {
			f := t.goType.Field(i)
			subject := f.Tag.Get("personal")
			if subject == "" || subject == "-" {
				continue
			}
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = append(fields[name], Personal{Field: key, Subject: subject})
		}
	}
	return fields
}

// Untagged lists "Event.Field" for each plain string, or container of plain strings, without a personal tag, and for
// each tag that PersonalFields cannot honour: on anything but a string of the event itself, or naming no field of it.
// Typed ids and enumerations are strings of their own type and need none.
func (c *Catalog) Untagged() []string {
	var missing []string
	for _, t := range c.Types() {
		missing = append(missing, untagged(t.Name, t.goType, t.goType)...)
	}
	return missing
}

// untagged looks at the fields of t, which is the event itself or a struct within it.
func untagged(path string, event, t reflect.Type) []string {
	var missing []string
	for i := range t.NumField() {
		f := t.Field(i)
		inner, keyed := element(f.Type)
		plain := keyed || inner == reflect.TypeFor[string]() || inner.Kind() == reflect.Interface || inner == reflect.TypeFor[byte]()
		switch tag := f.Tag.Get("personal"); {
		case tag == "" && plain:
			missing = append(missing, path+"."+f.Name)
		case tag != "" && tag != "-" && (t != event || f.Type != reflect.TypeFor[string]() || !hasKey(event, tag)):
			missing = append(missing, path+"."+f.Name)
		case inner.Kind() == reflect.Struct && inner.PkgPath() != "time":
			missing = append(missing, untagged(path+"."+f.Name, event, inner)...)
		}
	}
	return missing
}

// element returns what a container holds in the end, and whether plain strings are its keys on the way there.
func element(t reflect.Type) (inner reflect.Type, keyed bool) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Array {
		keyed = keyed || (t.Kind() == reflect.Map && t.Key() == reflect.TypeFor[string]())
		t = t.Elem()
	}
	return t, keyed
}

// hasKey tells whether an event has a field of a name in JSON.
func hasKey(event reflect.Type, name string) bool {
	for i := range event.NumField() {
		if key, _, _ := strings.Cut(event.Field(i).Tag.Get("json"), ","); key == name {
			return true
		}
	}
	return false
}
