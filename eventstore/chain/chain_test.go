package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

var example = eventstore.Recorded{
	Event:    eventstore.Event{ID: uuid.MustParse("0190a1b2-c3d4-7e5f-8a6b-000000000001"), Type: "RolePublished", Data: []byte(`{"role":"x"}`), Metadata: []byte(`{"plan":"acme"}`)},
	Stream:   eventstore.StreamID{Category: "role", Plan: "acme", ID: "x"},
	Revision: 7,
	Position: 4711,
}

// TestAUD4Format computes both links as docs/audit-format.md says, without the code of this package, and holds them to
// values that are never edited.
func TestAUD4Format(t *testing.T) {
	var previous, previousStore Hash
	for i := range previous {
		previous[i], previousStore[i] = byte(i), byte(200-i)
	}
	var b bytes.Buffer
	b.WriteString("rolewise plan chain 1\n")
	b.Write(previous[:])
	text := func(s string) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(s)))
		b.WriteString(s)
	}
	text("role-acme.x")
	_ = binary.Write(&b, binary.BigEndian, uint64(7))
	id, _ := hex.DecodeString("0190a1b2c3d47e5f8a6b000000000001")
	b.Write(id)
	text("RolePublished")
	text(`{"role":"x"}`)
	text(`{"plan":"acme"}`)
	inPlan := sha256.Sum256(b.Bytes())
	b.Reset()
	b.WriteString("rolewise store chain 1\n")
	b.Write(previousStore[:])
	_ = binary.Write(&b, binary.BigEndian, uint64(4711))
	b.Write(inPlan[:])
	inStore := sha256.Sum256(b.Bytes())

	links := NewLinker()
	for range 2 { // a Linker is used again and again
		plan := links.Plan(previous, &example)
		if plan != inPlan || plan.String() != "b908d3ba84a30e0cfa7b6a6c6ecb8f54baa1dceba2c70cfc4de3f41083c10ab4" {
			t.Errorf("link in the plan is %s, the document says %x", plan, inPlan)
		}
		if store := links.Store(previousStore, example.Position, plan); store != inStore || store.String() != "ed7c4aeee8f148afc533039e17c45ad8fd85ffcfe6c28ea50eee89c8bde8533f" {
			t.Errorf("link in the store is %s, the document says %x", store, inStore)
		}
	}
}

// TestAUD4EveryFieldCounts changes one thing after the other: no two have the same link.
func TestAUD4EveryFieldCounts(t *testing.T) {
	links, seen := NewLinker(), map[Hash]string{}
	plan := func(name string, previous Hash, change func(*eventstore.Recorded)) {
		e := example
		change(&e)
		h := links.Plan(previous, &e)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same link", name, other)
		}
		seen[h] = name
	}
	plan("unchanged", Hash{}, func(*eventstore.Recorded) {})
	plan("another before it", Hash{1}, func(*eventstore.Recorded) {})
	plan("revision", Hash{}, func(e *eventstore.Recorded) { e.Revision++ })
	plan("id", Hash{}, func(e *eventstore.Recorded) { e.ID[15]++ })
	plan("category", Hash{}, func(e *eventstore.Recorded) { e.Stream.Category = "roles" })
	plan("plan", Hash{}, func(e *eventstore.Recorded) { e.Stream.Plan = "acme2" })
	plan("stream id", Hash{}, func(e *eventstore.Recorded) { e.Stream.ID = "y" })
	plan("type", Hash{}, func(e *eventstore.Recorded) { e.Type = "RolePublishe" })
	plan("a byte moved from data to type", Hash{}, func(e *eventstore.Recorded) { e.Type, e.Data = e.Type+"{", e.Data[1:] })
	plan("a byte moved from metadata to data", Hash{}, func(e *eventstore.Recorded) { e.Data, e.Metadata = append(bytes.Clone(e.Data), '{'), e.Metadata[1:] })
	plan("data", Hash{}, func(e *eventstore.Recorded) { e.Data = []byte(`{"role":"y"}`) })
	plan("metadata", Hash{}, func(e *eventstore.Recorded) { e.Metadata = nil })
	for name, h := range map[string]Hash{"store": links.Store(Hash{}, 1, Hash{}), "position": links.Store(Hash{}, 2, Hash{}), "plan link": links.Store(Hash{}, 1, Hash{1}), "before it": links.Store(Hash{1}, 1, Hash{})} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same link", name, other)
		}
		seen[h] = name
	}
	e := example
	e.Position++
	if links.Plan(Hash{}, &e) != links.Plan(Hash{}, &example) {
		t.Error("the position is in the chain of the plan: an export would not verify elsewhere")
	}
}

func TestParse(t *testing.T) {
	h := NewLinker().Plan(Hash{}, &example)
	if got, err := Parse(h.String()); err != nil || got != h {
		t.Errorf("got %s, %v", got, err)
	}
	for _, text := range []string{"", "00", h.String() + "00", "x" + h.String()[1:]} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}
