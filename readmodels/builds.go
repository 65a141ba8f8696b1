package readmodels

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolewise/eventstore"
)

// Build names one read model of a projection: the version of the rules that made it, and which of several builds by the
// same rules it is. The first of a version has the number 0.
type Build struct {
	Version int   `json:"version"`
	Number  int64 `json:"number,omitempty"`
}

// String is the form that operators use: "3", or "3+1795323600".
func (b Build) String() string {
	if b.Number == 0 {
		return strconv.Itoa(b.Version)
	}
	return strconv.Itoa(b.Version) + "+" + strconv.FormatInt(b.Number, 10)
}

// ParseBuild reads what String gives.
func ParseBuild(text string) (Build, error) {
	version, number, numbered := strings.Cut(text, "+")
	b, err := Build{}, error(nil)
	if b.Version, err = strconv.Atoi(version); err == nil && numbered {
		b.Number, err = strconv.ParseInt(number, 10, 64)
	}
	if err != nil || b.Version < 1 || b.Number < 0 || b.String() != text {
		return Build{}, fmt.Errorf("%q names no build: it is a version such as 3, or 3+1795323600", text)
	}
	return b, nil
}

// Build is the part of a scope's name that tells builds apart.
func (s Scope) Build() Build { return Build{s.Version, s.Number} }

// Of is the same partition of another build.
func (s Scope) Of(b Build) Scope {
	s.Version, s.Number = b.Version, b.Number
	return s
}

// Builds says which read models of one projection there are, and which of them queries read. It is kept beside them
// and lost with them: then there is one, by the rules in force.
//
// Operators write what they wish into it; the processes that project do it. Whoever reads it finds a build that is whole.
type Builds struct {
	Live    Build   `json:"live"`
	Before  *Build  `json:"before,omitempty"`  // that was live before, and can be again
	Next    *Next   `json:"next,omitempty"`    // that is being built beside
	Paused  []Build `json:"paused,omitempty"`  // that stand still
	Leaving []Build `json:"leaving,omitempty"` // that nobody reads any more, and whose data is being removed
	Orders  []Order `json:"orders,omitempty"`  // about what is parked

	// Cancelled is a newer version whose build was given up: it is not begun again by itself.
	Cancelled int `json:"cancelled,omitempty"`
}

// Next is a build on its way.
type Next struct {
	Build
	Promote bool                `json:"promote,omitempty"` // as soon as it has caught up
	Park    bool                `json:"park,omitempty"`    // what cannot be applied, rather than stopping
	Rate    int                 `json:"rate,omitempty"`    // most events of the log that a process reads for it in a second; 0: any
	Begun   time.Time           `json:"begun"`
	Goal    eventstore.Position `json:"goal,omitempty"`  // the end of the log when it was begun, as far as is known
	Fault   string              `json:"fault,omitempty"` // at which it stopped
}

// Order asks those who project to replay or to discard parked streams of one partition.
type Order struct {
	ID        string    `json:"id"`
	Discard   bool      `json:"discard,omitempty"` // else replay
	Build     Build     `json:"build"`
	Partition int       `json:"partition"`
	Streams   []Ordered `json:"streams"`
	Given     time.Time `json:"given"`
	Done      bool      `json:"done,omitempty"`
	Still     []string  `json:"still,omitempty"` // streams that did not go through
	Error     string    `json:"error,omitempty"`
}

// Ordered is a stream that an order is about, as it was when the order was given: what has changed since is not done
// again.
type Ordered struct {
	Stream string              `json:"stream"`
	First  eventstore.Position `json:"first,omitempty"` // of what waits; 0: what was discarded is to be taken back
}

// All lists the builds that have data, the live one first.
func (b *Builds) All() []Build {
	all := []Build{b.Live}
	if b.Before != nil {
		all = append(all, *b.Before)
	}
	if b.Next != nil {
		all = append(all, b.Next.Build)
	}
	return all
}

