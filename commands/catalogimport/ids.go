package catalogimport

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// idTime stands in every imported id. It never changes, not for newer tables either: an occupation keeps its id from
// one release to the next because its id depends on nothing but its code.
var idTime = time.Date(2018, time.August, 1, 0, 0, 0, 0, time.UTC)

// ID returns the id under which the import stores something: a UUID of version 7 made of a fixed time and of the
// SHA-256 of "onet:", the kind and the code. Kinds are "role" (by occupation code, such as "15-1132.00"), "skill" (by
// element id, such as "2.A.1.a") and "technology" (by name).
func ID(kind, code string) string {
	sum := sha256.Sum256([]byte("onet:" + kind + ":" + code))
	var id uuid.UUID
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(idTime.UnixMilli()))
	copy(id[:6], at[2:])
	copy(id[6:], sum[:10])
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id.String()
}
