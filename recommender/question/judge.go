// SPDX-License-Identifier: Apache-2.0

package question

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Judge answers questions on one snapshot. It is safe for concurrent use.
type Judge struct {
	engine  *policy.Engine
	pods    map[string][]*cluster.Pod // by namespace/name of the pod
	members map[string][]*cluster.Pod // by namespace/name of the workload
	byKind  map[flow.Workload][]*cluster.Pod
	addrs   map[netip.Addr]*cluster.Pod
	index   *analyze.Index
	starts  map[cluster.Ref]int // first lines, in the file
	files   map[cluster.Ref]string
	lines   map[policy.AllowanceID]int // in the file
}

// NewJudge gives a judge of a snapshot with its compiled policies.
func NewJudge(s *cluster.Snapshot, e *policy.Engine) *Judge {
	j := &Judge{
		engine: e, pods: map[string][]*cluster.Pod{}, members: map[string][]*cluster.Pod{}, byKind: map[flow.Workload][]*cluster.Pod{},
		addrs: map[netip.Addr]*cluster.Pod{}, index: analyze.NewIndex(s), starts: map[cluster.Ref]int{}, files: map[cluster.Ref]string{}, lines: map[policy.AllowanceID]int{},
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Finished {
			continue
		}
		if !p.Template {
			j.pods[p.Namespace+"/"+p.Name] = append(j.pods[p.Namespace+"/"+p.Name], p)
		}
		j.members[p.Workload.String()] = append(j.members[p.Workload.String()], p)
		j.byKind[p.Workload] = append(j.byKind[p.Workload], p)
		if !p.HostNetwork {
			for _, a := range p.IPs {
				j.addrs[a] = p
			}
		}
	}
	for _, o := range s.Policies {
		j.starts[o.Ref], j.files[o.Ref] = o.Source.Line, o.Source.File
	}
	for _, a := range e.Allowances() {
		if a.Line > 0 {
			j.lines[a.ID] = j.starts[a.ID.Policy] + a.Line - 1
		}
	}
	return j
}

// maxMembers bounds how many pods of a workload are asked for; pods of one
// workload nearly always get one answer.
const maxMembers = 16

// ends gives the peers that a name stands for: a pod, else the pods of a
// workload; or an address, which may be a pod's.
func (j *Judge) ends(field, name string) ([]policy.Peer, error) {
	if name == "" {
		return nil, wrong(field, "is absent; give namespace/name of a pod or workload, or an address")
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		addr = addr.Unmap()
		if p := j.addrs[addr]; p != nil {
			return []policy.Peer{{Pod: p, Addr: addr}}, nil
		}
		return []policy.Peer{{Addr: addr}}, nil
	}
	pods, err := j.named(field, name)
	if err != nil {
		return nil, err
	}
	var peers []policy.Peer
	for _, p := range pods {
		peers = append(peers, policy.Peer{Pod: p})
	}
	return peers, nil
}

// Peers gives all that a name stands for, as in a question: a pod, the pods of a
// workload, or an address. The field is named in errors, which are *FieldErrors.
func (j *Judge) Peers(field, name string) ([]policy.Peer, error) { return j.ends(field, name) }

func some(peers []policy.Peer) []policy.Peer { return peers[:min(len(peers), maxMembers)] }

func (j *Judge) named(field, name string) ([]*cluster.Pod, error) {
	parts := strings.Split(name, "/")
	switch {
	case slices.Contains(parts, "") || len(parts) < 2 || len(parts) > 3:
		return nil, wrong(field, "%q: want namespace/name of a pod or workload, namespace/Kind/name, or an address", name)
	case len(parts) == 3:
		if pods := j.byKind[flow.Workload{Namespace: parts[0], Kind: parts[1], Name: parts[2]}]; len(pods) > 0 {
			return pods, nil
		}
	case len(j.pods[name]) > 0:
		return j.pods[name], nil
	case len(j.members[name]) > 0:
		pods := j.members[name]
		for _, p := range pods {
			if p.Workload.Kind != pods[0].Workload.Kind {
				return nil, wrong(field, "%q is the name of a %s and of a %s; write %s/%s/%s", name, pods[0].Workload.Kind, p.Workload.Kind, parts[0], p.Workload.Kind, parts[1])
			}
		}
		return pods, nil
	}
	return nil, wrong(field, "no pod or workload %q in the manifests", name)
}

