package kurrenttest

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

const statistics = "$stats-127.0.0.1:2113"

// system makes the events that a real log has of its own. They exist on the wire only and are the same at each start.
type system struct {
	every eventstore.Position // one follows each position divisible by this; 0: there are none
}

var namespace = uuid.MustParse("6f0d5a53-8d0e-4f4c-9a57-6f5c9f9f3c11")

// first returns the events before the first of the store.
func (s system) first() []event {
	if s.every == 0 {
		return nil
	}
	at := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	list := []event{
		{commit: 167, stream: "$$" + statistics, kind: "$metadata", data: []byte(`{"$maxCount":1000000000}`), json: true},
		{commit: 394, stream: "$user-admin", kind: "$UserCreated", data: []byte(`{"loginName":"admin","groups":["$admins"],"disabled":false}`), json: true},
		{commit: 612, stream: "$users", kind: "$User", data: []byte("admin")},
	}
	for i := range list {
		list[i].id = uuid.NewSHA1(namespace, []byte(list[i].stream))
		list[i].created = at
	}
	return list
}

// behind returns the event that follows one of the store, if one does.
func (s system) behind(p eventstore.Position, created time.Time) (event, bool) {
	if s.every == 0 || p%s.every != 0 {
		return event{}, false
	}
	return event{
		id: uuid.NewSHA1(namespace, []byte(p.String())), kind: "$statsCollected", stream: statistics,
		revision: uint64(p/s.every) - 1, commit: commitOf(p) + beside, json: true, created: created,
		data: fmt.Appendf(nil, `{"es-writer-position":%d}`, commitOf(p)),
	}, true
}

// owns tells whether a stream consists of system events. Nothing can be appended to it.
func (s system) owns(name string) bool {
	if s.every == 0 {
		return false
	}
	switch name {
	case statistics, "$$" + statistics, "$user-admin", "$users":
		return true
	}
	return false
}

// valid tells whether an event can lie at a commit position.
func (s system) valid(commit uint64) bool {
	if commit == 0 || commit == end {
		return true
	}
	for _, e := range s.first() {
		if e.commit == commit {
			return true
		}
	}
	p := reached(commit)
	if p == 0 {
		return false
	}
	return commitOf(p) == commit || s.every > 0 && p%s.every == 0 && commitOf(p)+beside == commit
}
