// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// netobservShape is the fields of NetObserv's flows format reference.
var netobservShape = func() shape {
	s := shape{}
	for name := range strings.FieldsSeq(netobservFields) {
		s[name] = nil
	}
	for name := range strings.FieldsSeq("Addr Port Mac SubnetLabel") {
		s["Src"+name], s["Dst"+name], s["XlatSrc"+name], s["XlatDst"+name] = nil, nil, nil, nil
	}
	for name := range strings.FieldsSeq("Name Type Namespace OwnerName OwnerType HostIP HostName Zone NetworkName") {
		s["SrcK8S_"+name], s["DstK8S_"+name], s["XlatSrcK8S_"+name], s["XlatDstK8S_"+name] = nil, nil, nil, nil
	}
	return s
}()

const netobservFields = `AgentIP Bytes Bytes_AB Bytes_BA CloneSource DnsErrno DnsFlags DnsFlagsResponseCode DnsId DnsLatencyMs DnsName Dscp
	Duplicate Etype Flags FlowDirection IcmpCode IcmpType IfDirection IfDirections Interface Interfaces IPSecRetCode IPSecStatus IPSecSuccess
	K8S_ClusterName K8S_FlowLayer NetworkEvents Packets Packets_AB Packets_BA PktDropBytes PktDropLatestDropCause PktDropLatestFlags
	PktDropLatestState PktDropPackets Proto Sampling TimeFlowEndMs TimeFlowRttNs TimeFlowStartMs TimeReceived TlsVersion TLSVersion TLSCipherSuite TLSTypes TLSCurve
	UdnId Udns XlatIcmpId XlatZoneId ZoneId numFlowLogs app _HashId _IsFirst _RecordType`

// netobservFlow is one direction of a connection, seen at a node.
type netobservFlow struct {
	at             time.Time
	src, dst       netobservEnd
	protocol       flow.Protocol
	direction      uint64 // 0 ingress, 1 egress, 2 inner, as the node sees it
	flags          uint64
	flagsKnown     bool
	icmpType       uint64
	bytes, packets uint64
	dropped        uint64
	cause, acl     string
	duplicate      bool
	recordType     string
	translated     bool // dst is a backend, and Service the address that was dialled
	service        string
	srcVIP, dstVIP bool
}

type netobservEnd struct {
	at                         netip.AddrPort
	kind, namespace, name      string
	ownerKind, ownerName, node string
}

// TCP flags, as NetObserv joins them: one bit for each combination.
const (
	flagSYN    = 0x02
	flagSYNACK = 0x100
	flagRSTACK = 0x400
	flagRST    = 0x04
	otherFlags = ^uint64(flagSYN)
)

// netobserv takes one flow log.
func (im *importer) netobserv(o object) error {
	f, err := readNetobserv(o)
	if err != nil {
		return err
	}
	if why := f.useless(); why != "" {
		im.leave(why, f.src.at.String()+" → "+f.dst.at.String())
		return nil
	}
	reply, guessed := f.isReply()
	client, server, vip := &f.src, &f.dst, f.dstVIP
	if reply {
		client, server, vip = server, client, f.srcVIP
	}
	key := socket{client.at, f.protocol}
	if vip {
		im.dial(key, server.namespace+"/"+server.name+":"+portText(server.at))
		im.leave("before the Service's address was translated: the same connection is told again with its backend", client.at.String()+" → "+server.at.String())
		return nil
	}
	if f.service != "" && !reply {
		im.dial(key, f.service)
	}
	// The node of the sender sees a packet go out, that of the receiver sees it
	// come in. Between pods of one node it is told once.
	atSender := f.direction != 0
	s := &sighting{
		at: f.at, reply: reply, atServer: atSender == reply && f.direction != 2,
		tuple: &tuple{client.at, server.at, f.protocol},
		edge:  flow.Edge{Client: im.netobservEndpoint(client), Server: im.netobservEndpoint(server), Protocol: f.protocol, Guessed: guessed, Service: im.services[key]},
		began: f.flagsKnown && f.flags&flagSYN != 0 && f.flags&otherFlags == 0,
		reset: f.flags&(flagRST|flagRSTACK) != 0 && f.flags&flagSYNACK == 0,
	}
	if f.protocol.HasPorts() {
		s.edge.Port = server.at.Port()
	}
	switch {
	case f.acl != "":
		s.dropped, s.reason = true, f.acl
	case f.dropped > 0 && f.dropped >= f.packets:
		s.dropped, s.reason = true, f.cause
	}
	if reply {
		s.counters = flow.Counters{BytesReceived: f.bytes, PacketsReceived: f.packets}
	} else {
		s.counters = flow.Counters{BytesSent: f.bytes, PacketsSent: f.packets}
	}
	return im.take(s)
}

