// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
	"github.com/netcinch/netcinch/recommender/wire"
)

// Handler answers POST /v1/flows. It keeps no state between batches but what
// it knows of addresses outside the cluster, so that replicas can share agents.
type Handler struct {
	options Options
	metrics *metrics
	slots   chan struct{}      // of those that are worked on
	queue   chan struct{}      // of those that wait for a slot
	waiters map[string]*waiter // by cluster
	quiet   *auth.Limits       // of refusals in the log, by reason and sender
}

// resultDuplicate is the result of a batch that was stored before.
const resultDuplicate = "duplicate"

// New gives a handler; the error says which option is wrong.
func New(o Options) (*Handler, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering the metrics of ingest: %w", err)
	}
	h := &Handler{
		options: o, metrics: m, slots: make(chan struct{}, o.MaxConcurrent), queue: make(chan struct{}, o.MaxWaiting), waiters: map[string]*waiter{}, quiet: auth.NewLimits(quietEach, quietBurst, o.Clock),
	}
	for name, resolver := range o.Clusters {
		h.waiters[name] = newWaiter(resolver, h.others(name), o.ResolveWait, m)
	}
	return h, nil
}

// others are the clusters beside one.
func (h *Handler) others(name string) (list []neighbour) {
	for _, other := range slices.Sorted(maps.Keys(h.options.Clusters)) {
		if other != name {
			list = append(list, neighbour{other, h.options.Clusters[other]})
		}
	}
	return list
}

// ServeHTTP takes one batch and answers with a wire.Ack, or with a
// wire.Problem.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ack, err := h.take(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	result := "stored"
	if ack.GetDuplicate() {
		result = resultDuplicate
	}
	h.metrics.batches.WithLabelValues(result).Inc()
	body, err := proto.Marshal(ack)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", wire.ContentType)
	if _, err := w.Write(body); err != nil {
		// The agent will repeat the batch, and be told that it is a duplicate.
		h.options.Logger.DebugContext(r.Context(), "acknowledging a batch", "error", err)
	}
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) (*wire.Ack, error) {
	if err := checkRequest(r); err != nil {
		return nil, err
	}
	sender, err := h.authenticate(r)
	if err != nil {
		return nil, err
	}
	if err = h.slot(r.Context()); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	counted := &countingReader{r: http.MaxBytesReader(w, r.Body, wire.MaxEncoded+1)}
	b, err := wire.Decode(counted)
	h.metrics.bytes.Add(float64(counted.n))
	if err != nil {
		return nil, blamed{sender.Name, err}
	}
	ack, err := h.keep(r.Context(), sender, b)
	if err != nil {
		return nil, blamed{sender.Name, err}
	}
	if ack.GetDuplicate() {
		h.audit(r, "a batch came again", resultDuplicate, sender.Name, "cluster", b.Header().Cluster, "node", b.Header().Node, "epoch", ack.GetEpoch(), "sequence", ack.GetSequence())
	}
	return ack, nil
}

// slot waits for a turn.
func (h *Handler) slot(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	busy := refusal{wire.ReasonBusy, fmt.Errorf("%d batches are being worked on, try again", h.options.MaxConcurrent)}
	if h.options.SlotWait < 0 {
		return busy
	}
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return busy
	}
	limit := time.NewTimer(h.options.SlotWait)
	defer limit.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-limit.C:
		return busy
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn: %w: %w", store.ErrBusy, ctx.Err())
	}
}

