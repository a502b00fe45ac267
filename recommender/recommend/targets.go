// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
)

// portKey is a port on a pod. Port is 0 for protocols without ports.
type portKey struct {
	protocol flow.Protocol
	port     uint16
}

func (p portKey) String() string { return analyze.PortText(p.protocol, p.port) }

// target is the other end of a rule, as it will be written.
type target struct {
	workload flow.Workload
	selected selection
	space    string // all pods of this namespace
	prefix   netip.Prefix
	name     string // DNS name of an address, for the comment
	original int    // item of the author's rule that stays as it is; -1
	anyone   bool
}

// nodePrefix begins the name of a node's address; DNS names have no spaces.
const nodePrefix = "node "

// isNode says whether the target is the address of a node.
func (t target) isNode() bool { return t.prefix.IsValid() && strings.HasPrefix(t.name, nodePrefix) }

// text names the target for people.
func (t target) text() string {
	switch {
	case t.anyone:
		return "anyone"
	case t.space != "":
		return "all of namespace " + t.space
	case !t.workload.IsZero():
		return t.workload.String()
	case t.prefix.IsValid() && t.name != "":
		return t.name + " (" + t.prefix.String() + ")"
	case t.prefix.IsValid():
		return t.prefix.String()
	}
	return fmt.Sprintf("peer %d", t.original+1)
}

// portSpec is a port of a rule, as it will be written.
type portSpec struct {
	portKey
	original int  // item of the author's rule that stays as it is; -1
	any      bool // every protocol and port
}

// text is the evidence as a comment.
func (s seen) text() string {
	switch {
	case s.edges > 0:
		text := fmt.Sprintf("%s since %s, last seen %s", analyze.Plural(s.connections, "connection"), analyze.Moment(s.first), analyze.Moment(s.last))
		if len(s.processes) > 0 {
			text += ", by " + analyze.List(sortedKeys(s.processes), 3)
		}
		if s.dns {
			text += "; name resolution"
		}
		if s.nodes {
			text += "; a node that is added later is not covered"
		}
		if s.ready != "" {
			text += "; " + s.ready
		}
		return text
	case s.dns:
		return "name resolution, kept whether it was seen or not"
	}
	if s.scheduled {
		return "kept for a schedule that has not run twice yet"
	}
	return "kept though not seen"
}

// The keys sort originals first, then workloads, then addresses, IPv4 first.
func (t target) key() string {
	switch {
	case t.anyone:
		return "0"
	case t.original >= 0:
		return fmt.Sprintf("1 %06d", t.original)
	case t.space != "":
		return "2\x00" + t.space
	case !t.workload.IsZero():
		return strings.Join([]string{"2", t.workload.Namespace, t.workload.Name, t.workload.Kind}, "\x00")
	}
	return fmt.Sprintf("3 %03d %x %03d", t.prefix.Addr().BitLen(), t.prefix.Addr().As16(), t.prefix.Bits())
}

func (p portSpec) key() string {
	switch {
	case p.any:
		return "0"
	case p.original >= 0:
		return itemKey(p.original)
	}
	return "2 " + padded(int(p.protocol), 3) + " " + padded(int(p.port), 5)
}

// itemKey is the key of an item of the author's rule.
func itemKey(i int) string { return "1 " + padded(i, 6) }

// padded writes a number with so many digits at least.
func padded(n, digits int) string {
	text := strconv.Itoa(n)
	return "000000"[:max(0, digits-len(text))] + text
}

func workloadTarget(wl flow.Workload, s selection) target {
	return target{workload: wl, selected: s, original: -1}
}

func addressTarget(a netip.Addr, name string) target {
	return target{prefix: netip.PrefixFrom(a, a.BitLen()), name: name, original: -1}
}

// writable is a port as a rule of Kubernetes can name it: TCP, UDP and SCTP
// only. What else was seen needs a rule without ports.
func writable(p portKey) portSpec {
	if p.protocol == flow.TCP || p.protocol == flow.UDP || p.protocol == flow.SCTP {
		return portSpec{portKey: p, original: -1}
	}
	return portSpec{any: true, original: -1}
}

// writable is a port as a rule of the new policy's kind can name it: Calico
// knows all protocols.
func (f *fresh) writable(p portKey) portSpec {
	if f.input.Format.isCalico() {
		return portSpec{portKey: p, original: -1}
	}
	return writable(p)
}

// peersOf gives how a party is written as a peer: a workload by its labels, a
// hostNetwork workload and a node by node addresses, an outside address as
// itself. Nil where nothing is known to write.
func (w *world) peersOf(p analyze.Party) []target {
	switch p.Kind {
	case analyze.PartyWorkload:
		wl := p.Workload()
		if w.index.OnHost(p) {
			return w.nodesOf(wl)
		}
		s := w.selection(wl)
		if s.labels == nil {
			return nil
		}
		return []target{workloadTarget(wl, s)}
	case analyze.PartyNode:
		if p.IP.IsValid() {
			return []target{addressTarget(p.IP, nodePrefix+p.Name)}
		}
		return w.node(p.Name)
	case analyze.PartyOutside:
		if p.IP.IsValid() {
			return []target{addressTarget(p.IP, p.DNS)}
		}
	}
	return nil
}

func (w *world) node(name string) []target {
	var out []target
	if n := w.index.Node(name); n != nil {
		for _, a := range n.Addresses {
			out = append(out, addressTarget(a, nodePrefix+name))
		}
	}
	return out
}

// nodesOf gives the nodes that a hostNetwork workload runs on.
func (w *world) nodesOf(wl flow.Workload) []target {
	var out []target
	names := map[string]bool{}
	for _, p := range w.index.Pods(wl) {
		if p.Node != "" && !names[p.Node] {
			names[p.Node] = true
			out = append(out, w.node(p.Node)...)
		}
		for _, a := range p.IPs {
			if t := addressTarget(a, nodePrefix+p.Node); !slices.ContainsFunc(out, func(o target) bool { return o.prefix == t.prefix }) {
				out = append(out, t)
			}
		}
	}
	return out
}

func comparePorts(a, b portKey) int {
	return cmp.Or(cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.port, b.port))
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
