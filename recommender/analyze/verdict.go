// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"net/netip"
	"slices"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// judged is an edge's verdict with the atoms that allowed it.
type judged struct {
	verdict Verdict
	needs   []Need
}

// Need is what the traffic of one pair of pods stands on at one end: any one
// of the atoms.
type Need struct {
	Direction policy.Direction
	Atoms     []policy.AllowanceID
}

// judge gives verdicts on edges. Edges between the same crowds on the same port
// share what they are judged by; it is for one goroutine.
type judge struct {
	*Index
	engine *policy.Engine
	known  map[question]*answer
}

type question struct {
	from, to policy.Kin
	protocol flow.Protocol
	port     uint16
}

// answer is a verdict in both words, with what it stands on.
type answer struct {
	allowed   bool
	uncertain []string
	needs     []Need
	egress    Side
	ingress   Side
}

func (x *Index) newJudge(engine *policy.Engine) *judge {
	return &judge{Index: x, engine: engine, known: map[question]*answer{}}
}

// judgement collects the verdicts of the pairs that stand for an edge.
type judgement struct {
	shown     *answer
	allowed   int
	denied    [][2]policy.Peer
	uncertain set
	first     [2]who          // the pair that was asked first
	asked     map[[2]who]bool // those after it
	needs     []Need
}

// who is a pod, or else an address.
type who struct {
	pod  *cluster.Pod
	addr netip.Addr
}

func whoIs(p policy.Peer) who {
	if p.Pod != nil {
		return who{pod: p.Pod}
	}
	return who{addr: p.Addr}
}

// of asks the engine about every pair of pods of the edge, crowd by crowd. Two
// dual-stack pods are judged by the family that was seen, else by the first
// that they share; what either family stands on is needed.
func (j *judge) of(f *folded, from, to []Crowd) judged {
	g := judgement{}
	for i := range from {
		for k := range to {
			pairOf(j.Index, j.engine, &from[i], &to[k], func(a, b policy.Peer, always bool) {
				v := j.answer(question{from[i].Kin, to[k].Kin, f.protocol, f.port}, a, b, always)
				if g.needs == nil {
					g.needs = slices.Clip(v.needs)
				} else {
					g.needs = append(g.needs, v.needs...)
				}
				if f.speaks(a, b) {
					g.add(v, a, b)
				}
			})
		}
	}
	return g.judged()
}

func (j *judge) answer(q question, from, to policy.Peer, always bool) *answer {
	if known := j.known[q]; known != nil && !always {
		return known
	}
	v := j.engine.Check(policy.Connection{From: from, To: to, Protocol: q.protocol, Port: q.port, ICMPType: -1, ICMPCode: -1})
	a := &answer{allowed: v.Allowed, uncertain: v.Uncertain, egress: j.side(v.Egress), ingress: j.side(v.Ingress)}
	if v.Allowed {
		a.needs = needsOf(v)
	}
	if !always && impersonal(&v) {
		j.known[q] = a
	}
	return a
}

// impersonal says whether a verdict reads alike for all that no policy tells
// apart: what is denied, what nothing matched and what is uncertain is told
// with the names of its ends.
func impersonal(v *policy.Verdict) bool {
	named := func(s policy.Step) bool { return s.Kind == policy.StepNoMatch }
	return v.Allowed && len(v.Uncertain) == 0 && !slices.ContainsFunc(v.Egress.Why, named) && !slices.ContainsFunc(v.Ingress.Why, named)
}

func (g *judgement) add(v *answer, from, to policy.Peer) {
	pair := [2]who{whoIs(from), whoIs(to)}
	switch {
	case g.shown == nil:
		g.first = pair
	case g.first == pair || g.asked[pair]:
		return
	case g.asked == nil:
		g.asked = map[[2]who]bool{pair: true}
	default:
		g.asked[pair] = true
	}
	for _, u := range v.uncertain {
		g.uncertain.add(u)
	}
	if v.allowed {
		g.allowed++
	} else {
		g.denied = append(g.denied, [2]policy.Peer{from, to})
	}
	if g.shown == nil || g.shown.allowed && !v.allowed {
		g.shown = v
	}
}

func (g *judgement) judged() judged {
	out := judged{needs: g.needs}
	out.verdict = Verdict{State: StateUnknown, Mixed: []string{}, Uncertain: []string{}, Egress: Side{Why: []Step{}}, Ingress: Side{Why: []Step{}}}
	if g.shown == nil {
		return out
	}
	switch {
	case g.allowed == 0:
		out.verdict.State = StateDenied
	case len(g.denied) > 0:
		out.verdict.State = StateMixed
		for _, pair := range g.denied {
			out.verdict.Mixed = append(out.verdict.Mixed, endText(pair[0])+" → "+endText(pair[1]))
		}
	default:
		out.verdict.State = StateAllowed
	}
	out.verdict.Uncertain = g.uncertain.sorted()
	out.verdict.Egress, out.verdict.Ingress = g.shown.egress, g.shown.ingress
	return out
}

// needsOf lists what an allowed connection stood on, at the ends where rules
// decided.
func needsOf(v policy.Verdict) []Need {
	var needs []Need
	add := func(d policy.Direction, side policy.DirectionVerdict) {
		n := Need{Direction: d}
		for _, s := range side.Why {
			if s.Kind == policy.StepRule && s.Action == policy.ActionAllow {
				n.Atoms = append(n.Atoms, s.Allowance)
			}
		}
		if len(n.Atoms) > 0 {
			needs = append(needs, n)
		}
	}
	add(policy.Egress, v.Egress)
	add(policy.Ingress, v.Ingress)
	return needs
}

func (x *Index) side(d policy.DirectionVerdict) Side {
	s := Side{Allowed: d.Allowed, Isolated: d.Isolated, Why: make([]Step, 0, len(d.Why))}
	for _, w := range d.Why {
		s.Why = append(s.Why, x.step(w))
	}
	return s
}

var stepKinds = map[policy.StepKind]StepKind{
	policy.StepNotIsolated: StepNotIsolated, policy.StepRule: StepRule, policy.StepNoMatch: StepNoMatch,
	policy.StepDefault: StepDefault, policy.StepAlways: StepAlways,
}

var actions = map[policy.Action]string{
	policy.ActionAllow: "allow", policy.ActionDeny: "deny", policy.ActionPass: "pass", policy.ActionLog: "log",
}

func (x *Index) step(w policy.Step) Step {
	s := Step{Kind: stepKinds[w.Kind], Tier: w.Tier, Text: w.Text}
	if w.Policy.Name != "" {
		ref := RefOf(w.Policy)
		s.Policy = &ref
		if o := x.policies[w.Policy]; o != nil {
			s.File = o.Source.File
		}
	}
	if w.Kind == policy.StepRule {
		s.Action = actions[w.Action]
		if w.Action == policy.ActionAllow {
			a := AllowanceOf(w.Allowance)
			s.Allowance = &a
			s.Line = x.lines[w.Allowance]
		}
	}
	return s
}
