// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/question"
)

// maxNamed bounds how many names an error lists.
const maxNamed = 20

// inScope refuses a namespace that neither the manifests nor the flows have: a
// misspelt name must not look like one without findings.
func (v *view) inScope(s *cluster.Snapshot, report *analyze.Report) error {
	if v.namespace == "" {
		return nil
	}
	var have []string
	for i := range s.Namespaces {
		have = append(have, s.Namespaces[i].Name)
	}
	for i := range s.Policies {
		have = append(have, s.Policies[i].Ref.Namespace)
	}
	for _, name := range workloadNames(s, report) {
		namespace, _, _ := strings.Cut(name, "/")
		have = append(have, namespace)
	}
	return refuse("namespace", v.namespace, have)
}

// workloadNames gives namespace/name of the workloads of the manifests and the
// flows.
func workloadNames(s *cluster.Snapshot, report *analyze.Report) []string {
	var have []string
	for i := range s.Workloads {
		have = append(have, s.Workloads[i].String())
	}
	for i := range s.Pods {
		have = append(have, s.Pods[i].Workload.String())
	}
	for i := range report.Edges {
		for _, p := range []analyze.Party{report.Edges[i].Client, report.Edges[i].Server} {
			if p.Namespace != "" {
				have = append(have, p.Namespace+"/"+p.Name)
			}
		}
	}
	return have
}

// refuse names what there is where a name is not of it. The error's field is
// the flag's name.
func refuse(flag, name string, have []string) error {
	have = slices.DeleteFunc(have, func(n string) bool { return n == "" || n == "/" })
	if slices.Contains(have, name) {
		return nil
	}
	slices.Sort(have)
	have = slices.Compact(have)
	there := "there is none at all"
	if len(have) > 0 {
		there = "there are " + strings.Join(have[:min(len(have), maxNamed)], ", ")
	}
	if more := len(have) - maxNamed; more > 0 {
		there += fmt.Sprintf(" and %d more", more)
	}
	return &question.FieldError{Field: flag, Message: fmt.Sprintf("there is no %s %q; %s", flag, name, there)}
}