// keep judges a batch against the sender, the clock and the cluster, and
// stores it.
func (h *Handler) keep(ctx context.Context, sender Identity, b *wire.Batch) (*wire.Ack, error) {
	header := b.Header()
	waiter, known := h.waiters[header.Cluster]
	if !known {
		names := slices.Sorted(maps.Keys(h.options.Clusters))
		return nil, refusal{wire.ReasonUnknownCluster, fmt.Errorf("cluster %q is not one of this recommender's (%s); start the agent with its name", header.Cluster, strings.Join(names, ", "))}
	}
	if !sender.MaySpeakFor(header.Cluster, header.Node) {
		return nil, refusal{wire.ReasonForbidden, fmt.Errorf("%w: %s may not speak for node %q of cluster %q", ErrForbidden, sender.Name, header.Node, header.Cluster)}
	}
	if now := h.options.Clock(); header.End.After(now.Add(h.options.MaxSkew)) {
		return nil, refusal{wire.ReasonFuture, fmt.Errorf("the window ends %v ahead of the recommender's clock, at most %v; set the node's clock", header.End.Sub(now).Round(time.Second), h.options.MaxSkew)}
	}
	if err := waiter.wait(ctx, b); err != nil {
		return nil, err
	}
	batch, a, err := h.attribute(b)
	if err != nil {
		return nil, err
	}
	began := h.options.Clock()
	duplicate, err := h.options.Store.Append(ctx, batch)
	if err != nil {
		return nil, err
	}
	h.metrics.seconds.Observe(h.options.Clock().Sub(began).Seconds())
	if !duplicate {
		h.metrics.edges.Add(float64(len(batch.Records)))
		for k, n := range a.resolved {
			h.metrics.ends.WithLabelValues(k[0], k[1]).Add(float64(n))
		}
		h.options.Notify(batch)
	}
	return &wire.Ack{Epoch: header.Epoch, Sequence: header.Sequence, Duplicate: duplicate}, nil
}

// attribute makes the store's batch. A pod that is known to run on another
// node condemns the whole batch: whoever sends that is no honest agent.
func (h *Handler) attribute(b *wire.Batch) (store.Batch, *attributor, error) {
	header := b.Header()
	a := newAttributor(h.options.Clusters[header.Cluster], h.others(header.Cluster), header)
	records := make([]flow.Record, 0, b.Len())
	for i, e := range b.All() {
		if e.Pod != (wire.PodKey{}) {
			if o := a.pod(e.Pod); o.known && o.endpoint.Node != "" && o.endpoint.Node != header.Node {
				return store.Batch{}, nil, refusal{wire.ReasonForeignPod, fmt.Errorf("edges.pod[%d]: pod %s/%s runs on node %q, the batch is of node %q",
					i, e.Pod.Namespace, e.Pod.Name, o.endpoint.Node, header.Node)}
			}
		}
		records = append(records, a.record(e))
	}
	l, c := b.GetLosses(), b.GetCoverage()
	return store.Batch{
		Cluster: header.Cluster, Node: header.Node, Epoch: header.Epoch, Sequence: header.Sequence,
		Window: a.window, Records: records,
		Losses: store.Losses{
			MapFull: l.GetMapFull(), RingFull: l.GetRingFull(), Unattributed: l.GetUnattributed(), Unparsed: l.GetUnparsed(),
			Detached: l.GetDetached(), SpoolOverflow: l.GetSpoolOverflow(),
		},
		Coverage: store.Coverage{
			PodsKnown: int(c.GetPodsKnown()), PodsWatched: int(c.GetPodsWatched()), AttachMode: c.GetAttachMode(), Missing: c.GetMissing(),
		},
	}, a, nil
}

func checkRequest(r *http.Request) error {
	if r.Method != http.MethodPost {
		return refusal{wire.ReasonMethod, fmt.Errorf("method %s, want POST", r.Method)}
	}
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != wire.ContentType {
		return refusal{wire.ReasonMediaType, fmt.Errorf("Content-Type %q, want %s", r.Header.Get("Content-Type"), wire.ContentType)}
	}
	if got := r.Header.Get("Content-Encoding"); got != wire.ContentEncoding {
		return refusal{wire.ReasonMediaType, fmt.Errorf("Content-Encoding %q, want %s", got, wire.ContentEncoding)}
	}
	if r.ContentLength > wire.MaxEncoded {
		return refusal{wire.ReasonTooLarge, fmt.Errorf("a body of %d bytes, at most %d", r.ContentLength, wire.MaxEncoded)}
	}
	return nil
}

func (h *Handler) authenticate(r *http.Request) (Identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Identity{}, fmt.Errorf("%w: want an Authorization header with a bearer token", ErrUnauthenticated)
	}
	sender, err := h.options.Auth.Authenticate(auth.WithRemote(r.Context(), r.RemoteAddr), token)
	if errors.Is(err, auth.ErrTooMany) {
		return Identity{}, refusal{wire.ReasonBusy, err}
	}
	if err != nil && !errors.Is(err, ErrUnauthenticated) && !errors.Is(err, ErrForbidden) {
		return Identity{}, refusal{wire.ReasonUnavailable, fmt.Errorf("authenticating: %w", err)}
	}
	return sender, err
}
