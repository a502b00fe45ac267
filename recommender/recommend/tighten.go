// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"fmt"
	"slices"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// dialect is what differs between the kinds of policy that can be edited.
type dialect interface {
	// shapes gives the rules of a direction that allow something, in order; nil
	// in place of a rule that does something else.
	shapes(policy.Direction) []*ruleShape
	// rewrite changes a rule's node to what the plan wants and gives the rules
	// that stand in its place.
	rewrite(rule *yaml.Node, p plan) ([]*yaml.Node, error)
	// types gives the name of the field that lists the directions and what it
	// says, or is taken to say.
	types() (field string, directions []string)
}

// tightening is the edit of one policy while it is made.
type tightening struct {
	*owners
	object  *cluster.Object
	dialect dialect
	doc     *edit.Document
	changes []Change
	ready   string                     // how ready the workloads are, in words
	from    map[policy.Direction][]int // which rule each rule comes from
	read    decodedManifest            // what was written, read back
}

// tighten narrows a policy in force to what its allowances own; nil where it
// has nothing to narrow.
func (o *owners) tighten(object *cluster.Object) *tightened {
	workloads := o.subjects[object.Ref]
	d := o.dialect(object)
	if o.input.Format == ClusterWide || d == nil || len(workloads) == 0 || !o.input.Scope.touches(object.Ref, workloads) {
		return nil
	}
	t := &tightening{owners: o, object: object, dialect: d, from: map[policy.Direction][]int{}}
	r, changed := t.recommend(workloads)
	return &tightened{r, changed, t.from, t.read}
}

// tightened is the outcome.
type tightened struct {
	Recommendation
	changed bool
	from    map[policy.Direction][]int
	read    decodedManifest // After
}

func (t *tightening) recommend(workloads []string) (Recommendation, bool) {
	ref := t.object.Ref
	r := Recommendation{
		ID: identity("tighten", ref.Kind, ref.Namespace, ref.Name), Kind: KindTighten, Title: fmt.Sprintf("Tighten %s", ref),
		Namespace: ref.Namespace, Workloads: workloads, Policy: analyze.RefOf(ref), File: t.object.Source.File, Line: t.object.Source.Line,
		Before: string(t.object.Source.YAML), Evidence: []string{}, Changes: []Change{}, Proof: emptyProof(),
	}
	r.Readiness, r.Ready = t.states(workloads)
	t.ready = readyText(r.Readiness)
	after, err := t.rewrite()
	if len(t.changes) == 0 && err == nil {
		return r, false
	}
	r.Changes = append(r.Changes, t.changes...)
	switch {
	case err != nil:
		r.Withheld = fmt.Sprintf("%v; edit it by hand", err)
	case t.silent(workloads):
		r.Withheld = "no traffic of the workloads that it selects was seen; what they need is not known"
	default:
		r.After = string(after)
		t.read.text = r.After
		t.read.object, t.read.err = decodeWritten(ref, after, t.doc)
		r.Diff = Unified(diffName(t.object.Source.File, ref), r.Before, r.After, t.object.Source.Line)
	}
	for _, c := range t.changes {
		r.Evidence = append(r.Evidence, c.Text+".")
	}
	return r, true
}

// silent says whether nothing was seen of any of the workloads.
func (t *tightening) silent(workloads []string) bool {
	return !slices.ContainsFunc(t.touchingAny(workloads), func(i int32) bool { return t.report.Edges[i].Teaches })
}

// rewrite edits the author's text rule by rule.
func (t *tightening) rewrite() ([]byte, error) {
	doc, err := edit.Parse(t.object.Source.YAML)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.object.Ref, err)
	}
	t.doc = doc
	spec := edit.Field(doc.Root(), "spec")
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		if err := t.direction(spec, d); err != nil {
			return nil, err
		}
	}
	if len(t.changes) == 0 {
		return nil, nil
	}
	return doc.Bytes()
}

func (t *tightening) direction(spec *yaml.Node, d policy.Direction) error {
	shapes := t.dialect.shapes(d)
	if len(shapes) == 0 {
		return nil
	}
	list := edit.Field(spec, lower(d))
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) != len(shapes) {
		return fmt.Errorf("the %s rules of %s are not written as a plain list", lower(d), t.object.Ref)
	}
	var rules []*yaml.Node
	var from []int
	for i, shape := range shapes {
		stay := []*yaml.Node{list.Content[i]}
		if shape != nil {
			var err error
			if stay, err = t.rule(list.Content[i], *shape); err != nil {
				return err
			}
		}
		rules = append(rules, stay...)
		for range stay {
			from = append(from, i)
		}
	}
	t.from[d] = from
	list.Content = rules
	if len(rules) == 0 {
		t.keepTypes(spec)
		t.sayClosed(d)
	}
	return nil
}

// sayClosed tells with the last rule of a direction that nothing is left of it:
// an empty list reads as if it did nothing, and closes everything.
func (t *tightening) sayClosed(d policy.Direction) {
	if n := len(t.changes); n > 0 && t.changes[n-1].Kind == ChangeRemove {
		t.changes[n-1].Text += fmt.Sprintf("; no %s rule is left, so that this policy closes all %s of what it selects", lower(d), lower(d))
	}
}

// keepTypes writes down the directions where only the rules said them: without
// rules the API server would take the policy not to isolate any more.
func (t *tightening) keepTypes(spec *yaml.Node) {
	field, directions := t.dialect.types()
	if n := edit.Field(spec, field); n != nil && len(n.Content) > 0 {
		return
	}
	list := edit.Flow(edit.List())
	for _, d := range directions {
		list.Content = append(list.Content, edit.Text(d))
	}
	edit.SetField(spec, field, list)
}

// rule narrows one rule and says how.
func (t *tightening) rule(node *yaml.Node, shape ruleShape) ([]*yaml.Node, error) {
	p := t.plan(shape)
	p.root, p.book.ready = t.doc.Root(), t.ready
	switch {
	case len(t.atomsOf(shape.id)) == 0:
		return []*yaml.Node{node}, nil
	case len(p.groups) == 0:
		t.change(ChangeRemove, shape, node, fmt.Sprintf("%s goes: nothing that is known used it", t.ruleName(shape)))
		return nil, nil
	case p.unchanged():
		return []*yaml.Node{node}, nil
	}
	t.explain(p, node)
	return t.dialect.rewrite(node, p)
}

// dialect finds who can edit a policy; nil for kinds that nobody can.
func (o *owners) dialect(object *cluster.Object) dialect { return dialectOf(object, o.only) }

func dialectOf(object *cluster.Object, only func(ruleID, target, int) bool) dialect {
	switch typed := object.Typed.(type) {
	case *networkingv1.NetworkPolicy:
		return kubernetes{object.Ref, typed, only}
	case *calicov3.NetworkPolicy:
		return calico{object.Ref, typed.Spec.Ingress, typed.Spec.Egress, typed.Spec.Types, only}
	case *calicov3.GlobalNetworkPolicy:
		return calico{object.Ref, typed.Spec.Ingress, typed.Spec.Egress, typed.Spec.Types, only}
	}
	return nil
}

// governed gives the directions in which a policy isolates.
func governed(object cluster.Object) []string {
	if d := dialectOf(&object, nil); d != nil {
		_, directions := d.types()
		return directions
	}
	return nil
}
