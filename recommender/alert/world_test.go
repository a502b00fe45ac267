// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/store"
)

var dawn = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

func at(minutes int) time.Time { return dawn.Add(time.Duration(minutes) * time.Minute) }

// hours in minutes, for at.
func hours(h int) int { return 60 * h }

// story is a cluster that is looked at again and again. Learning takes six
// hours; records are of five minutes.
type story struct {
	t         *testing.T
	objects   []string
	records   []flow.Record
	catalogue map[flow.Edge]*store.Catalogued
	coverage  []store.NodeCoverage
	trail     []store.Decision
	keeper    *Keeper
	options   Options
	last      Input
	decisions int
}

func newStory(t *testing.T, objects ...string) *story {
	t.Helper()
	s := &story{t: t, objects: objects, catalogue: map[flow.Edge]*store.Catalogued{}, options: Options{Learning: 6 * time.Hour}}
	s.restart()
	return s
}

// restart makes a new keeper of what the last one saved.
func (s *story) restart() {
	s.t.Helper()
	var rows []store.Finding
	if s.keeper != nil {
		var err error
		s.keeper.saved = map[string]uint64{}
		if rows, err = s.keeper.Unsaved(dawn); err != nil {
			s.t.Fatal(err)
		}
	}
	k, err := New("test", s.options, rows)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keeper = k
}

func deployment(ns, name string, ips ...string) string {
	return workloadOf(ns, name, "img/"+name+":1", "aaaaa", ips...)
}

func workloadOf(ns, name, image, hash string, ips ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: %s}\nspec: {selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: c, image: %q, ports: [{name: metrics, containerPort: 9100}]}]}}}\n---\n", name, ns, name, name, image)
	for i, ip := range ips {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s-%d, namespace: %s, labels: {app: %s, pod-template-hash: %s}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %s, controller: true, uid: u}]}\nspec: {nodeName: n1, containers: [{name: c, image: %q, ports: [{name: metrics, containerPort: 9100}]}]}\nstatus: {phase: Running, podIP: %q}\n---\n", name, i, ns, name, hash, name, image, ip)
	}
	return b.String()
}

const nodeN1 = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: InternalIP, address: \"fd00:1::1\"}]}\n---\n"

// ingressDB is the policy of the database.
func ingressDB(rules string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec:\n  podSelector: {matchLabels: {app: db}}\n  policyTypes: [Ingress]\n  ingress:\n" + rules + "---\n"
}

func pod(ns, name string) flow.Endpoint {
	return flow.Endpoint{Workload: flow.Workload{Namespace: ns, Kind: "Deployment", Name: name}, Pod: name + "-0"}
}

func by(e flow.Endpoint, process string) flow.Endpoint { e.Process = process; return e }

func outside(ip, dns string) flow.Endpoint {
	return flow.Endpoint{IP: netip.MustParseAddr(ip), DNS: dns}
}

func node(name string) flow.Endpoint { return flow.Endpoint{Node: name} }

// flows notes n connections of one edge in one window of five minutes.
func (s *story) flows(minute int, client, server flow.Endpoint, port uint16, n uint64, change ...func(*flow.Record)) {
	w := flow.Window{Start: at(minute), End: at(minute + 5)}
	c := flow.Counters{Connections: n, BytesSent: 100 * n, BytesReceived: 1000 * n, PacketsSent: 5 * n, PacketsReceived: 5 * n}
	r := flow.Record{Window: w, Edge: flow.Edge{Client: client, Server: server, Protocol: flow.TCP, Port: port}}
	if !client.Workload.IsZero() {
		r.ByClient = c
	}
	if !server.Workload.IsZero() {
		r.ByServer = c
	}
	for _, f := range change {
		f(&r)
	}
	s.records = append(s.records, r)
	key := store.Key(store.Fold(r.Edge))
	k := s.catalogue[key]
	if k == nil {
		k = &store.Catalogued{Edge: key, FirstSeen: w.Start, LastSeen: w.End}
		s.catalogue[key] = k
	}
	if w.Start.Before(k.FirstSeen) {
		k.FirstSeen = w.Start
	}
	if w.End.After(k.LastSeen) {
		k.LastSeen = w.End
	}
	if p := r.Edge.Client.Process; p != "" {
		k.Client = k.Client.Add(store.Program{Path: p, FirstSeen: w.Start, LastSeen: w.End})
	}
	if p := r.Edge.Server.Process; p != "" {
		k.Server = k.Server.Add(store.Program{Path: p, FirstSeen: w.Start, LastSeen: w.End})
	}
}

// habit notes an edge in every window of a time.
func (s *story) habit(from, to int, client, server flow.Endpoint, port uint16, change ...func(*flow.Record)) {
	for m := from; m < to; m += 5 {
		s.flows(m, client, server, port, 3, change...)
	}
}

func refused(r *flow.Record)    { r.Edge.Outcome = flow.Refused }
func udp(r *flow.Record)        { r.Edge.Protocol = flow.UDP }
func probe(r *flow.Record)      { r.Edge.Probe = true }
func unanswered(r *flow.Record) { r.Edge.Outcome = flow.Unanswered }

