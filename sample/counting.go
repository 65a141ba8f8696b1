package sample

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rolewise/eventstore"
)

// Mix says what a generation made: how many events of each type.
type Mix struct {
	Events  map[string]int // of the whole plan, by type; empty if the plan was complete before
	Already bool           // the plan was complete: nothing was added
	Resumed int            // events that an earlier generation, cut off, had left; 0: a fresh one
}

// Total is the number of events.
func (m Mix) Total() int {
	total := 0
	for _, n := range m.Events {
		total += n
	}
	return total
}

// String returns the mix as a table, the most frequent first.
func (m Mix) String() string {
	if m.Already {
		return "the sample is there already: nothing was added\n"
	}
	var b strings.Builder
	types := slices.SortedFunc(maps.Keys(m.Events), func(x, y string) int {
		if m.Events[x] != m.Events[y] {
			return m.Events[y] - m.Events[x]
		}
		return strings.Compare(x, y)
	})
	total := m.Total()
	for _, name := range types {
		fmt.Fprintf(&b, "%9d %5.1f %%  %s\n", m.Events[name], 100*float64(m.Events[name])/float64(total), name)
	}
	fmt.Fprintf(&b, "%9d          events\n", total)
	return b.String()
}

// counting is a store that counts what is appended.
type counting struct {
	eventstore.Store
	events map[string]int
	total  int
}

func (c *counting) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	position, err := c.Store.Append(ctx, stream, expected, events...)
	if err == nil {
		for _, e := range events {
			c.events[e.Type]++
		}
		c.total += len(events)
	}
	return position, err
}