// port resolves a port of the server's end.
func (q Question) port(protocol flow.Protocol, to policy.Peer) (uint16, error) {
	if !protocol.HasPorts() {
		if q.Port != "" && q.Port != "0" {
			return 0, wrong("port", "%s has no ports; leave it out", protocol)
		}
		return 0, nil
	}
	if q.Port == "" {
		return 0, wrong("port", "is absent; give a number from 1 to 65535, or the name of a port of the destination")
	}
	if n, err := strconv.ParseInt(string(q.Port), 10, 64); err == nil {
		if n < 1 || n > 65535 {
			return 0, wrong("port", "%d: want 1 to 65535", n)
		}
		return uint16(n), nil
	}
	if to.Pod == nil {
		return 0, wrong("port", "%q: only pods have named ports, and the destination is an address; give a number", string(q.Port))
	}
	var have []string
	for _, p := range to.Pod.Ports {
		if p.Name == string(q.Port) && p.Protocol == protocol {
			return p.Port, nil
		}
		if p.Name != "" {
			have = append(have, p.Name+"/"+p.Protocol.String())
		}
	}
	return 0, wrong("port", "%s/%s has no %s port named %q; it has %s", to.Pod.Namespace, to.Pod.Name, protocol, string(q.Port), orNone(have))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "no named ports"
	}
	return strings.Join(list, ", ")
}

// Ask answers a question. Where it is about workloads, every pair of their
// pods is asked for; where the answers differ, one that denies is given, and
// that they differ is among the uncertainties. What cannot be answered is a
// *FieldError.
func (j *Judge) Ask(q Question) (Answer, error) {
	protocol := flow.TCP
	if q.Protocol != "" {
		var err error
		if protocol, err = flow.ParseProtocol(q.Protocol); err != nil {
			return Answer{}, wrong("protocol", "%q: want TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number from 1 to 255", q.Protocol)
		}
	}
	from, err := j.ends("from", q.From)
	if err != nil {
		return Answer{}, err
	}
	to, err := j.ends("to", q.To)
	if err != nil {
		return Answer{}, err
	}
	pairs := pairsOf(some(from), some(to))
	if len(pairs) == 0 {
		return Answer{}, wrong("to", "%s and %s have no address family in common", q.From, q.To)
	}
	var p poll
	for _, pair := range overFamilies(pairs, protocol) {
		port, err := q.port(protocol, pair[1])
		if err != nil {
			return Answer{}, err
		}
		c := policy.Connection{From: pair[0], To: pair[1], Protocol: protocol, Port: port, ICMPType: -1, ICMPCode: -1}
		p.add(c, j.engine.Check(c))
	}
	a := j.answer(p.verdict)
	j.explain(&a, j.engine.Explain(p.asked), q.Explain)
	if p.allowed != "" && p.denied != "" {
		what := "pods"
		if strings.Contains(p.allowed+p.denied, overIPv6) {
			what = "addresses"
		}
		a.Uncertain = append(a.Uncertain, fmt.Sprintf("the %s differ: %s is allowed, %s is denied; ask for %s", what, p.allowed, p.denied, what))
	}
	if pod := pairs[0][0].Pod; pod != nil && pod.Template && pod == pairs[0][1].Pod {
		a.Uncertain = append(a.Uncertain, "both ends are the one pod that stands in for "+q.From+"; another replica of it may be judged otherwise")
	}
	return a, nil
}

