package shred

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is where a value stands in a JSON text, and its path with the indexes of arrays.
type span struct {
	from, to int
	path     string
}

// locate finds the values at a path. Texts around them are never touched, so that what is decrypted is byte by byte
// what was encrypted. Keys are compared as encoding/json does when it decodes an event, in any case, and a key that
// is there twice is found twice: no personal value hides behind its spelling.
func locate(text []byte, path []string) (found []span, err error) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	err = walk(trimmed, len(text)-len(trimmed), path, "", &found)
	return found, err
}

func walk(text []byte, base int, path []string, at string, found *[]span) error {
	if len(path) == 0 {
		*found = append(*found, span{from: base, to: base + len(text), path: at})
		return nil
	}
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return nil // null, or a value that cannot hold the path
	}
	return children(text, func(key string, from, to int) error {
		rest := path
		if text[0] == '{' {
			if !strings.EqualFold(key, path[0]) {
				return nil
			}
			rest = path[1:]
		}
		return walk(text[from:to], base+from, rest, at+"."+key, found)
	})
}

// children calls each for the elements of an object or an array, which have their index for a key.
func children(text []byte, each func(key string, from, to int) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for index := 0; d.More(); index++ {
		key := strconv.Itoa(index)
		if text[0] == '{' {
			token, err := d.Token()
			if err != nil {
				return err
			}
			key, _ = token.(string)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		to := int(d.InputOffset())
		from := to - len(value)
		if from < 0 || !bytes.Equal(text[from:to], value) {
			return errors.New("a value is not where it was read")
		}
		if err := each(key, from, to); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// edit is a value to be put in the place of another.
type edit struct {
	span
	value []byte
}

// splice returns a copy of a text with all edits made.
func splice(text []byte, edits []edit) ([]byte, error) {
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	out := make([]byte, 0, len(text)+64*len(edits))
	done := 0
	for _, e := range edits {
		if e.from < done {
			return nil, fmt.Errorf("field %s lies within another", e.path)
		}
		out = append(out, text[done:e.from]...)
		out = append(out, e.value...)
		done = e.to
	}
	return append(out, text[done:]...), nil
}
