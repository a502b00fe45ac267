// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// stagedKinds gives the kind of a trial for each kind of policy.
var stagedKinds = map[string]string{
	"networking.k8s.io/v1 NetworkPolicy":           "StagedKubernetesNetworkPolicy",
	calicoVersion + " NetworkPolicy":               "StagedNetworkPolicy",
	calicoVersion + " GlobalNetworkPolicy":         "StagedGlobalNetworkPolicy",
	"crd.projectcalico.org/v1 NetworkPolicy":       "StagedNetworkPolicy",
	"crd.projectcalico.org/v1 GlobalNetworkPolicy": "StagedGlobalNetworkPolicy",
}

// stage turns what is offered into trials: staged policies that say the same
// and enforce nothing. What was proved is what they would do once enforced. A
// trial that is there already is left out.
func (w *world) stage(list []Recommendation) []Recommendation {
	var out []Recommendation
	var put []cluster.Object
	for _, r := range list {
		if r.Withheld == "" {
			objects, there, err := w.trial(&r)
			switch {
			case there:
				continue
			case err != nil:
				r.withhold(fmt.Sprintf("a trial of it can't be written: %v", err))
			default:
				put = append(put, objects...)
			}
		}
		out = append(out, r)
	}
	w.enforcesNothing(standing(out), put)
	return out
}

// trial rewrites one recommendation, and gives what it consists of. there says
// that the snapshot has it.
func (w *world) trial(r *Recommendation) (objects []cluster.Object, there bool, err error) {
	ref := r.Policy.Cluster()
	kind := stagedKinds[ref.APIVersion+" "+ref.Kind]
	if kind == "" {
		return nil, false, fmt.Errorf("there is no staged form of %s", ref.Kind)
	}
	enforced, further, err := r.decodeAll()
	if err != nil {
		return nil, false, err
	}
	texts := []string{r.After}
	if r.Kind == KindNew {
		texts = splitDocuments(r.After)
	}
	doc, err := edit.Parse([]byte(texts[0]))
	if err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", ref, err)
	}
	edit.SetField(doc.Root(), "apiVersion", edit.Text(calicoVersion))
	edit.SetField(doc.Root(), "kind", edit.Text(kind))
	edit.SetField(edit.Field(doc.Root(), "spec"), "stagedAction", edit.Text("Set"))
	text, err := doc.Bytes()
	if err != nil {
		return nil, false, fmt.Errorf("writing %s: %w", kind, err)
	}
	staged := cluster.Ref{APIVersion: calicoVersion, Kind: kind, Namespace: ref.Namespace, Name: ref.Name}
	object, err := decode(staged, text)
	if err != nil {
		return nil, false, err
	}
	if !sameSpec(enforced, object) {
		return nil, false, fmt.Errorf("%s reads otherwise than the policy that was proved", staged)
	}
	if slices.ContainsFunc(w.snapshot.Policies, func(o cluster.Object) bool { return o.Ref == staged && reflect.DeepEqual(o.Typed, object.Typed) }) {
		return nil, true, nil
	}
	r.Trial, r.Policy, r.ID, r.Title = true, analyze.RefOf(staged), identity("trial", r.ID), "Trial: "+r.Title
	r.After = strings.Join(append([]string{strings.TrimSuffix(string(text), "\n")}, texts[1:]...), "\n---\n")
	if !strings.HasSuffix(r.After, "\n") {
		r.After += "\n"
	}
	r.Diff = PatchNew(diffName("", staged), r.After)
	return append(further, object), false, nil
}

// enforcesNothing proves that all trials together change no verdict.
func (w *world) enforcesNothing(trials []*Recommendation, objects []cluster.Object) {
	if len(trials) == 0 {
		return
	}
	engine, problems := w.engine.With(policy.Edit{Put: objects})
	added, removed := policy.NewKinship(w.engine, engine).Compare(w.engine, engine)
	for _, r := range trials {
		if len(added)+len(removed)+len(problems) > 0 {
			r.Proof.state(EnforcesNothing, false, "Staged policies ought to change nothing, and these would.")
			r.Proof.Holds = false
			r.withhold("the proof fails: " + r.Proof.failure())
			continue
		}
		r.Proof.state(EnforcesNothing, true, "As a staged policy it enforces nothing: all that is allowed and denied now stays so, computed over all pods, ports and addresses.")
	}
}

// sameSpec says whether a staged policy would enforce what a policy does.
func sameSpec(enforced, staged cluster.Object) bool {
	switch s := staged.Typed.(type) {
	case *calicov3.StagedKubernetesNetworkPolicy:
		e, ok := enforced.Typed.(*networkingv1.NetworkPolicy)
		return ok && reflect.DeepEqual(e.Spec, networkingv1.NetworkPolicySpec{PodSelector: s.Spec.PodSelector, Ingress: s.Spec.Ingress, Egress: s.Spec.Egress, PolicyTypes: s.Spec.PolicyTypes})
	case *calicov3.StagedNetworkPolicy:
		e, ok := enforced.Typed.(*calicov3.NetworkPolicy)
		_, unstaged := calicov3.ConvertStagedPolicyToEnforced(s)
		return ok && reflect.DeepEqual(e.Spec, unstaged.Spec)
	case *calicov3.StagedGlobalNetworkPolicy:
		e, ok := enforced.Typed.(*calicov3.GlobalNetworkPolicy)
		_, unstaged := calicov3.ConvertStagedGlobalPolicyToEnforced(s)
		return ok && reflect.DeepEqual(e.Spec, unstaged.Spec)
	}
	return false
}
