// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

const token = "page-token-for-tests"

// manifests are a small shop: a policy with an unused port and an unused peer,
// one that selects nothing, a workload that none selects, and a broken object.
const manifests = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: data}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
status: {addresses: [{type: InternalIP, address: 192.0.2.10}, {type: InternalIP, address: "2001:db8:f::10"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{containerPort: 8080, name: http}]}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c, ports: [{containerPort: 9102, name: metrics}]}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, ports: [{containerPort: 5432, name: sql}]}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: data
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {team: shop}}
      ports:
        - port: 5432
        - port: 8008
    - from:
        - ipBlock: {cidr: 198.51.100.0/24}
      ports:
        - port: 5432
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody, namespace: shop}
spec:
  podSelector: {matchLabels: {app: gone}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: broken, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 70000}]}]}
`

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func workload(namespace, kind, name string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: namespace, Kind: kind, Name: name}}
}

func outside(addr, dns string) flow.Endpoint {
	return flow.Endpoint{IP: netip.MustParseAddr(addr), DNS: dns}
}

// records are ten hours of traffic, and something new in the last one.
func records() []flow.Record {
	web, cart, db := workload("shop", "Deployment", "web"), workload("shop", "Deployment", "cart"), workload("data", "StatefulSet", "db")
	web.Process = "/bin/web"
	hourly := []flow.Edge{
		{Client: outside("203.0.113.9", ""), Server: web, Protocol: flow.TCP, Port: 8080},
		{Client: outside("2001:db8::9", ""), Server: web, Protocol: flow.TCP, Port: 8080},
		{Client: web, Server: cart, Protocol: flow.TCP, Port: 8080, Service: "shop/cart:80"},
		{Client: web, Server: db, Protocol: flow.TCP, Port: 5432},
		{Client: cart, Server: outside("203.0.113.20", "pay.example"), Protocol: flow.TCP, Port: 443},
		{Client: cart, Server: outside("2001:db8::20", "pay.example"), Protocol: flow.TCP, Port: 443},
		{Client: web, Server: flow.Endpoint{Node: "node-1"}, Protocol: flow.UDP, Port: 53},
		{Client: flow.Endpoint{Node: "node-1"}, Server: web, Protocol: flow.TCP, Port: 8080},
		{Client: web, Server: cart, Protocol: flow.TCP, Port: 9102},
		{Client: outside("203.0.113.66", ""), Server: db, Protocol: flow.TCP, Port: 5432, Outcome: flow.Unanswered},
	}
	var out []flow.Record
	for hour := range 10 {
		w := flow.Window{Start: start.Add(time.Duration(hour) * time.Hour), End: start.Add(time.Duration(hour+1) * time.Hour)}
		edges := hourly
		if hour == 9 {
			edges = append(slices.Clip(edges), flow.Edge{Client: cart, Server: outside("198.51.100.7", ""), Protocol: flow.TCP, Port: 4444})
		}
		for _, e := range edges {
			out = append(out, flow.Record{Window: w, Edge: e, ByClient: flow.Counters{Connections: 7, BytesSent: 700, BytesReceived: 900, PacketsSent: 7, PacketsReceived: 9}})
		}
	}
	return out
}

// source is an api.Source over records.
type source struct {
	records []flow.Record
	nodes   []store.NodeCoverage
	live    bool
	ready   bool
	text    string
	failure string
	views   map[api.Span]*api.View
	keeper  *alert.Keeper
	trail   []store.Decision
}

var _ api.Alerts = (*source)(nil)

// Keeper looks at the whole view once, and again after each decision.
func (s *source) Keeper(string) *alert.Keeper {
	if s.keeper == nil {
		k, err := alert.New("test", alert.Options{Learning: time.Hour}, nil)
		if err != nil {
			panic(err)
		}
		s.keeper = k
		s.look()
	}
	return s.keeper
}

func (s *source) look() {
	v, err := s.view(api.Span{})
	if err != nil {
		return
	}
	s.keeper.Look(alert.Input{
		Now: s.Now(), Clock: time.Now(), Snapshot: v.Snapshot, Engine: v.Engine, Index: v.Index, Report: v.Report, Recommendations: v.Recommendations,
		Recent: s.records, Coverage: s.nodes, Trail: s.trail, Live: true,
	})
}

func (s *source) Record(_ context.Context, _ string, entries []store.Decision) error {
	s.trail = append(s.trail, entries...)
	s.Keeper("").Decided(entries, s.Now())
	s.look()
	return nil
}

func (s *source) Trail(context.Context, string) ([]store.Decision, error) { return s.trail, nil }

func (s *source) Import(ctx context.Context, _, name string, file *alert.BaselineFile, o alert.Order) (alert.Imported, error) {
	sum, entries, err := s.Keeper("").Import(file, name, nil, s.trail, o)
	if err != nil {
		return sum, err
	}
	return sum, s.Record(ctx, "", entries)
}

func newSource() *source {
	return &source{
		records: records(), live: true, ready: true, text: manifests,
		nodes: []store.NodeCoverage{{
			Node: "node-1", FirstSeen: start, LastSeen: start.Add(10 * time.Hour), Covered: 9 * time.Hour, Batches: 10,
			Losses: store.Losses{MapFull: 3}, Coverage: store.Coverage{PodsKnown: 4, PodsWatched: 4, AttachMode: "tcx-pod"},
		}},
	}
}

func (s *source) View(_ context.Context, span api.Span) (*api.View, error) { return s.view(span) }

func (s *source) view(span api.Span) (*api.View, error) {
	if !s.ready {
		return nil, api.ErrNotReady
	}
	if v := s.views[span]; v != nil {
		return v, nil
	}
	var seen []flow.Record
	for _, r := range s.records {
		if (span.From.IsZero() || r.Window.End.After(span.From)) && (span.To.IsZero() || r.Window.Start.Before(span.To)) {
			seen = append(seen, r)
		}
	}
	snapshot := manifest.LoadText("shop.yaml", []byte(s.text), manifest.Options{})
	engine, problems := policy.Compile(snapshot, policy.Options{})
	input := analyze.Input{Snapshot: snapshot, Engine: engine, Records: seen, Options: analyze.Options{Learning: time.Hour}}
	report, err := analyze.Analyze(input)
	if err != nil {
		return nil, err
	}
	advice, err := recommend.Build(recommend.Input{Snapshot: snapshot, Report: report})
	if err != nil {
		return nil, err
	}
	v := &api.View{
		Version: 3, Key: fmt.Sprintf("boot-3-%d-%d", span.From.Unix(), span.To.Unix()), Cluster: "test", Computed: s.Now(), Span: span,
		Snapshot: snapshot, Engine: engine, Index: analyze.NewIndex(snapshot), Input: input, Report: report, Recommendations: advice,
		Problems: append(append([]cluster.Problem(nil), snapshot.Problems...), problems...), Coverage: s.nodes,
	}
	if s.views == nil {
		s.views = map[api.Span]*api.View{}
	}
	s.views[span] = v
	return v, nil
}

func (s *source) Status(string) api.Status {
	return api.Status{
		Cluster: "test", Clusters: []string{"test"}, Release: "v0", Live: s.live, Started: start, Sources: []string{"shop.yaml"}, Ingest: "https://127.0.0.1:8443",
		Learning: time.Hour, Kept: api.Span{From: start, To: s.Now()}, Failure: s.failure,
	}
}

func (s *source) Now() time.Time { return start.Add(10 * time.Hour) }

func serve(t *testing.T, s *source) *api.Server {
	t.Helper()
	page := fstest.MapFS{
		"index.html":       {Data: []byte(`<meta property="csp-nonce" nonce="__CSP_NONCE__"><script type="module" src="/assets/a-1.js">`)},
		"assets/a-1.js":    {Data: []byte("export {}")},
		".vite/build.json": {Data: []byte("{}")},
	}
	server, err := api.New(api.Options{
		Source: s, Alerts: s, Delivery: told{}, Token: token, Page: page, Now: time.Now,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "netcinch_view_version 3\n")
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return server
}
