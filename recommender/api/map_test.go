// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

type drawnNode struct {
	ID, Kind, Label, Elsewhere, Role, Workload string
	Members                                    int
	Within                                     struct{ Edges int }
}

type drawnGraph struct {
	Level string
	Nodes []drawnNode
	Edges []struct {
		ID, Edge, Source, Target, State, Change string
		Port, Count                             int
		Connections, ConnectionsBefore          int
	}
	Hidden struct{ FilteredEdges, UnusedEdges, UnusedAllowances int }
	Before struct {
		Counts struct{ New, Gone, Changed, Same int }
	}
}

func (g *drawnGraph) lines() []string {
	var out []string
	for _, e := range g.Edges {
		out = append(out, fmt.Sprintf("%s > %s %d %s", bareID(e.Source), bareID(e.Target), e.Port, e.State+e.Change))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bareID is shop/web of workload:shop/Deployment/web.
func bareID(id string) string {
	_, rest, _ := strings.Cut(id, ":")
	if parts := strings.Split(rest, "/"); strings.HasPrefix(id, "workload:") {
		return parts[0] + "/" + parts[2]
	}
	return rest
}

func draw(t *testing.T, s *source, query string) drawnGraph {
	t.Helper()
	return drawFrom(newContract(t, serve(t, s)), query)
}

func drawFrom(c *contract, query string) drawnGraph {
	c.t.Helper()
	return into[drawnGraph](c.t, c.do(ask{method: "GET", path: "/api/v1/graph?" + query, status: 200}))
}

func TestFilter(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	const toDB, toCart, call4, call6, pay = "shop/web > data/db 5432 allowed", "shop/web > shop/cart 8080 allowed", "203.0.113.9 > shop/web 8080 allowed",
		"2001:db8::9 > shop/web 8080 allowed", "shop/cart > pay.example 443 allowed"
	const scrape, tried, fresh = "shop/web > shop/cart 9102 allowed", "203.0.113.66 > data/db 5432 denied", "shop/cart > 198.51.100.7 4444 unseen"
	const probe, dns = "node-1 > shop/web 8080 allowed", "shop/web > node-1 53 allowed"
	for _, test := range []struct {
		q    string
		want []string
	}{
		{"namespace:data -verdict:unused", []string{tried, toDB}},
		{"ns:data verdict:denied", []string{tried}},
		{"workload:shop/cart port:8080", []string{toCart}},
		{"workload:car* port:8070-9000", []string{toCart}},
		{"from:shop to:data verdict:allowed", []string{toDB}},
		{"from:203.0.113.0/24 port:8080", []string{call4}},
		{"to:pay.example", []string{pay}},
		{"to:*.example", []string{pay}},
		{"label:app=db -verdict:unused", []string{tried, toDB}},
		{"address:203.0.113.20", []string{pay}},
		{"address:2001:db8::/32 protocol:tcp", []string{call6, pay, probe}},
		{"address:192.0.2.10", []string{probe, dns}},
		{"2001:db8::9", []string{call6}},
		{"process:/bin/web protocol:udp", []string{dns}},
		{"verdict:unseen", []string{fresh}},
		{"CART 9102", []string{scrape}},
		{"pay.example", []string{pay}},
		{"port: cart 4444", []string{fresh}},
		{"-ns:shop", []string{tried, "198.51.100.0/24 > data/db 5432 unused"}},
	} {
		g := drawFrom(c, "q="+url.QueryEscape(test.q))
		slices.Sort(test.want)
		if got := g.lines(); !slices.Equal(got, test.want) {
			t.Errorf("%s gives\n  %s\nwant\n  %s", test.q, strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
		}
		seen := 0
		for _, e := range g.Edges {
			if e.State != "unused" {
				seen++
			}
		}
		if seen+g.Hidden.FilteredEdges != 11 {
			t.Errorf("%s: %d edges shown and %d said to be left out, want 11 in all", test.q, seen, g.Hidden.FilteredEdges)
		}
	}
}

// The list takes the same filter as the map.
func TestFilteredList(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	list := into[items](t, c.do(ask{method: "GET", path: "/api/v1/edges?q=from:shop+to:data", status: 200}))
	if len(list.Items) != 1 || list.Items[0]["port"] != 5432.0 {
		t.Errorf("edges from shop to data: %v", list.Items)
	}
}

func TestFilterSaysWhatIsWrong(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for q, says := range map[string]string{
		"port:http": "port:http", "port:9-8": "port:9-8", "port:70000": "port:70000", "address:10.0.0": "address:10.0.0", "verdict:maybe": "verdict:maybe",
	} {
		body := c.do(ask{method: "GET", path: "/api/v1/graph?q=" + url.QueryEscape(q), status: 400})
		if p := into[struct{ Parameter, Detail string }](t, body); p.Parameter != "q" || !strings.Contains(p.Detail, says) {
			t.Errorf("%s: %+v", q, p)
		}
	}
}

func TestCompare(t *testing.T) {
	s := newSource()
	// web calls cart no more in the last hour, and db ten times as often.
	for i := range s.records {
		r := &s.records[i]
		if r.Window.Start.Equal(start.Add(9*time.Hour)) && r.Edge.Port == 5432 && r.Edge.Outcome == flow.Established {
			r.ByClient.Connections *= 10
		}
	}
	s.records = slices.DeleteFunc(s.records, func(r flow.Record) bool {
		return r.Window.Start.Equal(start.Add(9*time.Hour)) && r.Edge.Service == "shop/cart:80"
	})
	g := draw(t, s, "from=-1h&beforeFrom=-9h&beforeTo=-1h")
	if c := g.Before.Counts; c.New != 1 || c.Gone != 1 || c.Changed != 1 || c.New+c.Gone+c.Changed+c.Same != len(g.Edges) {
		t.Errorf("counts %+v of %d edges", c, len(g.Edges))
	}
	for _, line := range []string{
		"shop/cart > 198.51.100.7 4444 allowednew", "shop/web > shop/cart 8080 allowedgone", "shop/web > data/db 5432 allowedchanged",
		"203.0.113.9 > shop/web 8080 allowedsame", "203.0.113.66 > data/db 5432 deniedsame",
	} {
		if !slices.Contains(g.lines(), line) {
			t.Errorf("there is no %q in %v", line, g.lines())
		}
	}
	for _, e := range g.Edges {
		if e.Change == "gone" && (e.Connections != 0 || e.ConnectionsBefore != 8*7) {
			t.Errorf("what is gone has %d connections, before %d", e.Connections, e.ConnectionsBefore)
		}
	}
	folded := draw(t, s, "level=namespace&from=-1h&beforeFrom=-9h&beforeTo=-1h")
	if folded.Before.Counts != g.Before.Counts {
		t.Errorf("folded it counts %+v, else %+v", folded.Before.Counts, g.Before.Counts)
	}
	c := newContract(t, serve(t, s))
	body := c.do(ask{method: "GET", path: "/api/v1/graph?beforeFrom=-1h&beforeTo=-2h", status: 400})
	if p := into[struct{ Parameter string }](t, body); p.Parameter != "beforeFrom" {
		t.Errorf("parameter %q", p.Parameter)
	}
}

func TestPods(t *testing.T) {
	s := newSource()
	for i := range s.records {
		r := &s.records[i]
		if r.Edge.Server.Workload.Name == "db" && r.Edge.Outcome == flow.Established {
			r.Edge.Server.Pod = fmt.Sprintf("db-%d", r.Window.Start.Hour()%2)
		}
	}
	g := draw(t, s, "pods=workload:data/StatefulSet/db&q="+url.QueryEscape("to:db -verdict:unused"))
	want := []string{"203.0.113.66 > data/StatefulSet/db 5432 denied", "shop/web > data/db-0 5432 allowed", "shop/web > data/db-1 5432 allowed"}
	if got := g.lines(); !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	total := 0
	for _, e := range g.Edges {
		if e.State != "allowed" {
			continue
		}
		total += e.Connections
		if e.Edge == "" || e.Edge == e.ID {
			t.Errorf("%s is a part of %q", e.ID, e.Edge)
		}
	}
	if total != 70 {
		t.Errorf("the pods have %d connections in all, want 70", total)
	}
	for _, n := range g.Nodes {
		if n.ID == "workload:data/StatefulSet/db" {
			t.Error("the workload is drawn beside its pods")
		}
		if n.Kind == "pod" && n.Workload != "workload:data/StatefulSet/db" {
			t.Errorf("pod %s is of workload %q", n.ID, n.Workload)
		}
	}
}

func TestFoldOneNamespace(t *testing.T) {
	g := draw(t, newSource(), "fold=shop")
	ids := []string{}
	for _, n := range g.Nodes {
		ids = append(ids, n.ID)
		if n.ID == "namespace:shop" && n.Within.Edges != 2 {
			t.Errorf("%d edges are folded away inside shop, want 2", n.Within.Edges)
		}
	}
	if !slices.Contains(ids, "namespace:shop") || !slices.Contains(ids, "workload:data/StatefulSet/db") || slices.Contains(ids, "workload:shop/Deployment/web") {
		t.Errorf("nodes %v: want shop folded and data open", ids)
	}
}

// Folded or not, the lines and what is inside the boxes stand for every edge.
func TestFoldingLosesNothing(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for _, query := range []string{"", "level=namespace", "level=namespace&open=data", "fold=shop", "pods=workload:shop/Deployment/web"} {
		g := drawFrom(c, query)
		seen := 0
		for _, n := range g.Nodes {
			seen += n.Within.Edges
		}
		for _, e := range g.Edges {
			if e.State != "unused" {
				seen += e.Count
			}
		}
		if seen != 11 {
			t.Errorf("%q stands for %d edges, want 11", query, seen)
		}
	}
}

func TestManyOutsidePeersAreGrouped(t *testing.T) {
	s := newSource()
	web := workload("shop", "Deployment", "web")
	window := flow.Window{Start: start, End: start.Add(time.Hour)}
	add := func(e flow.Endpoint) {
		s.records = append(s.records, flow.Record{
			Window: window, Edge: flow.Edge{Client: web, Server: e, Protocol: flow.TCP, Port: 443}, ByClient: flow.Counters{Connections: 1},
		})
	}
	for i := range 2000 {
		add(flow.Endpoint{IP: netip.AddrFrom4([4]byte{byte(20 + i%150), byte(i), 1, 1})})
		add(flow.Endpoint{IP: netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", i))})
		add(flow.Endpoint{IP: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), DNS: fmt.Sprintf("b%d.store.cloud.example", i)})
	}
	g := draw(t, s, "")
	outside, members, edges := 0, map[string]int{}, 0
	for _, n := range g.Nodes {
		if n.Kind == "outside" {
			outside++
			members[n.Label] = n.Members
		}
	}
	for _, e := range g.Edges {
		if e.State != "unused" {
			edges += e.Count
		}
	}
	if outside > 30 {
		t.Errorf("%d outside nodes", outside)
	}
	if members["*.store.cloud.example"] != 2000 || members["pay.example"] != 2 {
		t.Errorf("members %v", members)
	}
	if edges != 6011 {
		t.Errorf("the lines stand for %d edges, want 6011: none may be lost", edges)
	}
	if len(g.Edges) > 60 {
		t.Errorf("%d lines", len(g.Edges))
	}
}

func TestOtherClustersAndControlPlane(t *testing.T) {
	s := newSource()
	s.text += `
---
apiVersion: v1
kind: Node
metadata: {name: master, labels: {node-role.kubernetes.io/control-plane: ""}}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
`
	for i, addr := range []string{"10.9.0.1", "10.9.0.2", "fd09::1"} {
		s.records = append(s.records, flow.Record{
			Window: flow.Window{Start: start, End: start.Add(time.Hour)}, ByClient: flow.Counters{Connections: uint64(i + 1)},
			Edge: flow.Edge{
				Client: workload("shop", "Deployment", "cart"), Server: flow.Endpoint{IP: netip.MustParseAddr(addr), Elsewhere: "prod/shop/db"}, Protocol: flow.TCP, Port: 5432,
			},
		})
	}
	s.records = append(s.records, flow.Record{
		Window: flow.Window{Start: start, End: start.Add(time.Hour)}, ByClient: flow.Counters{Connections: 1},
		Edge: flow.Edge{Client: workload("shop", "Deployment", "cart"), Server: flow.Endpoint{Node: "master"}, Protocol: flow.TCP, Port: 6443},
	})
	g := draw(t, s, "q="+url.QueryEscape("from:cart to:prod/shop/db"))
	if len(g.Edges) != 1 || g.Edges[0].Count != 3 || g.Edges[0].Connections != 6 {
		t.Errorf("edges to the other cluster: %+v", g.Edges)
	}
	for _, n := range g.Nodes {
		if n.Kind == "outside" && (n.Elsewhere != "prod/shop/db" || n.Label != "shop/db" || n.Members != 3) {
			t.Errorf("the workload of the other cluster is %+v", n)
		}
	}
	g = draw(t, s, "q="+url.QueryEscape("to:master"))
	if i := slices.IndexFunc(g.Nodes, func(n drawnNode) bool { return n.ID == "node:master" }); i < 0 || g.Nodes[i].Role != "control-plane" {
		t.Errorf("the control plane is %+v", g.Nodes)
	}
}

func TestTimeline(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	type timeline struct {
		Items []struct {
			Start, End               time.Time
			Connections, Failed, New int
		}
	}
	all := into[timeline](t, c.do(ask{method: "GET", path: "/api/v1/timeline", status: 200}))
	if len(all.Items) != 10 {
		t.Fatalf("%d bars, want 10", len(all.Items))
	}
	first, last := all.Items[0], all.Items[9]
	if !first.Start.Equal(start) || first.Connections != 70 || first.Failed != 7 || first.New != 10 {
		t.Errorf("the first hour is %+v", first)
	}
	if !last.End.Equal(start.Add(10*time.Hour)) || last.Connections != 77 || last.New != 1 {
		t.Errorf("the last hour is %+v", last)
	}
	one := into[timeline](t, c.do(ask{method: "GET", path: "/api/v1/timeline?namespace=data", status: 200}))
	if len(one.Items) != 10 || one.Items[0].Connections != 14 {
		t.Errorf("the first hour of data is %+v", one.Items[0])
	}
}

func TestEvidenceTellsBothEnds(t *testing.T) {
	s := newSource()
	for i := range s.records {
		if r := &s.records[i]; r.Edge.Server.Workload.Name == "db" {
			r.Edge.Server.Process, r.Edge.Server.Pod = "/usr/bin/postgres", "db-0"
		}
	}
	c := newContract(t, serve(t, s))
	id := into[items](t, c.do(ask{method: "GET", path: "/api/v1/edges?q=from:web+to:db", status: 200})).Items[0]["id"].(string)
	body := into[struct {
		Detail struct {
			ClientProcesses, ServerProcesses []string
			Pods                             []struct {
				Server   string
				Counters struct{ Connections int }
			}
			PodsTotal int
		}
	}](t, c.do(ask{method: "GET", path: "/api/v1/edges/" + id, status: 200}))
	d := body.Detail
	if !slices.Equal(d.ClientProcesses, []string{"/bin/web"}) || !slices.Equal(d.ServerProcesses, []string{"/usr/bin/postgres"}) {
		t.Errorf("processes %v, %v", d.ClientProcesses, d.ServerProcesses)
	}
	if d.PodsTotal != 1 || d.Pods[0].Server != "db-0" || d.Pods[0].Counters.Connections != 70 {
		t.Errorf("pods %+v", d.Pods)
	}
}
