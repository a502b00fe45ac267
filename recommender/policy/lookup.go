// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// lookup is what makes an engine's answers fast, all of it made when first asked.
type lookup struct {
	tables   [2][]atomic.Pointer[table] // by Direction and group
	index    *atomic.Pointer[index]
	members  [2]func() []bits.Set           // the ends of each group
	declared func() map[int32][]declaration // by the number of the name
	base     *Engine                        // of a swap: what it is but for some policies
	room     [2]*spare                      // of a swap, by Direction: nil where its groups are those of the base
}

func newLookup(e *Engine) lookup {
	l := lookup{index: new(atomic.Pointer[index]), declared: sync.OnceValue(func() map[int32][]declaration { return declarations(e.top.ends) })}
	for _, d := range []Direction{Egress, Ingress} {
		l.tables[d] = make([]atomic.Pointer[table], len(e.groups[d]))
		l.members[d] = sync.OnceValue(func() []bits.Set {
			out := make([]bits.Set, len(e.groups[d]))
			for end, g := range e.group[d] {
				out[g].Add(end)
			}
			return out
		})
	}
	return l
}

// declaration is a place where a port has a name: the ends of the pods that
// declare it there.
type declaration struct {
	protocol flow.Protocol
	point    uint32
	ends     bits.Set
}

// declarations lists the places of each name, by its number.
func declarations(ends []end) map[int32][]declaration {
	out := map[int32][]declaration{}
	for n := range ends {
		for _, p := range ends[n].ports {
			list, point := out[p.name], l4.Point(p.protocol, p.port)
			i := slices.IndexFunc(list, func(d declaration) bool { return d.point == point })
			if i < 0 {
				i = len(list)
				list = append(list, declaration{protocol: p.protocol, point: point})
			}
			list[i].ends.Add(n)
			out[p.name] = list
		}
	}
	return out
}
