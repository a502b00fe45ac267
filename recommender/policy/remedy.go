// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Change is an edit of one policy that turns one end's answer around.
type Change struct {
	Direction Direction
	Policy    cluster.Ref // zero where a policy is to be added
	// Rule is a rule as a YAML list item, to be put into the direction's list so
	// that it becomes number At (from 0); "" where nothing is to be put in.
	Rule string
	At   int
	Text string // "add to ingress of NetworkPolicy shop/db: from podSelector app=api, port TCP 5432"
}

// changesFor finds the smallest edits that turn a verdict around. To allow, each
// end that denies has to change; to deny, one end is enough.
func (e *Engine) changesFor(q *query, v Verdict) []Change {
	var out []Change
	if v.Allowed {
		if q.always {
			return nil
		}
		egress, ingress := e.denying(Egress, q), e.denying(Ingress, q)
		if len(ingress) > 0 && (len(egress) == 0 || len(ingress) <= len(egress)) {
			return ingress
		}
		return egress
	}
	for _, d := range []Direction{Egress, Ingress} {
		side := v.Egress
		if d == Ingress {
			side = v.Ingress
		}
		if !side.Allowed {
			out = append(out, e.allowing(d, q)...)
		}
	}
	return out
}

// denying lists what has to go so that one end denies: every rule that allows,
// and, where then nothing denies, what has to come.
func (e *Engine) denying(d Direction, q *query) []Change {
	local := q.local(d)
	if local.end < 0 {
		return nil
	}
	var out []Change
	w := walk{engine: e, direction: d, q: q}
	for _, t := range e.groups[d][e.group[d][local.end]].tiers {
		action := t.tier.fallback
		for _, h := range w.hits(t) {
			if h.rule.action == ActionDeny || h.rule.action == ActionPass {
				action = h.rule.action
				break
			}
			if h.rule.action == ActionAllow {
				if h.policy.profile {
					return nil
				}
				e.atoms(h.policy, h.rule, d, q, func(id AllowanceID, c *clause, p *port) {
					out = append(out, Change{Direction: d, Policy: id.Policy, At: id.Rule, Text: "take out " + e.atomText(id, c, p)})
				})
			}
		}
		if action == ActionDeny {
			return out
		}
	}
	return append(out, Change{Direction: d, Text: fmt.Sprintf("add a policy that selects %s for %s and does not allow it", e.top.endpointText(local), lower(d))})
}

// allowing finds the rule that would let a connection pass at one end, and the
// policy that it fits into: the one that denies, else one of the tier whose
// default does. Where that policy's kind has no words for the other end, the rule
// that denies has to go instead.
func (e *Engine) allowing(d Direction, q *query) []Change {
	var out []Change
	for _, t := range e.groups[d][e.group[d][q.local(d).end]].tiers {
		action, by, at, gone := e.deciding(t, d, q)
		out = append(out, gone...)
		switch {
		case action == ActionAllow:
			return out
		case action == ActionPass:
			continue
		case by == nil:
			by, at = e.roomiest(t, d, q)
		}
		if by == nil || by.profile {
			return append(out, Change{Direction: d, Text: fmt.Sprintf("add a policy that selects %s with an Allow rule %s", e.top.endpointText(q.local(d)), e.plainRule(d, q))})
		}
		return append(out, e.addition(by, at, d, q))
	}
	return out
}

// deciding gives what a tier says, and the policy and number of the rule that
// says it. Rules that deny, in policies that cannot allow the other end, are
// passed over and come back as what has to go.
func (e *Engine) deciding(t *groupTier, d Direction, q *query) (Action, *compiled, int, []Change) {
	var gone []Change
	for _, p := range t.policies {
		for i := range p.rules[d] {
			r := &p.rules[d][i]
			switch {
			case r.action == ActionLog || e.matches(r, d, q) != yes:
			case r.action == ActionDeny && !e.speaksOf(p, d, q):
				gone = append(gone, Change{Direction: d, Policy: p.ref(), At: r.index, Text: fmt.Sprintf(
					"take out %s rule %d of %s, which denies: the sources of this kind of policy are pods and namespaces, so no rule of it can allow %s",
					lower(d), r.index+1, p.ref(), e.top.endpointText(q.remote(d)))})
			default:
				return r.action, p, r.index, gone
			}
		}
	}
	return t.tier.fallback, nil, 0, gone
}

