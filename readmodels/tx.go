package readmodels

import (
	"bytes"
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
	plans  map[string]*shelf
	last   *shelf      // that was asked for last: most rules stay within one plan
	kept   int         // documents on all shelves
	dirty  []*document // in the order of the first edit since the last Batch
	index  changes     // since the last Batch
	sent   changes     // of the last Batch, which may still be on its way to the store
	memos  map[string]memo
	marks  marks
	buffer []byte // of encode
}

// shelf is the documents of a plan.
type shelf struct {
	plan string
	sets []*set // few
}

// set is the documents of a plan in one collection.
type set struct {
	plan, collection string
	docs             map[string]*document
	memo             memo // that rests on them, nil if none does
}

type document struct {
	set   *set
	id    string
	value any // *T, or nil where there is none
	dirty bool
}

func (d *document) key() Key { return Key{d.set.plan, d.set.collection, d.id} }

func (tx *Tx) set(plan, collection string) *set {
	on := tx.last
	if on == nil || on.plan != plan {
		if on = tx.plans[plan]; on == nil {
			on = &shelf{plan: plan}
			tx.plans[plan] = on
		}
		tx.last = on
	}
	for _, s := range on.sets {
		if s.collection == collection {
			return s
		}
	}
	s := &set{plan: plan, collection: collection, docs: map[string]*document{}, memo: tx.memos[collection]}
	on.sets = append(on.sets, s)
	return s
}

// keep puts a document on its shelf.
func (tx *Tx) keep(s *set, id string, value any) *document {
	doc := &document{set: s, id: id, value: value}
	s.docs[id] = doc
	tx.kept++
	return doc
}

// changes tells of each entry touched whether it was added or removed.
type changes map[Index]map[string]bool

func (c changes) set(entry Entry, added bool) {
	if c[entry.Index] == nil {
		c[entry.Index] = map[string]bool{}
	}
	c[entry.Index][entry.Value] = added
}

// mostKept is the most decoded documents that a Tx keeps over the end of a page.
const mostKept = 200_000

// NewTx returns an empty Tx over a scope.
func NewTx(reader Reader, scope Scope) *Tx {
	return &Tx{
		reader: reader, scope: scope, plans: map[string]*shelf{}, index: changes{}, sent: changes{}, memos: map[string]memo{},
		marks: marks{watched: watched(scope.Projection), plans: map[string]*[]mark{}},
	}
}

// Add puts an entry into an index.
func (tx *Tx) Add(plan, index, value string) {
	tx.index.set(Entry{Index{plan, index}, value}, true)
	tx.marks.set(plan, kindOf(index))
}

// Remove takes an entry out of an index.
func (tx *Tx) Remove(plan, index, value string) {
	tx.index.set(Entry{Index{plan, index}, value}, false)
	tx.marks.set(plan, kindOf(index))
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
	if err := tx.encode(b.Put); err != nil {
		return Batch{}, err
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
	tx.sent, tx.index = tx.index, changes{}
	if tx.kept > mostKept {
		tx.shed()
	}
	for _, doc := range tx.dirty {
		doc.dirty = false
	}
	clear(tx.dirty)
	tx.dirty = tx.dirty[:0]
	return b, nil
}

// encode puts what the dirty documents hold, nil for those that were deleted. All share one piece of memory.
func (tx *Tx) encode(put map[Key][]byte) error {
	tx.buffer = tx.buffer[:0]
	ends := make([]int, len(tx.dirty))
	for i, doc := range tx.dirty {
		var err error
		if packs, ok := doc.value.(encoding.BinaryAppender); ok {
			tx.buffer, err = packs.AppendBinary(tx.buffer)
		} else if doc.value != nil {
			var encoded []byte
			encoded, err = json.Marshal(doc.value)
			tx.buffer = append(tx.buffer, encoded...)
		}
		if err != nil {
			key := doc.key()
			return fmt.Errorf("encode %s %s of %s: %w", key.Collection, key.ID, key.Plan, err)
		}
		ends[i] = len(tx.buffer)
	}
	all, start := bytes.Clone(tx.buffer), 0
	for i, doc := range tx.dirty {
		if doc.value != nil {
			put[doc.key()] = all[start:ends[i]:ends[i]]
		} else {
			put[doc.key()] = nil
		}
		start = ends[i]
	}
	return nil
}

// shed drops the documents that are not dirty: those that are may still be on their way to the store when they are read
// the next time.
func (tx *Tx) shed() {
	for _, on := range tx.plans {
		for _, s := range on.sets {
			maps.DeleteFunc(s.docs, func(_ string, doc *document) bool { return !doc.dirty })
		}
	}
	tx.kept = len(tx.dirty)
}

// Forget drops everything read and written, as if the Tx were new.
func (tx *Tx) Forget() {
	clear(tx.plans)
	tx.last, tx.kept = nil, 0
	clear(tx.dirty)
	tx.dirty = tx.dirty[:0]
	clear(tx.index)
	clear(tx.sent)
	tx.marks.forget()
	for _, m := range tx.memos {
		m.forget()
	}
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
	tx.edited(doc)
	return value, nil
}

// edited marks a document that is to be written, and drops what was derived from its collection.
func (tx *Tx) edited(doc *document) {
	if !doc.dirty {
		doc.dirty = true
		tx.dirty = append(tx.dirty, doc)
	}
	tx.marks.set(doc.set.plan, doc.set.collection)
	if doc.set.memo != nil {
		doc.set.memo.edited(doc.key())
	}
}

// Peek returns the document, nil if there is none. The caller must not change it.
func (c Collection[T]) Peek(ctx context.Context, tx *Tx, plan, id string) (*T, error) {
	_, value, err := c.document(ctx, tx, plan, id)
	return value, err
}

func (c Collection[T]) document(ctx context.Context, tx *Tx, plan, id string) (*document, *T, error) {
	s := tx.set(plan, c.Name)
	doc := s.docs[id]
	if doc == nil {
		if err := c.Prefetch(ctx, tx, plan, id); err != nil {
			return nil, nil, err
		}
		doc = s.docs[id]
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
	s := tx.set(plan, c.Name)
	for _, id := range ids {
		if s.docs[id] == nil {
			missing = append(missing, Key{plan, c.Name, id})
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
		if s.docs[key.ID] != nil { // named twice
			continue
		}
		if doc := tx.keep(s, key.ID, nil); value != nil {
			doc.value = value
		}
	}
	return nil
}

// Delete removes the document.
func (c Collection[T]) Delete(tx *Tx, plan, id string) {
	s := tx.set(plan, c.Name)
	doc := s.docs[id]
	if doc == nil {
		doc = tx.keep(s, id, nil)
	}
	doc.value = nil
	tx.edited(doc)
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
