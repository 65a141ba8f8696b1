package durability

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// load is the work of some writers. Every append follows from the seed, the writer and the append's number alone, so
// that a checker can tell, byte for byte, what must be in the store.
type load struct {
	Seed    uint64
	Writers int
	Streams int // shared by all writers
	Largest int // bytes of data that a large event may have; the others have at most 700
	Large   int // of a hundred events, how many may be large
}

// usual is the load that most harnesses put on a store.
func usual(seed uint64) load {
	return load{Seed: seed, Writers: 16, Streams: 300, Largest: 20_000, Large: 1}
}

// batch is one append: one event, or two to five.
type batch struct {
	stream eventstore.StreamID
	events []eventstore.Event
}

var (
	space = uuid.MustParse("0d6ff3c8-5b0e-4f0e-9f4b-2f3b8a9d4c11") // of the ids of events
	plans = []string{"acme", "globex", "initech"}
	kinds = []string{"RoleCreated", "RoleRenamed", "SkillAdded", "SkillRemoved"}
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// batch returns the append that a writer makes as the one with this number, counted from 0.
func (l load) batch(writer, number int) batch {
	random := rand.New(rand.NewPCG(l.Seed, uint64(writer)<<40|uint64(number)))
	n := random.IntN(l.Streams)
	b := batch{stream: eventstore.StreamID{Category: "role", Plan: plans[n%len(plans)], ID: "r" + strconv.Itoa(n)}}
	count := 1
	if random.IntN(2) == 0 {
		count = 2 + random.IntN(4)
	}
	for index := range count {
		name := fmt.Sprintf("%d/%d/%d/%d", l.Seed, writer, number, index)
		b.events = append(b.events, eventstore.Event{
			ID:       uuid.NewSHA1(space, []byte(name)),
			Type:     kinds[random.IntN(len(kinds))],
			Data:     l.data(random, place{writer, number, index}),
			Metadata: metadata(b.stream.Plan, name),
		})
	}
	return b
}

func metadata(plan, name string) []byte {
	return eventstore.Metadata{
		Plan: plan, Time: epoch, Actor: "system:durability", Command: name, Correlation: name, Schema: 1,
	}.Encode()
}

// data says in its first bytes which event it belongs to; the rest is noise.
func (l load) data(random *rand.Rand, p place) []byte {
	size := random.IntN(700)
	if random.IntN(100) < l.Large {
		size = random.IntN(l.Largest + 1)
	}
	data := make([]byte, 0, size+32)
	data = append(data, p.String()...)
	data = append(data, ' ')
	for range size / 8 {
		data = binary.LittleEndian.AppendUint64(data, random.Uint64())
	}
	return data
}

// place says which event of a load one is.
type place struct{ writer, number, index int }

func (p place) String() string { return fmt.Sprintf("%d/%d/%d", p.writer, p.number, p.index) }

// placeOf reads the beginning of an event's data.
func placeOf(data []byte) (p place, ok bool) {
	head, _, _ := bytes.Cut(data[:min(len(data), 40)], []byte(" "))
	parts := bytes.Split(head, []byte("/"))
	if len(parts) != 3 {
		return place{}, false
	}
	for i, to := range []*int{&p.writer, &p.number, &p.index} {
		n, err := strconv.ParseUint(string(parts[i]), 10, 32)
		if err != nil {
			return place{}, false
		}
		*to = int(n)
	}
	return p, true
}
