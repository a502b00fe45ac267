// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// TestPromisesWithExtra and TestPromisesWithDefaultDeny hold random worlds to
// the same promises with the budget and with companions asked for.
func TestPromisesWithExtra(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 8
	}
	for _, format := range []Format{Kubernetes, Calico, CalicoStaged} {
		total := counts{}
		for seed := range seeds {
			w := newRandomWorld(t, seed)
			w.format, w.extra = format, 1+int(seed%5)
			total.add(w.hold(t, seed))
			if t.Failed() {
				return
			}
		}
		if total.unproven > 0 || total.extra == 0 {
			t.Errorf("%s: %d withheld for want of proof; %d pairs beyond what was seen", format, total.unproven, total.extra)
		}
	}
}

func TestPromisesWithDefaultDeny(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 8
	}
	for _, format := range []Format{Kubernetes, Calico, CalicoStaged} {
		total := counts{}
		for seed := range seeds {
			w := newRandomWorld(t, seed)
			w.format, w.deny = format, true
			total.add(w.hold(t, seed))
			if t.Failed() {
				return
			}
		}
		if total.closed == 0 {
			t.Errorf("%s: no world has anything to close", format)
		}
	}
}

// documents reads all that a recommendation consists of.
func documents(t *testing.T, r Recommendation) []cluster.Object {
	t.Helper()
	o, further, err := r.decodeAll()
	if err != nil {
		t.Fatal(err)
	}
	return append([]cluster.Object{o}, further...)
}

// holdIsolates: with companions applied, what becomes isolated is named, all of
// it and nothing else. It gives how much that is.
func (w *randomWorld) holdIsolates(t *testing.T, seed uint64, offered []Recommendation) int {
	t.Helper()
	var others []cluster.Object
	for _, r := range offered {
		if !r.Companion {
			others = append(others, documents(t, r)...)
		}
	}
	before, _ := policy.Compile(enforcedOf(With(w.snapshot, others...)), policy.Options{})
	n := 0
	for _, r := range offered {
		if !r.Companion {
			continue
		}
		after, _ := policy.Compile(enforcedOf(With(w.snapshot, append(slices.Clone(others), documents(t, r)...)...)), policy.Options{})
		named, closed := map[string]bool{}, map[string]bool{}
		for _, i := range r.Proof.Isolates {
			named[i.Workload+" "+i.Direction] = true
		}
		for i := range w.snapshot.Pods {
			p := &w.snapshot.Pods[i]
			for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
				if !p.Finished && after.Isolated(p, d) && !before.Isolated(p, d) {
					closed[p.Workload.String()+" "+d.String()] = true
				}
			}
		}
		if fmt.Sprint(sortedKeys(named)) != fmt.Sprint(sortedKeys(closed)) {
			t.Errorf("seed %d: %s names %v and closes %v\n%s", seed, r.Title, sortedKeys(named), sortedKeys(closed), r.After)
		}
		for name := range closed {
			if !strings.Contains(r.After, strings.ToLower(name[:1])+name[1:strings.LastIndex(name, " ")]+" "+strings.ToLower(name[strings.LastIndex(name, " ")+1:])) {
				t.Errorf("seed %d: %s closes %s without a word\n%s", seed, r.Title, name, r.After)
			}
		}
		n += len(closed)
	}
	return n
}

// enforcedOf gives the snapshot as if its trials were enforced.
func enforcedOf(s *cluster.Snapshot) *cluster.Snapshot { return policy.Stage(s).Snapshot }