// poll gathers the answers for the pairs of pods of one question.
type poll struct {
	verdict         policy.Verdict // the first, or the first that denies
	asked           policy.Connection
	allowed, denied string // a pair each
}

func (p *poll) add(c policy.Connection, v policy.Verdict) {
	text := peerText(c.From) + " → " + peerText(c.To)
	if c.From.Pod != nil && c.To.Pod != nil && c.From.Addr.IsValid() {
		text += map[bool]string{true: overIPv4, false: overIPv6}[c.From.Addr.Is4()]
	}
	switch {
	case v.Allowed && p.allowed == "" && p.denied == "":
		p.allowed, p.verdict, p.asked = text, v, c
	case v.Allowed && p.allowed == "":
		p.allowed = text
	case !v.Allowed && p.denied == "":
		p.denied, p.verdict, p.asked = text, v, c
	}
}

// pairsOf gives the pairs that can talk. A pod and itself are one only where
// there is no other: within a workload, other replicas are meant.
func pairsOf(from, to []policy.Peer) [][2]policy.Peer {
	var pairs, own [][2]policy.Peer
	analyze.Pairs(from, to, func(from, to policy.Peer) {
		if from.Pod != nil && from.Pod == to.Pod {
			own = append(own, [2]policy.Peer{from, to})
		} else {
			pairs = append(pairs, [2]policy.Peer{from, to})
		}
	})
	if len(pairs) == 0 {
		return own
	}
	return pairs
}

// overIPv4 and overIPv6 are what the answers for pods with both families add.
const overIPv4, overIPv6 = " over IPv4", " over IPv6"

// overFamilies gives each pair of pods that both have addresses of both families
// once for each family that the protocol goes over, since rules may tell them
// apart.
func overFamilies(pairs [][2]policy.Peer, protocol flow.Protocol) [][2]policy.Peer {
	var out [][2]policy.Peer
	for _, pair := range pairs {
		from4, from6 := addresses(pair[0])
		to4, to6 := addresses(pair[1])
		if !from4.IsValid() || !from6.IsValid() || !to4.IsValid() || !to6.IsValid() {
			out = append(out, pair)
			continue
		}
		if protocol != flow.ICMPv6 {
			out = append(out, [2]policy.Peer{{Pod: pair[0].Pod, Addr: from4}, {Pod: pair[1].Pod, Addr: to4}})
		}
		if protocol != flow.ICMP {
			out = append(out, [2]policy.Peer{{Pod: pair[0].Pod, Addr: from6}, {Pod: pair[1].Pod, Addr: to6}})
		}
	}
	return out
}

// addresses gives a pod's first address of each family, where no address of it
// was asked for.
func addresses(p policy.Peer) (v4, v6 netip.Addr) {
	if p.Pod == nil || p.Addr.IsValid() {
		return v4, v6
	}
	for _, a := range p.Pod.IPs {
		switch {
		case a.Is4() && !v4.IsValid():
			v4 = a
		case a.Is6() && !v6.IsValid():
			v6 = a
		}
	}
	return v4, v6
}

func peerText(p policy.Peer) string {
	if p.Pod != nil {
		return p.Pod.Namespace + "/" + p.Pod.Name
	}
	return p.Addr.String()
}

func (j *Judge) answer(v policy.Verdict) Answer {
	return Answer{
		Allowed: v.Allowed, Egress: j.side(v.Egress), Ingress: j.side(v.Ingress), Uncertain: append([]string{}, v.Uncertain...),
	}
}

// side adds to the words of the report where each step is written.
func (j *Judge) side(d policy.DirectionVerdict) analyze.Side {
	s := j.index.Side(d)
	for i, w := range d.Why {
		step := &s.Why[i]
		if step.Line == 0 && w.Policy.Name != "" {
			step.Line = cmp.Or(j.lines[w.Allowance], j.starts[w.Policy])
		}
	}
	return s
}
