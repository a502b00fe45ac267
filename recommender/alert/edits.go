// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// Edits gives the change of policies that cuts edges, and the one that goes
// with accepting them. Either is nil where there is nothing to change or say.
func (in *Input) Edits(ids []string) (narrowing, accept *Edit, err error) {
	var through, denied []*analyze.Edge
	for i := range in.Report.Edges {
		e := &in.Report.Edges[i]
		switch {
		case !slices.Contains(ids, e.ID):
		case e.Verdict.State == analyze.StateDenied:
			denied = append(denied, e)
		default:
			through = append(through, e)
		}
	}
	if len(through) > 0 {
		narrowing = in.narrowing(through)
		accept, err = in.keeping(through)
	} else if len(denied) > 0 {
		accept = in.opening(denied)
	}
	return narrowing, accept, err
}

// narrowing finds the recommendation that cuts most of the edges; unseen edges
// teach none, so that what tightens for the rest cuts them.
func (in *Input) narrowing(edges []*analyze.Edge) *Edit {
	var best *recommend.Recommendation
	most := 0
	for i := range in.Recommendations {
		r := &in.Recommendations[i]
		if n := cuts(r, edges); r.Withheld == "" && (n > most || n == most && n > 0 && r.Kind == recommend.KindTighten && best.Kind != recommend.KindTighten) {
			best, most = r, n
		}
	}
	if best == nil {
		return in.taking(edges)
	}
	out := editOf(best)
	out.Text = fmt.Sprintf("%s. It keeps everything else that was seen and learnt, and cuts this.", best.Title)
	if most < len(edges) {
		out.Text = fmt.Sprintf("%s. It keeps everything else that was seen and learnt, and cuts %d of these %d connections.", best.Title, most, len(edges))
	}
	return out
}

func cuts(r *recommend.Recommendation, edges []*analyze.Edge) (n int) {
	for _, e := range edges {
		if slices.ContainsFunc(r.Proof.Held, func(h recommend.HeldEdge) bool { return h.Edge == e.ID }) {
			n++
		}
	}
	return n
}

func editOf(r *recommend.Recommendation) *Edit {
	ref := r.Policy
	return &Edit{Policy: &ref, File: r.File, Line: r.Line, After: r.After, Diff: r.Diff, Exact: r.Proof.Holds, Recommendation: r.ID}
}

// taking says in words what would have to go, where no recommendation cuts the
// edges: it is not proved, and others may need it.
func (in *Input) taking(edges []*analyze.Edge) *Edit {
	out := &Edit{}
	var texts []string
	for _, e := range edges {
		for _, c := range in.changes(e, true) {
			if !slices.Contains(texts, c.Text) {
				texts = append(texts, c.Text)
			}
			if out.Policy == nil && c.Policy != (cluster.Ref{}) {
				ref := analyze.RefOf(c.Policy)
				out.Policy = &ref
				out.File, out.Line = in.place(c.Policy)
			}
		}
	}
	if len(texts) == 0 {
		return nil
	}
	slices.Sort(texts)
	out.Text = fmt.Sprintf("No proved narrowing cuts it now. By hand: %s. Check with netcinch replay who else needs it.", strings.Join(texts[:min(len(texts), 4)], "; "))
	return out
}

func (in *Input) place(ref cluster.Ref) (file string, line int) {
	for i := range in.Snapshot.Policies {
		if o := &in.Snapshot.Policies[i]; o.Ref == ref {
			return o.Source.File, o.Source.Line
		}
	}
	return "", 0
}

// changes asks the engine for the smallest edits that turn the verdict of an
// edge around: of the first pair of its ends that is judged as allowed says.
func (in *Input) changes(e *analyze.Edge, allowed bool) []policy.Change {
	var found []policy.Change
	done := false
	analyze.Pairs(in.Index.Ends(e.Client), in.Index.Ends(e.Server), func(from, to policy.Peer) {
		if done || from.Pod != nil && from.Pod == to.Pod {
			return
		}
		c := policy.Connection{From: from, To: to, Protocol: e.Number, Port: e.Port, ICMPType: -1, ICMPCode: -1}
		if out, into := in.Engine.Allowed(c); (out && into) == allowed {
			found, done = in.Engine.Explain(c).Changes, true
		}
	})
	return found
}

// keeping gives what goes with accepting edges that pass already: nothing has
// to change, and the narrower policy of the advice is to keep them from then on.
func (in *Input) keeping(edges []*analyze.Edge) (*Edit, error) {
	without := in.Report
	with := *without
	with.Edges = slices.Clone(without.Edges)
	var workloads []string
	for i := range with.Edges {
		e := &with.Edges[i]
		if slices.ContainsFunc(edges, func(one *analyze.Edge) bool { return one.ID == e.ID }) {
			e.Unseen, e.Teaches = false, true
			for _, p := range []analyze.Party{e.Client, e.Server} {
				if p.Kind == analyze.PartyWorkload && !slices.Contains(workloads, p.String()) {
					workloads = append(workloads, p.String())
				}
			}
		}
	}
	slices.Sort(workloads)
	// One server at most: the advice for all clients of a scan would take long.
	if len(workloads) > 2 {
		workloads = workloads[:2]
	}
	scope := recommend.Scope{Workloads: workloads}
	advice, err := recommend.Build(recommend.Input{Snapshot: in.Snapshot, Report: &with, Engine: in.Engine, Scope: scope})
	if err != nil {
		return nil, fmt.Errorf("making the edit that accepts an alert: %w", err)
	}
	out := &Edit{Text: "Nothing has to change: policies let it through. From then on the advice keeps it.", Exact: true}
	for i := range advice {
		r := &advice[i]
		if r.Withheld != "" || !slices.ContainsFunc(in.Recommendations, func(was recommend.Recommendation) bool {
			return was.Policy == r.Policy && was.Withheld == "" && cuts(&was, edges) > 0
		}) {
			continue
		}
		out = editOf(r)
		out.Text = "Nothing has to change: policies let it through. From then on the advice keeps it, and this is the narrower policy that does: " + r.Title + "."
		break
	}
	return out, nil
}

