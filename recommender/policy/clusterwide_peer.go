// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"regexp"
	"strings"

	"go4.org/netipx"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// widePeer compiles one peer. Pods on the host's network are never among pods.
func (c *compiler) widePeer(p *widePeer, at path) (*peer, string, *fault) {
	if n := p.fields(); n == 0 {
		return nil, "", faultAt(at, unknownPeer)
	} else if n > 1 {
		return nil, "", faultAt(at, "the peer has %d fields; give exactly one", n)
	}
	switch {
	case p.namespaces != nil:
		s, f := c.podsAcross(p.namespaces, &metav1.LabelSelector{}, at)
		if f != nil {
			f.at = append(at.with("namespaces"), f.at[min(len(at)+1, len(f.at)):]...)
			return nil, "", f
		}
		return c.top.intern(peer{ends: s.ends}), s.text, nil
	case p.pods != nil:
		s, f := c.podsAcross(&p.pods.namespaces, &p.pods.pods, at.with("pods"))
		if f != nil {
			return nil, "", f
		}
		return c.top.intern(peer{ends: s.ends}), s.text, nil
	case p.nodes != nil:
		return c.nodesPeer(p.nodes, at.with("nodes"))
	case len(p.networks) > 0:
		return c.networksPeer(p.networks, at.with("networks"))
	default:
		return c.namesPeer(p.names, at.with("domainNames"))
	}
}

func (p *widePeer) fields() int {
	n := 0
	for _, set := range []bool{p.namespaces != nil, p.pods != nil, p.nodes != nil, len(p.networks) > 0, len(p.names) > 0} {
		if set {
			n++
		}
	}
	return n
}

func (c *compiler) nodesPeer(s *metav1.LabelSelector, at path) (*peer, string, *fault) {
	e, f := labelSelector(s, at)
	if f != nil {
		return nil, "", f
	}
	ends := c.selection("nodes\x00"+e.String(), 0, func(t *topology, within bits.Set) bits.Set {
		var out bits.Set
		for n := range within.Intersect(t.nodeEnds).All {
			if labels, known := t.nodeLabels[t.nodeName(&t.ends[n])]; known && e.Matches(labels) {
				out.Add(n)
			}
		}
		return out
	})
	return c.top.intern(peer{ends: ends}), "nodes " + e.Plain(), nil
}

func (c *compiler) networksPeer(networks []string, at path) (*peer, string, *fault) {
	var build netipx.IPSetBuilder
	for i, text := range networks {
		p, f := prefix(text, at.with(i))
		if f != nil {
			return nil, "", f
		}
		build.AddPrefix(p)
	}
	set, err := build.IPSet()
	if err != nil {
		return nil, "", faultAt(at, "%s", err)
	}
	return c.addresses(set, true), strings.Join(networks, ", "), nil
}

var domainName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$`)

// namesPeer compiles domain names. They are known of a connection only where
// its question says so.
func (c *compiler) namesPeer(names []string, at path) (*peer, string, *fault) {
	var p peer
	for i, name := range names {
		if !domainName.MatchString(name) {
			return nil, "", faultAt(at.with(i), "%q is not a domain name; write it as example.com or *.example.com", name)
		}
		p.names = append(p.names, normalName(name))
	}
	return c.top.intern(p), strings.Join(names, ", "), nil
}

// widePort is one item of ports or protocols: a range, or a name.
type widePort struct {
	at          path // within the rule
	protocol    string
	first, last int32  // 0: all ports
	name        string // of any protocol where protocol is empty
	broken      string // what is wrong with the item
}

func (c *compiler) widePorts(items []widePort, at path) ([]port, *fault) {
	var out []port
	for i, item := range items {
		here := at.with(item.at...)
		if item.broken != "" {
			return nil, faultAt(here, "%s", item.broken)
		}
		if item.name != "" {
			for _, protocol := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
				out = append(out, port{name: c.top.portName(item.name), protocol: protocol, index: i})
			}
			continue
		}
		protocol, f := protocolNamed(item.protocol, here)
		if f != nil {
			return nil, f
		}
		if item.first == 0 && item.last == 0 {
			out = append(out, port{interval: l4.Ports(protocol, 0, math.MaxUint16), protocol: protocol, index: i})
			continue
		}
		first, f := portNumber(item.first, here)
		if f != nil {
			return nil, f
		}
		last, f := portNumber(item.last, here)
		if f != nil {
			return nil, f
		}
		if last < first {
			return nil, faultAt(here, "the range %d-%d ends before it begins", first, last)
		}
		out = append(out, port{interval: l4.Ports(protocol, first, last), protocol: protocol, index: i})
	}
	return out, nil
}

func protocolNamed(name string, at path) (flow.Protocol, *fault) {
	switch name {
	case "TCP", "":
		return flow.TCP, nil
	case "UDP":
		return flow.UDP, nil
	case "SCTP":
		return flow.SCTP, nil
	default:
		return 0, faultAt(at, "%q is not a protocol here; use TCP, UDP or SCTP", name)
	}
}

// stringsOf turns typed CIDRs and names into plain text.
func stringsOf[T ~string](in []T) []string {
	var out []string
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}
