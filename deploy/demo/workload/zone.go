// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Zone is what the DNS server knows. Names are lower case with a final dot.
type Zone struct {
	Addresses map[string][]netip.Addr `json:"addresses"`
	Aliases   map[string]string       `json:"aliases"` // CNAME, answered with its target's addresses
}

// The age that answers may reach, in seconds, and the sizes of messages.
const (
	zoneTTL    = 5
	maxPacket  = 512
	maxMessage = 64 << 10
)

// LoadZone reads a zone file, a Zone as JSON.
func LoadZone(path string) (*Zone, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading zone: %w", err)
	}
	zone := &Zone{}
	if err := json.Unmarshal(data, zone); err != nil {
		return nil, fmt.Errorf("reading zone %s: %w", path, err)
	}
	return zone, nil
}

// Answer builds the reply to a query in wire form. A query that does not
// parse gets none: nil.
func (z *Zone) Answer(query []byte) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{question},
	}
	name := strings.ToLower(question.Name.String())
	owner := question.Name
	if target, ok := z.Aliases[name]; ok {
		alias, bad := dnsmessage.NewName(target)
		if bad != nil {
			return nil
		}
		reply.Answers = append(reply.Answers, resource(owner, &dnsmessage.CNAMEResource{CNAME: alias}))
		name, owner = target, alias
	}
	addresses, known := z.Addresses[name]
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		switch {
		case a.Is4() && question.Type == dnsmessage.TypeA:
			reply.Answers = append(reply.Answers, resource(owner, &dnsmessage.AResource{A: a.As4()}))
		case a.Is6() && question.Type == dnsmessage.TypeAAAA:
			reply.Answers = append(reply.Answers, resource(owner, &dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func resource(owner dnsmessage.Name, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET, TTL: zoneTTL},
		Body:   body,
	}
}

// servePackets answers over UDP; an answer that does not fit is truncated to
// its header and question, so that the client asks again over TCP.
func (z *Zone) servePackets(conn net.PacketConn) error {
	buffer := make([]byte, maxMessage)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if reply := z.Answer(buffer[:n]); reply != nil {
			if len(reply) > maxPacket {
				reply = truncated(reply)
			}
			_, _ = conn.WriteTo(reply, from) // a lost datagram is asked for again
		}
	}
}

// truncated keeps the question and sets the TC bit.
func truncated(reply []byte) []byte {
	var message dnsmessage.Message
	if message.Unpack(reply) != nil {
		return nil
	}
	message.Truncated, message.Answers = true, nil
	packed, err := message.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// serveStream answers over TCP: each message has its length before it.
func (z *Zone) serveStream(conn net.Conn) {
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := z.Answer(query)
		if reply == nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
