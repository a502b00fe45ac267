// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// hubbleShape is the fields of api/v1/flow/flow.proto and of the answers of
// api/v1/observer/observer.proto, as protobuf's JSON spells them.
var hubbleShape = func() shape {
	endpoint := shape{"ID": nil, "identity": nil, "cluster_name": nil, "namespace": nil, "labels": nil, "pod_name": nil, "workloads": nil}
	ports := shape{"source_port": nil, "destination_port": nil}
	inner := shape{
		"time": nil, "uuid": nil, "emitter": nil, "verdict": nil, "drop_reason": nil, "auth_type": nil, "ethernet": nil,
		"IP": shape{"source": nil, "source_xlated": nil, "destination": nil, "ipVersion": nil, "encrypted": nil},
		"l4": shape{
			"TCP": shape{"source_port": nil, "destination_port": nil, "flags": nil}, "UDP": ports, "SCTP": ports,
			"ICMPv4": nil, "ICMPv6": nil, "VRRP": nil, "IGMP": nil,
		},
		"tunnel": nil, "source": endpoint, "destination": endpoint, "Type": nil, "node_name": nil, "node_labels": nil,
		"source_names": nil, "destination_names": nil, "l7": nil, "reply": nil, "event_type": nil,
		"source_service": nil, "destination_service": nil, "traffic_direction": nil, "policy_match_type": nil,
		"trace_observation_point": nil, "trace_reason": nil, "file": nil, "ip_trace_id": nil, "drop_reason_desc": nil, "is_reply": nil,
		"debug_capture_point": nil, "interface": nil, "proxy_port": nil, "trace_context": nil,
		"sock_xlate_point": nil, "socket_cookie": nil, "cgroup_id": nil, "Summary": nil, "extensions": nil,
		"egress_allowed_by": nil, "ingress_allowed_by": nil, "egress_denied_by": nil, "ingress_denied_by": nil,
		"policy_log": nil, "aggregate": nil,
	}
	outer := shape{"flow": inner, "node_name": nil, "time": nil, "node_status": nil, "lost_events": nil, "agent_event": nil, "debug_event": nil}
	for name, below := range inner { // hubble observe -o json prints the flow without its frame
		if _, ok := outer[name]; !ok {
			outer[name] = below
		}
	}
	return outer
}()

// hubbleFlow is what of a flow is looked at.
type hubbleFlow struct {
	at                  time.Time
	verdict, kind       string
	direction           string
	src, dst            netip.AddrPort
	protocol            flow.Protocol
	syn, ack, rst       bool
	icmpType            uint64
	reply, replyKnown   bool
	dropReason          string
	source, destination hubbleEnd
	srcService, toVIP   string
	nodeName            string
	srcNames, dstNames  []string
	hasSource           bool
}

// hubbleEnd is an endpoint of a flow.
type hubbleEnd struct {
	namespace, pod string
	workload       flow.Workload
	reserved       []string // Cilium's reserved labels: host, world, health, …
}

func (e *hubbleEnd) is(label string) bool { return slices.Contains(e.reserved, label) }

// hubble takes one answer of hubble observe.
func (im *importer) hubble(o object) error {
	inner := o
	switch {
	case o.has("flow"):
		var err error
		if inner, err = o.object("flow"); err != nil {
			return err
		}
	case o.has("lost_events"):
		lost, err := o.object("lost_events")
		if err != nil {
			return err
		}
		n, err := lost.text("source")
		if err != nil {
			return within("lost_events", err)
		}
		im.leave("Hubble itself lost events", n)
		return nil
	case o.has("node_status"), o.has("agent_event"), o.has("debug_event"):
		im.leave("no flow, but news of a node or an agent", "")
		return nil
	case !o.has("verdict") && !o.has("IP"):
		return wrong("flow", "is absent; want what hubble observe -o jsonpb prints")
	}
	f, err := readHubble(inner)
	if err != nil {
		if o.has("flow") {
			return within("flow", err)
		}
		return err
	}
	return im.hubbleFlow(f)
}

