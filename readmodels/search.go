package readmodels

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WordEntries returns the entries under which a search finds something: each of its words, with all of its text, so
// that the words of a search are compared without a look at the document.
func WordEntries(id string, texts ...string) []string {
	text := Fold(strings.Join(texts, " "))
	var all []string
	for _, word := range wordsOf(text) {
		all = append(all, EntryOf(word, text, id))
	}
	return all
}

// wordsOf returns the words of a folded text, each once; what holds signs, as e-mail addresses do, counts whole and by
// its parts.
func wordsOf(text string) []string {
	words := append(strings.Fields(text), strings.FieldsFunc(text, sign)...)
	slices.Sort(words)
	return slices.Compact(words)
}

func sign(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// mostEntries is how many entries of an index a search reads at a time, once the first few did not suffice.
const mostEntries = 2000

// find lists the permitted documents of which some word begins with each word of search: the longest of them chooses
// entries of the index of words.
func find[T any](ctx context.Context, r Reader, c Collection[T], plan, index, search string, want Want, permitted func(*T) bool) (List[*T], error) {
	wanted := Wanted(search)
	var page List[*T]
	if len(wanted) == 0 {
		return page, nil
	}
	longest := slices.MaxFunc(wanted, func(a, b string) int { return len(a) - len(b) })
	last := "" // entry of the last item
	batch := 2 * (want.Limit + 1)
	for after := want.After; ; {
		entries, err := r.Entries(ctx, Directory, Index{plan, index}, Range{Prefix: longest, After: after, Limit: batch})
		if err != nil {
			return List[*T]{}, err
		}
		fitting := slices.DeleteFunc(slices.Clone(entries), func(entry string) bool { return !fits(entry, wanted, longest) })
		for chunk := range slices.Chunk(fitting, want.Limit+1) {
			rows, err := documents(ctx, r, c, plan, chunk)
			if err != nil {
				return List[*T]{}, err
			}
			for i, row := range rows {
				if row == nil || !permitted(row) {
					continue
				}
				if len(page.Items) == want.Limit {
					page.Next = last
					return page, nil
				}
				page.Items, last = append(page.Items, row), chunk[i]
			}
		}
		if len(entries) < batch {
			return page, nil
		}
		after, batch = entries[batch-1], mostEntries
	}
}

// documents reads the documents of entries.
func documents[T any](ctx context.Context, r Reader, c Collection[T], plan string, entries []string) ([]*T, error) {
	ids := make([]string, len(entries))
	for i, entry := range entries {
		ids[i] = EntryID(entry)
	}
	return c.Load(ctx, r, Directory, plan, ids...)
}

// fits tells whether the text of an entry has all words, and whether this is the entry under which it is listed: that of
// its first word with the prefix, since several of its words may have it.
func fits(entry string, wanted []string, longest string) bool {
	word, rest, _ := strings.Cut(entry, separator)
	text, _, _ := strings.Cut(rest, separator)
	for _, prefix := range wanted {
		if !hasWord(text, prefix) {
			return false
		}
	}
	words := wordsOf(text) // in order
	first := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, longest) })
	return first >= 0 && words[first] == word
}

// hasWord tells whether some word of a folded text has a prefix.
func hasWord(text, prefix string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], prefix)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at+i])
		if at+i == 0 || sign(before) {
			return true
		}
		at += i + 1
	}
}
