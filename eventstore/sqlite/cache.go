package sqlite

import "sync"

// cache is a bounded map: when the young half is full it becomes the old half, and what was not asked for since goes.
// Safe for concurrent use.
type cache[K comparable, V any] struct {
	mu         sync.Mutex
	most       int // of each half
	young, old map[K]V
	turn       int // how often something was forgotten
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{most: most, young: map[K]V{}, old: map[K]V{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok := c.young[key]; ok {
		return value, true
	}
	value, ok := c.old[key]
	if ok {
		c.keep(key, value)
	}
	return value, ok
}

func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, value)
}

func (c *cache[K, V]) keep(key K, value V) {
	if len(c.young) >= c.most {
		c.old, c.young = c.young, make(map[K]V, c.most)
		c.turn++
	}
	c.young[key] = value
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[K]V{}, map[K]V{}
	c.turn++
}

// turns changes whenever something may have been forgotten.
func (c *cache[K, V]) turns() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}
