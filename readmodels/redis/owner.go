package redis

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"rolewise/readmodels"
)

// Documents begin with four bytes that are made of the names of their owner: scope, plan, collection and id. A document
// that lies where another belongs is found when it is read.

// sealed is how many bytes they are.
const sealed = 4

var errOwner = errors.New("a document does not belong where it lies")

// seal returns what is stored of a document; the prefix is that of its scope.
func seal(prefix string, key readmodels.Key, value []byte) []byte {
	stored := make([]byte, sealed, sealed+len(value))
	binary.LittleEndian.PutUint32(stored, owner(prefix, key))
	return append(stored, value...)
}

// open returns the document of what is stored, or errOwner.
func open(prefix string, key readmodels.Key, stored string) ([]byte, error) {
	value := []byte(stored)
	if len(value) < sealed || binary.LittleEndian.Uint32(value) != owner(prefix, key) {
		return nil, errOwner
	}
	return value[sealed:], nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func owner(prefix string, key readmodels.Key) uint32 {
	var room [128]byte
	name := append(room[:0], prefix...)
	for _, part := range []string{key.Plan, key.Collection, key.ID} {
		name = append(append(name, part...), 0)
	}
	return crc32.Checksum(name, castagnoli)
}
