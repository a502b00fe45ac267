// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// readHubble reads the fields of a flow that are looked at.
func readHubble(o object) (*hubbleFlow, error) {
	f := &hubbleFlow{}
	var err error
	if f.at, err = o.moment("time", time.Second); err != nil {
		return nil, err
	}
	for name, into := range map[string]*string{
		"verdict": &f.verdict, "Type": &f.kind, "traffic_direction": &f.direction, "drop_reason_desc": &f.dropReason, "node_name": &f.nodeName,
	} {
		if *into, err = o.text(name); err != nil {
			return nil, err
		}
	}
	if f.verdict == "" {
		f.verdict = "VERDICT_UNKNOWN" // protobuf leaves a zero out
	}
	if i := strings.LastIndexByte(f.nodeName, '/'); i >= 0 {
		f.nodeName = f.nodeName[i+1:] // "cluster/node"
	}
	if f.reply, f.replyKnown, err = o.flag("is_reply"); err != nil {
		return nil, err
	}
	if err = f.readIP(o); err != nil {
		return nil, err
	}
	if f.source, err = readHubbleEnd(o, "source"); err != nil {
		return nil, err
	}
	if f.destination, err = readHubbleEnd(o, "destination"); err != nil {
		return nil, err
	}
	if f.srcNames, err = o.texts("source_names"); err != nil {
		return nil, err
	}
	if f.dstNames, err = o.texts("destination_names"); err != nil {
		return nil, err
	}
	if f.srcService, err = readHubbleService(o, "source_service"); err != nil {
		return nil, err
	}
	f.toVIP, err = readHubbleService(o, "destination_service")
	return f, err
}

func (f *hubbleFlow) readIP(o object) error {
	ip, err := o.object("IP")
	if err != nil || ip == nil {
		return err
	}
	src, err := ip.addr("source")
	if err != nil {
		return within("IP", err)
	}
	dst, err := ip.addr("destination")
	if err != nil {
		return within("IP", err)
	}
	f.hasSource = src.IsValid() && dst.IsValid()
	f.src, f.dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	l4, err := o.object("l4")
	if err != nil {
		return err
	}
	return within("l4", f.readL4(l4))
}

var hubbleProtocols = map[string]flow.Protocol{
	"TCP": flow.TCP, "UDP": flow.UDP, "SCTP": flow.SCTP, "ICMPv4": flow.ICMP, "ICMPv6": flow.ICMPv6, "VRRP": 112, "IGMP": 2,
}

func (f *hubbleFlow) readL4(l4 object) error {
	for name, p := range hubbleProtocols {
		if !l4.has(name) {
			continue
		}
		inner, err := l4.object(name)
		if err != nil {
			return err
		}
		f.protocol = p
		if !p.HasPorts() {
			f.icmpType, err = inner.number("type")
			return within(name, err)
		}
		from, err := inner.port("source_port")
		if err != nil {
			return within(name, err)
		}
		to, err := inner.port("destination_port")
		if err != nil {
			return within(name, err)
		}
		f.src, f.dst = netip.AddrPortFrom(f.src.Addr(), from), netip.AddrPortFrom(f.dst.Addr(), to)
		flags, err := inner.object("flags")
		if err != nil {
			return within(name, err)
		}
		for flag, into := range map[string]*bool{"SYN": &f.syn, "ACK": &f.ack, "RST": &f.rst} {
			if *into, _, err = flags.flag(flag); err != nil {
				return within(name+".flags", err)
			}
		}
	}
	return nil
}

func readHubbleEnd(o object, name string) (hubbleEnd, error) {
	var e hubbleEnd
	inner, err := o.object(name)
	if err != nil || inner == nil {
		return e, err
	}
	if e.namespace, err = inner.text("namespace"); err != nil {
		return e, within(name, err)
	}
	if e.pod, err = inner.text("pod_name"); err != nil {
		return e, within(name, err)
	}
	labels, err := inner.texts("labels")
	if err != nil {
		return e, within(name, err)
	}
	for _, l := range labels {
		if r, ok := strings.CutPrefix(l, "reserved:"); ok {
			e.reserved = append(e.reserved, strings.TrimSuffix(r, "="))
		}
	}
	if inner.has("workloads") {
		var list []struct{ Name, Kind string }
		if json.Unmarshal(inner["workloads"], &list) != nil {
			return e, wrong(name+".workloads", "want a list of {name, kind}, got %s", brief(inner["workloads"]))
		}
		if len(list) == 1 && list[0].Name != "" && list[0].Kind != "" {
			e.workload = flow.Workload{Namespace: e.namespace, Kind: list[0].Kind, Name: list[0].Name}
		}
	}
	if e.pod != "" && e.namespace == "" {
		return e, wrong(name+".namespace", "is absent; a pod needs it")
	}
	return e, nil
}

// readHubbleService gives "namespace/name"; "" where there is none.
func readHubbleService(o object, name string) (string, error) {
	inner, err := o.object(name)
	if err != nil || inner == nil {
		return "", err
	}
	ns, err := inner.text("namespace")
	if err != nil {
		return "", within(name, err)
	}
	service, err := inner.text("name")
	if err != nil || service == "" || ns == "" {
		return "", within(name, err)
	}
	return ns + "/" + service, nil
}

func portText(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
