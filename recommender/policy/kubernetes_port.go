// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"net/netip"
	"strings"

	"go4.org/netipx"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// kubernetesPort compiles one item of a rule's ports. No protocol means TCP; no
// port means all ports of the protocol.
func (c *compiler) kubernetesPort(index int, p networkingv1.NetworkPolicyPort, at path) (port, *fault) {
	protocol := flow.TCP
	if p.Protocol != nil {
		var f *fault
		if protocol, f = coreProtocol(*p.Protocol, at.with("protocol")); f != nil {
			return port{}, f
		}
	}
	if p.Port == nil {
		if p.EndPort != nil {
			return port{}, faultAt(at.with("endPort"), "endPort needs port, the first port of the range")
		}
		return port{interval: l4.Ports(protocol, 0, math.MaxUint16), protocol: protocol, index: index}, nil
	}
	if p.Port.Type == intstr.String {
		if p.EndPort != nil {
			return port{}, faultAt(at.with("endPort"), "endPort cannot stand with the named port %q; give the first port as a number", p.Port.StrVal)
		}
		return c.namedPort(index, protocol, p.Port.StrVal, at.with("port"))
	}
	first, f := portNumber(p.Port.IntVal, at.with("port"))
	if f != nil {
		return port{}, f
	}
	last := first
	if p.EndPort != nil {
		if last, f = portNumber(*p.EndPort, at.with("endPort")); f != nil {
			return port{}, f
		}
		if last < first {
			return port{}, faultAt(at.with("endPort"), "endPort %d is before port %d", last, first)
		}
	}
	return port{interval: l4.Ports(protocol, first, last), protocol: protocol, index: index}, nil
}

// namedPort compiles a port that each destination pod resolves for itself.
func (c *compiler) namedPort(index int, protocol flow.Protocol, name string, at path) (port, *fault) {
	if msgs := validation.IsValidPortName(name); len(msgs) > 0 {
		return port{}, faultAt(at, "%q is not a port name: %s", name, msgs[0])
	}
	return port{name: c.top.portName(name), protocol: protocol, index: index}, nil
}

func portNumber(n int32, at path) (uint16, *fault) {
	if n < 1 || n > math.MaxUint16 {
		return 0, faultAt(at, "port %d is not between 1 and 65535", n)
	}
	return uint16(n), nil
}

func coreProtocol(p corev1.Protocol, at path) (flow.Protocol, *fault) {
	switch p {
	case corev1.ProtocolTCP, "":
		return flow.TCP, nil
	case corev1.ProtocolUDP:
		return flow.UDP, nil
	case corev1.ProtocolSCTP:
		return flow.SCTP, nil
	default:
		return 0, faultAt(at, "%q is not a protocol here; use TCP, UDP or SCTP", p)
	}
}

// ipBlock compiles a block of addresses with its exceptions.
func (c *compiler) ipBlock(b *networkingv1.IPBlock, at path) (*peer, string, *fault) {
	block, f := prefix(b.CIDR, at.with("cidr"))
	if f != nil {
		return nil, "", f
	}
	var build netipx.IPSetBuilder
	build.AddPrefix(block)
	for i, text := range b.Except {
		except, f := prefix(text, at.with("except", i))
		if f != nil {
			return nil, "", f
		}
		if !block.Contains(except.Addr()) || except.Bits() <= block.Bits() {
			return nil, "", faultAt(at.with("except", i), "%s is not a part of %s", text, b.CIDR)
		}
		build.RemovePrefix(except)
	}
	text := block.String()
	if len(b.Except) > 0 {
		text += " except " + strings.Join(b.Except, ", ")
	}
	set, err := build.IPSet()
	if err != nil {
		return nil, "", faultAt(at, "%s", err)
	}
	return c.addresses(set, !c.options.IPBlockSkipsPods), text, nil
}

// addresses is the peer of a set of addresses: those outside, and the ends that
// own one of them.
func (c *compiler) addresses(set *netipx.IPSet, pods bool) *peer {
	ends := c.within(set)
	if !pods {
		ends = ends.Minus(c.top.pods)
	}
	return c.top.intern(peer{ends: ends, outside: set, block: pods})
}

// within gives the ends whose address is in the set.
func (c *compiler) within(set *netipx.IPSet) bits.Set {
	return c.selection("addresses\x00"+rangesKey(set), 0, func(t *topology, within bits.Set) bits.Set {
		if within.Len() > len(t.sorted)/4 {
			return t.within(set).Intersect(within)
		}
		var out bits.Set
		for n := range within.All {
			if a := t.ends[n].addr; a.IsValid() && set.Contains(a) {
				out.Add(n)
			}
		}
		return out
	})
}

// rangesKey is the same for equal sets of addresses only.
func rangesKey(set *netipx.IPSet) string {
	var key []byte
	for _, r := range set.Ranges() {
		from, to := r.From().As16(), r.To().As16()
		key = append(append(append(key, byte(r.From().BitLen())), from[:]...), to[:]...)
	}
	return string(key)
}

// prefix reads a CIDR block and clears its host bits, as the API server's
// consumers do.
func prefix(text string, at path) (netip.Prefix, *fault) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, faultAt(at, "%q is not an address block; write it as 10.0.0.0/8 or fd00::/8", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, faultAt(at, "%q is an IPv4 block in IPv6 form; write it as IPv4", text)
	}
	return p.Masked(), nil
}
