// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"

	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// Cell is connections as a product: everyone in From to everyone in To on each
// of Ports. Text says it in one line.
type Cell struct {
	From  Group      `json:"from"`
	To    Group      `json:"to"`
	Ports []l4.Range `json:"ports"`
	Text  string     `json:"text"`
}

// Group is one side of a cell.
type Group struct {
	Pods    []int          `json:"pods,omitempty"`    // indexes in Snapshot.Pods
	Nodes   []string       `json:"nodes,omitempty"`   // names; with them the hostNetwork pods
	Host    []string       `json:"host,omitempty"`    // workloads, as namespace/name, of hostNetwork pods on no node that is known
	Outside []netip.Prefix `json:"outside,omitempty"` // addresses that no pod or node owns
	DNS     string         `json:"dns,omitempty"`     // with Outside: only where asked for by this name; "*." before it means below it
	NotDNS  []string       `json:"notDNS,omitempty"`  // with Outside: not where asked for by these names
	Family  string         `json:"family,omitempty"`  // "IPv4" or "IPv6" where only those addresses of the pods and nodes are meant
	Text    string         `json:"text"`
}

// cells makes cells readable: joined, one group of one kind a side, sorted.
func (e *Engine) cells(in []cell) []Cell {
	var out []Cell
	for _, c := range e.top.joined(in) {
		for _, from := range e.top.groups(&c.from) {
			for _, to := range e.top.groups(&c.to) {
				if from.Family != "" && to.Family != "" && from.Family != to.Family {
					continue // not a connection
				}
				out = append(out, Cell{From: from, To: to, Ports: c.points.Ranges(), Text: from.Text + " → " + to.Text + " on " + c.points.String()})
			}
		}
	}
	slices.SortFunc(out, func(a, b Cell) int { return strings.Compare(a.Text, b.Text) })
	return out
}

// groups cuts a span into groups that read well: pods and nodes with all of
// their addresses, with one family only, and outside addresses name by name.
func (t *topology) groups(s *span) []Group {
	parts := map[string]*bits.Set{"": {}, "IPv4": {}, "IPv6": {}}
	for n := range s.ends.All {
		parts[t.share(s.ends, n)].Add(n)
	}
	var out []Group
	for _, family := range []string{"", "IPv4", "IPv6"} {
		if ends := *parts[family]; !ends.Empty() {
			g := Group{Pods: t.podIndexes(ends), Family: family}
			for n := range ends.All {
				switch e := &t.ends[n]; {
				case !e.isNode():
				case e.node < 0 && !e.addr.IsValid():
					g.Host = append(g.Host, t.hostText(n))
				default:
					g.Nodes = append(g.Nodes, t.nodeText(e))
				}
			}
			slices.Sort(g.Nodes)
			g.Nodes = slices.Compact(g.Nodes)
			slices.Sort(g.Host)
			g.Host = slices.Compact(g.Host)
			g.Text = t.groupText(&g)
			out = append(out, g)
		}
	}
	for _, o := range s.outside {
		g := Group{Outside: o.set.Prefixes(), DNS: o.names.pattern, NotDNS: o.names.not}
		g.Text = outsideText(o)
		out = append(out, g)
	}
	return out
}

// share says which of the addresses of an end's owner are in the set: "" for
// all of them, else the family of this one.
func (t *topology) share(ends bits.Set, n int) string {
	e := &t.ends[n]
	own := []int32{int32(n)}
	switch {
	case !e.isNode():
		own = own[:0]
		for i := range t.endCount[e.pod] {
			own = append(own, t.firstEnd[e.pod]+i)
		}
	case e.node >= 0:
		own = t.endsOfNode[e.node]
	}
	for _, other := range own {
		if !ends.Has(int(other)) {
			return map[family]string{family4: "IPv4", family6: "IPv6"}[e.family]
		}
	}
	return ""
}

func (t *topology) nodeText(e *end) string {
	if e.node >= 0 {
		return t.nodeNames[e.node]
	}
	return e.addr.String()
}

// hostText names who has an end that is neither a node's nor an address's: a
// hostNetwork pod of a template, which may run on any node.
func (t *topology) hostText(n int) string {
	for i, first := range t.firstEnd {
		if p := &t.snapshot.Pods[i]; p.HostNetwork && int(first) == n {
			if p.Workload.IsZero() {
				return p.Namespace + "/" + p.Name
			}
			return p.Workload.String()
		}
	}
	return "unknown"
}

// textNames bounds how many names a text lists.
const textNames = 6

func (t *topology) groupText(g *Group) string {
	var parts []string
	left := map[string][]string{}
	total := map[string]int{}
	for i := range t.snapshot.Pods {
		if t.endCount[i] > 0 {
			total[t.snapshot.Pods[i].Namespace]++
		}
	}
	var order []string
	for _, i := range g.Pods {
		p := &t.snapshot.Pods[i]
		if left[p.Namespace] == nil {
			order = append(order, p.Namespace)
		}
		left[p.Namespace] = append(left[p.Namespace], p.Namespace+"/"+p.Name)
	}
	slices.Sort(order)
	for _, ns := range order {
		if len(left[ns]) == total[ns] && total[ns] > 1 {
			parts = append(parts, "all pods in "+ns)
		} else {
			slices.Sort(left[ns])
			parts = append(parts, left[ns]...)
		}
	}
	for _, n := range g.Nodes {
		parts = append(parts, "node "+n)
	}
	for _, w := range g.Host {
		parts = append(parts, "a host-network pod of "+w)
	}
	text := listText(parts)
	if g.Family != "" {
		text += " (" + g.Family + ")"
	}
	return text
}

func listText(parts []string) string {
	if len(parts) > textNames {
		return fmt.Sprintf("%s and %d more", strings.Join(parts[:textNames], ", "), len(parts)-textNames)
	}
	return strings.Join(parts, ", ")
}

func outsideText(o outsideSpan) string {
	text := "outside " + addressesText(o.set)
	if o.names.pattern != "" {
		text = o.names.pattern + " (" + text + ")"
	}
	if len(o.names.not) > 0 {
		text += " but not as " + listText(o.names.not)
	}
	return text
}

// addressesText is the set's prefixes; where it is nearly a whole family, what
// is missing says more.
func addressesText(set *netipx.IPSet) string {
	var b netipx.IPSetBuilder
	for _, r := range set.Ranges() {
		whole := netipx.RangeOfPrefix(netip.PrefixFrom(r.From(), 0).Masked())
		b.AddRange(whole)
	}
	whole, _ := b.IPSet()
	b.RemoveSet(set)
	missing, _ := b.IPSet()
	if m, s := prefixTexts(missing), prefixTexts(set); len(m) < len(s) {
		text := listText(prefixTexts(whole))
		if len(m) > 0 {
			text += " except " + listText(m)
		}
		return text
	}
	return listText(prefixTexts(set))
}

func prefixTexts(set *netipx.IPSet) []string {
	var out []string
	for _, p := range set.Prefixes() {
		if p.IsSingleIP() {
			out = append(out, p.Addr().String())
		} else {
			out = append(out, p.String())
		}
	}
	return out
}
