// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

var npguard = flag.String("npguard", "", "a checkout of github.com/np-guard/netpol-analyzer, v1.4.4: its example topologies are judge 3")

// connectivity is what a golden file lists: for each pair of names the points
// that are open. A name is namespace/name of a workload or a range of addresses.
type connectivity struct {
	open      map[[2]string]map[flow.Protocol][][2]int
	workloads map[string]bool
	ranges    map[string][2]netip.Addr
}

var goldenWorkload = regexp.MustCompile(`^(.+/.+)\[(\w+)\]$`)

// readConnectivity reads the text form: "source => destination : connections".
// Lines of the ingress controller are about Ingress and Route objects, and are
// left out; so are the names' marks.
func readConnectivity(t *testing.T, file string) *connectivity {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &connectivity{open: map[[2]string]map[flow.Protocol][][2]int{}, workloads: map[string]bool{}, ranges: map[string][2]netip.Addr{}}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		ends, points, ok := strings.Cut(line, " : ")
		from, to, arrow := strings.Cut(ends, " => ")
		if !ok || !arrow || strings.HasPrefix(from, "{") {
			if line != "" && !strings.HasPrefix(from, "{") {
				t.Fatalf("%s: line %q is not of the form", file, line)
			}
			continue
		}
		c.open[[2]string{c.name(t, from), c.name(t, to)}] = readPoints(t, points)
	}
	return c
}

func (c *connectivity) name(t *testing.T, text string) string {
	t.Helper()
	text = strings.TrimSuffix(text, "[External]")
	if m := goldenWorkload.FindStringSubmatch(text); m != nil {
		c.workloads[m[1]] = true
		return m[1]
	}
	first, last, _ := strings.Cut(text, "-")
	c.ranges[text] = [2]netip.Addr{netip.MustParseAddr(first), netip.MustParseAddr(last)}
	return text
}

func readPoints(t *testing.T, text string) map[flow.Protocol][][2]int {
	t.Helper()
	out := map[flow.Protocol][][2]int{}
	if text == "All Connections" {
		for _, p := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
			out[p] = [][2]int{{1, 65535}}
		}
		return out
	}
	var protocol flow.Protocol
	for part := range strings.SplitSeq(text, ",") {
		if name, ports, ok := strings.Cut(part, " "); ok {
			var err error
			if protocol, err = flow.ParseProtocol(name); err != nil {
				t.Fatal(err)
			}
			part = ports
		}
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA != nil || errB != nil {
			t.Fatalf("connections %q", text)
		}
		out[protocol] = append(out[protocol], [2]int{a, b})
	}
	return out
}

func (c *connectivity) allows(from, to string, p flow.Protocol, port int) bool {
	return slices.ContainsFunc(c.open[[2]string{from, to}][p], func(i [2]int) bool { return i[0] <= port && port <= i[1] })
}

// topologyCase is one example, read.
type topologyCase struct {
	name     string
	golden   *connectivity
	snapshot *cluster.Snapshot
	engine   *policy.Engine
	ports    []int
	outside  []netip.Addr
	problems []cluster.Problem
	// asPods has the pods on their node's network as pods of their own, which is
	// what np-guard takes them for. The documentation of NetworkPolicy says:
	// "NetworkPolicy behaviour for hostNetwork pods is undefined", and of the two
	// possibilities that it names we follow "the most common implementation":
	// "Traffic to/from hostNetwork pods is treated the same as all other traffic
	// to/from the node IP".
	asPods *policy.Engine
	pods   []cluster.Pod // as asPods has them
}

