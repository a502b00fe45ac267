// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/auth"
)

// people are those that the API server of one cluster knows. Of the other
// clusters they see nothing: nobody there was asked.
type people struct {
	judges   *judges
	audience string
	cluster  string
}

// Person implements api.People.
func (p *people) Person(ctx context.Context, token string) (api.Person, error) {
	who, err := p.judges.reviewer.Person(ctx, token, p.audience)
	switch {
	case errors.Is(err, auth.ErrRefused):
		return nil, fmt.Errorf("%w: %w", api.ErrStranger, err)
	case errors.Is(err, auth.ErrTooMany):
		return nil, fmt.Errorf("%w: %w", api.ErrTooMany, err)
	case err != nil:
		return nil, err
	}
	return &person{identity: who, access: p.judges.access, cluster: p.cluster}, nil
}

// person is one that the API server knows.
type person struct {
	identity auth.Identity
	access   *auth.Access
	cluster  string
}

// Name implements api.Person.
func (p *person) Name() string { return p.identity.User }

// Rights implements api.Person.
func (p *person) Rights(ctx context.Context, cluster string, namespaces []string) (auth.Rights, error) {
	if cluster != p.cluster && cluster != "" {
		return auth.Rights{}, nil
	}
	return p.access.Rights(ctx, p.identity, namespaces)
}

// MayDecide implements api.Person.
func (p *person) MayDecide(ctx context.Context, cluster, namespace string) (bool, error) {
	if cluster != p.cluster && cluster != "" {
		return false, nil
	}
	return p.access.MayDecide(ctx, p.identity, namespace)
}

// MayScrape implements api.Person.
func (p *person) MayScrape(ctx context.Context) (bool, error) {
	return p.access.MayGet(ctx, p.identity, "/metrics")
}
