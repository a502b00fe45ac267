// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// Unplaced names the pods without an address in the input, as namespace/name in
// order, where a rule names address blocks that pods are usually given: of
// these nobody can say whether they lie within. [Engine.Check] calls such a
// verdict uncertain; what is computed over all ends ([Engine.Allowed],
// [Engine.SourcesOf], [Compare]) takes them to lie outside of every block.
func (e *Engine) Unplaced() []string {
	if !e.namesUsualBlocks() {
		return nil
	}
	var out []string
	for i := range e.top.ends {
		x := &e.top.ends[i]
		if !e.top.all.Has(i) || x.isNode() || x.addr.IsValid() {
			continue
		}
		if p := &e.snapshot.Pods[x.pod]; !p.Finished {
			out = append(out, p.Namespace+"/"+p.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e *Engine) namesUsualBlocks() bool {
	for _, d := range []Direction{Ingress, Egress} {
		for g := range e.groups[d] {
			for _, t := range e.groups[d][g].tiers {
				if slices.ContainsFunc(t.policies, func(p *compiled) bool { return slices.ContainsFunc(p.rules[d], usualBlock) }) {
					return true
				}
			}
		}
	}
	return false
}

func usualBlock(r rule) bool {
	return slices.ContainsFunc(r.clauses, func(c clause) bool { return c.peer.inUsualBlocks() })
}

// inUsualBlocks says whether the peer is made of address blocks that pods may
// have an address of.
func (p *peer) inUsualBlocks() bool {
	return p != nil && p.block && p.outside != nil && slices.ContainsFunc(usual, p.outside.OverlapsPrefix)
}
