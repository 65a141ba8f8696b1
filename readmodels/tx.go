package readmodels

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tx folds a page in memory: what it reads it keeps, what it writes is seen by later reads, and each touched document
// is encoded once, when the page ends. A Tx belongs to one goroutine.
//
// Documents read once stay decoded in the Tx over the pages, since only the projector that owns the scope writes to
// it; Forget drops them when that was not so.
type Tx struct {
	reader Reader
	scope  Scope
	docs   map[Key]*document
	dirty  []Key   // of docs, in the order of the first edit since the last Batch
	index  changes // since the last Batch
	sent   changes // of the last Batch, which may still be on its way to the store
	memos  map[string]memo
	marks  marks
	buffer []byte // of encode
}

type document struct {
	value any // *T, or nil where there is none
	dirty bool
}

// changes tells of each entry touched whether it was added or removed.
type changes map[Index]map[string]bool

func (c changes) set(entry Entry, added bool) {
	if c[entry.Index] == nil {
		c[entry.Index] = map[string]bool{}
	}
	c[entry.Index][entry.Value] = added
}

// keep is the most decoded documents that a Tx keeps over the end of a page.
const keep = 200_000

// NewTx returns an empty Tx over a scope.
func NewTx(reader Reader, scope Scope) *Tx {
	return &Tx{
		reader: reader, scope: scope, docs: map[Key]*document{}, index: changes{}, sent: changes{}, memos: map[string]memo{},
		marks: marks{watched: watched(scope.Projection), plans: map[string]*[]mark{}},
	}
}

// Add puts an entry into an index.
func (tx *Tx) Add(plan, index, value string) {
	tx.index.set(Entry{Index{plan, index}, value}, true)
	tx.marks.set(plan, index)
}

// Remove takes an entry out of an index.
func (tx *Tx) Remove(plan, index, value string) {
	tx.index.set(Entry{Index{plan, index}, value}, false)
	tx.marks.set(plan, index)
}

