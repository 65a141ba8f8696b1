package strictjson

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// text passes a text in quotes and returns what it stands for, never nil.
func (c *checker) text() ([]byte, bool) {
	start := c.at
	c.at++ // "
	escaped := false
	for c.at < len(c.data) {
		switch b := c.data[c.at]; {
		case b == '"':
			c.at++
			return unescape(c.data[start:c.at], escaped), true
		case b == '\\':
			escaped = true
			if !c.escape() {
				return nil, false
			}
		case b < 0x20:
			return nil, c.malformed("malformed_json", "a control character in a text must be escaped")
		case b < utf8.RuneSelf:
			c.at++
		default:
			r, size := utf8.DecodeRune(c.data[c.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, c.malformed("invalid_utf8", "the text is not valid UTF-8")
			}
			c.at += size
		}
	}
	return nil, c.malformed("malformed_json", "the text ends inside quotes")
}

func unescape(quoted []byte, escaped bool) []byte {
	inner := quoted[1 : len(quoted)-1]
	if !escaped {
		return inner
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil { // the text was checked byte by byte
		return inner
	}
	return append([]byte{}, s...)
}

// escape passes a backslash and what belongs to it; of \u escapes above U+FFFF, both halves.
func (c *checker) escape() bool {
	if c.at+1 == len(c.data) {
		return c.malformed("malformed_json", "the text ends inside quotes")
	}
	switch c.data[c.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.at += 2
		return true
	case 'u':
	default:
		return c.malformed("malformed_json", "there is no such escape")
	}
	unit, ok := c.unit(c.at)
	switch {
	case !ok:
		return c.malformed("malformed_json", "four hexadecimal digits must follow \\u")
	case unit >= 0xdc00 && unit < 0xe000:
		return c.malformed("lone_surrogate", "the second half of a surrogate pair stands alone")
	case unit < 0xd800 || unit >= 0xe000:
		c.at += 6
		return true
	}
	if low, ok := c.unit(c.at + 6); !ok || low < 0xdc00 || low >= 0xe000 {
		return c.malformed("lone_surrogate", "the first half of a surrogate pair stands alone")
	}
	c.at += 12
	return true
}

// unit reads \uXXXX at a place in the data.
func (c *checker) unit(at int) (uint64, bool) {
	if len(c.data) < at+6 || c.data[at] != '\\' || c.data[at+1] != 'u' {
		return 0, false
	}
	for _, b := range c.data[at+2 : at+6] { // ParseUint would take signs and underscores in some bases
		if !(b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F') {
			return 0, false
		}
	}
	unit, err := strconv.ParseUint(string(c.data[at+2:at+6]), 16, 32)
	return unit, err == nil
}

// number passes a number and judges it by the shape.
func (c *checker) number(s *shape) bool {
	start := c.at
	c.next('-')
	if !c.next('0') && !c.digits() {
		return c.malformed("malformed_json", "a digit must follow")
	}
	whole := true
	if c.next('.') {
		whole = false
		if !c.digits() {
			return c.malformed("malformed_json", "a digit must follow the point")
		}
	}
	if c.next('e') || c.next('E') {
		whole = false
		if !c.next('+') {
			c.next('-')
		}
		if !c.digits() {
			return c.malformed("malformed_json", "a digit must follow the exponent")
		}
	}
	c.judge(s, string(c.data[start:c.at]), whole)
	return true
}

func (c *checker) judge(s *shape, literal string, whole bool) {
	var err error
	switch {
	case s.kind == integer && whole && s.unsigned:
		_, err = strconv.ParseUint(literal, 10, s.bits)
	case s.kind == integer && whole:
		_, err = strconv.ParseInt(literal, 10, s.bits)
	case s.kind == number:
		_, err = strconv.ParseFloat(literal, s.bits)
	default:
		// Of the remaining shapes, only one that takes any value fits; an integer with a point or an exponent does not.
		if s.kind != anything {
			c.fault("invalid_type", "must be "+names[s.kind])
		}
		return
	}
	if err != nil {
		c.fault("out_of_range", "is too large, too small or too long a number")
	}
}

func (c *checker) digits() bool {
	start := c.at
	for c.at < len(c.data) && c.data[c.at] >= '0' && c.data[c.at] <= '9' {
		c.at++
	}
	return c.at > start
}
