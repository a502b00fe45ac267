// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsHeader is the length of struct dns_event without its payload.
const dnsHeader = 16

// takeDNS handles struct dns_event: kind, slot, length, jiffies, payload.
func (r *reader) takeDNS(event []byte) {
	if len(event) < dnsHeader {
		return
	}
	length := int(binary.NativeEndian.Uint32(event[8:]))
	payload := event[dnsHeader:]
	if length < len(payload) {
		payload = payload[:length]
	}
	r.tell(payload, Slot(binary.NativeEndian.Uint32(event[4:])), r.clock.read().at(binary.NativeEndian.Uint32(event[12:])))
}

// tell parses one message and gives what it answers.
func (r *reader) tell(message []byte, slot Slot, at time.Time) {
	answer, err := parseDNS(message)
	switch {
	case err != nil:
		r.dnsUnparsed.Add(1)
		return
	case len(answer.Addrs) == 0:
		return
	}
	answer.Slot, answer.At = slot, at
	select {
	case r.answers <- answer:
	default:
		r.dnsLost.Add(1)
	}
}

// dnsChain bounds how many CNAMEs are followed; resolvers follow fewer.
const dnsChain = 16

var errNotAnswer = errors.New("not a DNS answer to one question")

// parseDNS reads one DNS message. It gives the name asked for and the addresses
// that the answer leads to by its CNAMEs, or no addresses where it has none. It
// fails on what is not a well-formed answer.
func parseDNS(message []byte) (DNSAnswer, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return DNSAnswer{}, fmt.Errorf("reading the DNS header: %w", err)
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return DNSAnswer{}, fmt.Errorf("reading the DNS question: %w", err)
	}
	if !header.Response || len(questions) != 1 {
		return DNSAnswer{}, errNotAnswer
	}
	answer := DNSAnswer{Name: plainName(questions[0].Name)}
	if header.RCode != dnsmessage.RCodeSuccess || answer.Name == "" {
		return answer, nil
	}
	records, err := readRecords(&p)
	if err != nil {
		return DNSAnswer{}, err
	}
	records.follow(&answer)
	return answer, nil
}

type dnsAlias struct {
	to  string
	ttl uint32
}

type dnsAddress struct {
	addr netip.Addr
	ttl  uint32
}

// dnsRecords are an answer section, by owner.
type dnsRecords struct {
	aliases   map[string]dnsAlias
	addresses map[string][]dnsAddress
}

func readRecords(p *dnsmessage.Parser) (dnsRecords, error) {
	records := dnsRecords{aliases: make(map[string]dnsAlias), addresses: make(map[string][]dnsAddress)}
	for {
		header, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return records, nil
		}
		if err == nil {
			err = records.read(p, header)
		}
		if err != nil {
			return dnsRecords{}, fmt.Errorf("reading a DNS record: %w", err)
		}
	}
}

func (d dnsRecords) read(p *dnsmessage.Parser, header dnsmessage.ResourceHeader) error {
	owner := plainName(header.Name)
	switch {
	case header.Class != dnsmessage.ClassINET:
		return p.SkipAnswer()
	case header.Type == dnsmessage.TypeA:
		a, err := p.AResource()
		d.addresses[owner] = append(d.addresses[owner], dnsAddress{netip.AddrFrom4(a.A), header.TTL})
		return err
	case header.Type == dnsmessage.TypeAAAA:
		a, err := p.AAAAResource()
		d.addresses[owner] = append(d.addresses[owner], dnsAddress{netip.AddrFrom16(a.AAAA).Unmap(), header.TTL})
		return err
	case header.Type == dnsmessage.TypeCNAME:
		c, err := p.CNAMEResource()
		d.aliases[owner] = dnsAlias{plainName(c.CNAME), header.TTL}
		return err
	default:
		return p.SkipAnswer()
	}
}

// follow goes from the name asked for to its addresses.
func (d dnsRecords) follow(answer *DNSAnswer) {
	name, shortest := answer.Name, ^uint32(0)
	for range dnsChain {
		for _, a := range d.addresses[name] {
			answer.Addrs = append(answer.Addrs, a.addr)
			shortest = min(shortest, a.ttl)
		}
		alias, ok := d.aliases[name]
		if !ok || len(answer.Addrs) > 0 {
			break
		}
		name, shortest = alias.to, min(shortest, alias.ttl)
	}
	if len(answer.Addrs) > 0 {
		answer.TTL = time.Duration(shortest) * time.Second
	}
}

// plainName is a name as it is shown: lower case, no final dot.
func plainName(n dnsmessage.Name) string {
	return strings.ToLower(strings.TrimSuffix(n.String(), "."))
}
