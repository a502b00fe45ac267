// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/netcinch/netcinch/recommender/auth"
)

// Errors of People, told apart with errors.Is. Any other error means that it
// could not be found out, and that one should try again.
var (
	ErrStranger = errors.New("nobody's token")
	ErrTooMany  = errors.New("too many wrong tokens")
)

// People knows whose a token is.
type People interface {
	Person(ctx context.Context, token string) (Person, error)
}

// Person is somebody who was let in.
type Person interface {
	// Name is for the log.
	Name() string
	// Rights says what the person may see of a cluster and its namespaces.
	Rights(ctx context.Context, cluster string, namespaces []string) (auth.Rights, error)
	// MayDecide says whether the person may decide on findings of a namespace.
	MayDecide(ctx context.Context, cluster, namespace string) (bool, error)
	// MayScrape says whether the person may read the recommender's metrics.
	MayScrape(ctx context.Context) (bool, error)
}

// holder is whoever has the token of the recommender: there is one for all,
// and it lets see and decide everything.
type holder struct{}

func (holder) Name() string { return "holder of the token" }

func (holder) Rights(context.Context, string, []string) (auth.Rights, error) { return auth.All(), nil }

func (holder) MayDecide(context.Context, string, string) (bool, error) { return true, nil }

func (holder) MayScrape(context.Context) (bool, error) { return true, nil }

// caller is the person of one request, and what must not be told to them.
type caller struct {
	Person
	veil *veil // of the view that was given; nil where they see everything
}

type callerKey struct{}

func withCaller(r *http.Request, p Person) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, &caller{Person: p}))
}

// callerOf gives the person of a request; nil where nobody was let in.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// veilOf gives what must not be told; nil for nothing.
func veilOf(ctx context.Context) *veil {
	if c := callerOf(ctx); c != nil {
		return c.veil
	}
	return nil
}

// seesAll says whether the caller may see everything of a cluster.
func seesAll(r *http.Request, cluster string) (bool, error) {
	who := callerOf(r.Context())
	if who == nil {
		return false, nil
	}
	rights, err := who.Rights(r.Context(), cluster, nil)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUnjudged, err)
	}
	return rights.Cluster, nil
}