var (
	portFields = regexp.MustCompile(`(?i)(?:port|start|end|number)"?:\s*(\d+)`)
	prefixes   = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+/\d+`)
)

func readTopology(t *testing.T, name, file, folder string) *topologyCase {
	t.Helper()
	s, err := manifest.LoadWith([]string{folder}, manifest.Options{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	e, problems := policy.Compile(s, policy.Options{Order: policy.UpstreamOrder, IPBlockSkipsPods: true})
	c := &topologyCase{name: name, golden: readConnectivity(t, file), snapshot: s, engine: e, problems: append(problems, s.Problems...), pods: slices.Clone(s.Pods)}
	for i := range c.pods {
		if c.pods[i].HostNetwork {
			c.pods[i].HostNetwork, c.pods[i].IPs = false, nil
		}
	}
	own := *s
	own.Pods = c.pods
	c.asPods, _ = policy.Compile(&own, policy.Options{Order: policy.UpstreamOrder, IPBlockSkipsPods: true})
	c.bounds(s)
	return c
}

// bounds finds the ports and the outside addresses at which an answer of either
// side may change, and their neighbours.
func (c *topologyCase) bounds(s *cluster.Snapshot) {
	ports, outside := map[int]bool{1: true, 80: true, 65535: true}, map[netip.Addr]bool{}
	around := func(port int) {
		for _, p := range []int{port - 1, port, port + 1} {
			if p >= 1 && p <= 65535 {
				ports[p] = true
			}
		}
	}
	for _, protocols := range c.golden.open {
		for _, list := range protocols {
			for _, i := range list {
				around(i[0])
				around(i[1])
			}
		}
	}
	edge := func(a netip.Addr) {
		for _, x := range []netip.Addr{a.Prev(), a, a.Next()} {
			if x.IsValid() {
				outside[x] = true
			}
		}
	}
	for _, r := range c.golden.ranges {
		edge(r[0])
		edge(r[1])
	}
	for _, o := range s.Policies {
		for _, m := range portFields.FindAllStringSubmatch(string(o.Source.YAML), -1) {
			if n, err := strconv.Atoi(m[1]); err == nil {
				around(n)
			}
		}
		for _, text := range prefixes.FindAllString(string(o.Source.YAML), -1) {
			if p, err := netip.ParsePrefix(text); err == nil {
				edge(p.Masked().Addr())
			}
		}
	}
	for _, p := range s.Pods {
		for _, a := range p.IPs {
			delete(outside, a)
		}
	}
	for _, n := range s.Nodes {
		for _, a := range n.Addresses {
			delete(outside, a)
		}
	}
	c.ports, c.outside = slices.Sorted(maps.Keys(ports)), slices.SortedFunc(maps.Keys(outside), netip.Addr.Compare)
}

// nameOf finds how the golden file calls a pod: by its workload, which may be a
// ReplicaSet of ours, or by itself. A pod without any connection has no name there.
func (c *topologyCase) nameOf(p *cluster.Pod) string {
	for name := range c.golden.workloads {
		ns, short, _ := strings.Cut(name, "/")
		if ns != p.Namespace {
			continue
		}
		if short == p.Name || short == p.Workload.Name || (p.Workload.Name != "" && strings.HasPrefix(short, p.Workload.Name+"-") && strings.HasPrefix(p.Name, short+"-")) {
			return name
		}
	}
	return p.Namespace + "/" + p.Name + " (not listed)"
}

// TestTopologies holds np-guard's example topologies against the connectivity
// that its golden files list.
func TestTopologies(t *testing.T) {
	if *npguard == "" {
		t.Skip("np-guard's examples are not here: pass -npguard with a checkout of github.com/np-guard/netpol-analyzer, tag v1.4.4")
	}
	files, err := filepath.Glob(filepath.Join(*npguard, "test_outputs", "connlist", "*_connlist_output.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files below %s: %v", *npguard, err)
	}
	var total tally
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "_connlist_output.txt")
		folder := filepath.Join(*npguard, "tests", name)
		if _, err := os.Stat(folder); err != nil {
			continue // a view of another example: one workload, one port, exposure
		}
		t.Run(name, func(t *testing.T) {
			total.add(readTopology(t, name, file, folder).compare(t))
		})
	}
	t.Logf("%d topologies, %d of them the same in all; %d probes: %d unexplained differences; %d explained by pods on the node's network",
		total.topologies, total.same, total.probes, total.differences, total.explained)
	if total.topologies < 100 {
		t.Errorf("only %d topologies", total.topologies)
	}
}

type tally struct{ topologies, same, probes, explained, differences int }

func (t *tally) add(o tally) {
	t.topologies++
	if o.explained+o.differences == 0 {
		t.same++
	}
	t.probes += o.probes
	t.explained += o.explained
	t.differences += o.differences
}

// side is one end of a question: an index of Snapshot.Pods, else an address.
type side struct {
	pod  int
	addr netip.Addr
	name string // in the golden file
}

func (s side) peer(pods []cluster.Pod) policy.Peer {
	if s.pod < 0 {
		return policy.Peer{Addr: s.addr}
	}
	return policy.Peer{Pod: &pods[s.pod]}
}

func (c *topologyCase) compare(t *testing.T) tally {
	t.Helper()
	var out tally
	pods := make([]side, len(c.snapshot.Pods))
	for i := range pods {
		pods[i] = side{pod: i, name: c.nameOf(&c.snapshot.Pods[i])}
	}
	for _, a := range pods {
		for _, b := range pods {
			if a.name != b.name {
				c.ask(t, a, b, &out)
			}
		}
		for _, addr := range c.outside {
			c.ask(t, a, side{-1, addr, c.rangeOf(addr, a.name, true)}, &out)
			c.ask(t, side{-1, addr, c.rangeOf(addr, a.name, false)}, a, &out)
		}
	}
	if out.differences > 0 {
		for _, p := range c.problems {
			t.Logf("problem: %s:%d %s %s", filepath.Base(p.File), p.Line, p.Field, p.Message)
		}
	}
	return out
}

// ask holds every port between two ends against the golden file.
func (c *topologyCase) ask(t *testing.T, from, to side, out *tally) {
	t.Helper()
	host := (from.pod >= 0 && c.snapshot.Pods[from.pod].HostNetwork) || (to.pod >= 0 && c.snapshot.Pods[to.pod].HostNetwork)
	for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
		for _, port := range c.ports {
			out.probes++
			q := policy.Connection{From: from.peer(c.snapshot.Pods), To: to.peer(c.snapshot.Pods), Protocol: protocol, Port: uint16(port), ICMPType: -1, ICMPCode: -1}
			egress, ingress := c.engine.Allowed(q)
			want := c.golden.allows(from.name, to.name, protocol, port)
			if want == (egress && ingress) {
				continue
			}
			if host {
				q.From, q.To = from.peer(c.pods), to.peer(c.pods)
				if e, i := c.asPods.Allowed(q); want == (e && i) {
					out.explained++
					continue
				}
			}
			if out.differences++; out.differences <= 3 {
				t.Errorf("%s to %s %s %d: golden %v, we %v %v: %s", from.name, to.name, protocol, port, want, egress, ingress, why(c.engine.Check(q)))
			}
		}
	}
}

// rangeOf finds the listed range of an address that the pod talks with.
func (c *topologyCase) rangeOf(addr netip.Addr, pod string, to bool) string {
	for name, r := range c.golden.ranges {
		pair := [2]string{name, pod}
		if to {
			pair = [2]string{pod, name}
		}
		if _, ok := c.golden.open[pair]; ok && r[0].Compare(addr) <= 0 && addr.Compare(r[1]) <= 0 {
			return name
		}
	}
	return addr.String()
}

func why(v policy.Verdict) string {
	var out []string
	for _, s := range v.Egress.Why {
		out = append(out, "egress: "+s.Text)
	}
	for _, s := range v.Ingress.Why {
		out = append(out, "ingress: "+s.Text)
	}
	return strings.Join(append(out, v.Uncertain...), "; ")
}
