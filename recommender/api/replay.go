// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type replayBody struct {
	Meta meta `json:"meta"`
	*recommend.ReplayReport
	Window   *struct{}      `json:"window,omitempty"` // the meta has it
	Policies []replayedBody `json:"policies"`
	Exact    *exactBody     `json:"exact,omitempty"`
	Problems []inputProblem `json:"problems"`
}

// replayedBody is a policy that was sent, or that is to go.
type replayedBody struct {
	Ref    analyze.Ref `json:"ref"`
	Effect string      `json:"effect"` // adds, replaces, removes
}

// exactBody is what is allowed and was not, and the other way round, whether
// anybody used it or not.
type exactBody struct {
	Added        []change `json:"added"`
	AddedTotal   int      `json:"addedTotal"`
	Removed      []change `json:"removed"`
	RemovedTotal int      `json:"removedTotal"`
}

type change struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Ports string `json:"ports"`
}

// maxExact is how many sets of connections are listed each way.
const maxExact = 200

type replayRequest struct {
	Policies string   `json:"policies"`
	Remove   []string `json:"remove"`
	Exact    bool     `json:"exact"`
	Against  string   `json:"against"` // takes the place of what is in force, as what is compared with
	Alone    bool     `json:"alone"`   // what is sent is all that is in force
}

// replay holds policies against what was seen.
func (s *Server) replay(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	if veilOf(r.Context()) != nil {
		return problemf(http.StatusForbidden, "A replay judges what the whole cluster does: it takes the right to see all of it.")
	}
	var asked replayRequest
	if err = decode(w, r, &asked); err != nil {
		return err
	}
	without, err := removed(v, asked.Remove)
	if err != nil {
		return err
	}
	given := manifest.LoadText("policies", []byte(asked.Policies), manifest.Options{Namespace: q.namespace})
	if len(given.Policies) == 0 && (len(without) == 0 || len(given.Problems) > 0) {
		return wrong("policies", "There is no policy in it%s.", firstProblem(given.Problems))
	}
	against, err := opposite(&asked, q.namespace)
	if err != nil {
		return err
	}
	input := v.Input
	if q.namespace != "" {
		input.Records = ofNamespace(input.Records, q.namespace)
	}
	report, err := recommend.Replay(recommend.ReplayInput{Input: input, Policies: given.Policies, Without: without, Against: against, Alone: asked.Alone, Policy: v.Reading})
	if err != nil {
		return err
	}
	body := replayBody{Meta: metaOf(v), ReplayReport: report, Policies: effects(v, given.Policies, without), Problems: problemsOf(given.Problems)}
	if asked.Exact {
		body.Exact = exactly(v, given.Policies, without)
	}
	return s.json(w, r, body)
}

// opposite reads the policies that what is sent is compared with; nil where
// that is what is in force.
func opposite(asked *replayRequest, namespace string) ([]cluster.Object, error) {
	if asked.Against == "" {
		return nil, nil
	}
	given := manifest.LoadText("against", []byte(asked.Against), manifest.Options{Namespace: namespace})
	if len(given.Policies) == 0 {
		return nil, wrong("against", "There is no policy in it%s.", firstProblem(given.Problems))
	}
	if len(given.Problems) > 0 {
		return nil, wrong("against", "It is not understood%s.", firstProblem(given.Problems))
	}
	return given.Policies, nil
}

// removed finds the policies that are to go by their ids.
func removed(v *View, ids []string) ([]cluster.Ref, error) {
	var out []cluster.Ref
	for _, id := range ids {
		at := slices.IndexFunc(v.Snapshot.Policies, func(o cluster.Object) bool { return policyID(analyze.RefOf(o.Ref)) == id })
		if at < 0 {
			return nil, wrong("remove", "There is no policy %q; /api/v1/policies has the ids.", id)
		}
		out = append(out, v.Snapshot.Policies[at].Ref)
	}
	return out, nil
}

func effects(v *View, given []cluster.Object, without []cluster.Ref) []replayedBody {
	there := map[cluster.Ref]bool{}
	for i := range v.Snapshot.Policies {
		there[v.Snapshot.Policies[i].Ref] = true
	}
	var out []replayedBody
	for i := range given {
		effect := "adds"
		if there[given[i].Ref] && !slices.Contains(without, given[i].Ref) {
			effect = "replaces"
		}
		out = append(out, replayedBody{Ref: analyze.RefOf(given[i].Ref), Effect: effect})
	}
	for _, ref := range without {
		out = append(out, replayedBody{Ref: analyze.RefOf(ref), Effect: "removes"})
	}
	return out
}

// exactly compares what is allowed before and after, for every pod, port and address.
func exactly(v *View, given []cluster.Object, without []cluster.Ref) *exactBody {
	bare := *v.Snapshot
	bare.Policies = slices.DeleteFunc(slices.Clone(bare.Policies), func(o cluster.Object) bool { return slices.Contains(without, o.Ref) })
	next, _ := v.Engine.Next(recommend.With(&bare, given...))
	delta := policy.Compare(v.Engine, next)
	return &exactBody{
		Added: changes(delta.Added), AddedTotal: len(delta.Added),
		Removed: changes(delta.Removed), RemovedTotal: len(delta.Removed),
	}
}

func changes(cells []policy.Cell) []change {
	var out []change
	for i := range cells[:min(len(cells), maxExact)] {
		c := &cells[i]
		ports := strings.TrimPrefix(c.Text, c.From.Text+" → "+c.To.Text+" on ")
		out = append(out, change{From: c.From.Text, To: c.To.Text, Ports: ports})
	}
	return out
}

func firstProblem(problems []cluster.Problem) string {
	if len(problems) == 0 {
		return ""
	}
	p := problems[0]
	return " that is understood: line " + strconv.Itoa(p.Line) + ": " + p.Message
}

func ofNamespace(records []flow.Record, namespace string) []flow.Record {
	var out []flow.Record
	for i := range records {
		e := &records[i].Edge
		if e.Client.Workload.Namespace == namespace || e.Server.Workload.Namespace == namespace {
			out = append(out, records[i])
		}
	}
	return out
}
