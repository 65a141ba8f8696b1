package eventstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// Metadata is the envelope that every event of Rolewise carries (DESIGN rule 15). It holds no personal data.
type Metadata struct {
	Plan        string    `json:"plan"`
	Time        time.Time `json:"time"`                // when the command was decided, UTC
	Actor       string    `json:"actor"`               // "key:<id>", "member:<id>", "operator", "system:<what>"
	Command     string    `json:"command"`             // uuid5(plan, principal, Idempotency-Key), or a fresh UUID
	BodyHash    string    `json:"body_hash,omitempty"` // of the command's body, so that a key is not used for another
	Correlation string    `json:"correlation"`
	Schema      int       `json:"schema"` // version of the event's data, from 1
}

// Encode returns the JSON for Event.Metadata.
func (m Metadata) Encode() []byte {
	b, err := json.Marshal(m)
	if err != nil { // a struct of strings, an int and a time within year 9999 always encodes
		panic(fmt.Sprintf("encode metadata: %v", err))
	}
	return b
}

// DecodeMetadata reads what Encode wrote.
func DecodeMetadata(b []byte) (Metadata, error) {
	var m Metadata
	if m.plain(b) {
		return m, nil
	}
	m = Metadata{}
	if err := json.Unmarshal(b, &m); err != nil {
		return Metadata{}, fmt.Errorf("decode metadata: %w", err)
	}
	return m, nil
}

// Stamp is what readers of the whole log need of the metadata.
type Stamp struct {
	Time   time.Time
	Schema int
}

// others are the keys of metadata that a Stamp does without.
var others = []string{"plan", "actor", "command", "body_hash", "correlation"}

// DecodeStamp is DecodeMetadata for those who need no more than that. It refuses the same.
func DecodeStamp(b []byte) (Stamp, error) {
	var s Stamp
	if plain(b, func(key []byte, from, to int) bool {
		switch string(key) {
		case "time":
			return s.Time.UnmarshalText(b[from:to]) == nil
		case "schema":
			s.Schema = int(b[from] - '0')
			return true
		}
		return slices.Contains(others, string(key))
	}) {
		return s, nil
	}
	m, err := DecodeMetadata(b)
	return Stamp{m.Time, m.Schema}, err
}

// plain reads metadata in the form in which Encode writes it, without spaces and escapes, and tells whether it was in
// that form and all of it was taken: strings, without their quotes, and a schema of one digit. Whatever is not is left to
// encoding/json, which alone decides what is valid. Everyone who reads the log decodes the metadata of each event.
func plain(text []byte, take func(key []byte, from, to int) bool) bool {
	if len(text) < 2 || text[0] != '{' {
		return false
	}
	for at := 1; ; at++ {
		end := plainText(text, at)
		if end < 0 || end+1 >= len(text) || text[end] != ':' {
			return false
		}
		key, from := text[at+1:end-1], end+1
		if string(key) == "schema" {
			if at = from + 1; text[from] < '0' || text[from] > '9' || !take(key, from, at) {
				return false
			}
		} else if at = plainText(text, from); at < 0 || !take(key, from+1, at-1) {
			return false
		}
		if at >= len(text) || text[at] != ',' {
			return at == len(text)-1 && text[at] == '}'
		}
	}
}

// plain sets all fields out of plain metadata.
func (m *Metadata) plain(b []byte) bool {
	text := string(b) // what the fields share
	return plain(b, func(key []byte, from, to int) bool {
		value := text[from:to]
		switch string(key) {
		case "plan":
			m.Plan = value
		case "time":
			return m.Time.UnmarshalText(b[from:to]) == nil
		case "actor":
			m.Actor = value
		case "command":
			m.Command = value
		case "body_hash":
			m.BodyHash = value
		case "correlation":
			m.Correlation = value
		case "schema":
			m.Schema = int(value[0] - '0')
		default:
			return false
		}
		return true
	})
}

// plainText returns the end of a string of printable ASCII without escapes, or -1.
func plainText(text []byte, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	for at++; at+8 <= len(text); at += 8 {
		if odd := oddBytes(binary.LittleEndian.Uint64(text[at:])); odd != 0 {
			at += bits.TrailingZeros64(odd) / 8
			break
		}
	}
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1
		case c < ' ' || c >= 0x7f || c == '\\':
			return -1
		}
	}
	return -1
}

// oddBytes marks, of eight bytes at once, the first that is a quote, a backslash or no printable ASCII, and perhaps others
// after it.
func oddBytes(eight uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash, last := eight^ones*'"', eight^ones*'\\', eight^ones*0x7f
	return (eight | (eight-ones*' ')&^eight | (quote-ones)&^quote | (backslash-ones)&^backslash | (last-ones)&^last) & tops
}