// Knows tells whether a build has data, or still has.
func (b *Builds) Knows(build Build) bool {
	return slices.Contains(b.All(), build) || slices.Contains(b.Leaving, build)
}

// Readable returns the build that a program of a version of the rules reads: the live one, or else the newest of its own
// version. Rows of another version may mean something else.
func (b *Builds) Readable(version int) (Build, bool) {
	for _, one := range []*Build{&b.Live, b.Before} {
		if one != nil && one.Version == version {
			return *one, true
		}
	}
	return Build{}, false
}

// leave lets a build go. One of newer rules than those of the live build was given up, and is not begun again by itself.
func (b *Builds) leave(build Build) {
	if build.Version > b.Live.Version {
		b.Cancelled = build.Version
	}
	b.Paused = slices.DeleteFunc(b.Paused, func(one Build) bool { return one == build })
	b.Orders = slices.DeleteFunc(b.Orders, func(one Order) bool { return one.Build == build })
	if !slices.Contains(b.Leaving, build) {
		b.Leaving = append(b.Leaving, build)
	}
}

// Rebuild begins a build beside the live one. One that was being built is given up for it.
func (b *Builds) Rebuild(next Next) {
	if b.Next != nil {
		b.leave(b.Next.Build)
	}
	for b.Knows(next.Build) {
		next.Number = max(next.Number+1, next.Begun.Unix())
	}
	b.Next, b.Cancelled = &next, 0
}

// Promote lets queries read what was built. The build that was live stays, the one before it leaves.
func (b *Builds) Promote() {
	if b.Before != nil {
		b.leave(*b.Before)
	}
	before := b.Live
	b.Before, b.Live, b.Next = &before, b.Next.Build, nil
}

// Rollback lets queries read again what they read before the last promotion.
func (b *Builds) Rollback() { *b.Before, b.Live = b.Live, *b.Before }

// Drop gives up a build that is not live.
func (b *Builds) Drop(build Build) error {
	switch {
	case build == b.Live:
		return fmt.Errorf("build %s is the one that queries read: promote or roll back to another first", build)
	case b.Before != nil && *b.Before == build:
		b.Before = nil
	case b.Next != nil && b.Next.Build == build:
		b.Next = nil
	default:
		return fmt.Errorf("there is no build %s", build)
	}
	b.leave(build)
	return nil
}

// ReadBuilds returns the builds of every projection that has been projected, by name.
func ReadBuilds(ctx context.Context, store Store) (map[string]*Builds, error) {
	records, err := store.Records(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]*Builds{}
	for name, record := range records {
		b := &Builds{}
		if err := json.Unmarshal(record, b); err != nil {
			return nil, fmt.Errorf("read the builds of %s: %w", name, err)
		}
		all[name] = b
	}
	return all, nil
}

// tries is how often a change is made anew after another came in between.
const tries = 20

// ChangeBuilds changes what there is of a projection, atomically: change is called with what is there, nil if there is
// nothing, as often as others change it in between, and returns what shall be there; nil: nothing. An error of change
// changes nothing. Returned is what stands there then.
func ChangeBuilds(ctx context.Context, store Store, projection string, change func(*Builds) (*Builds, error)) (*Builds, error) {
	for range tries {
		records, err := store.Records(ctx)
		if err != nil {
			return nil, err
		}
		was := records[projection]
		var b *Builds
		if was != nil {
			b = &Builds{}
			if err := json.Unmarshal(was, b); err != nil {
				return nil, fmt.Errorf("read the builds of %s: %w", projection, err)
			}
		}
		if b, err = change(b); err != nil {
			return nil, err
		}
		var is []byte
		if b != nil {
			if is, err = json.Marshal(b); err != nil {
				return nil, fmt.Errorf("encode the builds of %s: %w", projection, err)
			}
		}
		if bytes.Equal(was, is) {
			return b, nil
		}
		done, err := store.SetRecord(ctx, projection, was, is)
		if err != nil || done {
			return b, err
		}
	}
	return nil, fmt.Errorf("change the builds of %s: others change it at the same time, again and again", projection)
}
