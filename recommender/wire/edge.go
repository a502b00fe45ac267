// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/netcinch/netcinch/recommender/flow"
)

// normal gives the key as it travels.
func (k EdgeKey) normal() EdgeKey {
	k.Local, k.Remote = k.Local.Unmap().WithZone(""), k.Remote.Unmap().WithZone("")
	k.Dialled = netip.AddrPortFrom(k.Dialled.Addr().Unmap().WithZone(""), k.Dialled.Port())
	k.Reason = fit(k.Reason, MaxString)
	k.DNS = fit(flow.DNSName(k.DNS), MaxName)
	k.Process = fit(k.Process, MaxString)
	k.Container = fit(k.Container, MaxName)
	return k
}

func fit(s string, limit int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// check judges a normal edge as Validate will once it is the i-th of a batch.
func (e Edge) check(i int) error {
	switch {
	case !e.Local.IsValid():
		return malformed("edges.local", i, "is no address")
	case !e.Remote.IsValid():
		return malformed("edges.remote", i, "is no address")
	case e.Local.Is4() != e.Remote.Is4():
		return malformed("edges.remote", i, "%v is of another family than the local %v", e.Remote, e.Local)
	case e.Port != 0 && !flow.Protocol(e.Protocol).HasPorts():
		return malformed("edges.port", i, "is %d, protocol %v has no ports", e.Port, flow.Protocol(e.Protocol))
	case !e.Dialled.Addr().IsValid() && e.Dialled.Port() != 0:
		return malformed("edges.dialled_port", i, "is %d without an address", e.Dialled.Port())
	case e.Flags&^edgeFlags != 0:
		return malformed("edges.flags", i, "is %d, want bits of %d", e.Flags, edgeFlags)
	case e.Outcome > Dropped:
		return malformed("edges.outcome", i, "is %d, want 0 to %d", e.Outcome, Dropped)
	case e.Pod != PodKey{} && (e.Pod.Namespace == "" || e.Pod.Name == ""):
		return malformed("edges.pod", i, "has no namespace or name: %+v", e.Pod)
	}
	for _, s := range []string{e.Pod.Namespace, e.Pod.Name, e.Pod.UID} {
		if err := checkText("edges.pod", i, s, MaxName); err != nil {
			return err
		}
	}
	return e.checkCounts(i)
}

func (c Counts) checkCounts(i int) error {
	for _, f := range []struct {
		column string
		value  uint64
	}{
		{"edges.connections", c.Connections},
		{"edges.bytes_sent", c.BytesSent},
		{"edges.bytes_received", c.BytesReceived},
		{"edges.packets_sent", c.PacketsSent},
		{"edges.packets_received", c.PacketsReceived},
	} {
		if f.value > MaxCount {
			return implausible(f.column, i, "is %d, at most %d", f.value, uint64(MaxCount))
		}
	}
	if err := checkBytes("edges.bytes_sent", i, c.BytesSent, c.PacketsSent); err != nil {
		return err
	}
	return checkBytes("edges.bytes_received", i, c.BytesReceived, c.PacketsReceived)
}