// look analyses what was seen up to a minute, and lets the keeper look at it.
func (s *story) look(minute int) {
	s.t.Helper()
	now := at(minute)
	snapshot := manifest.LoadText("test.yaml", []byte(strings.Join(s.objects, "")), manifest.Options{})
	for _, p := range snapshot.Problems {
		s.t.Fatalf("line %d: %s: %s", p.Line, p.Field, p.Message)
	}
	engine, problems := policy.Compile(snapshot, policy.Options{})
	if len(problems) > 0 {
		s.t.Fatal(problems)
	}
	in := Input{Now: now, Snapshot: snapshot, Engine: engine, Index: analyze.NewIndex(snapshot), Trail: s.trail, Coverage: s.coverage, Live: len(s.coverage) > 0}
	terms := s.keeper.Terms(s.trail, now)
	input := analyze.Input{
		Snapshot: snapshot, Engine: engine, Window: flow.Window{Start: dawn, End: now},
		Options: analyze.Options{Learning: s.options.Learning, Accepted: terms.Accepted, Excluded: terms.Excluded, Closed: terms.Closed},
	}
	for _, r := range s.records {
		if r.Window.End.After(now) {
			continue
		}
		input.Records = append(input.Records, r)
		if r.Window.End.After(now.Add(-time.Hour)) {
			in.Recent = append(in.Recent, r)
		}
	}
	for _, c := range s.catalogue {
		if c.FirstSeen.Before(now) {
			one := upTo(*c, now)
			in.Catalogue = append(in.Catalogue, one)
			input.Catalogue = append(input.Catalogue, analyze.Known{Edge: c.Edge, FirstSeen: c.FirstSeen, LastSeen: one.LastSeen})
		}
	}
	slices.SortFunc(in.Catalogue, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	var err error
	if in.Report, err = analyze.Analyze(input); err != nil {
		s.t.Fatal(err)
	}
	if in.Recommendations, err = recommend.Build(recommend.Input{Snapshot: snapshot, Report: in.Report, Engine: engine}); err != nil {
		s.t.Fatal(err)
	}
	s.last = in
	s.keeper.Look(in)
}

// upTo gives an entry of the catalogue as it was at a time.
func upTo(c store.Catalogued, now time.Time) store.Catalogued {
	for _, p := range []*store.Programs{&c.Client, &c.Server} {
		p.Seen = slices.DeleteFunc(slices.Clone(p.Seen), func(one store.Program) bool { return !one.FirstSeen.Before(now) })
	}
	if c.LastSeen.After(now) {
		c.LastSeen = now
	}
	return c
}

// looks looks every five minutes.
func (s *story) looks(from, to int) {
	s.t.Helper()
	for m := from; m <= to; m += 5 {
		s.look(m)
	}
}

// told gives what is to be told, and notes that it was.
func (s *story) told() []Alert {
	out := s.keeper.Untold()
	s.keeper.Told(out)
	return out
}

// of gives the alerts of a kind.
func (s *story) of(kind Kind) (out []Alert) {
	for _, a := range s.keeper.Alerts() {
		if a.Kind == kind {
			out = append(out, a)
		}
	}
	return out
}

// one gives the only alert of a kind.
func (s *story) one(kind Kind) Alert {
	s.t.Helper()
	list := s.of(kind)
	if len(list) != 1 {
		s.t.Fatalf("%d alerts of kind %s, want one; all: %s", len(list), kind, s.titles())
	}
	return list[0]
}

func (s *story) titles() string {
	var b strings.Builder
	for _, a := range s.keeper.Alerts() {
		fmt.Fprintf(&b, "\n  %s %s %s %q held %q", a.Kind, a.Severity, a.Status, a.Title, a.Held)
	}
	return b.String()
}

func (s *story) newID() string {
	s.decisions++
	return fmt.Sprintf("decision-%020d", s.decisions)
}

func (s *story) decide(minute int, id string, v store.Verdict) {
	s.t.Helper()
	list, err := s.keeper.Decide(id, Order{Verdict: v, By: "ada", Reason: "planned", At: at(minute), NewID: s.newID})
	if err != nil {
		s.t.Fatal(err)
	}
	s.trail = append(s.trail, list...)
	s.keeper.Decided(list, at(minute))
}

// shop is a learnt shop: web talks with api, api with db; ten hours are seen.
func shop(t *testing.T, more ...string) *story {
	t.Helper()
	s := newStory(t, append([]string{nodeN1, deployment("shop", "web", "10.0.0.1", "fd00::1"), deployment("shop", "api", "10.0.0.2", "fd00::2"), deployment("data", "db", "10.0.0.3", "fd00::3"), deployment("data", "cache", "10.0.0.4", "fd00::4")}, more...)...)
	s.habit(0, hours(24), by(pod("shop", "web"), "/app/web"), by(pod("shop", "api"), "/app/api"), 8080)
	s.habit(0, hours(24), by(pod("shop", "api"), "/app/api"), by(pod("data", "db"), "/usr/bin/postgres"), 5432)
	s.habit(0, hours(24), by(pod("shop", "api"), "/app/api"), by(pod("data", "cache"), "/usr/bin/redis"), 6379)
	for h := 0; h <= 10; h++ {
		s.look(hours(h))
	}
	if fired := s.told(); len(fired) > 0 {
		t.Fatalf("while it was learnt, somebody was woken: %s", s.titles())
	}
	return s
}
