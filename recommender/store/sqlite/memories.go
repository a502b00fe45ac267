// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"maps"
	"slices"
	"sync"
)

// memories are those of the days that are open for writing, and of days whose
// counts could not be written yet.
type memories struct {
	mu  sync.RWMutex
	all map[day]*memory
}

func (m *memories) of(d day) *memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.all[d]
}

func (m *memories) set(d day, one *memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[day]*memory{}
	}
	m.all[d] = one
}

func (m *memories) drop(d day) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, d)
}

// days gives those that have a memory, oldest first.
func (m *memories) days() []day {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(m.all), func(a, b day) int { return a.start.Compare(b.start) })
}
