// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// randomWorld is a cluster of random policies and random traffic. Pods have
// IPv4, IPv6 or both; manifests are written in random styles.
type randomWorld struct {
	format Format
	extra  int
	deny   bool
	*rand.Rand
	text     strings.Builder
	snapshot *cluster.Snapshot
	engine   *policy.Engine
	records  []flow.Record
}

var (
	randomSpaces = []string{"a", "b"}
	randomApps   = []string{"x", "no", "z"}
	randomPorts  = []uint16{53, 80, 81, 82, 8080}
	randomBlocks = []string{"10.0.0.0/8", "10.0.1.0/24", "0.0.0.0/0", "203.0.113.0/24", "fd00::/8", "::/0", "2001:db8::/32"}
	outsiders    = []string{"203.0.113.7", "198.51.100.9", "2001:db8::7"}
)

func newRandomWorld(t *testing.T, seed uint64) *randomWorld {
	t.Helper()
	w := &randomWorld{Rand: rand.New(rand.NewPCG(seed, 1))}
	w.nodesAndPods()
	for i := range 1 + w.IntN(4) {
		if w.IntN(3) == 0 {
			w.calico(i)
		} else {
			w.kubernetes(i)
		}
	}
	w.snapshot = manifest.LoadText("random.yaml", []byte(w.text.String()), manifest.Options{})
	for _, p := range w.snapshot.Problems {
		t.Fatalf("seed %d: line %d: %s %s\n%s", seed, p.Line, p.Field, p.Message, w.text.String())
	}
	var problems []cluster.Problem
	w.engine, problems = policy.Compile(w.snapshot, policy.Options{})
	for _, p := range problems {
		t.Fatalf("seed %d: line %d: %s %s\n%s", seed, p.Line, p.Field, p.Message, w.text.String())
	}
	w.traffic()
	return w
}

