// SPDX-License-Identifier: Apache-2.0

package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// question is what the query parameters say.
type question struct {
	namespace string // empty for all
	span      Span
	paging    paging // of lists
	id        string // of one item of a list; empty for all
	text      string // what is searched for; empty for all
	brief     bool   // without what is long
}

func (s *Server) question(r *http.Request) (question, error) {
	var q question
	values := r.URL.Query()
	if err := misspelt(r.URL.Path, values); err != nil {
		return q, err
	}
	cluster := values.Get("cluster")
	if cluster != "" {
		if names := s.source.Status(cluster).Clusters; !slices.Contains(names, cluster) {
			return q, wrong("cluster", "There is no cluster %q here; there is %s.", cluster, strings.Join(names, ", "))
		}
	}
	now := s.source.Now()
	from, err := moment("from", values.Get("from"), now)
	if err != nil {
		return q, err
	}
	to, err := moment("to", values.Get("to"), now)
	if err != nil {
		return q, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return q, wrong("from", "It is not before the end of the time looked at (%s).", to.Format(time.RFC3339))
	}
	q = question{namespace: values.Get("namespace"), span: Span{Cluster: cluster, From: from, To: to}, id: values.Get("id"), text: values.Get("q")}
	q.span.Traffic = trafficOnly(r.URL.Path)
	if q.brief, err = yes("brief", values.Get("brief")); err != nil {
		return q, err
	}
	q.paging, err = pagingOf(values)
	return q, err
}

// trafficOnly names the routes that need no recommendations.
func trafficOnly(path string) bool {
	path = strings.TrimPrefix(path, "/api/v1")
	return path == "/graph" || path == "/timeline" || path == "/edges" || strings.HasPrefix(path, "/edges/")
}

func yes(parameter, text string) (bool, error) {
	switch text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, wrong(parameter, "%q is neither true nor false.", text)
}

// misspelt refuses a parameter that the route does not have: passed over, it
// would give an answer to another question.
func misspelt(path string, values url.Values) error {
	known := []string{"cluster", "namespace", "from", "to"}
	switch strings.TrimPrefix(path, "/api/v1") {
	case "/graph":
		known = append(known, "level", "open", "fold", "pods", "q", "beforeFrom", "beforeTo")
	case "/events":
		known = append(known, "lastEventId")
	case "/workloads":
		known = append(known, "limit", "cursor")
	case "/edges":
		known = append(known, "limit", "cursor", "q")
	case "/findings":
		known = append(known, "limit", "cursor", "kind", "q")
	case "/alerts":
		known = append(known, "limit", "cursor", "kind", "q", "status", "severity")
	case "/decisions":
		known = append(known, "limit", "cursor")
	case "/policies":
		known = append(known, "limit", "cursor", "id", "q", "brief")
	case "/recommendations":
		known = append(known, "limit", "cursor", "id", "q", "brief")
		known = append(known, wishes...)
	case "/recommendations/download":
		known = append(append(known, "id", "as"), wishes...)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return wrong(name, "There is no parameter %q here; there are %s.", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// moment reads RFC 3339 or a duration back from now; empty is the zero time.
func moment(parameter, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	back, err := duration(text)
	switch {
	case err != nil:
		return time.Time{}, wrong(parameter, "%q is neither a time (2026-01-31T09:00:00Z) nor a duration back from now (-24h, -7d).", text)
	case back > 0:
		return time.Time{}, wrong(parameter, "%q lies ahead; a duration back from now begins with a minus (-%s).", text, strings.TrimPrefix(text, "+"))
	}
	return now.Add(back).UTC(), nil
}

// duration is time.ParseDuration with days.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil && n > -100_000 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	return time.ParseDuration(text)
}

// view gives the view that the request asks for, and checks the namespace
// against it: a misspelt name must not look like an empty namespace.
func (s *Server) view(r *http.Request) (*View, question, error) {
	q, err := s.question(r)
	if err != nil {
		return nil, q, err
	}
	v, err := s.source.View(r.Context(), q.span)
	if err != nil {
		return nil, q, err
	}
	if q.namespace != "" && !knows(v, q.namespace) {
		names := namespaces(v)
		return nil, q, wrong("namespace", "There is no namespace %q; there are %s.", q.namespace, strings.Join(names[:min(len(names), 20)], ", "))
	}
	return v, q, nil
}

func namespaces(v *View) []string {
	var names []string
	for i := range v.Snapshot.Namespaces {
		names = append(names, v.Snapshot.Namespaces[i].Name)
	}
	for _, w := range v.Index.Workloads() {
		names = append(names, w.Namespace)
	}
	for i := range v.Report.Edges {
		names = append(names, v.Report.Edges[i].Client.Namespace, v.Report.Edges[i].Server.Namespace)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

func knows(v *View, namespace string) bool {
	return slices.Contains(namespaces(v), namespace)
}
