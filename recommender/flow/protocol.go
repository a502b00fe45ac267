// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"strconv"
	"strings"
)

// Protocol is an IANA protocol number, as in the IPv4 header.
type Protocol uint8

// The protocols that policies can name.
const (
	ICMP    Protocol = 1
	TCP     Protocol = 6
	UDP     Protocol = 17
	ICMPv6  Protocol = 58
	SCTP    Protocol = 132
	UDPLite Protocol = 136
)

var protocolNames = map[Protocol]string{
	ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ICMPv6: "ICMPv6", SCTP: "SCTP", UDPLite: "UDPLite",
}

// String gives the name that Kubernetes and Calico use, or the number.
func (p Protocol) String() string {
	if name, ok := protocolNames[p]; ok {
		return name
	}
	return strconv.Itoa(int(p))
}

// HasPorts says whether the protocol's header carries port numbers.
func (p Protocol) HasPorts() bool {
	return p == TCP || p == UDP || p == SCTP || p == UDPLite
}

// ParseProtocol reads a name in any case, or a number from 1 to 255.
func ParseProtocol(s string) (Protocol, error) {
	for p, name := range protocolNames {
		if strings.EqualFold(s, name) {
			return p, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("protocol %q: want TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number from 1 to 255", s)
	}
	return Protocol(n), nil
}
