// Package dump writes documents and entries as lines, the same for every store.
package dump

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"rolewise/readmodels"
)

// Document returns the line of a document. JSON as encoding/json writes it stands there as it is; bytes that could
// break the line are quoted, under another first word, so that two contents never give one line.
func Document(key readmodels.Key, value []byte) string {
	word, text := "doc", string(value)
	if !plain(value) {
		word, text = "raw", strconv.Quote(text)
	}
	return strings.Join([]string{word, strconv.Quote(key.Plan), strconv.Quote(key.Collection), strconv.Quote(key.ID), text}, " ")
}

// Entry returns the line of an entry.
func Entry(index readmodels.Index, value string) string {
	return strings.Join([]string{"entry", strconv.Quote(index.Plan), strconv.Quote(index.Name), strconv.Quote(value)}, " ")
}

// CompareKeys is the canonical order of documents; they precede all entries.
func CompareKeys(a, b readmodels.Key) int {
	return cmp.Or(cmp.Compare(a.Plan, b.Plan), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.ID, b.ID))
}

// CompareIndexes is the canonical order of indexes; within one, entries are ordered by their bytes.
func CompareIndexes(a, b readmodels.Index) int {
	return cmp.Or(cmp.Compare(a.Plan, b.Plan), cmp.Compare(a.Name, b.Name))
}

func plain(value []byte) bool {
	for _, b := range value {
		if b < ' ' {
			return false
		}
	}
	return utf8.Valid(value)
}
