package domain

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// plainForm reads events in the form in which they are written: one flat object without spaces, each key spelled as
// declared, and values that are plain strings, whole numbers, booleans and times. Rebuilding a read model decodes
// millions of them. Whatever is not exactly in that form is left to encoding/json, which alone decides what is valid,
// so that both never give two answers to one text.
type plainForm struct {
	keys   []string
	fields []int // of the struct, by key
	kinds  []valueKind
}

type valueKind uint8

const (
	elseKind valueKind = iota // only encoding/json reads it
	textKind
	numberKind
	flagKind
	timeKind
)

// plainFormOf returns nil for a type whose keys encoding/json finds in another way than by a tag on each field.
func plainFormOf(t reflect.Type) *plainForm {
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return nil
	}
	p := &plainForm{}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || key == "" || key == "-" || options != "" && options != "omitempty" {
			return nil
		}
		p.keys, p.fields, p.kinds = append(p.keys, key), append(p.fields, i), append(p.kinds, kindOf(f.Type))
	}
	return p
}

func kindOf(t reflect.Type) valueKind {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return timeKind
	case decodesItself(t):
		return elseKind
	}
	switch t.Kind() {
	case reflect.String:
		return textKind
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return numberKind
	case reflect.Bool:
		return flagKind
	}
	return elseKind
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fill sets the fields of a zero struct and tells whether the text was in plain form; if not, the struct is spoilt.
func (p *plainForm) fill(into reflect.Value, text []byte) bool {
	if p == nil || len(text) < 2 || text[0] != '{' {
		return false
	}
	if text[1] == '}' {
		return len(text) == 2
	}
	shared := string(text) // by the fields that are text
	next := 0              // fields are mostly written in the order in which they are declared
	for at := 1; ; at++ {
		end := plainText(text, at)
		if end < 0 || end >= len(text) || text[end] != ':' {
			return false
		}
		i := p.find(text[at+1:end-1], next)
		if i < 0 {
			return false
		}
		next = i + 1
		if at = p.value(into.Field(p.fields[i]), p.kinds[i], text, shared, end+1); at < 0 || at >= len(text) {
			return false
		}
		if text[at] == '}' {
			return at == len(text)-1
		}
		if text[at] != ',' {
			return false
		}
	}
}

// find returns the number of a key, looking from one on.
func (p *plainForm) find(key []byte, from int) int {
	for n := range p.keys {
		i := from + n
		if i >= len(p.keys) {
			i -= len(p.keys)
		}
		if p.keys[i] == string(key) {
			return i
		}
	}
	return -1
}

// value sets a field to the value that begins at a place, and returns where it ends, or -1.
func (p *plainForm) value(field reflect.Value, kind valueKind, text []byte, shared string, at int) int {
	switch kind {
	case textKind:
		end := plainText(text, at)
		if end > 0 {
			field.SetString(shared[at+1 : end-1])
		}
		return end
	case timeKind:
		end := plainText(text, at)
		if end < 0 || field.Addr().Interface().(*time.Time).UnmarshalJSON(text[at:end]) != nil {
			return -1
		}
		return end
	case numberKind:
		n, end := wholeNumber(text, at)
		if end < 0 || field.OverflowInt(n) {
			return -1
		}
		field.SetInt(n)
		return end
	case flagKind:
		switch rest := text[min(at, len(text)):]; {
		case len(rest) >= 4 && string(rest[:4]) == "true":
			field.SetBool(true)
			return at + 4
		case len(rest) >= 5 && string(rest[:5]) == "false":
			field.SetBool(false)
			return at + 5
		}
	}
	return -1
}

// plainText returns the end of a string without escapes and in good UTF-8, or -1.
func plainText(text []byte, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	beyond := false // ASCII
	for i := at + 1; i < len(text); i++ {
		for ; i+8 <= len(text); i += 8 {
			if odd := oddBytes(binary.LittleEndian.Uint64(text[i:])); odd != 0 {
				i += bits.TrailingZeros64(odd) / 8
				break
			}
		}
		if i == len(text) {
			return -1
		}
		switch c := text[i]; {
		case c == '"':
			if beyond && !utf8.Valid(text[at+1:i]) {
				return -1
			}
			return i + 1
		case c < ' ' || c == '\\':
			return -1
		case c >= utf8.RuneSelf:
			beyond = true
		}
	}
	return -1
}

// oddBytes marks, of eight bytes at once, the first that is a quote, a backslash, a control character or beyond ASCII, and
// perhaps others after it.
func oddBytes(eight uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^ones*'"', eight^ones*'\\'
	return (eight | (eight-ones*' ')&^eight | (quote-ones)&^quote | (backslash-ones)&^backslash) & tops
}

// wholeNumber reads a number of at most 18 digits, which always fits.
func wholeNumber(text []byte, at int) (n int64, end int) {
	negative := at < len(text) && text[at] == '-'
	if negative {
		at++
	}
	first := at
	for at < len(text) && text[at] >= '0' && text[at] <= '9' {
		n = n*10 + int64(text[at]-'0')
		if at++; at-first > 18 {
			return 0, -1
		}
	}
	if at == first || text[first] == '0' && at > first+1 || at < len(text) && text[at] != ',' && text[at] != '}' {
		return 0, -1
	}
	if negative {
		n = -n
	}
	return n, at
}
