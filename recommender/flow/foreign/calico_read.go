// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

func (f *calicoFlow) read() error {
	var err error
	startName := f.stats.any("start_time", "startTime")
	if f.start, err = f.stats.moment(startName, time.Second); err != nil {
		return err
	}
	endName := f.stats.any("end_time", "endTime")
	if f.end, err = f.stats.moment(endName, time.Second); err != nil {
		return err
	}
	if f.end.Before(f.start) {
		return wrong(endName, "is before the start")
	}
	text, err := f.enum("action", map[string]string{"1": "allow", "2": "deny", "3": "pass"})
	if err != nil {
		return err
	}
	f.action = strings.ToLower(text)
	if text, err = f.enum("reporter", map[string]string{"1": "src", "2": "dst"}); err != nil {
		return err
	}
	f.reporter = strings.ToLower(text)
	protoName := f.key.any("proto", "protocol")
	if text, err = f.name(protoName); err != nil {
		return err
	}
	if f.protocol, err = protocolOf(protoName, text); err != nil {
		return err
	}
	if f.source, err = f.side("source"); err != nil {
		return err
	}
	if f.dest, err = f.side("dest"); err != nil {
		return err
	}
	if f.protocol.HasPorts() {
		if f.port, err = f.key.port(f.key.any("dest_port", "destPort")); err != nil {
			return err
		}
	}
	if f.service, err = f.dialled(); err != nil {
		return err
	}
	return f.count()
}

// name reads a text, or a number as text; "" and "-" are none.
func (f *calicoFlow) name(field string) (string, error) {
	if !f.key.has(field) {
		return "", nil
	}
	raw := string(f.key[field])
	if raw != "" && raw[0] >= '0' && raw[0] <= '9' {
		return raw, nil
	}
	text, err := f.key.text(field)
	if text == "-" {
		text = ""
	}
	return text, err
}

// enum reads a name of an enumeration, or its number.
func (f *calicoFlow) enum(field string, numbers map[string]string) (string, error) {
	text, err := f.name(field)
	if known, ok := numbers[text]; ok {
		return known, err
	}
	return text, err
}

// endpointTypes turn the names and numbers of Goldmane into those of the file.
var endpointTypes = map[string]string{
	"workloadendpoint": "wep", "hostendpoint": "hep", "networkset": "ns", "network": "net", "wep": "wep", "hep": "hep", "ns": "ns", "net": "net",
	"1": "wep", "2": "hep", "3": "ns", "4": "net",
}

func (f *calicoFlow) side(side string) (calicoEnd, error) {
	var e calicoEnd
	field := func(name string) string { return f.key.any(side+"_"+name, side+strings.ToUpper(name[:1])+name[1:]) }
	kind, err := f.name(field("type"))
	if err != nil {
		return e, err
	}
	if e.namespace, err = f.name(field("namespace")); err != nil {
		return e, err
	}
	if e.name, err = f.name(field("name")); err != nil {
		return e, err
	}
	if e.name == "" { // aggregated: the name of several
		if e.name, err = f.name(side + "_name_aggr"); err != nil {
			return e, err
		}
	}
	if e.ip, err = f.key.addr(side + "_ip"); err != nil {
		return e, err
	}
	if list, derr := f.key.texts(side + "_domains"); derr == nil {
		e.domains = list
	}
	if side == "source" && f.key.has("process_name") {
		if e.process, err = f.name("process_name"); err != nil {
			return e, err
		}
		e.process = strings.TrimSuffix(e.process, "*")
	}
	if e.labels, err = f.labels(side); err != nil {
		return e, err
	}
	e.kind = endpointTypes[strings.ToLower(kind)]
	if e.kind == "" && kind == "" { // Whisker does not tell
		switch {
		case e.namespace != "":
			e.kind = "wep"
		case e.name == "pub" || e.name == "pvt":
			e.kind = "net"
		}
	}
	return e, nil
}

// labels reads {"labels": ["k=v"]}, ["k=v"] or "k=v | k=v".
func (f *calicoFlow) labels(side string) (map[string]string, error) {
	from := f.stats
	field := from.any(side+"_labels", side+"Labels")
	if !from.has(field) {
		return nil, nil
	}
	var list []string
	var frame struct {
		Labels []string `json:"labels"`
	}
	var text string
	switch raw := from[field]; {
	case json.Unmarshal(raw, &list) == nil:
	case json.Unmarshal(raw, &frame) == nil:
		list = frame.Labels
	case json.Unmarshal(raw, &text) == nil:
		list = strings.Split(text, "|")
	default:
		return nil, wrong(field, "want labels as text, got %s", brief(raw))
	}
	out := map[string]string{}
	for _, l := range list {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			out[k] = v
		}
	}
	return out, nil
}

// dialled gives "namespace/name:port" of the Service; "" for none.
func (f *calicoFlow) dialled() (string, error) {
	var parts [3]string
	for i, names := range [][2]string{{"dest_service_namespace", "destServiceNamespace"}, {"dest_service_name", "destServiceName"}} {
		var err error
		if parts[i], err = f.name(f.key.any(names[0], names[1])); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"dest_service_port_num", "dest_service_port", "destServicePort", "dest_service_port_name", "destServicePortName"} {
		text, err := f.name(name)
		if err != nil {
			return "", err
		}
		if text == "0" {
			text = ""
		}
		if parts[2] == "" {
			parts[2] = strings.Trim(text, `"`)
		}
	}
	if parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", nil
	}
	return parts[0] + "/" + parts[1] + ":" + parts[2], nil
}

// count reads the counters. In and out are as the reporter sees them.
func (f *calicoFlow) count() error {
	read := func(names ...string) (uint64, error) { return f.stats.number(f.stats.any(names...)) }
	started, err := read("num_flows_started", "num_connections_started", "numConnectionsStarted")
	if err != nil {
		return err
	}
	packetsIn, err := read("packets_in", "packetsIn")
	if err != nil {
		return err
	}
	packetsOut, err := read("packets_out", "packetsOut")
	if err != nil {
		return err
	}
	bytesIn, err := read("bytes_in", "bytesIn")
	if err != nil {
		return err
	}
	bytesOut, err := read("bytes_out", "bytesOut")
	if err != nil {
		return err
	}
	if f.reporter == "dst" {
		packetsIn, packetsOut, bytesIn, bytesOut = packetsOut, packetsIn, bytesOut, bytesIn
	}
	if started == 0 && packetsIn+packetsOut+bytesIn+bytesOut == 0 {
		started = 1 // the entry itself says that there was one
	}
	f.counters = flow.Counters{Connections: started, BytesSent: bytesOut, BytesReceived: bytesIn, PacketsSent: packetsOut, PacketsReceived: packetsIn}
	return nil
}
