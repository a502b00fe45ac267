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
	known := map[analyze.Ref]bool{}
	for _, r := range list {
		if r.Withheld == "" {
			objects, there, err := w.trial(&r)
			switch {
			case there:
				known[r.Policy] = true
				continue
			case err != nil:
				r.withhold(fmt.Sprintf("a trial of it can't be written: %v", err))
			default:
				put = append(put, objects...)
			}
		}
		out = append(out, r)
	}
	for i := range out {
		out[i].Relies = slices.DeleteFunc(out[i].Relies, func(ref analyze.Ref) bool { return known[ref] })
	}
	w.enforcesNothing(standing(out), put)
	return out
}

// trial rewrites one recommendation, and gives what it consists of. there says
// that the snapshot has it.
func (w *world) trial(r *Recommendation) (objects []cluster.Object, there bool, err error) {
	ref := r.Policy.Cluster()
	if stagedKinds[ref.APIVersion+" "+ref.Kind] == "" {
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
	there = true
	for i, o := range append([]cluster.Object{enforced}, further...) {
		if stagedKinds[o.Ref.APIVersion+" "+o.Ref.Kind] != "" {
			if texts[i], o, err = stagedOf(o, texts[i]); err != nil {
				return nil, false, err
			}
		}
		there = there && slices.ContainsFunc(w.snapshot.Policies, func(p cluster.Object) bool { return p.Ref == o.Ref && reflect.DeepEqual(p.Typed, o.Typed) })
		objects = append(objects, o)
		texts[i] = strings.TrimSuffix(texts[i], "\n")
	}
	if there {
		r.Policy = analyze.RefOf(objects[0].Ref)
		return nil, true, nil
	}
	for i, relied := range r.Relies {
		r.Relies[i] = analyze.Ref{APIVersion: calicoVersion, Kind: stagedKinds[relied.APIVersion+" "+relied.Kind], Namespace: relied.Namespace, Name: relied.Name}
	}
	staged := objects[0].Ref
	r.Trial, r.Policy, r.ID, r.Title = true, analyze.RefOf(staged), identity("trial", r.ID), "Trial: "+r.Title
	r.After = strings.Join(texts, "\n---\n") + "\n"
	r.Diff = PatchNew(diffName("", staged), r.After)
	return objects, false, nil
}

// stagedOf rewrites one policy as the trial of it.
func stagedOf(enforced cluster.Object, text string) (string, cluster.Object, error) {
	ref := enforced.Ref
	doc, err := edit.Parse([]byte(text))
	if err != nil {
		return "", enforced, fmt.Errorf("reading %s: %w", ref, err)
	}
	staged := cluster.Ref{APIVersion: calicoVersion, Kind: stagedKinds[ref.APIVersion+" "+ref.Kind], Namespace: ref.Namespace, Name: ref.Name}
	edit.SetField(doc.Root(), "apiVersion", edit.Text(calicoVersion))
	edit.SetField(doc.Root(), "kind", edit.Text(staged.Kind))
	edit.SetField(edit.Field(doc.Root(), "spec"), "stagedAction", edit.Text("Set"))
	out, err := doc.Bytes()
	if err != nil {
		return "", enforced, fmt.Errorf("writing %s: %w", staged.Kind, err)
	}
	object, err := decode(staged, out)
	if err != nil {
		return "", enforced, err
	}
	if !sameSpec(enforced, object) {
		return "", enforced, fmt.Errorf("%s reads otherwise than the policy that was proved", staged)
	}
	return string(out), object, nil
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
