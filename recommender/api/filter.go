// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// filter is what q says: every term has to hold. Names take * for any text.
//
//	cart                     in a name, namespace, address, port or process at either end
//	namespace:shop (ns:)     either end is in the namespace
//	workload:shop/cart       either end is the workload; the namespace may be left out
//	label:app=cart           either end's pods have the label; label:app asks for the key alone
//	address:10.1.0.0/16      either end has, or had when it talked, an address of these
//	from:NAME, to:NAME       the client, the server: a namespace, a workload, a name or a prefix
//	port:5432, port:80-90    the server's port; protocol:udp
//	process:curl             an executable at the client
//	verdict:denied           allowed, denied, unseen, unused or risky
//
// A minus before a term turns it around. What has a colon and none of these
// words before it is text: an IPv6 address needs no quoting.
type filter struct {
	terms []term
}

type term struct {
	key       string // empty for text
	text      string // lower case
	not       bool
	low, high uint16
	prefix    netip.Prefix
	at        map[string]bool // with address: edges that an end had it in
}

var filterKeys = map[string]string{
	"namespace": "namespace", "ns": "namespace", "workload": "workload", "label": "label", "address": "address", "ip": "address",
	"from": "from", "to": "to", "port": "port", "protocol": "protocol", "process": "process", "verdict": "verdict",
}

var verdicts = []string{stateAllowed, stateDenied, stateUnseen, stateUnused, lookRisky}

const lookRisky = "risky"

// filterOf reads q; the error names what is wrong in it.
func filterOf(q string) (filter, error) {
	var f filter
	for word := range strings.FieldsSeq(strings.ToLower(q)) {
		t := term{text: word}
		if rest, ok := strings.CutPrefix(word, "-"); ok && rest != "" {
			t.not, t.text = true, rest
		}
		if key, rest, ok := strings.Cut(t.text, ":"); ok && filterKeys[key] != "" {
			t.key, t.text = filterKeys[key], rest
			if rest == "" {
				continue // somebody is still typing
			}
		}
		if err := t.read(); err != nil {
			return f, err
		}
		f.terms = append(f.terms, t)
	}
	return f, nil
}

