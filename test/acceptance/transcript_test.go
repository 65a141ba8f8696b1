package acceptance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rolewise/test/harness"
)

// transcript writes down what a server answered, without what differs from one run to the next: times, positions, lag,
// and the ids and secrets that the server made. Those are numbered in the order in which they appear, so that one id at
// two places is told from two ids.
type transcript struct {
	lines []string
	known map[string]bool   // ids and times that the caller gave: they stay
	names map[string]string // of what the server made
}

func newTranscript(known ...string) *transcript {
	tr := &transcript{known: map[string]bool{}, names: map[string]string{}}
	for _, text := range known {
		tr.known[text] = true
	}
	return tr
}

var (
	madeUp    = regexp.MustCompile(`rw_[a-z0-9.-]+_[a-z0-9]+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}`)
	moments   = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z`)
	freshness = regexp.MustCompile(`"(position|lag_ms|next|cause_position)":("[0-9]+"|-?[0-9]+)`)
)

func (tr *transcript) add(what string, r harness.Response) {
	text := fmt.Sprintf("%s\n%d %s\n%s\n", what, r.Status, r.Header.Get("Content-Type"), r.Body)
	text = freshness.ReplaceAllString(text, `"$1":<$1>`)
	text = moments.ReplaceAllStringFunc(text, func(found string) string {
		if tr.known[found] {
			return found
		}
		return "<time>"
	})
	text = madeUp.ReplaceAllStringFunc(text, func(found string) string {
		if tr.known[found] {
			return found
		}
		if tr.names[found] == "" {
			tr.names[found] = fmt.Sprintf("<made %d>", len(tr.names)+1)
		}
		return tr.names[found]
	})
	tr.lines = append(tr.lines, strings.Split(text, "\n")...)
}

// sameAs fails the test at the first line in which two transcripts differ.
func (tr *transcript) sameAs(t *testing.T, other *transcript) {
	t.Helper()
	if len(tr.lines) != len(other.lines) {
		t.Errorf("%d lines in one, %d in the other", len(tr.lines), len(other.lines))
	}
	for i := range min(len(tr.lines), len(other.lines)) {
		if tr.lines[i] != other.lines[i] {
			t.Errorf("line %d is\n%s\nin the other\n%s", i+1, tr.lines[i], other.lines[i])
			return
		}
	}
}