// hubbleFlow turns a flow into a sighting, or says why not.
func (im *importer) hubbleFlow(f *hubbleFlow) error {
	why := f.useless()
	if why != "" {
		im.leave(why, f.text())
		return nil
	}
	reply, guessed := f.isReply()
	client, server, from, to := &f.source, &f.destination, f.src, f.dst
	clientNames, serverNames := f.srcNames, f.dstNames
	vip := f.toVIP
	if reply {
		client, server, from, to, clientNames, serverNames, vip = server, client, to, from, serverNames, clientNames, f.srcService
	}
	key := socket{from, f.protocol}
	if vip != "" && server.pod == "" {
		im.dial(key, vip+":"+portText(to))
		im.leave("before the Service's address was translated: the same connection is told again with its backend", f.text())
		return nil
	}
	s := &sighting{at: f.at, reply: reply, atServer: f.direction == "INGRESS", tuple: &tuple{from, to, f.protocol}}
	s.edge = flow.Edge{Client: im.hubbleEndpoint(client, from, clientNames, f), Server: im.hubbleEndpoint(server, to, serverNames, f), Protocol: f.protocol, Guessed: guessed, Service: im.services[key]}
	if f.protocol.HasPorts() {
		s.edge.Port = to.Port()
	}
	s.began = f.syn && !f.ack
	s.reset = f.rst
	if f.verdict == "DROPPED" {
		s.dropped, s.reason = true, f.dropReason
	}
	s.settled = f.verdict == "REDIRECTED"
	return im.take(s)
}

// useless says why a flow is no sighting; empty where it is one.
func (f *hubbleFlow) useless() string {
	switch {
	case f.kind == "L7":
		return "about a request within a connection (L7)"
	case f.kind == "SOCK":
		return "about a socket's translation, not about packets"
	case f.verdict != "FORWARDED" && f.verdict != "DROPPED" && f.verdict != "REDIRECTED" && f.verdict != "AUDIT":
		return "verdict " + f.verdict + " does not say whether it was let through"
	case !f.hasSource:
		return "no addresses"
	case f.protocol == 0:
		return "no protocol of layer 4 that is known"
	case f.source.is("health") || f.destination.is("health"):
		return "Cilium's own health checks"
	case f.direction != "EGRESS" && f.direction != "INGRESS":
		return "seen at a node's interface, not at an endpoint: the direction is not known"
	case f.protocol.HasPorts() && (f.src.Port() == 0 || f.dst.Port() == 0):
		return "no ports"
	}
	return ""
}

// isReply says whether the flow went from server to client. Where the log does
// not say it, the flags of TCP do; what is dropped for a policy opens a
// connection; else the lower port is taken for the server's.
func (f *hubbleFlow) isReply() (reply, guessed bool) {
	switch {
	case f.replyKnown:
		return f.reply, false
	case f.syn:
		return f.ack, false
	case f.protocol == flow.ICMP:
		return f.icmpType == 0, false
	case f.protocol == flow.ICMPv6:
		return f.icmpType == 129, false
	case f.verdict == "DROPPED" && strings.HasPrefix(f.dropReason, "POLICY_DEN"):
		return false, false
	}
	return f.src.Port() < f.dst.Port(), true
}

func (f *hubbleFlow) text() string {
	return f.src.String() + " → " + f.dst.String()
}

// hubbleEndpoint names an end as exactly as the flow does.
func (im *importer) hubbleEndpoint(e *hubbleEnd, at netip.AddrPort, names []string, f *hubbleFlow) flow.Endpoint {
	out := flow.Endpoint{IP: at.Addr()}
	switch {
	case e.pod != "":
		out.Pod, out.Workload = e.pod, e.workload
		out.Workload.Namespace = e.namespace
		if out.Workload.Name == "" {
			out.Workload = im.owner(e.namespace, e.pod)
		}
	case e.is("host"):
		out.Node = f.nodeName
	case len(names) == 1:
		out.DNS = flow.DNSName(names[0])
	}
	return out
}

// owner asks whose pod it is; without an answer the namespace is all that is
// known, and the pod's name stands for it.
func (im *importer) owner(namespace, pod string) flow.Workload {
	if im.options.Workload != nil {
		if w, ok := im.options.Workload(namespace, pod); ok {
			return w
		}
	}
	return flow.Workload{Namespace: namespace}
}

// maxServices bounds how many sockets are remembered that dialled a Service.
const maxServices = 100_000

// dial remembers which Service a socket dialled.
func (im *importer) dial(s socket, service string) {
	if len(im.services) >= maxServices {
		clear(im.services)
	}
	im.services[s] = service
}