func (t *term) read() error {
	switch t.key {
	case "port":
		low, high, ranged := strings.Cut(t.text, "-")
		a, err := strconv.ParseUint(low, 10, 16)
		b := a
		if err == nil && ranged {
			b, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || b < a {
			return wrong("q", "port:%s is neither a port from 0 to 65535 nor a range of them (port:8000-8100).", t.text)
		}
		t.low, t.high = uint16(a), uint16(b)
	case "address":
		p, err := prefixIn(t.text)
		if err != nil {
			return wrong("q", "address:%s is neither an address nor a prefix (address:10.1.0.0/16, address:fd00::/8).", t.text)
		}
		t.prefix = p
	case "verdict":
		if !slices.Contains(verdicts, t.text) {
			return wrong("q", "verdict:%s is none of %s.", t.text, strings.Join(verdicts, ", "))
		}
	default:
		if p, err := prefixIn(t.text); err == nil {
			t.prefix = p
		}
	}
	return nil
}

func prefixIn(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	return p.Masked(), nil
}

// locate looks up which edges an address had a part in, whoever has it now.
func (f *filter) locate(v *View) {
	for i := range f.terms {
		if t := &f.terms[i]; t.key == "address" {
			t.at = v.Index.EdgesAt(v.Input.Records, t.prefix.Contains)
		}
	}
}

// talk is an edge as a filter sees it.
type talk struct {
	id             string // empty where nobody talked
	client, server *fact
	protocol       string
	port           uint16
	state          string
	denied, risky  bool
	processes      []string
}

// fact is an end as a filter sees it; texts are lower case.
type fact struct {
	party     analyze.Party
	namespace string
	name      string
	text      string
	labels    map[string]string
	addresses []netip.Addr
}

func (f *filter) active() bool { return len(f.terms) > 0 }

// edge says whether every term holds for an edge.
func (f *filter) edge(k *talk) bool {
	for i := range f.terms {
		if t := &f.terms[i]; t.holds(k) == t.not {
			return false
		}
	}
	return true
}

// node says whether every term holds for an end alone, without an edge.
func (f *filter) node(n *fact) bool {
	for i := range f.terms {
		t := &f.terms[i]
		switch t.key {
		case "", "namespace", "workload", "label", "address":
			if t.at1(n) == t.not {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (t *term) holds(k *talk) bool {
	switch t.key {
	case "from":
		return t.means(k.client)
	case "to":
		return t.means(k.server)
	case "port":
		return k.port >= t.low && k.port <= t.high
	case "protocol":
		return strings.EqualFold(k.protocol, t.text)
	case "process":
		return slices.ContainsFunc(k.processes, func(p string) bool { return strings.Contains(strings.ToLower(p), t.text) })
	case "verdict":
		return t.text == k.state || t.text == stateDenied && k.denied || t.text == lookRisky && k.risky
	case "address":
		return t.at[k.id] && k.id != "" || t.at1(k.client) || t.at1(k.server)
	case "":
		return t.at1(k.client) || t.at1(k.server) || strings.Contains(strings.ToLower(k.protocol)+" "+strconv.Itoa(int(k.port))+" "+k.state, t.text) ||
			slices.ContainsFunc(k.processes, func(p string) bool { return strings.Contains(strings.ToLower(p), t.text) })
	}
	return t.at1(k.client) || t.at1(k.server)
}

// at1 says whether a term holds at one end.
func (t *term) at1(n *fact) bool {
	switch t.key {
	case "namespace":
		return n.namespace != "" && like(t.text, n.namespace)
	case "workload":
		return n.namespace != "" && (like(t.text, n.name) || like(t.text, n.namespace+"/"+n.name))
	case "label":
		return n.labelled(t.text)
	case "address":
		return slices.ContainsFunc(n.addresses, t.prefix.Contains)
	}
	return strings.Contains(n.text, t.text)
}

// means says whether an end is what from: or to: names.
func (t *term) means(n *fact) bool {
	if t.prefix.IsValid() && slices.ContainsFunc(n.addresses, t.prefix.Contains) {
		return true
	}
	return like(t.text, n.name) || n.namespace != "" && (like(t.text, n.namespace) || like(t.text, n.namespace+"/"+n.name))
}

func (n *fact) labelled(text string) bool {
	key, value, exact := strings.Cut(text, "=")
	for k, v := range n.labels {
		if like(key, strings.ToLower(k)) && (!exact || like(value, strings.ToLower(v))) {
			return true
		}
	}
	return false
}

// like matches a name with a pattern in which * is any text, slashes too.
func like(pattern, name string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, last)
}

// facts makes and keeps what filters ask about parties.
type facts struct {
	view      *View
	elsewhere map[netip.Addr]string
	known     map[analyze.Party]*fact
}

func newFacts(v *View, elsewhere map[netip.Addr]string) *facts {
	return &facts{view: v, elsewhere: elsewhere, known: map[analyze.Party]*fact{}}
}

func (s *facts) of(p analyze.Party) *fact {
	if n := s.known[p]; n != nil {
		return n
	}
	n := &fact{party: p, namespace: strings.ToLower(p.Namespace), name: strings.ToLower(p.Name)}
	words := []string{p.Namespace, p.Name, p.WorkloadKind}
	switch p.Kind {
	case analyze.PartyWorkload:
		w := p.Workload()
		n.labels = labelsOf(s.view, w)
		for _, pod := range s.view.Index.Pods(w) {
			n.addresses = append(n.addresses, pod.IPs...)
		}
	case analyze.PartyNode:
		if node := s.view.Index.Node(p.Name); node != nil {
			n.addresses, n.labels = node.Addresses, node.Labels
		}
	case analyze.PartyOutside:
		n.name = strings.ToLower(outsideLabel(p))
		words = append(words, p.DNS, s.elsewhere[p.IP])
		if p.IP.IsValid() {
			n.addresses = []netip.Addr{p.IP}
			words = append(words, p.IP.String())
		}
		if there := s.elsewhere[p.IP]; there != "" {
			n.name = strings.ToLower(there)
		}
	}
	n.text = strings.ToLower(strings.Join(words, " "))
	s.known[p] = n
	return n
}