// holdExtra: what the new policies let through at their end was seen, is name
// resolution, or is listed. It gives how many pairs are listed.
func (w *randomWorld) holdExtra(t *testing.T, seed uint64, report *analyze.Report, offered []Recommendation) int {
	t.Helper()
	if w.extra == 0 {
		return 0
	}
	n := 0
	index := analyze.NewIndex(w.snapshot)
	for _, r := range offered {
		if r.Kind != KindNew {
			continue
		}
		if n += r.Proof.ExtraTotal; r.Proof.ExtraTotal > w.extra {
			t.Errorf("seed %d: %s allows %d beyond what was seen, and %d may be", seed, r.Title, r.Proof.ExtraTotal, w.extra)
		}
		alone := With(w.snapshot, documents(t, r)...)
		engine, _ := policy.Compile(enforcedOf(alone), policy.Options{})
		mine := map[string]bool{}
		for _, name := range r.Workloads {
			mine[name] = true
		}
		for _, c := range w.probes() {
			if c.Protocol == flow.ICMP || c.Port == 53 {
				continue
			}
			v := engine.Check(c)
			for d, side := range map[policy.Direction]policy.DirectionVerdict{policy.Ingress: v.Ingress, policy.Egress: v.Egress} {
				near, far := c.To, c.From
				if d == policy.Egress {
					near, far = far, near
				}
				if near.Pod == nil || !mine[near.Pod.Workload.String()] || !side.Allowed || !side.Isolated || !byPolicy(side, r) {
					continue
				}
				if !w.explained(report, index, r, d, near, far, c) {
					t.Errorf("seed %d: %s lets %v through, %s of %v, which is neither seen nor listed\n%+v\n%s", seed, r.Title, c.Port, d, far.Addr, r.Proof.Extra, r.After)
					return n
				}
			}
		}
	}
	return n
}

func byPolicy(side policy.DirectionVerdict, r Recommendation) bool {
	return slices.ContainsFunc(allowing(side), func(a policy.AllowanceID) bool {
		return a.Policy.Name == r.Policy.Name && a.Policy.Namespace == r.Policy.Namespace
	})
}

// explained says whether an edge that teaches, or the list of what is beyond,
// accounts for a connection.
func (w *randomWorld) explained(report *analyze.Report, index *analyze.Index, r Recommendation, d policy.Direction, near, far policy.Peer, c policy.Connection) bool {
	is := func(p analyze.Party, at policy.Peer) bool {
		return slices.ContainsFunc(index.Ends(p), func(e policy.Peer) bool { return e.Addr == at.Addr || e.Pod != nil && e.Pod == at.Pod })
	}
	for i := range report.Edges {
		e := &report.Edges[i]
		if !e.Teaches || e.Number != c.Protocol && e.Number != flow.ICMP || e.Number == c.Protocol && e.Port != c.Port {
			continue
		}
		client, server := far, near
		if d == policy.Egress {
			client, server = near, far
		}
		// Labels may select several workloads, of which one was seen.
		mine := func(p analyze.Party) bool { return slices.Contains(r.Workloads, p.String()) }
		if d == policy.Ingress && (mine(e.Server) && is(e.Client, client)) || d == policy.Egress && (mine(e.Client) && is(e.Server, server)) {
			return true
		}
	}
	return slices.ContainsFunc(r.Proof.Extra, func(cell Cell) bool {
		peer := cell.From
		if d == policy.Egress {
			peer = cell.To
		}
		same := far.Pod != nil && far.Pod.Workload.String() == peer
		if p, err := netip.ParsePrefix(peer); err == nil {
			same = p.Contains(far.Addr)
		}
		return same && cell.Protocol == c.Protocol.String() && hasPort(cell.Ports, c.Port)
	})
}

func hasPort(list string, port uint16) bool {
	for part := range strings.SplitSeq(list, ", ") {
		var first, last uint16
		if n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); n < 2 {
			last = first
		}
		if port >= first && port <= last {
			return true
		}
	}
	return false
}

// spread is a namespace of four callers, one of which was not seen, and outside
// addresses that stand side by side.
func spread(t *testing.T) (*cluster.Snapshot, []flow.Record) {
	t.Helper()
	var b strings.Builder
	for i, app := range []string{"api", "a", "b", "c", "d"} {
		ns := "shop"
		if app == "api" {
			ns = "core"
		}
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: %[1]s, namespace: %[3]s, labels: {app: %[1]s}}\nspec: {nodeName: n0, containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIPs: [{ip: 10.0.0.%[2]d}, {ip: 'fd00::%[2]d'}]}\n---\n", app, i+1, ns)
	}
	s := manifest.LoadText("w.yaml", []byte(b.String()), manifest.Options{})
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	api := flow.Endpoint{Workload: flow.Workload{Namespace: "core", Kind: "Pod", Name: "api"}}
	var edges []flow.Edge
	for _, app := range []string{"a", "b", "c"} {
		edges = append(edges, flow.Edge{Client: podOf(app), Server: api, Protocol: flow.TCP, Port: 443})
	}
	edges = append(edges, flow.Edge{Client: podOf("a"), Server: api, Protocol: flow.TCP, Port: 9090})
	for _, text := range []string{"203.0.113.4", "203.0.113.5", "203.0.113.7", "2001:db8::4", "2001:db8::5", "2001:db8::7"} {
		edges = append(edges, flow.Edge{Client: api, Server: flow.Endpoint{IP: netip.MustParseAddr(text)}, Protocol: flow.TCP, Port: 443})
	}
	return s, guardRecords(edges...)
}

