// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/recommend"
)

func (s *Server) recommendations(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	body := list[recommend.Recommendation]{Meta: metaOf(v)}
	for i := range v.Recommendations {
		if one := &v.Recommendations[i]; about(one, q.namespace) {
			body.Items = append(body.Items, *one)
		}
	}
	return s.answer(w, r, v, body)
}

func about(r *recommend.Recommendation, namespace string) bool {
	return namespace == "" || r.Namespace == namespace ||
		slices.ContainsFunc(r.Workloads, func(w string) bool { return strings.HasPrefix(w, namespace+"/") })
}

// offered counts the recommendations that can be applied.
func offered(v *View) int {
	n := 0
	for i := range v.Recommendations {
		if v.Recommendations[i].Withheld == "" {
			n++
		}
	}
	return n
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	id := r.URL.Query().Get("id")
	var chosen []*recommend.Recommendation
	for i := range v.Recommendations {
		one := &v.Recommendations[i]
		if (id == "" || one.ID == id) && about(one, q.namespace) {
			chosen = append(chosen, one)
		}
	}
	if id != "" && len(chosen) == 0 {
		p := problemf(http.StatusNotFound, "There is no recommendation %q in the time looked at.", id)
		p.Parameter = "id"
		return p
	}
	if id != "" && chosen[0].Withheld != "" {
		return problemf(http.StatusConflict, "This recommendation is withheld: %s.", chosen[0].Withheld)
	}
	if chosen, err = written(v, recommend.Format(r.URL.Query().Get("format")), id, q.namespace, chosen); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(id, q.namespace, chosen)))
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, r, manifests(v, chosen))
	return nil
}

// written gives what was chosen in another format, made and proved anew. Of one
// recommendation it is what is for the same workloads.
func written(v *View, format recommend.Format, id, namespace string, chosen []*recommend.Recommendation) ([]*recommend.Recommendation, error) {
	if format == "" || format == recommend.Kubernetes {
		return chosen, nil
	}
	if !slices.Contains(recommend.Formats, format) {
		p := problemf(http.StatusBadRequest, "There is no format %q; there are kubernetes, calico, calico-staged and cluster.", format)
		p.Parameter = "format"
		return nil, p
	}
	all, err := recommend.Build(recommend.Input{Snapshot: v.Snapshot, Report: v.Report, Engine: v.Engine, Format: format})
	if err != nil {
		return nil, fmt.Errorf("writing recommendations as %s: %w", format, err)
	}
	var out []*recommend.Recommendation
	for i := range all {
		one := &all[i]
		same := id == "" || one.Before == chosen[0].Before && slices.Equal(one.Workloads, chosen[0].Workloads)
		if same && (about(one, namespace) || format == recommend.ClusterWide) {
			out = append(out, one)
		}
	}
	return out, nil
}

// manifests joins what is offered into one file, and names at its top what is
// not: a file that is applied must say what it leaves out.
func manifests(v *View, chosen []*recommend.Recommendation) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Recommended by Netcinch for cluster %s at %s.\n", oneLine(v.Cluster), v.Computed.UTC().Format("2006-01-02 15:04:05 MST"))
	for _, r := range chosen {
		if r.Withheld != "" {
			fmt.Fprintf(&b, "# Not offered: %s: %s.\n", oneLine(r.Title), oneLine(r.Withheld))
		}
	}
	for _, r := range chosen {
		if r.Withheld != "" {
			continue
		}
		b.WriteString("---\n# " + oneLine(r.Title) + "\n")
		if !r.Ready {
			b.WriteString("# Not ready yet: wait until what was seen is enough.\n")
		}
		b.WriteString(strings.TrimPrefix(strings.TrimRight(r.After, "\n"), "---\n") + "\n")
	}
	return []byte(b.String())
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func fileName(id, namespace string, chosen []*recommend.Recommendation) string {
	name := "netcinch"
	switch {
	case id != "":
		name = strings.Trim(chosen[0].Policy.Namespace+"-"+chosen[0].Policy.Name, "-")
	case namespace != "":
		name = namespace + "-policies"
	}
	return notInFileName.ReplaceAllString(name, "-") + ".yaml"
}
