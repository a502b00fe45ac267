// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// calicoShape is the fields of goldmane/proto/api.proto (FlowResult, FlowUpdate
// and Flow), of Whisker's answers, and of the log that Felix writes, each as
// its JSON spells it.
var calicoShape = func() shape {
	both := func(fields ...string) shape { // snake_case, and camelCase as protobuf's JSON has it
		s := shape{}
		for _, f := range fields {
			s[f], s[camel(f)] = nil, nil
		}
		return s
	}
	key := both("source_name", "source_namespace", "source_type", "dest_name", "dest_namespace", "dest_type", "dest_port",
		"dest_service_name", "dest_service_namespace", "dest_service_port_name", "dest_service_port", "proto", "reporter", "action", "policies")
	out := both("start_time", "end_time", "source_labels", "dest_labels", "packets_in", "packets_out", "bytes_in", "bytes_out",
		"num_connections_started", "num_connections_completed", "num_connections_live")
	for name := range key {
		out[name] = nil // Whisker's answers and Felix's lines are flat
	}
	out["Key"], out["key"] = key, key
	inner := shape{}
	maps.Copy(inner, out)
	out["flow"], out["id"] = inner, nil
	for _, name := range []string{"protocol", "total", "meta", "errors", "flows", "items"} {
		out[name] = nil
	}
	for name := range strings.FieldsSeq(felixFields) {
		out[name] = nil
	}
	return out
}()

// felixFields are further fields of Felix's file, as documented for flow logs.
const felixFields = `source_ip source_name_aggr source_port source_domains nat_outgoing_ports original_source_ips num_original_source_ips
	dest_ip dest_name_aggr dest_domains dest_service_port_num num_flows num_flows_started num_flows_completed
	transit_bytes_in transit_bytes_out transit_packets_in transit_packets_out transit_policies enforced_policies pending_policies
	http_requests_allowed_in http_requests_denied_in process_name num_process_names process_id num_process_ids process_args num_process_args
	tcp_mean_send_congestion_window tcp_min_send_congestion_window tcp_mean_smooth_rtt tcp_max_smooth_rtt tcp_mean_min_rtt tcp_max_min_rtt
	tcp_mean_mss tcp_min_mss tcp_total_retransmissions tcp_lost_packets tcp_unrecovered_to host cluster timestamp @timestamp`

func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

// calicoFlow is what of a flow is looked at. Source is always the initiator.
type calicoFlow struct {
	key, stats   object
	start, end   time.Time
	source, dest calicoEnd
	protocol     flow.Protocol
	port         uint16
	action       string
	reporter     string
	service      string
	counters     flow.Counters
}

// calicoEnd is one end as Calico names it.
type calicoEnd struct {
	kind            string // "wep", "hep", "ns", "net"
	namespace, name string // name may end in "*": several pods
	ip              netip.Addr
	domains         []string
	labels          map[string]string
	process         string
}

// calico takes one flow log of any of the forms.
func (im *importer) calico(o object) error {
	stats, around := o, ""
	if o.has("flow") {
		inner, err := o.object("flow")
		if err != nil {
			return err
		}
		stats, around = inner, "flow"
	}
	key := stats
	if name := stats.any("Key", "key"); stats.has(name) {
		inner, err := stats.object(name)
		if err != nil {
			return err
		}
		key = inner
	}
	f := &calicoFlow{key: key, stats: stats}
	if err := f.read(); err != nil {
		if around != "" {
			return within(around, err)
		}
		return err
	}
	return im.calicoFlow(f)
}

func (im *importer) calicoFlow(f *calicoFlow) error {
	switch {
	case f.action != "allow" && f.action != "deny":
		im.leave(fmt.Sprintf("action %q says neither allow nor deny", f.action), f.text())
		return nil
	case f.reporter != "src" && f.reporter != "dst":
		im.leave(fmt.Sprintf("reporter %q is no end of the connection", f.reporter), f.text())
		return nil
	case f.protocol.HasPorts() && f.port == 0:
		im.leave("no port", f.text())
		return nil
	}
	client, ok := im.calicoEndpoint(&f.source)
	if !ok {
		im.leave(aggregated(&f.source), f.text())
		return nil
	}
	server, ok := im.calicoEndpoint(&f.dest)
	if !ok {
		im.leave(aggregated(&f.dest), f.text())
		return nil
	}
	if client.Kind() == flow.KindOutside && server.Kind() == flow.KindOutside {
		im.leave("between two addresses outside the cluster", f.text())
		return nil
	}
	s := &sighting{at: f.start, atServer: f.reporter == "dst", counters: f.counters, dropped: f.action == "deny"}
	s.edge = flow.Edge{Client: client, Server: server, Protocol: f.protocol, Port: f.port, Service: f.service}
	if s.dropped {
		s.reason = "Calico: deny"
	}
	return im.take(s)
}

// aggregated says why an end cannot be named.
func aggregated(e *calicoEnd) string {
	if e.kind == "" {
		return "an end without type or name"
	}
	return fmt.Sprintf("an end of type %q without name: it was aggregated away", e.kind)
}

func (f *calicoFlow) text() string {
	return f.source.text() + " → " + f.dest.text() + " " + f.protocol.String() + " " + strconv.Itoa(int(f.port))
}

func (e *calicoEnd) text() string {
	if e.namespace != "" {
		return e.namespace + "/" + e.name
	}
	return e.name
}

// calicoEndpoint names an end. Outside addresses that the log has aggregated
// get a name that nobody can have, so that nothing is made of them by mistake.
func (im *importer) calicoEndpoint(e *calicoEnd) (flow.Endpoint, bool) {
	out := flow.Endpoint{IP: e.ip, Process: e.process}
	switch e.kind {
	case "wep":
		if e.name == "" || e.namespace == "" {
			return out, false
		}
		out.Workload = im.calicoWorkload(e)
		if !strings.HasSuffix(e.name, "*") || out.Workload.Name == "" {
			out.Pod = e.name
		}
		return out, true
	case "hep":
		out.Node = strings.TrimSuffix(e.name, "-auto-hep") // as Calico names those that it makes itself
		return out, out.Node != ""
	case "ns", "net":
		switch {
		case len(e.domains) == 1:
			out.DNS = flow.DNSName(e.domains[0])
		case !e.ip.IsValid() && e.kind == "ns" && e.name != "":
			out.DNS = hostName(e.text()) + ".networkset" + Aggregated
		case !e.ip.IsValid():
			out.DNS = map[string]string{"pvt": "private", "pub": "public"}[e.name] + Aggregated
		}
		return out, out.IP.IsValid() || out.DNS != Aggregated
	}
	return out, false
}

// Aggregated is the end of the names of outside ends whose addresses a log does
// not tell. Nobody can have such a name (RFC 6761).
const Aggregated = ".calico.invalid"

// hostName makes a name that can stand in DNS.
func hostName(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, text)
}
