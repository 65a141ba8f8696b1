// Package chain is the arithmetic of tamper evidence (SPEC AUD-4): each event is bound by a hash to all events before it,
// once within its plan and once within the store. docs/audit-format.md describes the same bytes for other programs.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"rolewise/eventstore"
)

// Hash is a SHA-256. The zero value stands before the first event of a chain.
type Hash [sha256.Size]byte

// String returns the hexadecimal form.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Parse reads the hexadecimal form.
func Parse(text string) (h Hash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return Hash{}, fmt.Errorf("a hash has %d hexadecimal digits", 2*len(h))
	}
	return Hash(b), nil
}

// What the hashes of the two chains begin with, so that one is never taken for the other.
const (
	planTag  = "rolewise plan chain 1\n"
	storeTag = "rolewise store chain 1\n"
)

// Linker computes links. It keeps its buffers, so that a link costs no memory; it belongs to one goroutine.
type Linker struct {
	sum    hash.Hash
	buffer []byte
}

// NewLinker returns a Linker.
func NewLinker() *Linker { return &Linker{sum: sha256.New()} }

// Plan returns the link of an event in the chain of its plan. It covers stream, revision, id, type, data and metadata,
// and not the position, which differs from store to store: an exported plan verifies anywhere.
func (l *Linker) Plan(previous Hash, e *eventstore.Recorded) Hash {
	b := append(l.buffer[:0], planTag...)
	b = append(b, previous[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Stream.Category)+len(e.Stream.Plan)+len(e.Stream.ID)+2))
	b = append(append(append(b, e.Stream.Category...), '-'), e.Stream.Plan...)
	b = append(append(b, '.'), e.Stream.ID...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Revision))
	b = append(b, e.ID[:]...)
	b = field(b, e.Type)
	b = field(b, e.Data)
	b = field(b, e.Metadata)
	l.buffer = b
	return l.hash(b)
}

// Store returns the link of an event in the chain of the store, given its link in the chain of its plan.
func (l *Linker) Store(previous Hash, position eventstore.Position, plan Hash) Hash {
	b := append(l.buffer[:0], storeTag...)
	b = append(b, previous[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(position))
	b = append(b, plan[:]...)
	l.buffer = b
	return l.hash(b)
}

func (l *Linker) hash(b []byte) (h Hash) {
	l.sum.Reset()
	l.sum.Write(b) // never fails
	l.sum.Sum(h[:0])
	return h
}

// field appends a value after its length, so that no two events have the same bytes.
func field[T string | []byte](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(b, value...)
}
