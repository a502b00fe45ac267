// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// errUnjudged says that it could not be found out who asks, or what they may
// see: then nothing is shown.
var errUnjudged = errors.New("the API server could not be asked")

// gate is the Source that the routes read through: it gives each caller what
// they may see, and nothing to nobody. A method that is added to Source must
// be written here, too, and say for whom it is.
type gate struct {
	source Source

	mu       sync.Mutex
	narrowed []*narrowed // the newest last
}

var _ Source = (*gate)(nil)

// narrowed is a view of which only a part is shown, kept for who has the same rights.
type narrowed struct {
	key  string
	view *View
	veil *veil
}

const keptNarrowed = 16

// View implements Source.
func (g *gate) View(ctx context.Context, s Span) (*View, error) {
	who := callerOf(ctx)
	if who == nil {
		return nil, problemf(http.StatusUnauthorized, "Send a token.")
	}
	v, err := g.source.View(ctx, s)
	if err != nil {
		return nil, err
	}
	all := namespaces(v)
	rights, err := who.Rights(ctx, v.Cluster, all)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errUnjudged, err)
	case rights.Cluster:
		return v, nil
	}
	some := false
	for _, name := range all {
		some = some || rights.See(name)
	}
	if !some {
		return nil, problemf(http.StatusForbidden, "You may not see any namespace of cluster %s: it takes the right to list pods and network policies in one.", v.Cluster)
	}
	n := g.narrow(v, newVeil(v, rights))
	who.veil = n.veil
	return n.view, nil
}

// narrow gives what may be seen of a view, made once for all with the same rights.
func (g *gate) narrow(v *View, veil *veil) *narrowed {
	key := v.Key + "-" + veil.key
	g.mu.Lock()
	for _, n := range g.narrowed {
		if n.key == key {
			g.mu.Unlock()
			return n
		}
	}
	g.mu.Unlock()
	n := &narrowed{key: key, view: veil.view(v, key), veil: veil}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.narrowed = append(g.narrowed, n)
	if len(g.narrowed) > keptNarrowed {
		g.narrowed = g.narrowed[1:]
	}
	return n
}

// ready says whether there is a view, to anybody, and nothing of it.
func (g *gate) ready(ctx context.Context) error {
	_, err := g.source.View(ctx, Span{})
	return err
}

// Status implements Source. Names of clusters, and how it goes, are for all
// that were let in; the route leaves out the rest.
func (g *gate) Status(cluster string) Status { return g.source.Status(cluster) }

// Now implements Source.
func (g *gate) Now() time.Time { return g.source.Now() }
