package durability

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

// call is an operation on one stream: an append, or a read without ids.
type call struct {
	Stream eventstore.StreamID
	At     eventstore.Revision // that an append expects, or from which on is read
	IDs    []uuid.UUID         // of the events to append
}

// answer is what came of a call: of an append its position, or the conflict; of a read the events.
type answer struct {
	Position eventstore.Position
	Conflict bool
	Have     eventstore.Revision // that a conflict names
	Events   []stood
}

// stood is an event where it stands.
type stood struct {
	ID       uuid.UUID
	Revision eventstore.Revision
	Position eventstore.Position
}

// streamState is a stream as the model sees it. The events are never changed, only followed.
type streamState struct {
	events []stood
	hash   uint64 // of the events
}

// model says what a stream may answer: an append at its end is taken, at a place after all before it; one whose events
// stand where they were to stand has its first result; any other is a conflict that names the end; a read yields all
// that is there. Streams are independent of each other but for their positions, which inOrder looks at.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		index := map[eventstore.StreamID]int{}
		for _, o := range history {
			stream := o.Input.(call).Stream
			if _, known := index[stream]; !known {
				index[stream] = len(parts)
				parts = append(parts, nil)
			}
			parts[index[stream]] = append(parts[index[stream]], o)
		}
		return parts
	},
	Init: func() any { return streamState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(streamState), input.(call), output.(answer)
		if in.IDs == nil {
			return slices.Equal(out.Events, s.events[min(int(in.At), len(s.events)):]), s
		}
		return s.append(in, out)
	},
	Equal: func(a, b any) bool {
		x, y := a.(streamState), b.(streamState)
		return x.hash == y.hash && slices.Equal(x.events, y.events)
	},
	Hash:              func(state any) uint64 { return state.(streamState).hash },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v: %v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprint(state.(streamState).events) },
}

func (s streamState) append(in call, out answer) (bool, streamState) {
	last := eventstore.Revision(len(s.events)) - 1
	if in.At == last {
		first := out.Position - eventstore.Position(len(in.IDs)) + 1
		if out.Conflict || last >= 0 && first <= s.events[last].Position {
			return false, s
		}
		return true, s.with(in.IDs, first)
	}
	if s.has(in) {
		place := s.events[int(in.At)+len(in.IDs)]
		return !out.Conflict && out.Position == place.Position, s
	}
	return out.Conflict && out.Have == last, s
}

// has tells whether the events of an append stand where they were to stand.
func (s streamState) has(in call) bool {
	from := int(in.At) + 1
	if from+len(in.IDs) > len(s.events) {
		return false
	}
	for i, id := range in.IDs {
		if s.events[from+i].ID != id {
			return false
		}
	}
	return true
}

func (s streamState) with(ids []uuid.UUID, first eventstore.Position) streamState {
	sum := fnv.New64a()
	_ = binary.Write(sum, binary.BigEndian, s.hash) // never fails
	grown := streamState{events: slices.Clone(s.events)}
	for i, id := range ids {
		e := stood{id, eventstore.Revision(len(grown.events)), first + eventstore.Position(i)}
		grown.events = append(grown.events, e)
		_ = binary.Write(sum, binary.BigEndian, e) // never fails
	}
	grown.hash = sum.Sum64()
	return grown
}

// record is a history in the making.
type record struct {
	begin time.Time
	ticks chan struct{} // one for each operation, as long as there is room

	mu         sync.Mutex
	left       int // operations to be made
	operations []porcupine.Operation
	made       []call // appends
	conflicts  int
	repeats    int // answered with a first result
	unknown    int // attempts without an answer
	first      map[uuid.UUID]bool
}

func newRecord(operations int) *record {
	return &record{begin: time.Now(), left: operations, ticks: make(chan struct{}, 4*operations), first: map[uuid.UUID]bool{}}
}

func (r *record) now() int64 { return int64(time.Since(r.begin)) }

// claim tells whether another operation is to be made.
func (r *record) claim() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left--
	return r.left >= 0
}

// note takes an operation with its answer.
func (r *record) note(client int, called int64, in call, out answer) {
	returned := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
	switch {
	case in.IDs == nil:
	case out.Conflict:
		r.conflicts++
	case r.first[in.IDs[0]]:
		r.repeats++
	default:
		r.first[in.IDs[0]] = true
	}
	select {
	case r.ticks <- struct{}{}:
	default:
	}
}

func (r *record) unanswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unknown++
}

// verdict judges a history: whether it is linearizable, and whether its positions are in the order of its appends.
func (r *record) verdict() (porcupine.CheckResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, err := porcupine.CheckOperationsTimeout(model, r.operations, patience), inOrder(r.operations)
	if err != nil {
		return porcupine.Illegal, fmt.Errorf("%s by streams, but %w", result, err)
	}
	return result, nil
}

// inOrder demands that no two appends share a position, over all streams, and that one which was answered before
// another began stands before it.
func inOrder(history []porcupine.Operation) error {
	type taken struct {
		position       eventstore.Position
		called, answer int64 // of the earliest attempt, and the earliest answer
	}
	appends := map[string]*taken{}
	for _, o := range history {
		in, out := o.Input.(call), o.Output.(answer)
		if in.IDs == nil || out.Conflict {
			continue
		}
		key := fmt.Sprint(in)
		t, known := appends[key]
		if !known {
			appends[key] = &taken{out.Position, o.Call, o.Return}
			continue
		}
		t.called, t.answer = min(t.called, o.Call), min(t.answer, o.Return)
	}
	all := make([]*taken, 0, len(appends))
	for _, t := range appends {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *taken) int { return cmp.Compare(b.position, a.position) })
	earliest, above := int64(math.MaxInt64), eventstore.Position(0)
	for _, t := range all { // from the last position down
		if t.position == above {
			return fmt.Errorf("position %s was given to two appends", t.position)
		}
		above = t.position
		if t.called > earliest {
			return fmt.Errorf("position %s was given to an append that began after one at a higher position was answered", t.position)
		}
		earliest = min(earliest, t.answer)
	}
	return nil
}