// speaksOf says whether rules of the policy's kind have words for the other end:
// cluster-wide policies name addresses and nodes as destinations only.
func (e *Engine) speaksOf(p *compiled, d Direction, q *query) bool {
	switch p.object.Ref.Kind {
	case "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy":
		remote := q.remote(d)
		return d == Egress || (remote.end >= 0 && !e.top.ends[remote.end].isNode())
	}
	return true
}

// roomiest picks the policy of a tier that a rule is added to: one with a rule
// that nearly matches, else the first.
func (e *Engine) roomiest(t *groupTier, d Direction, q *query) (*compiled, int) {
	w := walk{engine: e, direction: d, q: q}
	fits := func(p *compiled) bool { return !p.profile && e.speaksOf(p, d, q) }
	best := slices.IndexFunc(t.policies, func(p *compiled) bool { return fits(p) && w.nearest(p) != "" })
	if best < 0 {
		best = slices.IndexFunc(t.policies, fits)
	}
	if best < 0 {
		return nil, 0
	}
	return t.policies[best], len(t.policies[best].rules[d])
}

// addition writes the rule in the words of the policy's kind.
func (e *Engine) addition(p *compiled, at int, d Direction, q *query) Change {
	side := map[Direction]string{Ingress: "from", Egress: "to"}[d]
	peer := e.peerFor(p, q.remote(d))
	where := fmt.Sprintf("add to %s of %s", lower(d), p.ref())
	if at < len(p.rules[d]) {
		where = fmt.Sprintf("add to %s of %s, before rule %d", lower(d), p.ref(), at+1)
	}
	out := Change{Direction: d, Policy: p.ref(), At: at, Rule: e.ruleYAML(p, d, q, peer)}
	text := (&walk{engine: e, direction: d, q: q}).asked()
	if q.protocol.HasPorts() {
		text = "port " + text
	}
	if !p.names(q.protocol) {
		text = "any port and protocol, since this kind of policy cannot name " + q.protocol.String()
	}
	out.Text = fmt.Sprintf("%s: %s %s, %s", where, side, peer.text, text)
	return out
}

// names says whether rules of the policy's kind can name a protocol.
func (c *compiled) names(p flow.Protocol) bool {
	switch c.object.Typed.(type) {
	case *calicov3.NetworkPolicy, *calicov3.GlobalNetworkPolicy:
		return true
	}
	return p == flow.TCP || p == flow.UDP || p == flow.SCTP
}

// wording is a peer as the rules of each kind of policy write it.
type wording struct {
	text       string
	kubernetes string // an item of from or to
	selector   string // of Calico; with namespaces
	namespaces string
	net        string
}

// peerFor finds words that mean an end: labels that only its workload has, else
// its address.
func (e *Engine) peerFor(p *compiled, x *endpoint) wording {
	addr := x.addr
	if x.end >= 0 {
		addr = e.top.ends[x.end].addr
	}
	if x.end < 0 || e.top.ends[x.end].isNode() {
		net := fmt.Sprintf("%s/%d", addr, addr.BitLen())
		return wording{text: "ipBlock " + net, kubernetes: fmt.Sprintf("{ipBlock: {cidr: %q}}", net), net: net}
	}
	pod := e.top.podAt(int(x.end))
	labels := e.top.tellingLabels(int(x.end))
	var pairs, flow, parts []string
	for _, k := range labels {
		pairs, flow = append(pairs, k+"="+pod.Labels[k]), append(flow, fmt.Sprintf("%q: %q", k, pod.Labels[k]))
		parts = append(parts, fmt.Sprintf("%s == '%s'", k, pod.Labels[k]))
	}
	out := wording{text: "podSelector " + strings.Join(pairs, ","), selector: strings.Join(parts, " && ")}
	selector := "podSelector: {matchLabels: {" + strings.Join(flow, ", ") + "}}"
	if len(labels) == 0 {
		out.text, out.selector, selector = "podSelector {} (all pods of the namespace, since this one has no lasting label)", "all()", "podSelector: {}"
	}
	out.kubernetes = "{" + selector + "}"
	if own := p.object.Ref.Namespace; own != pod.Namespace {
		out.text = "namespaceSelector kubernetes.io/metadata.name=" + pod.Namespace + " with " + out.text
		out.kubernetes = fmt.Sprintf("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %q}}, %s}", pod.Namespace, selector)
		out.namespaces = fmt.Sprintf("kubernetes.io/metadata.name == '%s'", pod.Namespace)
	}
	return out
}

