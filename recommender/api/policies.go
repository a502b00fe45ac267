// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type policyBody struct {
	ID             string          `json:"id"`
	Ref            analyze.Ref     `json:"ref"`
	File           string          `json:"file,omitempty"`
	Line           int             `json:"line,omitempty"`
	Manifest       string          `json:"manifest"`
	Selects        []string        `json:"selects"`
	Allowances     []usageBody     `json:"allowances"`
	Totals         []analyze.Total `json:"totals"`
	Usage          usageCounts     `json:"usage"`
	Notes          []noteBody      `json:"notes"`
	Recommendation string          `json:"recommendation,omitempty"`
}

type usageBody struct {
	analyze.Usage
	ManifestLine int `json:"manifestLine"`
	*Reached         // absent where the policy is not understood
}

// noteBody is a finding about how a policy is written, at its line.
type noteBody struct {
	Kind         analyze.FindingKind `json:"kind"`
	Text         string              `json:"text"`
	Finding      string              `json:"finding"`
	ManifestLine int                 `json:"manifestLine"`
}

type usageCounts struct {
	Used       int `json:"used"`
	PartlyUsed int `json:"partlyUsed"`
	Unused     int `json:"unused"`
	Redundant  int `json:"redundant"`
	Unknown    int `json:"unknown"`
}

func (c *usageCounts) add(s analyze.UseState) {
	switch s {
	case analyze.UseUsed:
		c.Used++
	case analyze.UsePartly:
		c.PartlyUsed++
	case analyze.UseUnused:
		c.Unused++
	case analyze.UseRedundant:
		c.Redundant++
	case analyze.UseUnknown:
		c.Unknown++
	}
}

func (s *Server) policies(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	selects := selections(v)
	var chosen []*cluster.Object
	for i := range v.Snapshot.Policies {
		o := &v.Snapshot.Policies[i]
		ref := analyze.RefOf(o.Ref)
		here := isPolicy(o.Ref) && concerns(ref, selects[o.Ref], q.namespace)
		if here && (q.id == "" || q.id == policyID(ref)) && search(q.text, append(slices.Clone(selects[o.Ref]), ref.Kind, ref.Namespace+"/"+ref.Name)...) {
			chosen = append(chosen, o)
		}
	}
	page, next := cut(q.paging, chosen, func(o **cluster.Object) string { return policyID(analyze.RefOf((*o).Ref)) })
	body := list[policyBody]{Meta: metaOf(v), Total: len(chosen), Next: next}
	about := usesOf(v, page)
	for _, o := range page {
		ref := analyze.RefOf(o.Ref)
		one := policyOf(v, o, selects[o.Ref], about.usage[ref])
		if q.brief {
			one.Manifest, one.Allowances = "", nil
		} else {
			one.Totals, one.Notes = about.totals[ref], notesOf(v, o)
			about.reach(v, one.Allowances)
		}
		body.Items = append(body.Items, one)
	}
	return s.answer(w, r, v, body)
}

// isPolicy tells policies from what they refer to: sets, tiers, host endpoints.
func isPolicy(r cluster.Ref) bool { return strings.HasSuffix(r.Kind, "Policy") }

// concerns says whether a policy is of a namespace, or selects something in it.
func concerns(ref analyze.Ref, selected []string, namespace string) bool {
	if namespace == "" || ref.Namespace == namespace {
		return true
	}
	for _, name := range selected {
		if strings.HasPrefix(name, namespace+"/") {
			return true
		}
	}
	return false
}

// selections gives for each policy the workloads that it selects, in order.
func selections(v *View) map[cluster.Ref][]string {
	out := map[cluster.Ref][]string{}
	for _, w := range v.Index.Workloads() {
		seen := map[cluster.Ref]bool{}
		for _, pod := range v.Index.Pods(w) {
			for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
				for _, ref := range v.Engine.Selecting(pod, d) {
					if !seen[ref] {
						seen[ref] = true
						out[ref] = append(out[ref], w.String())
					}
				}
			}
		}
	}
	return out
}

func policyID(ref analyze.Ref) string {
	return strings.Join([]string{ref.APIVersion, ref.Kind, ref.Namespace, ref.Name}, "/")
}

func policyOf(v *View, o *cluster.Object, selects []string, usage []*analyze.Usage) policyBody {
	ref := analyze.RefOf(o.Ref)
	b := policyBody{
		ID: policyID(ref), Ref: ref,
		File: o.Source.File, Line: o.Source.Line, Manifest: string(o.Source.YAML), Selects: selects, Recommendation: tightening(v, ref),
	}
	for _, u := range usage {
		b.Usage.add(u.State)
		b.Allowances = append(b.Allowances, usageBody{Usage: *u, ManifestLine: lineIn(o, u.Line)})
	}
	return b
}

// lineIn gives the line of the manifest for a line of its file; 0 for none.
func lineIn(o *cluster.Object, line int) int {
	if line == 0 {
		return 0
	}
	return max(0, line-max(o.Source.Line, 1)+1)
}

// tightening gives the recommendation that is offered for a policy; empty for none.
func tightening(v *View, ref analyze.Ref) string {
	for i := range v.Recommendations {
		if r := &v.Recommendations[i]; r.Policy == ref && r.Kind == recommend.KindTighten && r.Withheld == "" {
			return r.ID
		}
	}
	return ""
}
