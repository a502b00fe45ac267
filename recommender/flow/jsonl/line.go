// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// line is a record as the file spells it. Pointers tell absent from zero.
type line struct {
	Schema   string    `json:"schema"`
	Start    string    `json:"start"`
	End      string    `json:"end"`
	Client   *endpoint `json:"client"`
	Server   *endpoint `json:"server"`
	Protocol string    `json:"protocol"`
	Port     *uint16   `json:"port,omitempty"`
	counters
	Outcome   string    `json:"outcome"`
	Reason    string    `json:"reason,omitempty"`
	Service   string    `json:"service,omitempty"`
	Guessed   bool      `json:"guessed,omitempty"`
	Probe     bool      `json:"probe,omitempty"`
	CountedAt string    `json:"countedAt,omitempty"` // "client" (the default) or "server"
	AtServer  *counters `json:"atServer,omitempty"`
}

type endpoint struct {
	Namespace string    `json:"namespace,omitempty"`
	Pod       string    `json:"pod,omitempty"`
	Workload  *workload `json:"workload,omitempty"`
	IP        string    `json:"ip,omitempty"`
	Node      string    `json:"node,omitempty"`
	DNS       string    `json:"dns,omitempty"`
	Process   string    `json:"process,omitempty"`
	Container string    `json:"container,omitempty"`
	Elsewhere string    `json:"elsewhere,omitempty"`
}

type workload struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

type counters struct {
	Connections     uint64 `json:"connections"`
	BytesSent       uint64 `json:"bytesSent"`
	BytesReceived   uint64 `json:"bytesReceived"`
	PacketsSent     uint64 `json:"packetsSent"`
	PacketsReceived uint64 `json:"packetsReceived"`
}

// outcomes are indexed by flow.Outcome.
var outcomes = [...]string{
	flow.Established: "established", flow.Refused: "refused", flow.Unanswered: "unanswered", flow.Dropped: "dropped",
}

// fieldError is what is wrong with one field of a line.
type fieldError struct{ field, message string }

func (e *fieldError) Error() string { return e.field + ": " + e.message }

func wrong(field, format string, args ...any) error {
	return &fieldError{field: field, message: fmt.Sprintf(format, args...)}
}

// record checks a line and turns it into the value.
func (l *line) record() (flow.Record, error) {
	var r flow.Record
	var err error
	switch {
	case l.Schema == "":
		return r, wrong("schema", "is absent; each line needs %q", Schema)
	case l.Schema != Schema:
		return r, wrong("schema", "%q is not understood; this program reads %q", l.Schema, Schema)
	}
	if r.Window, err = l.window(); err != nil {
		return r, err
	}
	e := &r.Edge
	if e.Client, err = l.Client.value("client"); err != nil {
		return r, err
	}
	if e.Server, err = l.Server.value("server"); err != nil {
		return r, err
	}
	if e.Protocol, err = flow.ParseProtocol(l.Protocol); err != nil {
		return r, wrong("protocol", "%q: want TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number from 1 to 255", l.Protocol)
	}
	if e.Port, err = l.port(e.Protocol); err != nil {
		return r, err
	}
	if e.Outcome, err = outcomeOf(l.Outcome); err != nil {
		return r, err
	}
	e.Reason, e.Guessed, e.Probe = l.Reason, l.Guessed, l.Probe
	if e.Service, err = l.service(); err != nil {
		return r, err
	}
	return r, l.count(&r)
}

func (l *line) window() (flow.Window, error) {
	start, err := time.Parse(time.RFC3339, l.Start)
	if err != nil {
		return flow.Window{}, wrong("start", "%q is not a time; write it as 2026-01-31T10:00:00Z", l.Start)
	}
	end, err := time.Parse(time.RFC3339, l.End)
	if err != nil {
		return flow.Window{}, wrong("end", "%q is not a time; write it as 2026-01-31T10:00:00Z", l.End)
	}
	if !end.After(start) {
		return flow.Window{}, wrong("end", "%s is not after the start, %s", l.End, l.Start)
	}
	return flow.Window{Start: start.UTC(), End: end.UTC()}, nil
}

func (l *line) port(p flow.Protocol) (uint16, error) {
	switch {
	case !p.HasPorts() && l.Port != nil && *l.Port != 0:
		return 0, wrong("port", "%s has no ports; leave it out", p)
	case !p.HasPorts():
		return 0, nil
	case l.Port == nil:
		return 0, wrong("port", "is absent; %s needs the server's port, 1 to 65535", p)
	case *l.Port == 0:
		return 0, wrong("port", "0 is no port; want 1 to 65535")
	}
	return *l.Port, nil
}

func outcomeOf(text string) (flow.Outcome, error) {
	if text == "" {
		return flow.Established, nil
	}
	for i, name := range outcomes {
		if text == name {
			return flow.Outcome(i), nil //nolint:gosec // an index of a table of four
		}
	}
	return 0, wrong("outcome", "%q: want %s", text, strings.Join(outcomes[:], ", "))
}

// service checks "namespace/name:port".
func (l *line) service() (string, error) {
	if l.Service == "" {
		return "", nil
	}
	ns, rest, slash := strings.Cut(l.Service, "/")
	name, port, colon := strings.Cut(rest, ":")
	if !slash || !colon || ns == "" || name == "" || port == "" {
		return "", wrong("service", "%q: want namespace/name:port", l.Service)
	}
	return l.Service, nil
}

func (l *line) count(r *flow.Record) error {
	main := flow.Counters(l.counters)
	switch l.CountedAt {
	case "", "client":
		r.ByClient = main
		if l.AtServer != nil {
			r.ByServer = flow.Counters(*l.AtServer)
		}
	case "server":
		if l.AtServer != nil {
			return wrong("atServer", "is given although the line itself was counted at the server; leave it out")
		}
		r.ByServer = main
	default:
		return wrong("countedAt", "%q: want client or server", l.CountedAt)
	}
	return nil
}

// value checks an endpoint.
func (e *endpoint) value(field string) (flow.Endpoint, error) {
	var out flow.Endpoint
	if e == nil {
		return out, wrong(field, "is absent; give what is known of it: namespace and pod or workload, ip, node or dns")
	}
	if e.IP != "" {
		addr, err := netip.ParseAddr(e.IP)
		if err != nil || addr.Zone() != "" {
			return out, wrong(field+".ip", "%q is not an address", e.IP)
		}
		out.IP = addr.Unmap()
	}
	if w := e.Workload; w != nil {
		if w.Kind == "" || w.Name == "" {
			return out, wrong(field+".workload", "needs kind and name")
		}
		out.Workload = flow.Workload{Kind: w.Kind, Name: w.Name}
	}
	if e.Workload != nil || e.Pod != "" {
		if e.Namespace == "" {
			return out, wrong(field+".namespace", "is absent; a pod or workload needs it")
		}
	} else if e.Namespace != "" {
		return out, wrong(field+".namespace", "is given without pod or workload; add one, or leave it out")
	}
	out.Workload.Namespace = e.Namespace
	out.Pod, out.Node, out.Process, out.Container, out.Elsewhere = e.Pod, e.Node, e.Process, e.Container, e.Elsewhere
	out.DNS = flow.DNSName(e.DNS)
	if out.Workload.IsZero() && out.Node == "" && out.DNS == "" && !out.IP.IsValid() {
		return out, wrong(field, "says nothing; give what is known of it: namespace and pod or workload, ip, node or dns")
	}
	return out, nil
}
