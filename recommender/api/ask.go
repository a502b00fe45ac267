// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	ask "github.com/netcinch/netcinch/recommender/question" // question is a request of this API
	"github.com/netcinch/netcinch/recommender/recommend"
)

// check judges one connection.
func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	v, _, err := s.view(r)
	if err != nil {
		return err
	}
	var q ask.Question
	if err = decode(w, r, &q); err != nil {
		return err
	}
	answer, err := ask.NewJudge(v.Snapshot, v.Engine).Ask(q)
	if field, ok := errors.AsType[*ask.FieldError](err); ok {
		return wrong(field.Field, "%s.", field.Message)
	}
	if err != nil {
		return err
	}
	return s.json(w, r, answer)
}

type replayBody struct {
	Meta meta `json:"meta"`
	*recommend.ReplayReport
	Window   *struct{}      `json:"window,omitempty"` // the meta has it
	Problems []inputProblem `json:"problems"`
}

// replay holds policies against what was seen.
func (s *Server) replay(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	var body struct {
		Policies string `json:"policies"`
	}
	if err = decode(w, r, &body); err != nil {
		return err
	}
	given := manifest.LoadText("policies", []byte(body.Policies), manifest.Options{Namespace: q.namespace})
	if len(given.Policies) == 0 {
		return wrong("policies", "There is no policy in it%s.", firstProblem(given.Problems))
	}
	input := v.Input
	if q.namespace != "" {
		input.Records = ofNamespace(input.Records, q.namespace)
	}
	report, err := recommend.Replay(recommend.ReplayInput{Input: input, Policies: given.Policies})
	if err != nil {
		return err
	}
	return s.json(w, r, replayBody{Meta: metaOf(v), ReplayReport: report, Problems: problemsOf(given.Problems)})
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
