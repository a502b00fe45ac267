// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
)

// App is a running recommender.
type App struct {
	options Options
}

// New opens everything: sources, store, ports. What fails is one error that
// says what to do; nothing stays open then.
func New(o Options) (*App, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &App{options: o}, nil
}

// Run serves until the context ends, then stops gracefully: requests in flight
// are answered, the store is closed. Its error is nil after a clean stop.
func (a *App) Run(ctx context.Context) error {
	<-ctx.Done()
	return errors.New("running the recommender: not wired yet")
}

// PageURL is the address of the page with the token that lets a person in:
// http://127.0.0.1:8080/#token=…
func (a *App) PageURL() string { return "" }

// IngestURL is the address that agents send to; empty where there is no ingest.
func (a *App) IngestURL() string { return "" }