// Entries returns all entries of an index that have a prefix, in order, those of this Tx included.
func (tx *Tx) Entries(ctx context.Context, plan, index, prefix string) ([]string, error) {
	at := Index{plan, index}
	stored, err := tx.reader.Entries(ctx, tx.scope, at, Range{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	touched := maps.Clone(tx.sent[at])
	if touched == nil {
		touched = map[string]bool{}
	}
	maps.Copy(touched, tx.index[at])
	all := slices.DeleteFunc(stored, func(value string) bool {
		added, known := touched[value]
		return known && !added
	})
	for value, added := range touched {
		if added && strings.HasPrefix(value, prefix) {
			all = append(all, value)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Batch returns what changed since the last Batch. The caller commits it; the Tx then stands at its end.
//
// The next page may be folded while the batch is on its way, but the page after that only once it has arrived: until
// then the Tx answers from what it sent.
func (tx *Tx) Batch() (Batch, error) {
	b := Batch{Scope: tx.scope, Put: make(map[Key][]byte, len(tx.dirty))}
	for _, key := range tx.dirty {
		value, err := tx.encode(key, tx.docs[key].value)
		if err != nil {
			return Batch{}, err
		}
		b.Put[key] = value
	}
	tx.marks.put(b.Put)
	for index, values := range tx.index {
		for value, added := range values {
			if added {
				b.Add = append(b.Add, Entry{index, value})
			} else {
				b.Remove = append(b.Remove, Entry{index, value})
			}
		}
	}
	for _, key := range tx.dirty {
		tx.docs[key].dirty = false
	}
	tx.dirty = tx.dirty[:0]
	tx.sent, tx.index = tx.index, changes{}
	if len(tx.docs) > keep {
		maps.DeleteFunc(tx.docs, func(key Key, _ *document) bool {
			_, sent := b.Put[key]
			return !sent
		})
	}
	return b, nil
}

// encode returns nil for a document that was deleted.
func (tx *Tx) encode(key Key, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	var encoded []byte
	var err error
	if packs, ok := value.(encoding.BinaryAppender); ok {
		tx.buffer, err = packs.AppendBinary(tx.buffer[:0])
		encoded = append(make([]byte, 0, len(tx.buffer)), tx.buffer...)
	} else {
		encoded, err = json.Marshal(value)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s %s of %s: %w", key.Collection, key.ID, key.Plan, err)
	}
	return encoded, nil
}

// Forget drops everything read and written, as if the Tx were new.
func (tx *Tx) Forget() {
	clear(tx.docs)
	tx.dirty = tx.dirty[:0]
	clear(tx.index)
	clear(tx.sent)
	tx.marks.forget()
	for _, m := range tx.memos {
		m.forget()
	}
}

// Memo keeps what rules derived from documents of some collections, until one that it rests on is edited or the Tx
// forgets. What was derived must follow from the documents alone, and a document edited must be changed before anything
// is derived again.
type Memo[K comparable, V any] struct {
	values     map[K]V
	rests      func(on Key, derived K) bool
	generation uint64
}

type memo interface {
	forget()
	edited(key Key)
}

func (m *Memo[K, V]) forget() {
	clear(m.values)
	m.generation++
}

func (m *Memo[K, V]) edited(key Key) {
	maps.DeleteFunc(m.values, func(derived K, _ V) bool { return m.rests(key, derived) })
	m.generation++
}

// Generation grows each time the memo may have forgotten something. It is never 0.
func (m *Memo[K, V]) Generation() uint64 { return m.generation }

// MemoOf returns the memo of a Tx over some collections; rests tells whether something derived may rest on a document
// of them, whether there is one or not.
func MemoOf[K comparable, V any](tx *Tx, rests func(on Key, derived K) bool, collections ...string) *Memo[K, V] {
	if kept, ok := tx.memos[collections[0]].(*Memo[K, V]); ok {
		return kept
	}
	m := &Memo[K, V]{values: map[K]V{}, rests: rests, generation: 1}
	for _, name := range collections {
		tx.memos[name] = m
	}
	return m
}

// Get returns what was kept, or derives it.
func (m *Memo[K, V]) Get(key K, derive func() (V, error)) (V, error) {
	value, known := m.values[key]
	if known {
		return value, nil
	}
	value, err := derive()
	if err == nil {
		m.values[key] = value
	}
	return value, err
}

// Collection is a typed set of documents. The same value serves the projection that writes and the query that reads.
type Collection[T any] struct{ Name string }

// Edit returns the document for change, a zero one if there is none. It is written at the end of the page.
func (c Collection[T]) Edit(ctx context.Context, tx *Tx, plan, id string) (*T, error) {
	doc, value, err := c.document(ctx, tx, plan, id)
	if err != nil {
		return nil, err
	}
	if value == nil {
		value = new(T)
		doc.value = value
	}
	tx.edited(Key{plan, c.Name, id}, doc)
	return value, nil
}

// edited marks a document that is to be written, and drops what was derived from its collection.
func (tx *Tx) edited(key Key, doc *document) {
	if !doc.dirty {
		doc.dirty = true
		tx.dirty = append(tx.dirty, key)
	}
	tx.marks.set(key.Plan, key.Collection)
	if m := tx.memos[key.Collection]; m != nil {
		m.edited(key)
	}
}

// Peek returns the document, nil if there is none. The caller must not change it.
func (c Collection[T]) Peek(ctx context.Context, tx *Tx, plan, id string) (*T, error) {
	_, value, err := c.document(ctx, tx, plan, id)
	return value, err
}

func (c Collection[T]) document(ctx context.Context, tx *Tx, plan, id string) (*document, *T, error) {
	key := Key{plan, c.Name, id}
	doc := tx.docs[key]
	if doc == nil {
		if err := c.Prefetch(ctx, tx, plan, id); err != nil {
			return nil, nil, err
		}
		doc = tx.docs[key]
	}
	value, ok := doc.value.(*T)
	if doc.value != nil && !ok { // two collections of one name would overwrite each other's documents
		return nil, nil, fmt.Errorf("collection %s is used for %T and for %T", c.Name, doc.value, value)
	}
	return doc, value, nil
}

// Prefetch reads documents in one round trip, before a rule that touches many of them.
func (c Collection[T]) Prefetch(ctx context.Context, tx *Tx, plan string, ids ...string) error {
	var missing []Key
	for _, id := range ids {
		if key := (Key{plan, c.Name, id}); tx.docs[key] == nil {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	stored, err := tx.reader.Get(ctx, tx.scope, missing...)
	if err != nil {
		return err
	}
	for i, key := range missing {
		value, err := c.decode(key, stored[i])
		if err != nil {
			return err
		}
		tx.docs[key] = &document{}
		if value != nil {
			tx.docs[key].value = value
		}
	}
	return nil
}

// Delete removes the document.
func (c Collection[T]) Delete(tx *Tx, plan, id string) {
	key := Key{plan, c.Name, id}
	doc := tx.docs[key]
	if doc == nil {
		doc = &document{}
		tx.docs[key] = doc
	}
	doc.value = nil
	tx.edited(key, doc)
}

// Load reads documents for a query, in the order of the ids, nil where there is none.
func (c Collection[T]) Load(ctx context.Context, r Reader, scope Scope, plan string, ids ...string) ([]*T, error) {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = Key{plan, c.Name, id}
	}
	stored, err := r.Get(ctx, scope, keys...)
	if err != nil {
		return nil, err
	}
	values := make([]*T, len(ids))
	for i, key := range keys {
		if values[i], err = c.decode(key, stored[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (c Collection[T]) decode(key Key, stored []byte) (*T, error) {
	if stored == nil {
		return nil, nil
	}
	value := new(T)
	var err error
	if packed, ok := any(value).(encoding.BinaryUnmarshaler); ok {
		err = packed.UnmarshalBinary(stored)
	} else {
		err = json.Unmarshal(stored, value)
	}
	if err != nil {
		return nil, &DocumentError{key, err}
	}
	return value, nil
}
