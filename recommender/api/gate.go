// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/netcinch/netcinch/recommender/auth"
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
	counted  struct {    // the namespaces of the view that was asked for last
		key   string
		names []string
	}
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
	// Who sees everything is known without asking for each namespace.
	rights, err := who.Rights(ctx, v.Cluster, nil)
	if err == nil && rights.Cluster {
		return v, nil
	}
	all := g.spaces(v)
	if err == nil {
		rights, err = who.Rights(ctx, v.Cluster, all)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnjudged, err)
	}
	some := false
	for _, name := range all {
		some = some || rights.See(name)
	}
	if !some {
		return nil, problemf(http.StatusForbidden, "You may not see any namespace of cluster %s: it takes the right to list pods and network policies in one.", v.Cluster)
	}
	n := g.narrow(v, rights, all)
	who.veil = n.veil
	return n.view, nil
}

// spaces gives the namespaces of a view, looked for once.
func (g *gate) spaces(v *View) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counted.key != v.Key {
		g.counted.key, g.counted.names = v.Key, namespaces(v)
	}
	return g.counted.names
}

// narrow gives what may be seen of a view, made once for all with the same rights.
func (g *gate) narrow(v *View, rights auth.Rights, all []string) *narrowed {
	key := v.Key + "-" + rightsKey(rights, all)
	g.mu.Lock()
	for _, n := range g.narrowed {
		if n.key == key {
			g.mu.Unlock()
			return n
		}
	}
	g.mu.Unlock()
	veil := newVeil(v, rights, all)
	n := &narrowed{key: key, view: veil.view(v, key), veil: veil}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.narrowed = append(g.narrowed, n)
	if len(g.narrowed) > keptNarrowed {
		g.narrowed = g.narrowed[1:]
	}
	return n
}

// rightsKey is the same for the same namespaces that are seen.
func rightsKey(rights auth.Rights, all []string) string {
	sum := sha256.New()
	for _, name := range all {
		if rights.See(name) {
			sum.Write([]byte(name + "\x00"))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
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