// opening writes the rules that let denied edges through, and checks that they
// do. Where several policies have to change, the first is written and the
// others are named.
func (in *Input) opening(edges []*analyze.Edge) *Edit {
	var list []policy.Change
	for _, e := range edges {
		for _, c := range in.changes(e, false) {
			if !slices.ContainsFunc(list, func(have policy.Change) bool {
				return have.Policy == c.Policy && have.Rule == c.Rule && have.Text == c.Text
			}) {
				list = append(list, c)
			}
		}
	}
	if len(list) == 0 {
		return nil // no edit turns it around: an end is not in the cluster any more
	}
	out := &Edit{}
	var texts []string
	var put []cluster.Object
	for _, ref := range policiesOf(list) {
		after, object, err := in.insert(ref, list)
		if err != nil || after == "" {
			continue // a kind of policy whose text cannot be edited here: the words say what to do
		}
		put = append(put, object)
		if out.Policy != nil {
			continue
		}
		r := analyze.RefOf(ref)
		out.Policy, out.After = &r, after
		out.File, out.Line = in.place(ref)
		out.Diff = recommend.Unified(cmp.Or(out.File, strings.ToLower(ref.Kind)+"-"+ref.Name+".yaml"), string(in.object(ref).Source.YAML), after, out.Line)
	}
	for _, c := range list {
		texts = append(texts, c.Text)
	}
	out.Text = upper(strings.Join(texts[:min(len(texts), 6)], "; ")) + "."
	out.Exact = len(put) > 0 && in.opens(put, edges)
	return out
}

func policiesOf(list []policy.Change) []cluster.Ref {
	var refs []cluster.Ref
	for _, c := range list {
		if c.Rule != "" && c.Policy != (cluster.Ref{}) && !slices.Contains(refs, c.Policy) {
			refs = append(refs, c.Policy)
		}
	}
	return refs
}

func (in *Input) object(ref cluster.Ref) *cluster.Object {
	for i := range in.Snapshot.Policies {
		if in.Snapshot.Policies[i].Ref == ref {
			return &in.Snapshot.Policies[i]
		}
	}
	return &cluster.Object{}
}

// insert puts the rules of the changes that are of one policy into its text.
func (in *Input) insert(ref cluster.Ref, list []policy.Change) (string, cluster.Object, error) {
	source := in.object(ref)
	if len(source.Source.YAML) == 0 {
		return "", cluster.Object{}, nil
	}
	doc, err := edit.Parse(source.Source.YAML)
	if err != nil {
		return "", cluster.Object{}, err
	}
	spec := edit.Field(doc.Root(), "spec")
	if spec == nil {
		return "", cluster.Object{}, fmt.Errorf("%s has no spec", ref)
	}
	for _, c := range list {
		if c.Policy != ref || c.Rule == "" {
			continue
		}
		var rule yaml.Node
		if err = yaml.Unmarshal([]byte(c.Rule), &rule); err != nil || len(rule.Content) != 1 {
			return "", cluster.Object{}, fmt.Errorf("reading the rule for %s: %w", ref, err)
		}
		name := strings.ToLower(c.Direction.String())
		rules := edit.Field(spec, name)
		if rules == nil || rules.Kind != yaml.SequenceNode || len(rules.Content) == 0 {
			edit.SetField(spec, name, edit.List(rule.Content[0]))
			continue
		}
		at := min(c.At, len(rules.Content))
		rules.Content = slices.Insert(rules.Content, at, rule.Content[0])
	}
	text, err := doc.Bytes()
	if err != nil {
		return "", cluster.Object{}, err
	}
	read := manifest.LoadText(ref.Name+".yaml", text, manifest.Options{Namespace: ref.Namespace})
	if len(read.Policies) != 1 || len(read.Problems) > 0 || read.Policies[0].Ref != ref {
		return "", cluster.Object{}, fmt.Errorf("%s does not read back with the rule in it", ref)
	}
	return string(text), read.Policies[0], nil
}

// opens says whether the policies let all the edges through between all pods.
func (in *Input) opens(put []cluster.Object, edges []*analyze.Edge) bool {
	engine, problems := in.Engine.With(policy.Edit{Put: put})
	if len(problems) > 0 {
		return false
	}
	all := true
	for _, e := range edges {
		analyze.Pairs(in.Index.Ends(e.Client), in.Index.Ends(e.Server), func(from, to policy.Peer) {
			out, into := engine.Allowed(policy.Connection{From: from, To: to, Protocol: e.Number, Port: e.Port, ICMPType: -1, ICMPCode: -1})
			all = all && out && into
		})
	}
	return all
}
