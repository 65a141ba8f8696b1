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
	if err := json.Unmarshal(b, &m); err != nil {
		return Metadata{}, fmt.Errorf("decode metadata: %w", err)
	}
	return m, nil
}
