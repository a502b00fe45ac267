// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"net/netip"
	"testing"
	"time"
)

func TestInitiatorAndOutcome(t *testing.T) {
	const (
		high4, low4 = "10.0.0.2:40000", "10.0.0.3:80"
		high6, low6 = "[fd00::2]:40000", "[fd00::3]:80"
		synOut      = flagSYN
		synIn       = flagSYN << 8
		rstOut      = flagRST
		rstIn       = flagRST << 8
	)
	for _, test := range []struct {
		name     string
		protocol uint8
		reversed bool // the local end has the low port
		state    uint32
		want     Initiator
		guessed  bool
		outcome  Outcome
	}{
		{"SYN out, answered", 6, false, startedLocal | synOut | synIn, InitiatorLocal, false, Established},
		{"SYN out, reset", 6, false, startedLocal | synOut | rstIn, InitiatorLocal, false, Refused},
		{"SYN out, answered, then reset", 6, false, startedLocal | synOut | synIn | rstIn, InitiatorLocal, false, Established},
		{"SYN out, given up by a reset of our own", 6, false, startedLocal | synOut | rstOut, InitiatorLocal, false, Unanswered},
		{"SYN out, ICMP error", 6, false, startedLocal | synOut | refusedByRemote, InitiatorLocal, false, Refused},
		{"SYN out, nothing", 6, false, startedLocal | synOut | sent, InitiatorLocal, false, Unanswered},
		{"SYN in, answered, from a low port", 6, false, startedRemote | synOut | synIn, InitiatorRemote, false, Established},
		{"SYN in, reset", 6, true, startedRemote | synIn | rstOut, InitiatorRemote, false, Refused},
		{"SYN in, nothing", 6, true, startedRemote | synIn | received, InitiatorRemote, false, Unanswered},
		{"SYN before conntrack", 6, true, startedLocal | trackedRemote | synOut | synIn, InitiatorLocal, false, Established},
		{"open before, conntrack against the ports", 6, true, trackedLocal | sent | received, InitiatorLocal, false, Established},
		{"open before, conntrack", 6, false, trackedRemote | sent | received, InitiatorRemote, false, Established},
		{"open before, by the ports", 6, false, sent | received, InitiatorLocal, true, Established},
		{"open before, by the ports, served", 6, true, sent | received, InitiatorRemote, true, Established},
		{"UDP out, answered", 17, false, firstLocal | sent | received, InitiatorLocal, false, Established},
		{"UDP out, nothing", 17, false, firstLocal | sent, InitiatorLocal, false, Unanswered},
		{"UDP out, ICMP error", 17, false, firstLocal | sent | refusedByRemote, InitiatorLocal, false, Refused},
		{"UDP in, no answer needed", 17, true, firstRemote | received, InitiatorRemote, false, Established},
		{"UDP in, ICMP error", 17, true, firstRemote | received | refusedByLocal, InitiatorRemote, false, Refused},
		{"UDP answer first seen", 17, true, firstLocal | sent, InitiatorRemote, true, Established},
		{"UDP answer to us first seen", 17, false, firstRemote | received, InitiatorLocal, true, Established},
		{"UDP conntrack before the first seen", 17, true, firstLocal | trackedRemote | sent | received, InitiatorRemote, false, Established},
		{"fragments of unknown ports", 17, false, fragment | sent, InitiatorUnknown, false, Established},
		{"SCTP INIT out, ABORT", 132, false, startedLocal | synOut | rstIn, InitiatorLocal, false, Refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, ends := range [][2]string{{high4, low4}, {high6, low6}} {
				e := crafted{local: ends[0], remote: ends[1], protocol: test.protocol, state: test.state}
				if test.reversed {
					e.local, e.remote = e.remote, e.local
				}
				if test.state&fragment != 0 { // they have none
					e.local, e.remote = noPort(e.local), noPort(e.remote)
				}
				var got Record
				e.reading().fill(&got, moment{tick: time.Millisecond}, seen{})
				if got.Initiator != test.want || got.Guessed != test.guessed || got.Outcome != test.outcome {
					t.Errorf("%s: initiator %d, guessed %v, outcome %d: want %d, %v, %d", e.local,
						got.Initiator, got.Guessed, got.Outcome, test.want, test.guessed, test.outcome)
				}
			}
		})
	}
}

func noPort(addrPort string) string {
	return netip.AddrPortFrom(netip.MustParseAddrPort(addrPort).Addr(), 0).String()
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := moment{wall: now, ticks: 5, tick: 4 * time.Millisecond}
	for _, test := range []struct {
		ticks uint32
		want  time.Duration
	}{
		{5, 0},
		{3, 8 * time.Millisecond},
		{^uint32(0), 24 * time.Millisecond}, // across the wrap
		{7, 0},                              // a packet that came in since
	} {
		if got := m.age(test.ticks); got != test.want || !m.at(test.ticks).Equal(now.Add(-test.want)) {
			t.Errorf("tick %d: age %s, at %s: want %s ago", test.ticks, got, m.at(test.ticks), test.want)
		}
	}
}
