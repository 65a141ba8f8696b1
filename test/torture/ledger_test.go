package torture

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rolewise/test/harness"
)

// acknowledged is a command that was answered, with the answer.
type acknowledged struct {
	key, name string
	answer    harness.Answer
}

// ledger is what a client knows: every answer it got.
type ledger struct {
	mu      sync.Mutex
	entries []acknowledged
}

func (l *ledger) add(e acknowledged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// newest is the entry with the highest position that has events.
func (l *ledger) newest() (newest acknowledged, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if len(e.answer.Events) > 0 && (!found || number(e.answer.Position) > number(newest.answer.Position)) {
			newest, found = e, true
		}
	}
	return newest, found
}

// event is one of the history, as far as the ledger is concerned.
type event struct {
	position uint64
	id, kind string
	stream   string
	revision int64
	command  string
}

func eventsOf(feed []harness.Event) []event {
	all := make([]event, len(feed))
	for i, e := range feed {
		all[i] = event{position: number(e.Position), id: e.ID, kind: e.Type, stream: e.Stream, revision: e.Revision, command: e.Command}
	}
	return all
}

func number(position string) uint64 {
	n, err := strconv.ParseUint(position, 10, 64)
	if err != nil {
		return 0 // no event has it
	}
	return n
}

// guards tells whether an event is one by which commands guard themselves: a reservation, or a note about a key.
func guards(e event) bool {
	return strings.HasPrefix(e.stream, "email-") || strings.HasPrefix(e.stream, "title-") || strings.HasPrefix(e.stream, "command-")
}

// check compares a ledger, in which every command has its answer, with the history of the plan from its beginning.
// Commands up to the position start came before the ledger. It returns what is wrong.
//
// Every acknowledged event is in the history exactly once, at its position; a command has the events that its answer
// says and no others; no event is there that nobody was told of; positions rise, revisions have no gap.
func check(entries []acknowledged, history []event, start uint64) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	at := map[uint64]event{}
	byCommand := map[string][]event{}
	ids := map[string]bool{}
	next := map[string]int64{}
	last := uint64(0)
	for _, e := range history {
		if e.position <= last {
			complain("position %d comes after %d", e.position, last)
		}
		if e.revision != next[e.stream] {
			complain("%s: revision %d comes where %d was due", e.stream, e.revision, next[e.stream])
		}
		if ids[e.id] {
			complain("the event %s is there twice", e.id)
		}
		last, next[e.stream], ids[e.id], at[e.position] = e.position, e.revision+1, true, e
		if e.position > start && !guards(e) {
			byCommand[e.command] = append(byCommand[e.command], e)
		}
	}
	for _, entry := range entries {
		if len(entry.answer.Events) == 0 {
			continue
		}
		e, found := at[number(entry.answer.Position)]
		if !found || e.stream != entry.answer.Stream || e.revision != entry.answer.Revision {
			complain("%s %s: %s revision %d was acknowledged at %s, there is %+v", entry.name, entry.key,
				entry.answer.Stream, entry.answer.Revision, entry.answer.Position, e)
			continue
		}
		events, found := byCommand[e.command]
		if !found {
			complain("%s %s: its events are those of another command too", entry.name, entry.key)
			continue
		}
		delete(byCommand, e.command)
		for _, problem := range fits(entry.answer, events) {
			complain("%s %s: %s", entry.name, entry.key, problem)
		}
	}
	for command, events := range byCommand {
		complain("nobody was told of the command %s: %+v", command, events)
	}
	return wrong
}

// fits compares an answer with all events of its command.
func fits(answer harness.Answer, events []event) (wrong []string) {
	kinds := make([]string, len(events))
	for i, e := range events {
		kinds[i] = e.kind
	}
	want := answer.Events
	if len(answer.Items) > 0 { // a bulk command appends to several streams, in any order
		kinds, want = slices.Sorted(slices.Values(kinds)), slices.Sorted(slices.Values(want))
	}
	if !slices.Equal(kinds, want) {
		wrong = append(wrong, fmt.Sprintf("acknowledged %v, the history has %v", want, kinds))
	}
	newest := slices.MaxFunc(events, func(a, b event) int { return cmp.Compare(a.position, b.position) })
	if newest.position != number(answer.Position) {
		wrong = append(wrong, fmt.Sprintf("acknowledged position %s, its last event is at %d", answer.Position, newest.position))
	}
	return wrong
}
