// SPDX-License-Identifier: Apache-2.0

//go:build linux

package flowfile

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/recommender/wire"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func owner(a netip.Addr) (wire.PodKey, bool) {
	if a == netip.MustParseAddr("fd00::9") {
		return wire.PodKey{Namespace: "shop", Name: "db"}, true
	}
	return wire.PodKey{}, false
}

func edge(local, remote string, flags wire.EdgeFlag, change func(*wire.Edge)) wire.Edge {
	e := wire.Edge{
		EdgeKey: wire.EdgeKey{
			Pod: wire.PodKey{Namespace: "shop", Name: "cart"}, Local: netip.MustParseAddr(local), Remote: netip.MustParseAddr(remote),
			Protocol: 6, Port: 443, Flags: flags,
		},
		Counts: wire.Counts{Connections: 2, BytesSent: 200, BytesReceived: 100, PacketsSent: 4, PacketsReceived: 3},
	}
	if change != nil {
		change(&e)
	}
	return e
}

func TestLines(t *testing.T) {
	const client = wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT
	const head = `{"schema":"netcinch.flow/v1","start":"2026-11-22T12:00:00Z","end":"2026-11-22T12:00:10Z",`
	const counts = `"connections":2,"bytesSent":200,"bytesReceived":100,"packetsSent":4,"packetsReceived":3,`
	for name, c := range map[string]struct {
		edge wire.Edge
		want string
	}{
		"client to outside, IPv4": {
			edge("10.1.0.5", "192.0.2.7", client, func(e *wire.Edge) { e.DNS = "pay.example.com" }),
			`"client":{"namespace":"shop","pod":"cart","ip":"10.1.0.5"},"server":{"ip":"192.0.2.7","dns":"pay.example.com"},"protocol":"TCP","port":443,` + counts + `"outcome":"established"}`,
		},
		"client to a pod of this node, IPv6": {
			edge("fd00::5", "fd00::9", client, func(e *wire.Edge) { e.DNS, e.Outcome = "db.shop.svc", wire.Refused }),
			`"client":{"namespace":"shop","pod":"cart","ip":"fd00::5"},"server":{"namespace":"shop","pod":"db","ip":"fd00::9"},"protocol":"TCP","port":443,` + counts + `"outcome":"refused"}`,
		},
		"server, guessed": {
			edge("10.1.0.5", "192.0.2.7", wire.EdgeFlag_EDGE_FLAG_GUESSED, nil),
			`"client":{"ip":"192.0.2.7"},"server":{"namespace":"shop","pod":"cart","ip":"10.1.0.5"},"protocol":"TCP","port":443,` + counts + `"outcome":"established","guessed":true,"countedAt":"server"}`,
		},
		"program, container and probe": {
			edge("10.1.0.5", "192.0.2.7", 0, func(e *wire.Edge) {
				e.Process, e.Container, e.Marks = "/bin/cart", "main", wire.EdgeMark_EDGE_MARK_PROBE
			}),
			`"client":{"ip":"192.0.2.7"},"server":{"namespace":"shop","pod":"cart","ip":"10.1.0.5","process":"/bin/cart","container":"main"},"protocol":"TCP","port":443,` + counts + `"outcome":"established","probe":true,"countedAt":"server"}`,
		},
		"no ports": {
			edge("10.1.0.5", "192.0.2.7", client, func(e *wire.Edge) { e.Protocol, e.Port, e.Outcome = 1, 0, wire.Unanswered }),
			`"client":{"namespace":"shop","pod":"cart","ip":"10.1.0.5"},"server":{"ip":"192.0.2.7"},"protocol":"ICMP",` + counts + `"outcome":"unanswered"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out, owner)
			w.Put(export.Window{Start: noon, End: noon.Add(10 * time.Second), Edges: []wire.Edge{c.edge}})
			if got := strings.TrimSpace(out.String()); got != head+c.want || w.Err() != nil || w.Lines() != 1 {
				t.Errorf("got  %s\nwant %s\n%v", got, head+c.want, w.Err())
			}
		})
	}
}

func TestEdgeWithoutItsPortIsLeftOutAndCounted(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, owner)
	w.Put(export.Window{Start: noon, End: noon.Add(time.Second), Edges: []wire.Edge{edge("10.1.0.5", "192.0.2.7", 0, func(e *wire.Edge) { e.Port = 0 })}})
	if out.Len() != 0 || w.Lines() != 0 || w.WithoutPort() != 1 {
		t.Errorf("wrote %q, %d lines, %d left out", &out, w.Lines(), w.WithoutPort())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFirstErrorIsKept(t *testing.T) {
	w := NewWriter(full{}, owner)
	for range 2 {
		w.Put(export.Window{Start: noon, End: noon.Add(time.Second), Edges: []wire.Edge{edge("10.1.0.5", "192.0.2.7", 0, nil)}})
	}
	if w.Err() == nil || !strings.Contains(w.Err().Error(), "no space left") {
		t.Errorf("got %v", w.Err())
	}
}