func (w *randomWorld) put(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

func (w *randomWorld) nodesAndPods() {
	for n := range 2 {
		w.put("apiVersion: v1\nkind: Node\nmetadata: {name: n%d}\nstatus: {addresses: [{type: InternalIP, address: 172.18.0.%d}, {type: InternalIP, address: \"fd01::%d\"}]}\n---", n, n+1, n+1)
	}
	for i, ns := range randomSpaces {
		w.put("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {team: t%d}}\n---", ns, w.IntN(2))
		for k, app := range randomApps {
			w.put("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '%s', namespace: %s}\nspec: {selector: {matchLabels: {app: '%s'}}, template: {metadata: {labels: {app: '%s', tier: t%d}}, spec: {containers: [{name: c, image: i}]}}}\n---", app, ns, app, app, k%2)
			host := app == "z" && ns == "b" && w.IntN(2) == 0
			for r := range 1 + w.IntN(2) {
				ips := w.addresses(i, k, r)
				node := w.IntN(2)
				if host {
					ips = fmt.Sprintf("[{ip: 172.18.0.%d}]", node+1)
				}
				w.put("apiVersion: v1\nkind: Pod\nmetadata: {name: %s-%d, namespace: %s, labels: {app: '%s', tier: t%d, pod-template-hash: 6b7f9d%d}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: '%s', controller: true, uid: u}]}", app, r, ns, app, k%2, r, app)
				w.put("spec: {nodeName: n%d, hostNetwork: %v, containers: [{name: c, image: i, ports: [{name: web, containerPort: 8080}]}]}\nstatus: {phase: Running, podIPs: %s}\n---", node, host, ips)
			}
		}
	}
	if w.IntN(2) == 0 {
		w.put("apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: b, labels: {k8s-app: kube-dns}}\nspec: {selector: {app: x}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}\n---")
	}
}

func (w *randomWorld) addresses(i, k, r int) string {
	four, six := fmt.Sprintf("{ip: 10.0.%d.%d}", i, 10*k+r+1), fmt.Sprintf("{ip: \"fd00::%d:%d\"}", i, 10*k+r+1)
	switch w.IntN(4) {
	case 0:
		return "[" + six + "]"
	case 1:
		return "[" + four + ", " + six + "]"
	}
	return "[" + four + "]"
}

func pickOne[T any](w *randomWorld, list []T) T { return list[w.IntN(len(list))] }

func (w *randomWorld) kubernetes(i int) {
	w.put("# policy %d\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p%d\n  namespace: \"%s\"\nspec:\n  podSelector: %s", i, i, pickOne(w, randomSpaces), pickOne(w, []string{"{}", "{matchLabels: {app: x}}", "{matchLabels: {tier: t0}}"}))
	dash := pickOne(w, []string{"  ", "    "})
	for _, d := range [][2]string{{"ingress", "from"}, {"egress", "to"}} {
		if w.IntN(3) == 0 {
			continue
		}
		w.put("  %s: # here\n", d[0])
		for range 1 + w.IntN(3) {
			w.kubernetesRule(dash, d[1])
		}
	}
	w.put("---")
}

func (w *randomWorld) kubernetesRule(dash, side string) {
	peers, ports := w.IntN(4), w.IntN(4)
	if peers+ports == 0 {
		w.put("%s- {}", dash)
		return
	}
	w.put("%s# a rule", dash)
	lead := dash + "- "
	if peers > 0 {
		w.put("%s%s:", lead, side)
		lead = dash + "  "
		for range peers {
			w.put("%s  # a peer\n%s  - %s", dash, dash, w.kubernetesPeer())
		}
	}
	if ports == 0 {
		return
	}
	w.put("%sports:", lead)
	for range ports {
		w.put("%s  - %s", dash, pickOne(w, []string{"{port: 80}", "{protocol: TCP, port: 8080}", "port: web", "{port: 80, endPort: 82}", "protocol: UDP", "{protocol: UDP, port: 53}", "{port: 53}", "port: 81 # odd"}))
	}
}

func (w *randomWorld) kubernetesPeer() string {
	switch w.IntN(5) {
	case 0:
		return fmt.Sprintf("ipBlock: {cidr: %q}", pickOne(w, randomBlocks))
	case 1:
		return fmt.Sprintf("podSelector: {matchLabels: {app: '%s'}}", pickOne(w, randomApps))
	case 2:
		return fmt.Sprintf("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}", pickOne(w, randomSpaces))
	case 3:
		return "{namespaceSelector: {}, podSelector: {matchLabels: {tier: t0}}}"
	}
	return "podSelector: {}"
}

func (w *randomWorld) calico(i int) {
	kind, ns := "NetworkPolicy", ", namespace: "+pickOne(w, randomSpaces)
	if w.IntN(2) == 0 {
		kind, ns = "GlobalNetworkPolicy", ""
	}
	w.put("apiVersion: projectcalico.org/v3\nkind: %s\nmetadata: {name: c%d%s}\nspec:\n  selector: %s", kind, i, ns, pickOne(w, []string{"all()", "app == 'no'", "tier == 't0'"}))
	if w.IntN(2) == 0 {
		w.put("  order: %d", w.IntN(2000))
	}
	for _, d := range [][2]string{{"ingress", "source"}, {"egress", "destination"}} {
		if w.IntN(3) == 0 {
			continue
		}
		w.put("  %s:", d[0])
		for range 1 + w.IntN(3) {
			w.calicoRule(d[1])
		}
	}
	w.put("---")
}

func (w *randomWorld) calicoRule(far string) {
	w.put("  # a rule\n  - action: %s", pickOne(w, []string{"Allow", "Allow", "Allow", "Deny", "Log"}))
	ports := ""
	if w.IntN(3) > 0 {
		w.put("    protocol: TCP")
		ports = pickOne(w, []string{"", "ports: [80]", "ports: [80, 8080]", "ports: ['80:82', web]"})
	}
	entity := pickOne(w, []string{"", "selector: app == 'x'", "{selector: \"app in {'x', 'no'}\"}", "namespaceSelector: kubernetes.io/metadata.name == 'a'", "nets: [10.0.0.0/8, 203.0.113.7/32]", "nets: [0.0.0.0/0]", "notSelector: app == 'x'"})
	entity = strings.Trim(entity, "{}")
	if strings.HasPrefix(entity, "selector: \"app in {'x', 'no'") {
		entity = "selector: \"app in {'x', 'no'}\""
	}
	if far == "destination" {
		switch {
		case entity != "" && ports != "":
			w.put("    destination:\n      %s\n      %s", entity, ports)
		case entity+ports != "":
			w.put("    destination:\n      %s", entity+ports)
		}
		return
	}
	if entity != "" {
		w.put("    source:\n      %s", entity)
	}
	if ports != "" {
		w.put("    destination: {%s}", ports)
	}
}

// traffic makes random edges; whether they are allowed or denied is as it comes.
func (w *randomWorld) traffic() {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var ends []flow.Endpoint
	for i := range w.snapshot.Pods {
		p := &w.snapshot.Pods[i]
		ends = append(ends, flow.Endpoint{Workload: p.Workload})
	}
	for _, o := range outsiders {
		ends = append(ends, flow.Endpoint{IP: netip.MustParseAddr(o), DNS: pickOne(w, []string{"", "api.example"})})
	}
	ends = append(ends, flow.Endpoint{Node: "n0"})
	for range 5 + w.IntN(40) {
		e := flow.Edge{Client: pickOne(w, ends), Server: pickOne(w, ends), Protocol: flow.TCP, Port: pickOne(w, randomPorts)}
		switch w.IntN(8) {
		case 0:
			e.Protocol = flow.UDP
		case 1:
			e.Protocol, e.Port = flow.ICMP, 0
		}
		from := start.Add(time.Duration(w.IntN(12)) * time.Hour)
		w.records = append(w.records, flow.Record{
			Window: flow.Window{Start: from, End: from.Add(time.Hour)}, Edge: e,
			ByClient: flow.Counters{Connections: uint64(1 + w.IntN(9))},
		})
	}
}

func (w *randomWorld) analyse(t *testing.T, s *cluster.Snapshot) *analyze.Report {
	t.Helper()
	engine, _ := policy.Compile(s, policy.Options{})
	r, err := analyze.Analyze(analyze.Input{Snapshot: s, Engine: engine, Records: w.records, Options: analyze.Options{Learning: 6 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// probes are all questions that the test asks of an engine, independent of the
// algebra: every pair of ends on every port.
func (w *randomWorld) probes() []policy.Connection {
	var ends []policy.Peer
	for i := range w.snapshot.Pods {
		p := &w.snapshot.Pods[i]
		for _, a := range p.IPs {
			ends = append(ends, policy.Peer{Pod: p, Addr: a})
		}
	}
	for _, text := range append(slices.Clone(outsiders), "172.18.0.1", "fd01::2", "198.51.100.10") {
		ends = append(ends, policy.Peer{Addr: netip.MustParseAddr(text)})
	}
	var out []policy.Connection
	for _, from := range ends {
		for _, to := range ends {
			if from.Addr.Is4() != to.Addr.Is4() {
				continue
			}
			for _, p := range append(slices.Clone(randomPorts), 9999) {
				for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP} {
					out = append(out, policy.Connection{From: from, To: to, Protocol: protocol, Port: p, ICMPType: -1, ICMPCode: -1})
				}
			}
			out = append(out, policy.Connection{From: from, To: to, Protocol: flow.ICMP, ICMPType: -1, ICMPCode: -1})
		}
	}
	return out
}
