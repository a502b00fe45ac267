// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package flowfile writes windows as a flow file, schema netcinch.flow/v1: one
// JSON line an edge. It is what an agent alone can say: pods of its own node by
// name, everything else by address, services not at all.
package flowfile

import (
	"bufio"
	"encoding/json"
	"io"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/aggregate"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/recommender/wire"
)

const schema = "netcinch.flow/v1"

// Writer is a sink for windows. After the first error it writes nothing more.
type Writer struct {
	out   *bufio.Writer
	owner func(netip.Addr) (wire.PodKey, bool) // who has an address at present, where it is one of the node's pods
	lines int
	bare  int
	err   error
}

// NewWriter writes to out; owner names the node's pods by address.
func NewWriter(out io.Writer, owner func(netip.Addr) (wire.PodKey, bool)) *Writer {
	return &Writer{out: bufio.NewWriter(out), owner: owner}
}

type line struct {
	Schema          string   `json:"schema"`
	Start           string   `json:"start"`
	End             string   `json:"end"`
	Client          endpoint `json:"client"`
	Server          endpoint `json:"server"`
	Protocol        string   `json:"protocol"`
	Port            uint16   `json:"port,omitempty"`
	Connections     uint64   `json:"connections"`
	BytesSent       uint64   `json:"bytesSent"`
	BytesReceived   uint64   `json:"bytesReceived"`
	PacketsSent     uint64   `json:"packetsSent"`
	PacketsReceived uint64   `json:"packetsReceived"`
	Outcome         string   `json:"outcome"`
	Reason          string   `json:"reason,omitempty"`
	Guessed         bool     `json:"guessed,omitempty"`
	Probe           bool     `json:"probe,omitempty"`
	CountedAt       string   `json:"countedAt,omitempty"` // "server" where the client's end was not watched
}

type endpoint struct {
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	IP        string `json:"ip"`
	DNS       string `json:"dns,omitempty"`
	Process   string `json:"process,omitempty"`
	Container string `json:"container,omitempty"`
}

var outcomes = [...]string{
	wire.Established: "established", wire.Refused: "refused", wire.Unanswered: "unanswered", wire.Dropped: "dropped",
}

// protocol gives the name that the flow file uses, or the number.
func protocol(number uint8) string {
	switch number {
	case unix.IPPROTO_TCP:
		return "TCP"
	case unix.IPPROTO_UDP:
		return "UDP"
	case unix.IPPROTO_SCTP:
		return "SCTP"
	case unix.IPPROTO_ICMP:
		return "ICMP"
	case unix.IPPROTO_ICMPV6:
		return "ICMPv6"
	case unix.IPPROTO_UDPLITE:
		return "UDPLite"
	}
	return strconv.Itoa(int(number))
}

// Put writes the window's edges.
func (w *Writer) Put(window export.Window) {
	for _, e := range window.Edges {
		if w.err != nil {
			return
		}
		if e.Port == 0 && aggregate.HasPorts(e.Protocol) {
			w.bare++ // fragments whose first one was not seen: the file has no way to say it
			continue
		}
		text, err := json.Marshal(w.line(window, e))
		if err != nil {
			w.err = err
			return
		}
		if _, w.err = w.out.Write(append(text, '\n')); w.err == nil {
			w.lines++
		}
	}
	if w.err == nil {
		w.err = w.out.Flush()
	}
}

func (w *Writer) line(window export.Window, e wire.Edge) line {
	l := line{
		Schema: schema, Start: stamp(window.Start), End: stamp(window.End),
		Protocol: protocol(e.Protocol), Port: e.Port,
		Connections: e.Connections, BytesSent: e.BytesSent, BytesReceived: e.BytesReceived,
		PacketsSent: e.PacketsSent, PacketsReceived: e.PacketsReceived,
		Outcome: outcomes[e.Outcome], Reason: e.Reason, Guessed: e.Guessed(), Probe: e.Probe(),
	}
	local := endpoint{Namespace: e.Pod.Namespace, Pod: e.Pod.Name, IP: e.Local.String(), Process: e.Process, Container: e.Container}
	remote := endpoint{IP: e.Remote.String()}
	if pod, ok := w.owner(e.Remote); ok {
		remote.Namespace, remote.Pod = pod.Namespace, pod.Name
	} else if e.LocalIsClient() {
		remote.DNS = e.DNS
	}
	if e.LocalIsClient() {
		l.Client, l.Server = local, remote
	} else {
		l.Client, l.Server, l.CountedAt = remote, local, "server"
	}
	return l
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Lines is how many were written.
func (w *Writer) Lines() int { return w.lines }

// WithoutPort is how many edges were left out because their port was not seen.
func (w *Writer) WithoutPort() int { return w.bare }

// Err gives the first error of writing.
func (w *Writer) Err() error { return w.err }