// passingLabels are labels that change with every rollout or name one pod.
var passingLabels = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
	"batch.kubernetes.io/job-name", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
}

// tellingLabels picks one lasting label that no other workload of the namespace
// has, else all lasting ones.
func (t *topology) tellingLabels(n int) []string {
	pod := t.podAt(n)
	var lasting []string
	for _, first := range []string{"app.kubernetes.io/name", "app", "k8s-app"} {
		if _, has := pod.Labels[first]; has {
			lasting = append(lasting, first)
		}
	}
	var rest []string
	for k := range pod.Labels {
		if !slices.Contains(passingLabels, k) && !slices.Contains(lasting, k) {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	lasting = append(lasting, rest...)
	for _, k := range lasting {
		alone := true
		for other := range t.reach(pod.Namespace).All {
			o := t.podAt(other)
			alone = alone && (o.Labels[k] != pod.Labels[k] || o.Workload == pod.Workload)
		}
		if alone {
			return []string{k}
		}
	}
	return lasting
}

// ruleYAML writes a rule that allows one connection.
func (e *Engine) ruleYAML(p *compiled, d Direction, q *query, peer wording) string {
	side := map[Direction]string{Ingress: "from", Egress: "to"}[d]
	port := uint16(q.first)
	switch p.object.Typed.(type) {
	case *calicov3.NetworkPolicy, *calicov3.GlobalNetworkPolicy:
		return calicoRuleYAML(d, q, peer, port)
	}
	kubernetes := strings.TrimSuffix(strings.TrimPrefix(peer.kubernetes, "{"), "}")
	switch p.object.Ref.Kind {
	case "AdminNetworkPolicy", "BaselineAdminNetworkPolicy":
		return fmt.Sprintf("{action: Allow, %s: [%s]%s}", side, widePeerYAML(peer), portsYAML(p, q, ", ports: [{portNumber: {protocol: %s, port: %d}}]", port))
	case "ClusterNetworkPolicy":
		item := ""
		if p.names(q.protocol) {
			item = fmt.Sprintf(", protocols: [{%s: {destinationPort: {number: %d}}}]", strings.ToLower(q.protocol.String()), port)
		}
		return fmt.Sprintf("{action: Accept, %s: [%s]%s}", side, widePeerYAML(peer), item)
	}
	return fmt.Sprintf("{%s: [{%s}]%s}", side, kubernetes, portsYAML(p, q, ", ports: [{protocol: %s, port: %d}]", port))
}

func portsYAML(p *compiled, q *query, format string, port uint16) string {
	if !p.names(q.protocol) {
		return ""
	}
	return fmt.Sprintf(format, q.protocol, port)
}

func widePeerYAML(peer wording) string {
	if peer.net != "" {
		return fmt.Sprintf("{networks: [%q]}", peer.net)
	}
	return "{pods: " + peer.kubernetes + "}"
}

func calicoRuleYAML(d Direction, q *query, peer wording, port uint16) string {
	entity := fmt.Sprintf("nets: [%q]", peer.net)
	if peer.net == "" {
		entity = fmt.Sprintf("selector: %q", peer.selector)
		if peer.namespaces != "" {
			entity += fmt.Sprintf(", namespaceSelector: %q", peer.namespaces)
		}
	}
	protocol, ports := "", ""
	switch {
	case q.protocol.HasPorts():
		protocol, ports = ", protocol: "+q.protocol.String(), fmt.Sprintf("ports: [%d]", port)
	case q.protocol == flow.ICMP || q.protocol == flow.ICMPv6:
		protocol = ", protocol: " + q.protocol.String()
	default:
		protocol = fmt.Sprintf(", protocol: %d", q.protocol)
	}
	if d == Egress {
		if ports != "" {
			entity += ", " + ports
		}
		return fmt.Sprintf("{action: Allow%s, destination: {%s}}", protocol, entity)
	}
	if ports != "" {
		ports = ", destination: {" + ports + "}"
	}
	return fmt.Sprintf("{action: Allow%s, source: {%s}%s}", protocol, entity, ports)
}

// plainRule is a rule in words of no kind of policy.
func (e *Engine) plainRule(d Direction, q *query) string {
	side := map[Direction]string{Ingress: "from", Egress: "to"}[d]
	return fmt.Sprintf("%s %s on %s", side, e.top.endpointText(q.remote(d)), (&walk{engine: e, direction: d, q: q}).asked())
}
