// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The defaults of Options.
const (
	DefaultResolution   = 5 * time.Minute
	DefaultRetention    = 30 * 24 * time.Hour
	DefaultPodRetention = 6 * time.Hour
	DefaultFoldEvery    = 2 * time.Minute
)

// Options say where and how long to keep.
type Options struct {
	Dir          string           // made if it is not there
	Resolution   time.Duration    // finest bucket of the counts; divides an hour, at least a second. It holds for days that begin after it is changed
	Retention    time.Duration    // of the counts; whole days
	PodRetention time.Duration    // of the rows as they came; negative keeps none
	MaxBytes     int64            // of all files: above it the oldest days are dropped, down to the newest; 0 for no bound
	FoldEvery    time.Duration    // how long counts gather in memory, beside the journal, before they are written; negative for not at all
	Clock        func() time.Time // required
	Logger       *slog.Logger     // nil for none
}

func (o Options) withDefaults() Options {
	if o.Resolution == 0 {
		o.Resolution = DefaultResolution
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.PodRetention == 0 {
		o.PodRetention = DefaultPodRetention
	}
	if o.FoldEvery == 0 {
		o.FoldEvery = DefaultFoldEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Dir == "":
		return errors.New("store: no folder given")
	case o.Clock == nil:
		return errors.New("store: no clock given")
	case o.Resolution < time.Second || time.Hour%o.Resolution != 0:
		return fmt.Errorf("store: resolution %v does not divide an hour into steps of a second or more", o.Resolution)
	case o.Retention < 24*time.Hour:
		return fmt.Errorf("store: retention %v is shorter than a day", o.Retention)
	case o.MaxBytes < 0:
		return fmt.Errorf("store: a bound of %d bytes", o.MaxBytes)
	}
	return nil
}
