// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Build makes every recommendation that the evidence supports, proves each, and
// withholds what it cannot prove. The result is sorted by namespace and policy.
func Build(in Input) ([]Recommendation, error) {
	if in.Snapshot == nil || in.Report == nil {
		return nil, errors.New("recommending: no snapshot or no analysis was given")
	}
	w := newWorld(in)
	all := append(w.tightenings(), w.freshPolicies()...)
	w.settle(all)
	slices.SortStableFunc(all, func(a, b Recommendation) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// settle proves what is offered, alone and together, until what is left holds.
func (w *world) settle(all []Recommendation) {
	objects := map[string]cluster.Object{}
	for i := range all {
		r := &all[i]
		if r.Withheld != "" {
			continue
		}
		o, err := decode(r.Policy.Cluster(), []byte(r.After))
		if err != nil {
			r.withhold(fmt.Sprintf("the manifest would not be taken: %v", err))
			continue
		}
		o.Source.File, o.Source.Line = r.File, r.Line
		objects[r.ID] = o
	}
	for {
		offered := standing(all)
		var applied []cluster.Object
		for _, r := range offered {
			applied = append(applied, objects[r.ID])
		}
		together, _ := policy.Compile(With(w.snapshot, applied...), w.options)
		for _, r := range offered {
			w.prove(r, objects[r.ID], together)
		}
		w.proveNeeded(offered, together)
		dropped := false
		for _, r := range offered {
			if !r.Proof.Holds {
				r.withhold("the proof fails: " + r.Proof.failure())
				dropped = true
			}
		}
		if !dropped {
			return
		}
	}
}

func standing(all []Recommendation) []*Recommendation {
	var out []*Recommendation
	for i := range all {
		if all[i].Withheld == "" {
			out = append(out, &all[i])
		}
	}
	return out
}

func (r *Recommendation) withhold(why string) {
	r.Withheld, r.After, r.Diff = why, "", ""
}

func (p Proof) failure() string {
	for _, s := range p.Statements {
		if !s.Holds {
			return s.Text
		}
	}
	return "unknown"
}

func identity(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

func emptyProof() Proof {
	return Proof{Statements: []Statement{}, Lost: []Cell{}, Opened: []Cell{}, Closed: []Cell{}, Superfluous: []string{}}
}
