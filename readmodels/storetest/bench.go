package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Bench measures a kind of store: how fast pages go in, what one change costs, and how soon a waiting reader has it.
func Bench(b *testing.B, open func(b *testing.B) readmodels.Store) {
	for _, c := range []struct {
		name      string
		documents int
		entries   int
	}{
		{"page of 500 documents of 300 bytes", 500, 0},
		{"page of 500 documents and 500 entries", 500, 500},
		{"one document", 1, 0},
		{"only the checkpoint", 0, 0},
	} {
		b.Run(c.name, func(b *testing.B) { benchCommit(b, open(b), c.documents, c.entries) })
	}
	b.Run("read 100 documents", func(b *testing.B) { benchGet(b, open(b), 100) })
	b.Run("commit to waiting reader", func(b *testing.B) { benchWake(b, open(b), open(b)) })
}

// held is how many documents a benchmark's scope holds at most.
const held = 50_000

func benchPage(scope readmodels.Scope, at eventstore.Position, documents, entries int, value []byte) readmodels.Batch {
	page := readmodels.Batch{Scope: scope, After: at, Checkpoint: readmodels.Checkpoint{Position: at + 1},
		Put: make(map[readmodels.Key][]byte, documents)}
	for i := range documents {
		id := fmt.Sprintf("%036d", (int(at)*documents+i)%held)
		page.Put[readmodels.Key{Plan: "acme", Collection: "progress", ID: id}] = value
	}
	for i := range entries {
		value := fmt.Sprintf("%036d", (int(at)*entries+i)%held)
		page.Add = append(page.Add, readmodels.Entry{Index: readmodels.Index{Plan: "acme", Name: "by-name"}, Value: value})
	}
	return page
}

func benchCommit(b *testing.B, store readmodels.Store, documents, entries int) {
	defer store.Close()
	ctx, scope, at := context.Background(), NewScope(), eventstore.Position(0)
	value := bytes.Repeat([]byte("x"), 300)
	pages := make([]readmodels.Batch, held/max(documents, held/100))
	for i := range pages {
		pages[i] = benchPage(scope, eventstore.Position(i), documents, entries, value)
	}
	for b.Loop() {
		page := pages[int(at)%len(pages)]
		page.After, page.Checkpoint.Position = at, at+1
		if err := store.Commit(ctx, page); err != nil {
			b.Fatal(err)
		}
		at++
	}
	if documents > 0 {
		b.ReportMetric(float64(b.N*documents)/b.Elapsed().Seconds(), "documents/s")
	}
}

func benchGet(b *testing.B, store readmodels.Store, documents int) {
	defer store.Close()
	ctx, scope := context.Background(), NewScope()
	page := benchPage(scope, 0, documents, 0, bytes.Repeat([]byte("x"), 300))
	if err := store.Commit(ctx, page); err != nil {
		b.Fatal(err)
	}
	var keys []readmodels.Key
	for key := range page.Put {
		keys = append(keys, key)
	}
	for b.Loop() {
		if _, err := store.Get(ctx, scope, keys...); err != nil {
			b.Fatal(err)
		}
	}
}

// benchWake measures from the commit of one store to the end of a wait in another on the same server; a store without
// a server waits for itself.
func benchWake(b *testing.B, writer, reader readmodels.Store) {
	defer writer.Close()
	defer reader.Close()
	ctx, scope := context.Background(), NewScope()
	if err := writer.Commit(ctx, benchPage(scope, 0, 1, 0, []byte("x"))); err != nil {
		b.Fatal(err)
	}
	if at, err := reader.Checkpoint(ctx, scope); err != nil || at.Position != 1 {
		reader = writer
	}
	results := make(chan error)
	for at := eventstore.Position(1); b.Loop(); at++ {
		go func() { results <- reader.Wait(ctx, scope, at+1) }()
		if err := writer.Commit(ctx, benchPage(scope, at, 1, 0, []byte("x"))); err != nil {
			b.Fatal(err)
		}
		if err := <-results; err != nil {
			b.Fatal(err)
		}
	}
}
