// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"sync"
	"time"
)

// cache keeps values until their time is over. It is bounded: when it is full,
// what is over goes first, then whatever comes to hand.
type cache[K comparable, V any] struct {
	most int

	mu      sync.Mutex
	entries map[K]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{most: most, entries: map[K]kept[V]{}}
}

// get gives a value that is good at the time.
func (c *cache[K, V]) get(key K, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !now.Before(e.until) {
		delete(c.entries, key)
		var none V
		return none, false
	}
	return e.value, true
}

func (c *cache[K, V]) put(key K, value V, now, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[key]; !there && len(c.entries) >= c.most {
		c.makeRoom(now)
	}
	c.entries[key] = kept[V]{value, until}
}

// makeRoom needs the lock.
func (c *cache[K, V]) makeRoom(now time.Time) {
	for key, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) < c.most {
			return
		}
		delete(c.entries, key)
	}
}

func (c *cache[K, V]) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
