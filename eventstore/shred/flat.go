package shred

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// pair is a key of a flat object and where its value stands.
type pair struct {
	key      []byte
	from, to int
}

// flat finds the members of an object in the form in which events are written: no spaces, keys in ASCII, strings without
// escapes, whole numbers, and nothing nested but encrypted values. Whatever else an event looks like is left to locate,
// which alone decides what is valid, so that both find the same.
func flat(text []byte, into []pair) (pairs []pair, ok bool) {
	if len(text) < 2 || text[0] != '{' {
		return nil, false
	}
	if text[1] == '}' {
		return into, len(text) == 2
	}
	for at := 1; ; at++ {
		end := plain(text, at)
		if end < 0 || end >= len(text) || text[end] != ':' || !ascii(text[at+1:end-1]) {
			return nil, false
		}
		m := pair{key: text[at+1 : end-1], from: end + 1}
		if m.to = value(text, m.from); m.to < 0 || m.to >= len(text) {
			return nil, false
		}
		into = append(into, m)
		at = m.to
		if text[at] == '}' {
			return into, at == len(text)-1
		}
		if text[at] != ',' {
			return nil, false
		}
	}
}

// plain returns the end of a string without escapes, or -1.
func plain(text []byte, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	for i := at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c < ' ' || c == '\\':
			return -1
		}
	}
	return -1
}

func ascii(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// value returns the end of a value that may stand in a flat object, or -1.
func value(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	rest := text[at:]
	switch c := rest[0]; {
	case c == '"':
		return plain(text, at)
	case c == '{' && bytes.HasPrefix(rest, []byte(opening)):
		end := plain(text, at+len(opening)-1)
		if end < 0 || end >= len(text) || text[end] != '}' {
			return -1
		}
		return end + 1
	case c >= '1' && c <= '9':
		for i, digit := range rest {
			if digit < '0' || digit > '9' {
				return at + i
			}
		}
		return -1
	case c == '0':
		return at + 1
	}
	for _, literal := range []string{"true", "false", "null"} {
		if len(rest) >= len(literal) && string(rest[:len(literal)]) == literal {
			return at + len(literal)
		}
	}
	return -1
}

// text is the data of an event, in which values are looked for.
type text struct {
	data   []byte
	pairs  []pair // if it is flat
	isFlat bool
}

func textOf(data []byte, buffer []pair) text {
	pairs, ok := flat(data, buffer)
	return text{data, pairs, ok}
}

// locate finds the values at a path.
func (t text) locate(path []string) ([]span, error) {
	if !t.isFlat || len(path) != 1 {
		return locate(t.data, path)
	}
	var found []span
	for _, m := range t.pairs {
		if strings.EqualFold(string(m.key), path[0]) {
			found = append(found, span{from: m.from, to: m.to, path: "." + string(m.key)})
		}
	}
	return found, nil
}

// subject returns the member id that stands at a path, empty if there is none. Two are as bad as none.
func (t text) subject(path []string) (string, error) {
	found, err := t.locate(path)
	if err != nil || len(found) != 1 {
		return "", err
	}
	named := t.data[found[0].from:found[0].to]
	if t.isFlat && len(named) > 1 && named[0] == '"' && ascii(named) {
		return string(named[1 : len(named)-1]), nil
	}
	var subject string
	if json.Unmarshal(named, &subject) != nil {
		return "", nil // null or a number names nobody
	}
	return subject, nil
}
