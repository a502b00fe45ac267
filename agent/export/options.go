// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// The bounds that an agent runs with.
const (
	DefaultSpoolLimit  = 256 << 20
	DefaultMemoryLimit = 8 << 20
	DefaultMinBackoff  = 500 * time.Millisecond
	DefaultMaxBackoff  = 8 * time.Second
	DefaultTimeout     = 30 * time.Second
)

// Options say where batches go, as whom, and what they may cost.
type Options struct {
	Cluster string
	Node    string

	Server    string // base URL of the recommender's ingest port; https only
	CAFile    string // PEM of the CAs to trust; empty for the system's. Read again when it changes.
	TokenFile string // bearer token; read again for each request

	SpoolDir    string
	SpoolLimit  int64 // bytes in files
	MemoryLimit int64 // bytes in memory while files cannot be written

	// Commits: batches are sent only when they are committed, together with
	// the state of those who made them. See [Exporter.Commit].
	Commits bool
	BootID  string // changes when the machine is started anew; needed with Commits

	MinBackoff time.Duration // before the second try
	MaxBackoff time.Duration
	Timeout    time.Duration // of one request

	Clock    func() time.Time
	NewEpoch func() string  // a fresh random name
	Random   func() float64 // in [0,1): the jitter of a retry
	Logger   *slog.Logger
}

// DefaultOptions gives the bounds; all else remains to be set.
func DefaultOptions() Options {
	return Options{
		SpoolLimit: DefaultSpoolLimit, MemoryLimit: DefaultMemoryLimit,
		MinBackoff: DefaultMinBackoff, MaxBackoff: DefaultMaxBackoff, Timeout: DefaultTimeout,
	}
}

func (o Options) validate() error {
	if o.Clock == nil || o.NewEpoch == nil || o.Random == nil || o.Logger == nil {
		return errors.New("export: Clock, NewEpoch, Random and Logger must be set")
	}
	if o.Cluster == "" || o.Node == "" {
		return errors.New("the cluster and the node must have names: give --cluster and --node")
	}
	if o.SpoolDir == "" {
		return errors.New("batches need a directory to wait in: give --spool-dir")
	}
	if o.SpoolLimit < 1<<20 || o.MemoryLimit < 1<<20 {
		return fmt.Errorf("the spool has room for %d bytes in files and %d in memory: give each at least 1 MiB", o.SpoolLimit, o.MemoryLimit)
	}
	if o.MinBackoff <= 0 || o.MaxBackoff < o.MinBackoff || o.Timeout <= 0 {
		return fmt.Errorf("retrying after %v to %v with a timeout of %v: durations must be positive and in order", o.MinBackoff, o.MaxBackoff, o.Timeout)
	}
	_, err := endpoint(o.Server)
	return err
}

// endpoint gives the base URL. Plain HTTP is refused: the token and the flows
// would be readable on the way.
func endpoint(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("the recommender's address (--server): %w", err)
	}
	if u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the recommender's address (--server) is %q: want https://HOST:PORT", server)
	}
	return u, nil
}
