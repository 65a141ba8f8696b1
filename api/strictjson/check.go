package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// checker walks through a text once, beside the shape that it should have. Its methods return false as soon as the text
// is malformed; all other faults are noted, and the walk goes on.
type checker struct {
	data   []byte
	at     int
	path   []step
	faults []Fault
	broken *Fault
}

// step leads from a value to one inside it: a key, or an index where the key is nil.
type step struct {
	key   []byte // as in the text, without quotes and unescaped
	index int
}

func (c *checker) document(s *shape) {
	c.space()
	if c.at == len(c.data) {
		c.malformed("malformed_json", "the text is empty")
		return
	}
	if !c.value(s, 0) {
		return
	}
	if c.space(); c.at < len(c.data) {
		c.malformed("trailing_data", "more follows after the end of the value")
	}
}

// value checks the value that starts here; depth is how many objects and arrays it stands in.
func (c *checker) value(s *shape, depth int) bool {
	if c.at == len(c.data) {
		return c.malformed("malformed_json", "the text ends too early")
	}
	switch b := c.data[c.at]; {
	case b == '{':
		if depth == MaxDepth {
			return c.malformed("too_deep", fmt.Sprintf("objects and lists may be nested %d deep", MaxDepth))
		}
		return c.object(c.expect(s, object), depth+1)
	case b == '[':
		if depth == MaxDepth {
			return c.malformed("too_deep", fmt.Sprintf("objects and lists may be nested %d deep", MaxDepth))
		}
		return c.array(c.expect(s, array), depth+1)
	case b == '"':
		start := c.at
		if _, ok := c.text(); !ok {
			return false
		}
		if s.kind == moment {
			c.moment(c.data[start:c.at])
			return true
		}
		c.expect(s, text)
		return true
	case b == '-' || (b >= '0' && b <= '9'):
		return c.number(s)
	case b == 't':
		return c.word("true", s, boolean)
	case b == 'f':
		return c.word("false", s, boolean)
	case b == 'n':
		return c.null(s)
	}
	return c.malformed("malformed_json", "here is no JSON value")
}

// expect notes a fault unless a value of kind k fits, and returns the shape for what is inside the value.
func (c *checker) expect(s *shape, k kind) *shape {
	if s.kind == k {
		return s
	}
	if s.kind != anything {
		c.fault("invalid_type", "must be "+names[s.kind])
	}
	return free
}

func (c *checker) word(word string, s *shape, k kind) bool {
	if !bytes.HasPrefix(c.data[c.at:], []byte(word)) {
		return c.malformed("malformed_json", "here is no JSON value")
	}
	c.at += len(word)
	c.expect(s, k)
	return true
}

func (c *checker) null(s *shape) bool {
	if !c.word("null", free, anything) {
		return false
	}
	if s.kind != anything {
		c.fault("invalid_type", "must be "+names[s.kind]+", not null; leave it out where it is optional")
	}
	return true
}

func (c *checker) object(s *shape, depth int) bool {
	c.at++ // {
	seen := keys{typed: s.kind == object}
	for first := true; ; first = false {
		if c.space(); c.next('}') {
			break
		}
		if !first && !c.comma('}') {
			return false
		}
		if c.at == len(c.data) || c.data[c.at] != '"' {
			return c.malformed("malformed_json", "a key in quotes must stand here")
		}
		key, ok := c.text()
		if !ok {
			return false
		}
		c.path = append(c.path, step{key: key})
		if c.space(); !c.next(':') {
			return c.malformed("malformed_json", "a colon must follow the key")
		}
		c.space()
		if !c.value(c.inside(s, &seen, key), depth) {
			return false
		}
		c.path = c.path[:len(c.path)-1]
	}
	for i := range s.fields {
		if s.fields[i].required && !seen.has(i) {
			c.path = append(c.path, step{key: []byte(s.fields[i].name)})
			c.fault("required", "must be given")
			c.path = c.path[:len(c.path)-1]
		}
	}
	return true
}

// inside judges a key and returns the shape of its value.
func (c *checker) inside(s *shape, seen *keys, key []byte) *shape {
	if !seen.typed {
		if seen.addName(string(key)) {
			c.fault("duplicate_field", "stands more than once in the same object")
		}
		return free
	}
	i, exact := s.named(key)
	switch {
	case i < 0:
		c.fault("unknown_field", "there is no such field")
		return free
	case !exact:
		c.fault("wrong_case", "must be written "+s.fields[i].name)
		return free
	case seen.add(i):
		c.fault("duplicate_field", "stands more than once in the same object")
	}
	return s.fields[i].shape
}

func (c *checker) array(s *shape, depth int) bool {
	c.at++ // [
	element := s.element
	if element == nil {
		element = free
	}
	n := 0
	for ; ; n++ {
		if c.space(); c.next(']') {
			break
		}
		if n > 0 && !c.comma(']') {
			return false
		}
		c.path = append(c.path, step{index: n})
		if !c.value(element, depth) {
			return false
		}
		c.path = c.path[:len(c.path)-1]
	}
	if s.length > 0 && n != s.length {
		c.fault("invalid_length", "must have "+strconv.Itoa(s.length)+" items")
	}
	return true
}

// comma passes the comma between two members; end is what may stand there instead.
func (c *checker) comma(end byte) bool {
	if !c.next(',') {
		return c.malformed("malformed_json", "a comma or "+string(end)+" must follow")
	}
	c.space()
	return true
}

func (c *checker) next(b byte) bool {
	if c.at == len(c.data) || c.data[c.at] != b {
		return false
	}
	c.at++
	return true
}

func (c *checker) space() {
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return
		}
	}
}

// moment checks a time in quotes. It takes what encoding/json takes, which is RFC 3339 and no more.
func (c *checker) moment(quoted []byte) {
	var t time.Time
	if json.Unmarshal(quoted, &t) != nil {
		c.fault("invalid_time", "must be a time as in RFC 3339, such as 2026-01-31T09:30:00Z")
	}
}

func (c *checker) malformed(code, message string) bool {
	if c.broken == nil {
		c.broken = &Fault{c.pointer(), code, message + " (byte " + strconv.Itoa(c.at) + ")"}
	}
	return false
}

func (c *checker) fault(code, message string) {
	switch {
	case len(c.faults) < MaxFaults:
		c.faults = append(c.faults, Fault{c.pointer(), code, message})
	case len(c.faults) == MaxFaults:
		c.faults = append(c.faults, Fault{"", "too_many_faults", "there are more faults, which are not listed"})
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func (c *checker) pointer() string {
	var b strings.Builder
	for _, s := range c.path {
		b.WriteByte('/')
		if s.key == nil {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escapePointer.Replace(string(s.key)))
		}
	}
	return b.String()
}

// keys remembers the keys of one object.
type keys struct {
	typed bool
	few   uint64          // fields 0 to 63 of a shape
	many  map[int]bool    // the others
	names map[string]bool // of an object without a shape, folded: a decoder further on may ignore case
}

func (k *keys) has(i int) bool {
	if i < 64 {
		return k.few&(1<<i) != 0
	}
	return k.many[i]
}

// add tells whether the field was there already.
func (k *keys) add(i int) bool {
	twice := k.has(i)
	switch {
	case i < 64:
		k.few |= 1 << i
	case k.many == nil:
		k.many = map[int]bool{i: true}
	default:
		k.many[i] = true
	}
	return twice
}

func (k *keys) addName(name string) bool {
	folded := strings.ToLower(strings.ToUpper(name))
	twice := k.names[folded]
	if k.names == nil {
		k.names = map[string]bool{}
	}
	k.names[folded] = true
	return twice
}