func (f *netobservFlow) useless() string {
	switch {
	case f.recordType != "" && f.recordType != "flowLog":
		return "a conversation's " + f.recordType + ": export flow logs instead"
	case f.duplicate:
		return "a duplicate from another interface"
	case !f.src.at.Addr().IsValid() || !f.dst.at.Addr().IsValid():
		return "no addresses"
	case f.protocol == 0:
		return "no protocol"
	case f.protocol.HasPorts() && (f.src.at.Port() == 0 || f.dst.at.Port() == 0):
		return "no ports"
	case f.srcVIP && f.dstVIP:
		return "between two Services"
	}
	return ""
}

// isReply says whether the flow went from server to client: by the flags that
// open a connection, by the type of ICMP, by which end is a Service; else the
// lower port is taken for the server's.
func (f *netobservFlow) isReply() (reply, guessed bool) {
	switch {
	case f.flags&flagSYNACK != 0:
		return true, false
	case f.flagsKnown && f.flags&flagSYN != 0:
		return false, false
	case f.dstVIP || f.translated:
		return false, false
	case f.srcVIP:
		return true, false
	case f.protocol == flow.ICMP:
		return f.icmpType == 0, false
	case f.protocol == flow.ICMPv6:
		return f.icmpType == 129, false
	case !f.protocol.HasPorts():
		return false, true
	}
	return f.src.at.Port() < f.dst.at.Port(), true
}

// netobservEndpoint names an end. NetObserv knows pods of the host's network by
// their node.
func (im *importer) netobservEndpoint(e *netobservEnd) flow.Endpoint {
	out := flow.Endpoint{IP: e.at.Addr()}
	switch {
	case e.kind == "Pod" && e.name != "" && e.namespace != "":
		out.Pod = e.name
		out.Workload = flow.Workload{Namespace: e.namespace, Kind: e.ownerKind, Name: e.ownerName}
		if e.ownerName == "" || e.ownerKind == "" {
			out.Workload = im.owner(e.namespace, e.name)
		}
	case e.kind == "Node" && e.name != "":
		out.Node = e.name
	}
	return out
}

func readNetobserv(o object) (*netobservFlow, error) {
	f := &netobservFlow{}
	var err error
	if f.at, err = o.moment("TimeFlowStartMs", time.Millisecond); err != nil {
		return nil, err
	}
	if f.src, err = readNetobservEnd(o, "Src"); err != nil {
		return nil, err
	}
	if f.dst, err = readNetobservEnd(o, "Dst"); err != nil {
		return nil, err
	}
	f.srcVIP, f.dstVIP = f.src.kind == "Service", f.dst.kind == "Service"
	if err = f.translate(o); err != nil {
		return nil, err
	}
	proto, err := o.number("Proto")
	if err != nil {
		return nil, err
	}
	if proto > 255 {
		return nil, wrong("Proto", "%d is not a protocol; want 1 to 255", proto)
	}
	f.protocol = flow.Protocol(proto) //nolint:gosec // bounded above
	for name, into := range map[string]*uint64{
		"FlowDirection": &f.direction, "Bytes": &f.bytes, "Packets": &f.packets, "PktDropPackets": &f.dropped, "IcmpType": &f.icmpType,
	} {
		if *into, err = o.number(name); err != nil {
			return nil, err
		}
	}
	if f.direction > 2 {
		return nil, wrong("FlowDirection", "%d is not known; want 0 (ingress), 1 (egress) or 2 (inner)", f.direction)
	}
	for name, into := range map[string]*string{"PktDropLatestDropCause": &f.cause, "_RecordType": &f.recordType} {
		if *into, err = o.text(name); err != nil {
			return nil, err
		}
	}
	if f.duplicate, _, err = o.flag("Duplicate"); err != nil {
		return nil, err
	}
	f.flagsKnown = o.has("Flags")
	if f.flags, err = readFlags(o); err != nil {
		return nil, err
	}
	f.acl, err = readACL(o)
	return f, err
}