// TestWiden: for one pair a namespace takes the place of a list, a prefix that
// of addresses of its family; what that adds is listed, and a second run with
// the same budget is content.
func TestWiden(t *testing.T) {
	s, records := spread(t)
	for _, c := range []struct {
		budget     int
		directions []string
		has, lacks []string
		extra      []Cell
	}{
		{0, []string{"Ingress"}, []string{"app: c"}, []string{"beyond"}, nil},
		{
			1,
			[]string{"Ingress"},
			[]string{"    - from:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: shop\n      ports", "beyond what was seen, as --allow-extra lets it:\n    #   shop/d on TCP 443"},
			[]string{"app: b", "app: c"},
			[]Cell{{"shop/d", "core/api", "TCP", "443"}},
		},
		{1, []string{"Egress"}, []string{"203.0.113.4/30", "203.0.113.6/32 on TCP 443", "2001:db8::7/128"}, []string{"203.0.113.5/32"}, []Cell{{"core/api", "203.0.113.6/32", "TCP", "443"}}},
		{
			2,
			[]string{"Egress"},
			[]string{"203.0.113.4/30", "2001:db8::4/126"},
			[]string{"2001:db8::5/128"},
			[]Cell{{"core/api", "2001:db8::6/128", "TCP", "443"}, {"core/api", "203.0.113.6/32", "TCP", "443"}},
		},
	} {
		for _, format := range []Format{Kubernetes, Calico} {
			in := Input{AllowExtra: c.budget, Format: format, Scope: Scope{Directions: c.directions, Namespaces: []string{"core"}}}
			list := adviceOn(t, s, records, in)
			if len(list) != 1 || list[0].Withheld != "" {
				t.Fatalf("%s", recommendationsText(list))
			}
			r := list[0]
			if format == Kubernetes {
				for _, text := range c.has {
					if !strings.Contains(r.After, text) {
						t.Errorf("budget %d: no %q in\n%s", c.budget, text, r.After)
					}
				}
				for _, text := range c.lacks {
					if strings.Contains(r.After, text) {
						t.Errorf("budget %d: %q in\n%s", c.budget, text, r.After)
					}
				}
			}
			slices.SortFunc(r.Proof.Extra, func(a, b Cell) int { return strings.Compare(a.To+a.From, b.To+b.From) })
			if !slices.Equal(r.Proof.Extra, c.extra) || r.Proof.ExtraTotal != len(c.extra) {
				t.Errorf("%s, budget %d: %+v, want %+v\n%s", format, c.budget, r.Proof.Extra, c.extra, r.After)
			}
			applied, err := Apply(s, list...)
			if err != nil {
				t.Fatal(err)
			}
			for _, again := range adviceOn(t, applied, records, in) {
				if again.Withheld == "" {
					t.Errorf("%s, budget %d: again %s\n%s", format, c.budget, again.Title, again.Diff)
				}
			}
		}
	}
}

// TestWidenMerges: with two pairs more one rule does for two.
func TestWidenMerges(t *testing.T) {
	s, records := spread(t)
	in := Input{AllowExtra: 2, Scope: Scope{Directions: []string{"Ingress"}, Namespaces: []string{"core"}}}
	records = slices.DeleteFunc(records, func(r flow.Record) bool { return r.Edge.Client.Workload.Name == "c" })
	list := adviceOn(t, s, records, in)
	if len(list) != 1 || strings.Count(list[0].After, "- from:") != 1 || list[0].Proof.ExtraTotal != 1 || !list[0].Proof.Holds ||
		!slices.Equal(list[0].Proof.Extra, []Cell{{"shop/b", "core/api", "TCP", "9090"}}) {
		t.Errorf("%s", recommendationsText(list))
	}
}
