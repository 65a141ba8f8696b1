package eventstore

import (
	"encoding/json"
	"fmt"
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

// plain reads metadata in the form in which Encode writes it, without spaces and escapes, and tells whether it was in
// that form. Whatever is not is left to encoding/json, which alone decides what is valid. Everyone who reads the log
// decodes the metadata of each event.
func (m *Metadata) plain(b []byte) bool {
	if len(b) < 2 || b[0] != '{' {
		return false
	}
	text := string(b) // what the fields share
	for at := 1; ; at++ {
		end := plainText(text, at)
		if end < 0 || end >= len(text) || text[end] != ':' {
			return false
		}
		key := text[at+1 : end-1]
		if at = m.set(key, text, end+1); at < 0 || at >= len(text) {
			return false
		}
		if text[at] != ',' {
			return text[at] == '}' && at == len(text)-1
		}
	}
}

// set sets a field to the value that begins at a place, and returns where it ends, or -1.
func (m *Metadata) set(key, text string, at int) int {
	if key == "schema" {
		if at+1 < len(text) && text[at] >= '0' && text[at] <= '9' && (text[at+1] == '}' || text[at+1] == ',') {
			m.Schema = int(text[at] - '0')
			return at + 1
		}
		return -1
	}
	end := plainText(text, at)
	if end < 0 {
		return -1
	}
	value := text[at+1 : end-1]
	switch key {
	case "plan":
		m.Plan = value
	case "time":
		var buffer [40]byte // UnmarshalText keeps nothing of it
		if m.Time.UnmarshalText(append(buffer[:0], value...)) != nil {
			return -1
		}
	case "actor":
		m.Actor = value
	case "command":
		m.Command = value
	case "body_hash":
		m.BodyHash = value
	case "correlation":
		m.Correlation = value
	default:
		return -1
	}
	return end
}

// plainText returns the end of a string of printable ASCII without escapes, or -1.
func plainText(text string, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	for i := at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c < ' ' || c >= 0x7f || c == '\\':
			return -1
		}
	}
	return -1
}
