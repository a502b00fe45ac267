// SPDX-License-Identifier: Apache-2.0

package analyze

import (
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

// judgement collects the verdicts of the pairs that stand for an edge.
type judgement struct {
	shown     *policy.Verdict
	allowed   int
	denied    []string
	uncertain set
	asked     map[[2]string]bool
	needs     []Need
}

// judge asks the engine about every pair of pods that stands for the edge. Two
// dual-stack pods are judged by the family that was seen, else by the first
// that they share; what either family stands on is needed.
func (x *Index) judge(engine Judge, f *folded) judged {
	j := judgement{uncertain: set{}, asked: map[[2]string]bool{}}
	Pairs(x.Ends(f.client, maxEnds), x.Ends(f.server, maxEnds), func(from, to policy.Peer) {
		v := engine.Check(policy.Connection{From: from, To: to, Protocol: f.protocol, Port: f.port, ICMPType: -1, ICMPCode: -1})
		if v.Allowed {
			j.needs = append(j.needs, needsOf(v)...)
		}
		pair := [2]string{endText(from), endText(to)}
		if j.asked[pair] || !f.speaks(from, to) {
			return
		}
		j.asked[pair] = true
		j.add(v, pair)
	})
	return x.judged(&j)
}

func (j *judgement) add(v policy.Verdict, pair [2]string) {
	for _, u := range v.Uncertain {
		j.uncertain.add(u)
	}
	if v.Allowed {
		j.allowed++
	} else {
		j.denied = append(j.denied, pair[0]+" → "+pair[1])
	}
	if j.shown == nil || j.shown.Allowed && !v.Allowed {
		j.shown = &v
	}
}

func (x *Index) judged(j *judgement) judged {
	out := judged{needs: j.needs}
	out.verdict = Verdict{State: StateUnknown, Mixed: []string{}, Uncertain: []string{}, Egress: Side{Why: []Step{}}, Ingress: Side{Why: []Step{}}}
	if j.shown == nil {
		return out
	}
	switch {
	case j.allowed == 0:
		out.verdict.State = StateDenied
	case len(j.denied) > 0:
		out.verdict.State, out.verdict.Mixed = StateMixed, j.denied
	default:
		out.verdict.State = StateAllowed
	}
	out.verdict.Uncertain = j.uncertain.sorted()
	out.verdict.Egress, out.verdict.Ingress = x.side(j.shown.Egress), x.side(j.shown.Ingress)
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
