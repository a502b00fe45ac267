// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"sync"

	"github.com/netcinch/netcinch/recommender/recommend"
)

// keptFormats is how many sets of recommendations in other formats are kept:
// one page asks for the same set again with every click.
const keptFormats = 6

// formats keeps recommendations in other formats than the usual one, by view
// and format. The first who asks makes them, the others wait for it.
type formats struct {
	mu   sync.Mutex
	sets []*formatSet // the newest last
}

type formatSet struct {
	key  string
	make func() ([]recommend.Recommendation, error)
}

func (f *formats) of(key string, build func() ([]recommend.Recommendation, error)) ([]recommend.Recommendation, error) {
	f.mu.Lock()
	at := slices.IndexFunc(f.sets, func(s *formatSet) bool { return s.key == key })
	if at < 0 {
		f.sets = append(f.sets, &formatSet{key: key, make: sync.OnceValues(build)})
		if len(f.sets) > keptFormats {
			f.sets = slices.Delete(f.sets, 0, 1)
		}
		at = len(f.sets) - 1
	}
	set := f.sets[at]
	f.mu.Unlock()
	return set.make()
}
