// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// TestAllowExtra: many high ports become a range within the budget, every pair
// that was not seen is listed, and with the same budget a second run is
// content; without one, each port stands for itself.
func TestAllowExtra(t *testing.T) {
	s := guardedWorld(t, "")
	var edges []flow.Edge
	for _, port := range []uint16{30000, 30003, 30007, 30010, 30011, 443} {
		edges = append(edges, flow.Edge{Client: podOf("web"), Server: podOf("cloud"), Protocol: flow.TCP, Port: port})
	}
	records := guardRecords(edges...)
	for budget, want := range map[int]int{0: 0, 6: 0, 7: 7, 100: 14} {
		for _, format := range []Format{Kubernetes, Calico} {
			in := Input{AllowExtra: budget, Format: format}
			if budget == 7 {
				in.Scope.Directions = []string{"Ingress"}
			}
			var offered []Recommendation
			extra := 0
			for _, r := range adviceOn(t, s, records, in) {
				if r.Withheld != "" {
					continue
				}
				offered = append(offered, r)
				extra += r.Proof.ExtraTotal
				ranged := strings.Contains(r.After, "endPort: 30011") || strings.Contains(r.After, "30000:30011")
				if ranged != (r.Proof.ExtraTotal == 7) || !r.Proof.Holds {
					t.Errorf("budget %d: %d extra, proof %+v\n%s", budget, r.Proof.ExtraTotal, r.Proof.Statements, r.After)
				}
			}
			if extra != want || len(offered) == 0 {
				t.Errorf("%s, budget %d: %d extra, want %d", format, budget, extra, want)
			}
			applied, err := Apply(s, offered...)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range adviceOn(t, applied, records, in) {
				if r.Withheld == "" {
					t.Errorf("%s, budget %d: again %s\n%s", format, budget, r.Title, r.Diff)
				}
			}
		}
	}
}

// A block is listed by its pieces, too: what was seen of it was widened apart.
func TestBlockIsListedByItsPieces(t *testing.T) {
	port := portKey{flow.TCP, 53}
	r := &Recommendation{beyond: []directed{
		{policy.Egress, beyond{"203.0.113.0/31", port, 2}},
		{policy.Egress, beyond{"203.0.113.2/32", port, 1}},
		{policy.Ingress, beyond{"203.0.113.3/32", port, 1}},
		{policy.Egress, beyond{"2001:db8::/127", port, 2}},
	}}
	for _, c := range []struct {
		peer string
		port uint64
		want bool
	}{
		{"203.0.113.0/31", 53, true},
		{"203.0.113.2/32", 53, true},
		{"203.0.113.0/30", 53, false}, // the last piece is of the other direction
		{"203.0.113.0/31", 54, false},
		{"2001:db8::/127", 53, true},
		{"2001:db8::/128", 53, true},
		{"2001:db8::/126", 53, false},
		{"shop/cart", 53, false},
	} {
		if got := r.listed(policy.Egress, "TCP", c.port, c.peer); got != c.want {
			t.Errorf("%s on %d: %v, want %v", c.peer, c.port, got, c.want)
		}
	}
	r.beyond[2].direction = policy.Egress
	if !r.listed(policy.Egress, "TCP", 53, "203.0.113.0/30") {
		t.Error("a block of which every piece is listed is not")
	}
}
