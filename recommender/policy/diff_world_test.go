// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// Differences are told of nodes, host endpoints, both families and outside
// addresses with what is left out of them, too.
func TestCompareOfWorlds(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		added, removed      []string
	}{
		{
			"outside with an exception, both families", npHead + "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: '2001:db8::/32'}}]}]\n",
			npHead + "  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}, {ipBlock: {cidr: '2001:db8::/31'}}]}]\n",
			[]string{"outside 2001:db9::/32 → shop/db (IPv6)"},
			[]string{"outside 203.0.113.64/26 → shop/db (IPv4)"},
		},
		{
			"nodes as peers", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Deny, to: [{nodes: {}}]}]\n", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Deny, to: [{nodes: {}}], ports: [{portNumber: {protocol: TCP, port: 10250}}]}]\n",
			[]string{"→ node n1"},
			nil,
		},
		{
			"a host endpoint's policy", hostEndpoint + "---\n" + gnpFor("g", "  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]\n"), hostEndpoint + "---\n" + gnpFor("g", "  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, 81]}}]\n"),
			[]string{"→ node n2 on TCP 81"},
			nil,
		},
		{
			"failsafe ports", hostEndpoint, hostEndpoint + felixHead + "{failsafeInboundHostPorts: [{protocol: tcp, port: 22}]}\n",
			nil,
			[]string{"→ node n2 on TCP 179, TCP 2379-2380"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := calicoShop(t, c.before), calicoShop(t, c.after)
			d := Compare(compileClean(t, before, Options{}), compileClean(t, after, Options{}))
			for _, side := range []struct {
				cells []Cell
				want  []string
			}{{d.Added, c.added}, {d.Removed, c.removed}} {
				text := cellTexts(side.cells)
				if (len(side.want) == 0) != (len(side.cells) == 0) {
					t.Errorf("got %q, want %q", text, side.want)
				}
				for _, w := range side.want {
					if !strings.Contains(text, w) {
						t.Errorf("got\n  %s\nwant %q in it", text, w)
					}
				}
			}
		})
	}
}

// Every operation on relations agrees with asking connection by connection.
func TestRelationsAgreeWithForce(t *testing.T) {
	rounds := uint64(15)
	if testing.Short() {
		rounds = 5
	}
	for seed := 500; seed < 500+int(rounds); seed++ {
		d := policytest.New(uint64(seed))
		s := d.Cluster()
		s.Policies = d.Policies(3, 3)
		a := compileClean(t, s, Options{})
		after := *s
		after.Policies = d.Mutate(s.Policies)
		b := compileClean(t, &after, Options{})
		r := Relations(nil, a, b)
		for _, c := range []struct {
			name string
			got  *Relation
			want func(x, y bool) bool
		}{
			{"union", r[0].Union(r[1]), func(x, y bool) bool { return x || y }},
			{"intersection", r[0].Intersect(r[1]), func(x, y bool) bool { return x && y }},
			{"difference", r[0].Minus(r[1]), func(x, y bool) bool { return x && !y }},
		} {
			cells := c.got.Cells()
			seen := false
			connections(d, s, func(conn Connection) {
				q := a.query(&conn)
				if q.always {
					return
				}
				in := false
				for i := range cells {
					in = in || holdsConnection(s, &cells[i], &conn)
				}
				if want := c.want(both(a.Allowed(conn)), both(b.Allowed(conn))); in != want {
					t.Fatalf("seed %d: %+v in the %s: %v, want %v", seed, conn, c.name, in, want)
				}
				seen = seen || in
			})
			if seen && c.got.Empty() {
				t.Errorf("seed %d: the %s is not empty", seed, c.name)
			}
		}
	}
}

// Who reaches an end, and what it reaches, agrees with asking one by one.
func TestReachAgreesWithForce(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 6
	}
	for seed := range rounds {
		d := policytest.New(uint64(seed) + 900)
		s := d.Cluster()
		s.Policies = d.Policies(3, 3)
		e := compileClean(t, s, Options{})
		pods := []Peer{{Pod: &s.Pods[0]}, {Pod: &s.Pods[1]}, {Addr: s.Nodes[0].Addresses[0]}}
		in, out := e.SourcesOf(pods...), e.DestinationsOf(pods...)
		own := e.top.own(pods)
		connections(d, s, func(c Connection) {
			q := e.query(&c)
			if q.always {
				return
			}
			allowed := both(e.Allowed(c))
			for _, side := range []struct {
				cells []Cell
				end   int32
			}{{in, q.to.end}, {out, q.from.end}} {
				held := false
				for i := range side.cells {
					held = held || holdsConnection(s, &side.cells[i], &c)
				}
				if want := allowed && side.end >= 0 && own.Has(int(side.end)); held != want {
					t.Fatalf("seed %d: %+v: %v, want %v", seed, c, held, want)
				}
			}
		})
	}
}
