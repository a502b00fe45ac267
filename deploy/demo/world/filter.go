// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/deploy/demo/plan"
)

const tableName = "netcinch-demo"

// Where the addresses stand in the two headers, in bytes.
var (
	source      = map[bool]uint32{true: 12, false: 8} // key: IPv4
	destination = map[bool]uint32{true: 16, false: 24}
)

// installFilter writes the node's packet filter: Services as kube-proxy has
// them, masquerading towards the internet, and the drops that policies ask
// for. It lives and dies with the namespace.
func installFilter(nsFd int, p *plan.Plan) error {
	conn, err := nftables.New(nftables.WithNetNSFd(nsFd))
	if err != nil {
		return fmt.Errorf("opening nftables: %w", err)
	}
	for _, four := range []bool{true, false} {
		f := newFamily(conn, four)
		for _, r := range p.Routes {
			if r.Dialled.Addr().Is4() == four {
				f.addRoute(r)
			}
		}
		for _, prefix := range p.Node.Pods {
			if prefix.Addr().Is4() == four {
				f.addMasquerade(prefix)
			}
		}
		for _, d := range p.Drops {
			if d.From.Is4() == four {
				f.addDrop(d)
			}
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("installing packet filter (kernel needs nf_tables with nat): %w", err)
	}
	return nil
}

// family is the table of IPv4 or of IPv6.
type family struct {
	conn                                     *nftables.Conn
	four                                     bool
	table                                    *nftables.Table
	prerouting, output, postrouting, forward *nftables.Chain
}

func newFamily(conn *nftables.Conn, four bool) *family {
	f := &family{conn: conn, four: four}
	kind := nftables.TableFamilyIPv6
	if four {
		kind = nftables.TableFamilyIPv4
	}
	f.table = conn.AddTable(&nftables.Table{Family: kind, Name: tableName})
	chain := func(name string, t nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return conn.AddChain(&nftables.Chain{Name: name, Table: f.table, Type: t, Hooknum: hook, Priority: priority})
	}
	f.prerouting = chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	f.output = chain("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
	f.postrouting = chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	f.forward = chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	return f
}

func (f *family) add(chain *nftables.Chain, exprs ...expr.Any) {
	f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: chain, Exprs: exprs})
}

// addRoute sends one dialled address to its backends, each with the same
// chance: of those left, the first takes one in len(left).
func (f *family) addRoute(r plan.Route) {
	family := uint32(unix.NFPROTO_IPV6)
	if f.four {
		family = unix.NFPROTO_IPV4
	}
	for i, b := range r.Backends {
		exprs := append(f.match(destination[f.four], r.Dialled.Addr()), matchPort(r.Protocol, r.Dialled.Port())...)
		if left := len(r.Backends) - i; left > 1 {
			exprs = append(exprs,
				&expr.Numgen{Register: 1, Modulus: uint32(left), Type: unix.NFT_NG_RANDOM},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0, 0, 0, 0}})
		}
		exprs = append(exprs,
			&expr.Counter{},
			&expr.Immediate{Register: 1, Data: b.Addr().AsSlice()},
			&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, b.Port())},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: 1, RegProtoMin: 2})
		f.add(f.prerouting, exprs...)
		f.add(f.output, exprs...)
	}
}

// addMasquerade gives pods the node's address on their way out.
func (f *family) addMasquerade(pods netip.Prefix) {
	length := uint32(pods.Addr().BitLen() / 8)
	mask := make([]byte, length)
	for i := range pods.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	f.add(f.postrouting,
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: append([]byte(uplinkName), 0)},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: source[f.four], Len: length},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: mask, Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: pods.Masked().Addr().AsSlice()},
		&expr.Masq{})
}

func (f *family) addDrop(d plan.Drop) {
	exprs := append(f.match(source[f.four], d.From), f.match(destination[f.four], d.To)...)
	exprs = append(exprs, matchPort(corev1.ProtocolTCP, d.Port)...)
	f.add(f.forward, append(exprs, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})...)
}

// match compares one address of the IP header.
func (f *family) match(offset uint32, a netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(a.BitLen() / 8)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()},
	}
}

// matchPort compares protocol and destination port.
func matchPort(protocol corev1.Protocol, port uint16) []expr.Any {
	number := byte(unix.IPPROTO_TCP)
	if protocol == corev1.ProtocolUDP {
		number = unix.IPPROTO_UDP
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
}
