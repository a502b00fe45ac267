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

// maxMoves bounds how many demands are moved from atoms that turned out to be
// superfluous. Each is moved once at most.
const maxMoves = 1000

// Build makes every recommendation that the evidence supports, proves each, and
// withholds what it cannot prove. The result is sorted by namespace and policy.
func Build(in Input) ([]Recommendation, error) {
	if in.Snapshot == nil || in.Report == nil {
		return nil, errors.New("recommending: no snapshot or no analysis was given")
	}
	w := newWorld(in)
	all := w.search()
	slices.SortStableFunc(all, func(a, b Recommendation) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Policy.Name, b.Policy.Name), cmp.Compare(a.Policy.Kind, b.Policy.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// search looks for a set of recommendations that all hold, together and one by
// one. Where one fails its policy stays as it is, which others may then lean
// on, so the search begins again without it.
func (w *world) search() []Recommendation {
	fresh := w.freshPolicies()
	moved := moves{}
	frozen := map[string]bool{}
	var withheld []Recommendation
	for {
		tight, o := w.tightenings(moved, frozen)
		all := tight
		for _, r := range fresh {
			if !frozen[r.ID] {
				all = append(all, r)
			}
		}
		if len(moved) < maxMoves && o.reassign(all, moved) {
			continue
		}
		failed := w.proveAll(all)
		if len(failed) == 0 {
			for _, r := range standing(all) {
				r.showHeld()
			}
			return append(all, withheld...)
		}
		for _, r := range failed {
			frozen[r.ID] = true
			withheld = append(withheld, *r)
		}
	}
}

// proveAll proves what is offered and withholds what fails, which it returns.
// Failures that are a policy's own come first: what fails only because of
// others may hold once those are gone.
func (w *world) proveAll(all []Recommendation) []*Recommendation {
	objects := decodeAll(all)
	offered := standing(all)
	together := w.together(offered, objects)
	for _, r := range offered {
		w.prove(r, objects[r.ID], together)
	}
	failed := w.failing(offered)
	if len(failed) == 0 {
		w.proveNeeded(offered, together)
		failed = w.failing(offered)
	}
	return failed
}

// failing withholds what does not hold.
func (w *world) failing(offered []*Recommendation) []*Recommendation {
	var failed []*Recommendation
	for _, r := range offered {
		if !r.Proof.Holds {
			r.withhold("the proof fails: " + r.Proof.failure())
			failed = append(failed, r)
		}
	}
	return failed
}

// decodeAll reads back what is offered; what the API server would not take is
// withheld.
func decodeAll(all []Recommendation) map[string]cluster.Object {
	objects := map[string]cluster.Object{}
	for _, r := range standing(all) {
		o, err := decode(r.Policy.Cluster(), []byte(r.After))
		if err != nil {
			r.withhold(fmt.Sprintf("the manifest would not be taken: %v", err))
			continue
		}
		o.Source.File, o.Source.Line = r.File, r.Line
		objects[r.ID] = o
	}
	return objects
}

// together is the engine with everything that is offered applied.
func (w *world) together(offered []*Recommendation, objects map[string]cluster.Object) *policy.Engine {
	var applied []cluster.Object
	for _, r := range offered {
		applied = append(applied, objects[r.ID])
	}
	engine, _ := policy.Compile(With(w.snapshot, applied...), w.options)
	return engine
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
	return Proof{Statements: []Statement{}, Lost: []Cell{}, Opened: []Cell{}, Closed: []Cell{}, Held: []HeldEdge{}, Superfluous: []string{}}
}
