package durability

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// kept is the files of a store that nobody has open, and what is in them.
type kept struct {
	name    string
	files   map[string][]byte // by what follows the name of the database
	earlier map[string][]byte // as they were at some time before
	events  []eventstore.Recorded
	appends []batch // some of them, with where they were made
	places  []entry
}

// rotten is how many events the stores have that are damaged.
func rotten() int { return cycles(150, 1200) }

// keep makes stores to be damaged: one that was closed, and two that were killed and so have a write-ahead log, the
// second with one that was begun anew several times.
func keep(t *testing.T, seed uint64) (all []*kept) {
	t.Helper()
	for _, k := range []*kept{{name: "closed"}, {name: "killed"}, {name: "killed after checkpoints"}} {
		path := filepath.Join(t.TempDir(), storeName)
		l := load{Seed: seed, Writers: 1, Streams: cycles(12, 40), Largest: 6000}
		checkpoint, number := 1<<20, 0
		if k.name == "killed after checkpoints" {
			checkpoint = 20
		}
		heads := map[eventstore.StreamID]eventstore.Revision{}
		fill := func(store *sqlite.Store, until int) {
			for ; len(k.events) < until; number++ {
				b := l.batch(0, number)
				expected := heads[b.stream] - 1
				position, err := store.Append(t.Context(), b.stream, expected, b.events...)
				if err != nil {
					t.Fatal(err)
				}
				heads[b.stream] += eventstore.Revision(len(b.events))
				for i, e := range b.events {
					k.events = append(k.events, eventstore.Recorded{Event: e, Stream: b.stream, Revision: expected + 1 + eventstore.Revision(i),
						Position: position - eventstore.Position(len(b.events)-1-i)})
				}
				k.appends = append(k.appends, b)
				k.places = append(k.places, entry{Expected: expected, Position: position})
			}
		}
		open := func() *sqlite.Store {
			store, err := sqlite.Open(t.Context(), path, sqlite.CheckpointAfter(checkpoint))
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		store := open()
		fill(store, rotten()/2)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		index(t, path, rotten()/3, rotten()/2)
		store = open()
		fill(store, rotten()*3/4)
		k.earlier = filesOf(t, path)
		fill(store, rotten())
		if k.name != "closed" {
			k.files = filesOf(t, path)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if k.name == "closed" {
			k.files = filesOf(t, path)
		}
		all = append(all, k)
	}
	return all
}

// index writes the first events of a closed store into its indexes, which would otherwise happen to many events at once
// only, and some of the next as a commit in the middle of that would.
func index(t *testing.T, path string, through, some int) {
	t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO by_stream SELECT stream, revision, position FROM events WHERE position <= %d OR position <= %d AND stream < 8", through, some),
		fmt.Sprintf("INSERT INTO by_plan SELECT plan, plan_seq, position FROM events WHERE position <= %d", through),
		fmt.Sprintf("UPDATE meta SET value = '%d' WHERE key = 'indexed'", through),
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// parts are the files that may be damaged. What else there is SQLite makes anew.
var parts = []string{"", "-wal", ".head"}

func filesOf(t *testing.T, path string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, part := range parts {
		content, err := os.ReadFile(path + part)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		files[part] = content
	}
	return files
}

// layOut puts files where a store is to find them, and nothing else.
func layOut(path string, files map[string][]byte) error {
	old, err := filepath.Glob(path + "*")
	for _, name := range old {
		if !strings.HasSuffix(name, ".lock") {
			err = errors.Join(err, os.Remove(name))
		}
	}
	for part, content := range files {
		err = errors.Join(err, os.WriteFile(path+part, content, 0o600))
	}
	return err
}

// What came of a damaged store.
const (
	refusedIt  = "it did not open"
	verifiedIt = "verify found it"
	readIt     = "a read found it"
	wroteIt    = "an append found it"
	harmless   = "everything is as it was"
	silent     = "something else is there, and nothing was said"
)

// inspect opens a store and uses it in every way. A silent outcome comes with what differs.
func (k *kept) inspect(ctx context.Context, path string, verify bool) (outcome, what string) {
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return refusedIt, err.Error()
	}
	defer func() {
		_ = store.Close() // of a store that is damaged, maybe
	}()
	if verify {
		if _, err := store.Verify(ctx, nil); err != nil {
			return verifiedIt, err.Error()
		}
	}
	for _, look := range []struct {
		outcome string
		at      func(context.Context, *sqlite.Store) (string, error)
	}{{readIt, k.wholeLog}, {readIt, k.plans}, {readIt, k.types}, {readIt, k.streams}, {wroteIt, k.repeats}, {wroteIt, k.more}} {
		switch what, err := look.at(ctx, store); {
		case err != nil:
			return look.outcome, err.Error()
		case what != "":
			return silent, what
		}
	}
	return harmless, ""
}

// differ tells how events differ from those that should be there.
func differ(got, want []eventstore.Recorded) string {
	for i := range min(len(got), len(want)) {
		g, w := &got[i], &want[i]
		if g.Position != w.Position || g.Revision != w.Revision || !same(g, w.Stream, &w.Event) {
			return fmt.Sprintf("event %d is %s/%d at %s, and should be %s/%d at %s", i, g.Stream, g.Revision, g.Position, w.Stream, w.Revision, w.Position)
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("there are %d events, and should be %d", len(got), len(want))
	}
	return ""
}

func follow(ctx context.Context, store eventstore.Store, filter eventstore.Filter) (all []eventstore.Recorded, err error) {
	for page, err := range store.Follow(ctx, 0, filter) {
		if err != nil {
			return nil, err
		}
		all = append(all, page.Events...)
		if page.Live {
			break
		}
	}
	return all, nil
}

// only returns the events that should be there and pass.
func (k *kept) only(pass func(*eventstore.Recorded) bool) (some []eventstore.Recorded) {
	for i := range k.events {
		if pass(&k.events[i]) {
			some = append(some, k.events[i])
		}
	}
	return some
}

func (k *kept) wholeLog(ctx context.Context, store *sqlite.Store) (string, error) {
	got, err := follow(ctx, store, eventstore.Filter{PageSize: 100})
	return differ(got, k.events), err
}

func (k *kept) plans(ctx context.Context, store *sqlite.Store) (string, error) {
	for _, plan := range plans {
		got, err := follow(ctx, store, eventstore.Filter{Plan: plan, PageSize: 100})
		what := differ(got, k.only(func(e *eventstore.Recorded) bool { return e.Stream.Plan == plan }))
		if err != nil || what != "" {
			return what, err
		}
	}
	return "", nil
}

func (k *kept) types(ctx context.Context, store *sqlite.Store) (string, error) {
	got, err := follow(ctx, store, eventstore.Filter{Types: kinds[:2], Prefixes: []string{"role-acme."}, PageSize: 10})
	return differ(got, k.only(func(e *eventstore.Recorded) bool {
		return e.Stream.Plan == "acme" && (e.Type == kinds[0] || e.Type == kinds[1])
	})), err
}

func (k *kept) byStream() map[eventstore.StreamID][]eventstore.Recorded {
	all := map[eventstore.StreamID][]eventstore.Recorded{}
	for _, e := range k.events {
		all[e.Stream] = append(all[e.Stream], e)
	}
	return all
}

func (k *kept) streams(ctx context.Context, store *sqlite.Store) (string, error) {
	for stream, want := range k.byStream() {
		var got []eventstore.Recorded
		for e, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return "", err
			}
			got = append(got, e)
		}
		if what := differ(got, want); what != "" {
			return stream.String() + ": " + what, nil
		}
	}
	return "", nil
}

// repeats makes some appends once more, which must have their first result.
func (k *kept) repeats(ctx context.Context, store *sqlite.Store) (string, error) {
	for n := 0; n < len(k.appends); n += 1 + len(k.appends)/8 {
		b, at := k.appends[n], k.places[n]
		position, err := store.Append(ctx, b.stream, at.Expected, b.events...)
		if conflict := (*eventstore.ConflictError)(nil); errors.As(err, &conflict) {
			return "a repeat is a conflict: " + err.Error(), nil
		}
		if err != nil {
			return "", err
		}
		if position != at.Position {
			return fmt.Sprintf("a repeat is answered with %s, and should be with %s", position, at.Position), nil
		}
	}
	return "", nil
}

// more appends to every stream and looks at all again, also after the store was closed and opened.
func (k *kept) more(ctx context.Context, store *sqlite.Store) (string, error) {
	streams := k.byStream()
	type result struct {
		what string
		err  error
	}
	results := make(chan result, len(streams))
	for stream, events := range streams {
		go func() {
			one := eventstore.Event{ID: otherID(events[0].ID), Type: kinds[0], Data: []byte("more"), Metadata: metadata(stream.Plan, "more")}
			last := events[len(events)-1].Revision
			_, err := store.Append(ctx, stream, last, one)
			var conflict *eventstore.ConflictError
			if errors.As(err, &conflict) {
				results <- result{what: err.Error()}
				return
			}
			results <- result{err: err}
		}()
	}
	var first result
	for range streams {
		if r := <-results; first == (result{}) {
			first = r
		}
	}
	if first != (result{}) {
		return first.what, first.err
	}
	got, err := follow(ctx, store, eventstore.Filter{})
	if err != nil {
		return "", err
	}
	if what := differ(got[:min(len(got), len(k.events))], k.events); what != "" || len(got) != len(k.events)+len(streams) {
		return fmt.Sprintf("after appends to %d streams: %d events, and should be %d more than %d: %s", len(streams), len(got), len(streams), len(k.events), what), nil
	}
	for stream, events := range streams {
		count := 0
		for e, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return "", err
			}
			if e.Revision != eventstore.Revision(count) {
				return fmt.Sprintf("%s has revision %d after %d events", stream, e.Revision, count), nil
			}
			count++
		}
		if count != len(events)+1 {
			return fmt.Sprintf("%s has %d events, and should have %d", stream, count, len(events)+1), nil
		}
	}
	_, err = store.Verify(ctx, nil)
	return "", err
}
