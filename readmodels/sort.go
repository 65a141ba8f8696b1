package readmodels

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// separator stands between the parts of an index entry. It sorts before every other byte and occurs in no text.
const separator = "\x00"

// Fold maps a text to the form under which it is sorted and searched: without case and accents (SPEC MEM-4).
func Fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	folded, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), cases.Fold(), norm.NFC), s)
	if err != nil { // only for invalid UTF-8, which no event holds
		return strings.ToLower(s)
	}
	return letters.Replace(folded)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// letters maps what Unicode does not decompose, though people take it for a letter with an accent.
var letters = strings.NewReplacer("ł", "l", "ø", "o", "đ", "d", "ħ", "h", "ŧ", "t", "ı", "i", "æ", "ae", "œ", "oe", "ð", "d", "þ", "th")

// Wanted returns the words of a search: those of which an item must have the beginning.
func Wanted(search string) []string {
	var words []string
	for _, word := range strings.Fields(Fold(search)) {
		if word = strings.Trim(word, ",;:.()\"'"); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// EntryOf joins the parts of an index entry; the last one is an id.
func EntryOf(parts ...string) string { return strings.Join(parts, separator) }

// EntryID returns the last part of an index entry.
func EntryID(entry string) string { return entry[strings.LastIndex(entry, separator)+1:] }

// IndexOf names an index that is for one thing: short entries in a small index take a fifth of the memory of long ones in
// one for all.
func IndexOf(index, id string) string { return index + ":" + id }

// kindOf is the name that the indexes of one kind share.
func kindOf(index string) string {
	kind, _, _ := strings.Cut(index, ":")
	return kind
}

// ShortID is the form of an id in entries: a UUID in 22 characters, in the same order, and anything else as it is behind
// a mark.
func ShortID(id string) string {
	var buffer [17]byte
	if len(id) == 36 {
		if packed, ok := packUUID(buffer[:0], 0, id); ok {
			return inOrder.EncodeToString(packed[1:])
		}
	}
	return verbatim + id
}

// LongID is the id that a ShortID stands for.
func LongID(short string) string {
	if id, found := strings.CutPrefix(short, verbatim); found {
		return id
	}
	packed, err := inOrder.DecodeString(short)
	if err != nil {
		return short
	}
	u := unpacker{rest: packed}
	return u.uuid()
}

const verbatim = "\x01"

// inOrder is base64 with digits in the order of their bytes.
var inOrder = base64.NewEncoding("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz").WithPadding(base64.NoPadding)

// VersionID is the id of the document of one version of a role.
func VersionID(role string, version int) string { return role + "." + strconv.Itoa(version) }

// PairID is the id of a document about two things, such as a member in a role.
func PairID(a, b string) string { return a + "." + b }

// VersionEntry is the entry under which a version of a role is listed, the newest first.
func VersionEntry(role string, version int) string {
	return EntryOf(role, fmt.Sprintf("%010d", math.MaxInt32-version), VersionID(role, version))
}