// translate takes, where the flow was sent to a Service and the log tells the
// backend, the backend for the destination.
func (f *netobservFlow) translate(o object) error {
	to, err := readNetobservEnd(o, "XlatDst")
	if err != nil {
		return err
	}
	if !f.dstVIP || !to.at.Addr().IsValid() || to.at == f.dst.at {
		return nil
	}
	f.service = f.dst.namespace + "/" + f.dst.name + ":" + portText(f.dst.at)
	if to.at.Port() == 0 {
		return nil // the backend's port is what matters
	}
	f.dst, f.dstVIP, f.translated = to, false, true
	return nil
}

func readNetobservEnd(o object, side string) (netobservEnd, error) {
	var e netobservEnd
	addr, err := o.addr(side + "Addr")
	if err != nil {
		return e, err
	}
	port, err := o.port(side + "Port")
	if err != nil {
		return e, err
	}
	e.at = netip.AddrPortFrom(addr, port)
	for name, into := range map[string]*string{
		"Type": &e.kind, "Namespace": &e.namespace, "Name": &e.name, "OwnerType": &e.ownerKind, "OwnerName": &e.ownerName, "HostName": &e.node,
	} {
		if *into, err = o.text(side + "K8S_" + name); err != nil {
			return e, err
		}
	}
	return e, nil
}

// tcpFlags are the names that a list of flags has.
var tcpFlags = map[string]uint64{
	"FIN": 1, "SYN": flagSYN, "RST": flagRST, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128, "SYN_ACK": flagSYNACK, "FIN_ACK": 0x200, "RST_ACK": flagRSTACK,
}

// readFlags reads a number, or a list of names.
func readFlags(o object) (uint64, error) {
	if !o.has("Flags") {
		return 0, nil
	}
	var list []string
	if json.Unmarshal(o["Flags"], &list) != nil {
		return o.number("Flags")
	}
	var flags uint64
	for _, name := range list {
		bit, ok := tcpFlags[name]
		if !ok {
			return 0, wrong("Flags", "%q is not a flag of TCP", name)
		}
		flags |= bit
	}
	return flags, nil
}

// readACL says which policy dropped the flow, where network events tell; empty
// for none. Older versions give them as text.
func readACL(o object) (string, error) {
	if !o.has("NetworkEvents") {
		return "", nil
	}
	var texts []string
	if json.Unmarshal(o["NetworkEvents"], &texts) == nil {
		return "", nil
	}
	var events []map[string]any
	if json.Unmarshal(o["NetworkEvents"], &events) != nil {
		return "", wrong("NetworkEvents", "want a list of events, got %s", brief(o["NetworkEvents"]))
	}
	for _, e := range events {
		if action, _ := e["Action"].(string); action != "drop" && action != "reject" {
			continue
		}
		var parts []string
		for _, name := range []string{"Type", "Namespace", "Name", "Direction"} {
			if text, _ := e[name].(string); text != "" {
				parts = append(parts, text)
			}
		}
		return "network event: " + strings.Join(slices.Compact(parts), " "), nil
	}
	return "", nil
}
