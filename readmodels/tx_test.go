package readmodels_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/storetest"
)

// card is a document with everything that JSON could change on its way.
type card struct {
	Name   string           `json:"name"`
	Score  *float64         `json:"score"`
	Big    uint64           `json:"big"`
	At     time.Time        `json:"at"`
	Levels []int            `json:"levels"`
	Tags   []string         `json:"tags,omitempty"`
	ByTeam map[string]int   `json:"by_team,omitempty"`
	Nested map[string]*card `json:"nested,omitempty"`
}

var (
	cards = readmodels.Collection[card]{Name: "card"}
	scope = readmodels.Scope{Projection: "test", Version: 1}
)

// counting counts the round trips of a reader.
type counting struct {
	readmodels.Reader
	gets, keys int
}

func (c *counting) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	c.gets++
	c.keys += len(keys)
	return c.Reader.Get(ctx, scope, keys...)
}

func newTx(t *testing.T) (*memory.Store, *counting, *readmodels.Tx) {
	t.Helper()
	store := memory.New()
	t.Cleanup(func() { _ = store.Close() })
	reader := &counting{Reader: store}
	return store, reader, readmodels.NewTx(reader, scope)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// commit ends a page where the store stands and returns its batch.
func commit(t rapid.TB, store readmodels.Store, tx *readmodels.Tx) readmodels.Batch {
	t.Helper()
	b, err := tx.Batch()
	if err != nil {
		t.Fatalf("batch: %v", err)
	}
	send(t, store, &b)
	return b
}

func send(t rapid.TB, store readmodels.Store, b *readmodels.Batch) {
	t.Helper()
	at, err := store.Checkpoint(context.Background(), scope)
	if err != nil {
		t.Fatalf("checkpoint: %v", err)
	}
	b.After, b.Checkpoint.Position = at.Position, at.Position+1
	if err := store.Commit(context.Background(), *b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func puts(b readmodels.Batch) map[string]string {
	all := map[string]string{}
	for key, value := range b.Put {
		all[key.Plan+"/"+key.Collection+"/"+key.ID] = string(value)
	}
	return all
}

func TestTxEdit(t *testing.T) {
	ctx := t.Context()
	store, reader, tx := newTx(t)
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "first"
	if again := must(cards.Edit(ctx, tx, "acme", "1")); again.Name != "first" {
		t.Fatalf("a second edit sees %+v", again)
	}
	if seen := must(cards.Peek(ctx, tx, "acme", "1")); seen.Name != "first" {
		t.Fatalf("a peek sees %+v", seen)
	}
	if other := must(cards.Peek(ctx, tx, "other", "1")); other != nil {
		t.Fatalf("another plan sees %+v", other)
	}
	commit(t, store, tx)
	if got := must(cards.Load(ctx, store, scope, "acme", "0", "1")); got[0] != nil || got[1].Name != "first" {
		t.Fatalf("stored: %+v", got)
	}
	if reader.gets != 2 {
		t.Fatalf("%d reads of two documents", reader.gets)
	}
	if b := commit(t, store, tx); len(b.Put) != 0 {
		t.Fatalf("an idle page writes %v", puts(b))
	}
	must(cards.Edit(ctx, tx, "acme", "1")).Big = 7
	if b := commit(t, store, tx); len(b.Put) != 1 || !strings.Contains(puts(b)["acme/card/1"], `"name":"first"`) {
		t.Fatalf("the next page writes %v", puts(b))
	}
	if reader.gets != 2 {
		t.Fatalf("%d reads: a kept document was read again", reader.gets)
	}
}

func TestTxPeekWritesNothing(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	must(cards.Edit(ctx, tx, "acme", "1"))
	commit(t, store, tx)
	tx.Forget()
	must(cards.Peek(ctx, tx, "acme", "1"))
	must(cards.Peek(ctx, tx, "acme", "2"))
	if b := commit(t, store, tx); len(b.Put) != 0 {
		t.Fatalf("wrote %v", puts(b))
	}
	if created := must(cards.Edit(ctx, tx, "acme", "2")); created == nil {
		t.Fatal("no document to edit where a peek found none")
	}
	if b := commit(t, store, tx); len(b.Put) != 1 {
		t.Fatalf("wrote %v", puts(b))
	}
}

func TestTxDelete(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "old"
	must(cards.Edit(ctx, tx, "acme", "2")).Name = "old"
	commit(t, store, tx)
	cards.Delete(tx, "acme", "1")
	cards.Delete(tx, "acme", "2")
	cards.Delete(tx, "acme", "never there")
	if gone := must(cards.Peek(ctx, tx, "acme", "1")); gone != nil {
		t.Fatalf("a deleted document is %+v", gone)
	}
	if fresh := must(cards.Edit(ctx, tx, "acme", "2")); fresh.Name != "" {
		t.Fatalf("made anew it is %+v", fresh)
	}
	b := commit(t, store, tx)
	if value, there := b.Put[readmodels.Key{Plan: "acme", Collection: "card", ID: "1"}]; !there || value != nil {
		t.Fatalf("wrote %v", puts(b))
	}
	got := must(cards.Load(ctx, store, scope, "acme", "1", "2"))
	if got[0] != nil || got[1] == nil || got[1].Name != "" {
		t.Fatalf("stored: %+v", got)
	}
	if gone := must(cards.Peek(ctx, tx, "acme", "1")); gone != nil {
		t.Fatalf("on the next page it is %+v", gone)
	}
}

func TestTxPrefetch(t *testing.T) {
	ctx := t.Context()
	store, reader, tx := newTx(t)
	for i := range 10 {
		must(cards.Edit(ctx, tx, "acme", strconv.Itoa(i))).Big = uint64(i)
	}
	commit(t, store, tx)
	tx.Forget()
	must(cards.Edit(ctx, tx, "acme", "3")).Name = "changed"
	*reader = counting{Reader: store}
	if err := cards.Prefetch(ctx, tx, "acme", "1", "2", "2", "3", "none"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2", "3", "none"} {
		must(cards.Peek(ctx, tx, "acme", id))
	}
	if reader.gets != 1 || reader.keys > 4 {
		t.Fatalf("%d reads of %d keys", reader.gets, reader.keys)
	}
	if got := must(cards.Peek(ctx, tx, "acme", "3")); got.Name != "changed" {
		t.Fatalf("prefetching lost a change: %+v", got)
	}
	if err := cards.Prefetch(ctx, tx, "acme", "1", "2", "none"); err != nil || reader.gets != 1 {
		t.Fatalf("%d reads and %v", reader.gets, err)
	}
}

func TestTxEntriesOverlay(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	expect := func(prefix string, want ...string) {
		t.Helper()
		if got := must(tx.Entries(ctx, "acme", "n", prefix)); !slices.Equal(got, want) {
			t.Fatalf("with prefix %q: got %q, want %q", prefix, got, want)
		}
	}
	for _, value := range []string{"b", "a2", "a1"} {
		tx.Add("acme", "n", value)
	}
	tx.Add("other", "n", "a3")
	tx.Add("acme", "m", "a4")
	expect("", "a1", "a2", "b")
	sent := must(tx.Batch())
	expect("a", "a1", "a2") // sent, not yet arrived
	tx.Remove("acme", "n", "a1")
	tx.Add("acme", "n", "a0")
	tx.Add("acme", "n", "a2")
	expect("", "a0", "a2", "b")
	send(t, store, &sent)
	expect("", "a0", "a2", "b")
	tx.Remove("acme", "n", "a0")
	expect("", "a2", "b")
	tx.Add("acme", "n", "a0")
	expect("a", "a0", "a2")
	commit(t, store, tx)
	expect("", "a0", "a2", "b")
	tx.Forget()
	expect("", "a0", "a2", "b")
	stored := must(store.Entries(ctx, scope, readmodels.Index{Plan: "acme", Name: "n"}, readmodels.Range{}))
	if !slices.Equal(stored, []string{"a0", "a2", "b"}) {
		t.Fatalf("stored %q", stored)
	}
}

func TestTxForget(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "kept"
	commit(t, store, tx)
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "forgotten"
	tx.Add("acme", "n", "forgotten")
	must(tx.Batch())
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "forgotten too"
	tx.Add("acme", "n", "forgotten too")
	tx.Forget()
	if got := must(cards.Peek(ctx, tx, "acme", "1")); got.Name != "kept" {
		t.Fatalf("sees %+v", got)
	}
	if got := must(tx.Entries(ctx, "acme", "n", "")); len(got) != 0 {
		t.Fatalf("sees %q", got)
	}
	if b := must(tx.Batch()); len(b.Put)+len(b.Add)+len(b.Remove) != 0 {
		t.Fatalf("writes %+v", b)
	}
}

func TestTxRefusesTwoTypesUnderOneName(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	must(cards.Edit(ctx, tx, "acme", "1")).Name = "a card"
	other := readmodels.Collection[struct{ Other int }]{Name: cards.Name}
	if _, err := other.Edit(ctx, tx, "acme", "1"); err == nil {
		t.Fatal("edited a card as something else")
	}
	if got := puts(commit(t, store, tx)); !strings.Contains(got["acme/card/1"], "a card") {
		t.Fatalf("wrote %v", got)
	}
}

func TestTxBatchThatCannotBeEncodedKeepsItsChanges(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	for i := range 20 {
		must(cards.Edit(ctx, tx, "acme", strconv.Itoa(i)))
	}
	tx.Add("acme", "n", "x")
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) // has no RFC 3339 form
	must(cards.Edit(ctx, tx, "acme", "7")).At = late
	if _, err := tx.Batch(); err == nil || !strings.Contains(err.Error(), "encode card 7 of acme") {
		t.Fatalf("got %v", err)
	}
	must(cards.Edit(ctx, tx, "acme", "7")).At = time.Time{}
	if b := commit(t, store, tx); len(b.Put) != 20 || len(b.Add) != 1 {
		t.Fatalf("%d documents and %d entries are left", len(b.Put), len(b.Add))
	}
}

func TestTxNamesWhatItCannotDecode(t *testing.T) {
	ctx := t.Context()
	store, _, tx := newTx(t)
	b := readmodels.Batch{Scope: scope, Put: map[readmodels.Key][]byte{{Plan: "acme", Collection: "card", ID: "1"}: []byte("{")}}
	send(t, store, &b)
	if _, err := cards.Edit(ctx, tx, "acme", "1"); err == nil || !strings.Contains(err.Error(), "decode card 1 of acme") {
		t.Fatalf("got %v", err)
	}
	if _, err := cards.Load(ctx, store, scope, "acme", "1"); err == nil {
		t.Fatal("loaded")
	}
}

func TestTxBoundsWhatItKeeps(t *testing.T) {
	ctx := t.Context()
	store, reader, tx := newTx(t)
	ids := make([]string, 200_000)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	if err := cards.Prefetch(ctx, tx, "acme", ids...); err != nil {
		t.Fatal(err)
	}
	must(cards.Edit(ctx, tx, "acme", "new")).Name = "sent"
	sent := must(tx.Batch())
	*reader = counting{Reader: store}
	// What was sent has not arrived yet, so it must not be read from the store.
	if got := must(cards.Peek(ctx, tx, "acme", "new")); got == nil || got.Name != "sent" || reader.gets != 0 {
		t.Fatalf("sees %+v after %d reads", got, reader.gets)
	}
	if must(cards.Peek(ctx, tx, "acme", "5")); reader.gets != 1 {
		t.Fatal("kept more than it may")
	}
	send(t, store, &sent)
}

// rule is one change that a projection could make, from a seed.
func rule(t rapid.TB, tx *readmodels.Tx, seed uint32) {
	ctx := context.Background()
	id, other := strconv.Itoa(int(seed%5)), strconv.Itoa(int(seed/5%5))
	edit := func(id string) *card {
		c, err := cards.Edit(ctx, tx, "acme", id)
		if err != nil {
			t.Fatalf("edit: %v", err)
		}
		return c
	}
	switch c := edit(id); seed % 11 {
	case 0:
		cards.Delete(tx, "acme", id)
	case 1, 2:
		c.Name += fmt.Sprintf("<%d>&\u2028é", seed%100)
		c.Big += 1<<63 + uint64(seed)
	case 3:
		score := float64(seed) / 7
		c.Score = &score
		c.At = time.Unix(int64(seed), int64(seed)).In(time.FixedZone("", 3600))
	case 4:
		c.Levels = append(c.Levels, int(seed))
	case 5:
		c.Levels = c.Levels[:len(c.Levels)/2]
	case 6:
		if c.ByTeam == nil {
			c.ByTeam = map[string]int{}
		}
		c.ByTeam[other]++
	case 7:
		delete(c.ByTeam, other)
		c.Tags = append(c.Tags, other)
	case 8:
		c.Nested = map[string]*card{other: {Name: edit(other).Name, Levels: []int{}}}
	case 9:
		tx.Add("acme", "n", id+other)
	case 10:
		values, err := tx.Entries(ctx, "acme", "n", id)
		if err != nil {
			t.Fatalf("entries: %v", err)
		}
		edit(id).Tags = values
		for _, value := range values {
			tx.Remove("acme", "n", value)
		}
	}
}

// TestTxPages folds the same events under every way of keeping, forgetting, splitting and committing late.
func TestTxPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.SliceOfN(rapid.SliceOfN(rapid.Uint32(), 0, 6), 1, 10).Draw(t, "pages")
		kept, forgetful, straight, late := memory.New(), memory.New(), memory.New(), memory.New()
		keptTx, forgetfulTx := readmodels.NewTx(kept, scope), readmodels.NewTx(forgetful, scope)
		straightTx, lateTx := readmodels.NewTx(straight, scope), readmodels.NewTx(late, scope)
		var sent *readmodels.Batch
		for _, page := range pages {
			for _, seed := range page {
				for _, tx := range []*readmodels.Tx{keptTx, forgetfulTx, straightTx, lateTx} {
					rule(t, tx, seed)
				}
			}
			// Refolding from what is stored gives the batch that the kept documents give.
			got, want := commit(t, kept, keptTx), commit(t, forgetful, forgetfulTx)
			forgetfulTx.Forget()
			if !reflect.DeepEqual(puts(got), puts(want)) {
				t.Fatalf("documents:\n kept %q\nread %q", puts(got), puts(want))
			}
			if !slices.Equal(sorted(got.Add), sorted(want.Add)) || !slices.Equal(sorted(got.Remove), sorted(want.Remove)) {
				t.Fatalf("entries:\n kept %q %q\nread %q %q", got.Add, got.Remove, want.Add, want.Remove)
			}
			// This page was folded while the one before it was on its way.
			if sent != nil {
				send(t, late, sent)
			}
			batch, err := lateTx.Batch()
			if err != nil {
				t.Fatalf("batch: %v", err)
			}
			sent = &batch
		}
		send(t, late, sent)
		commit(t, straight, straightTx)
		want := storetest.Lines(context.Background(), t, straight, scope)
		for name, store := range map[string]*memory.Store{"kept": kept, "forgetful": forgetful, "late": late} {
			if got := storetest.Lines(context.Background(), t, store, scope); !slices.Equal(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", name, got, want)
			}
		}
	})
}

func sorted(entries []readmodels.Entry) []string {
	texts := make([]string, len(entries))
	for i, entry := range entries {
		texts[i] = fmt.Sprintf("%q", entry)
	}
	slices.Sort(texts)
	return texts
}

func TestScopeAndErrorsInWords(t *testing.T) {
	s := readmodels.Scope{Projection: "role-analytics", Version: 3, Partition: 7}
	for got, want := range map[string]string{
		s.String(): "role-analytics@3/07",
		(&readmodels.OutOfStepError{Scope: s, Want: 1, Have: eventstore.Position(1<<64 - 1)}).Error(): "read model role-analytics@3/07 stands at 18446744073709551615, not 1",
		(&readmodels.FencedError{Scope: s, Fence: 2, Newer: 3}).Error():                               "read model role-analytics@3/07: lease 2 is fenced off by 3",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
