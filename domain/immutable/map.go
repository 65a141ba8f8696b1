// Package immutable has a map that is copied by keeping it: what was handed out never changes, and a change costs the
// same whether the map has ten keys or a hundred thousand. States of aggregates that grow with the plan are made of it.
package immutable

import (
	"encoding/json"
	"hash/fnv"
	"iter"
	"slices"
)

// Map is a map from ids to values. The zero Map is empty.
type Map[K ~string, V any] struct {
	root *node[K, V]
	size int
}

// bits of a key's hash choose the branch on each level, until the hash is used up.
const (
	bits   = 4
	levels = 32 / bits
)

// node is a branch, or a leaf: the entries whose keys have the same hash, nearly always one.
type node[K ~string, V any] struct {
	branches *[1 << bits]*node[K, V]
	hash     uint32
	entries  []entry[K, V]
}

type entry[K ~string, V any] struct {
	key   K
	value V
}

// Len returns the number of keys.
func (m Map[K, V]) Len() int { return m.size }

// Get returns the value of a key, and whether there is one.
func (m Map[K, V]) Get(key K) (V, bool) {
	hash := hashOf(key)
	n := m.root
	for level := 0; n != nil && n.branches != nil; level++ {
		n = n.branches[branch(hash, level)]
	}
	if n != nil {
		if i := n.find(key); i >= 0 {
			return n.entries[i].value, true
		}
	}
	var none V
	return none, false
}

// Has tells whether there is a value for a key.
func (m Map[K, V]) Has(key K) bool {
	_, ok := m.Get(key)
	return ok
}

// With returns the map with a value for a key.
func (m Map[K, V]) With(key K, value V) Map[K, V] {
	next := Map[K, V]{m.root.with(0, hashOf(key), key, value), m.size}
	if !m.Has(key) {
		next.size++
	}
	return next
}

// Without returns the map without a key.
func (m Map[K, V]) Without(key K) Map[K, V] {
	if !m.Has(key) {
		return m
	}
	return Map[K, V]{m.root.without(0, hashOf(key), key), m.size - 1}
}

// All yields every key with its value, in an order that depends on the keys alone.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { m.root.each(yield) }
}

// MarshalJSON writes the map as an object.
func (m Map[K, V]) MarshalJSON() ([]byte, error) {
	object := make(map[K]V, m.size)
	for key, value := range m.All() {
		object[key] = value
	}
	return json.Marshal(object)
}

func (n *node[K, V]) find(key K) int {
	return slices.IndexFunc(n.entries, func(e entry[K, V]) bool { return e.key == key })
}

func (n *node[K, V]) with(level int, hash uint32, key K, value V) *node[K, V] {
	switch {
	case n == nil:
		return &node[K, V]{hash: hash, entries: []entry[K, V]{{key, value}}}
	case n.branches != nil:
		i := branch(hash, level)
		return n.replace(i, n.branches[i].with(level+1, hash, key, value))
	case n.hash == hash || level == levels:
		entries := slices.Clone(n.entries)
		if i := n.find(key); i >= 0 {
			entries[i].value = value
		} else {
			entries = append(entries, entry[K, V]{key, value})
		}
		return &node[K, V]{hash: n.hash, entries: entries}
	}
	split := &node[K, V]{branches: &[1 << bits]*node[K, V]{}}
	split.branches[branch(n.hash, level)] = n
	return split.with(level, hash, key, value)
}

func (n *node[K, V]) without(level int, hash uint32, key K) *node[K, V] {
	if n.branches == nil {
		if len(n.entries) == 1 {
			return nil
		}
		i := n.find(key)
		return &node[K, V]{hash: n.hash, entries: slices.Delete(slices.Clone(n.entries), i, i+1)}
	}
	i := branch(hash, level)
	next := n.replace(i, n.branches[i].without(level+1, hash, key))
	var only *node[K, V]
	for _, b := range next.branches {
		switch {
		case b == nil:
		case only != nil || b.branches != nil:
			return next
		default:
			only = b
		}
	}
	return only // a leaf stands as high as it can, so that equal maps have equal trees
}

func (n *node[K, V]) replace(i int, b *node[K, V]) *node[K, V] {
	branches := *n.branches
	branches[i] = b
	return &node[K, V]{branches: &branches}
}

func (n *node[K, V]) each(yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	for _, e := range n.entries {
		if !yield(e.key, e.value) {
			return false
		}
	}
	if n.branches != nil {
		for _, b := range n.branches {
			if !b.each(yield) {
				return false
			}
		}
	}
	return true
}

func branch(hash uint32, level int) int { return int(hash>>(level*bits)) & (1<<bits - 1) }

func hashOf[K ~string](key K) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return h.Sum32()
}
