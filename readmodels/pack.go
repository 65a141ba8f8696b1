package readmodels

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// Documents that every event touches are packed: a tenth of the time of JSON, and a fifth of its size. The form is
// canonical, so that equal documents have equal bytes. It may change, with the version of the projection.

// words are packed as one byte. New ones go to the end.
var words = []string{
	"", "novice", "emerging", "average", "above_average", "expert",
	"assigned", "in_progress", "pending", "completed", "beginner", "entry", "mid", "senior",
	"beta", "validated", "retired", "all_required.v1", "k_of_n.v1", "mean_of_thresholds.v1", "direct",
	"SkillIQMeasured", "SkillIQInvalidated", "LevelSelected", "RoleVisited", "ProgressRefreshed", "RolePublished",
	"MemberAssigned", "MemberUnassigned", "TeamAssigned", "TeamUnassigned", "TeamMemberAdded", "TeamMemberRemoved",
	"SkillValidated", "SkillRetired", "RecalculationPolicySet", "LevelRulePolicySet",
}

var wordNumbers = func() map[string]byte {
	numbers := map[string]byte{}
	for i, word := range words {
		numbers[word] = byte(i)
	}
	return numbers
}()

const throughTeam = "team:" // as in TeamPath

const (
	plainText = 0xff // a text follows: its length, its bytes
	uuidText  = 0xfe // a UUID follows: 16 bytes
	teamText  = 0xfd // the path through a team, whose UUID follows
)

// packText appends a known word as one byte, a UUID as 17, any other text as it is.
func packText(b []byte, text string) []byte {
	if len(text) == 36 {
		if packed, ok := packUUID(b, uuidText, text); ok {
			return packed
		}
	} else if number, known := wordNumbers[text]; known {
		return append(b, number)
	} else if len(text) == len(throughTeam)+36 && text[:len(throughTeam)] == throughTeam {
		if packed, ok := packUUID(b, teamText, text[len(throughTeam):]); ok {
			return packed
		}
	}
	b = binary.AppendUvarint(append(b, plainText), uint64(len(text)))
	return append(b, text...)
}

// packUUID packs the canonical form only, so that the same text comes out again.
func packUUID(b []byte, kind byte, text string) ([]byte, bool) {
	if text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return b, false
	}
	packed, bad := [17]byte{kind}, byte(0)
	for i, at := range uuidPairs {
		high, low := nibbles[text[at]], nibbles[text[at+1]]
		bad |= high | low
		packed[i+1] = high<<4 | low&15
	}
	return append(b, packed[:]...), bad < 16
}

// uuidPairs is where the bytes of a UUID stand in its text.
var uuidPairs = [16]byte{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// nibbles are the values of the lower-case digits, 0xff for all other bytes.
var nibbles = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i, digit := range []byte("0123456789abcdef") {
		values[digit] = byte(i)
	}
	return values
}()

func packTexts(b []byte, texts []string) []byte {
	b = packNumber(b, len(texts))
	for _, text := range texts {
		b = packText(b, text)
	}
	return b
}

func packNumber(b []byte, n int) []byte { return binary.AppendVarint(b, int64(n)) }

func packBytes(b, bytes []byte) []byte {
	return append(packNumber(b, len(bytes)), bytes...)
}

// packTime keeps the moment, not the zone: its milliseconds, and the rest of it where there is one.
func packTime(b []byte, t time.Time) []byte {
	rest := t.Nanosecond() % 1e6
	if rest == 0 {
		return binary.AppendVarint(b, t.UnixMilli()<<1)
	}
	b = binary.AppendVarint(b, t.UnixMilli()<<1|1)
	return binary.AppendUvarint(b, uint64(rest))
}

var errPacked = errors.New("packed document is damaged")

// unpacker reads what was packed; after the first fault it yields zero values.
type unpacker struct {
	rest   []byte
	failed bool
}

func (u *unpacker) err() error {
	if u.failed || len(u.rest) > 0 {
		return errPacked
	}
	return nil
}

func (u *unpacker) take(n int) []byte {
	if u.failed || n < 0 || n > len(u.rest) {
		u.failed = true
		return nil
	}
	taken := u.rest[:n]
	u.rest = u.rest[n:]
	return taken
}

func (u *unpacker) uvarint() uint64 {
	n, size := binary.Uvarint(u.rest)
	if u.take(size); size <= 0 {
		u.failed = true
	}
	return n
}

func (u *unpacker) varint() int64 {
	n, size := binary.Varint(u.rest)
	if u.take(size); size <= 0 {
		u.failed = true
	}
	return n
}

func (u *unpacker) number() int { return int(u.varint()) }

// count is the number of things that follow, each of at least one byte.
func (u *unpacker) count() int {
	n := u.number()
	if n < 0 || n > len(u.rest) {
		u.failed = true
	}
	if u.failed {
		return 0
	}
	return n
}

func (u *unpacker) flags() byte {
	if b := u.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (u *unpacker) text() string {
	switch kind := u.flags(); {
	case int(kind) < len(words):
		return words[kind]
	case kind == uuidText:
		return u.uuid()
	case kind == teamText:
		return throughTeam + u.uuid()
	case kind == plainText:
		n := u.uvarint()
		if n > uint64(len(u.rest)) {
			u.failed = true
			return ""
		}
		return string(u.take(int(n)))
	}
	u.failed = true
	return ""
}

func (u *unpacker) uuid() string {
	b := u.take(16)
	if b == nil {
		return ""
	}
	var text [36]byte
	hex.Encode(text[:8], b[:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

func (u *unpacker) texts() []string {
	n := u.count()
	if n == 0 {
		return nil
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = u.text()
	}
	return texts
}

func (u *unpacker) bytes() []byte {
	return append([]byte(nil), u.take(u.number())...)
}

func (u *unpacker) time() time.Time {
	packed := u.varint()
	t := time.UnixMilli(packed >> 1)
	if packed&1 == 1 {
		t = t.Add(time.Duration(u.uvarint()))
	}
	return t.UTC()
}
