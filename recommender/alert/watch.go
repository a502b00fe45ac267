// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

func windowOf(c *store.Catalogued) flow.Window {
	return flow.Window{Start: c.FirstSeen, End: c.LastSeen}
}

// images raises pods of learnt workloads that run what no generation of them
// ever ran: an image of another repository, or one that neither the template
// nor an earlier generation names.
func (l *look) images() {
	for _, b := range l.baselines {
		if b.Closed.IsZero() || len(b.Images) == 0 {
			continue
		}
		template := l.Index.Workload(b.Workload)
		for _, pod := range l.Index.Pods(b.Workload) {
			if !runs(pod) {
				continue
			}
			for _, image := range pod.Images {
				l.image(b, template, pod, image)
			}
		}
	}
}

func (l *look) image(b *Baseline, template *cluster.Workload, pod *cluster.Pod, image string) {
	party := analyze.PartyOf(b.Workload)
	id := identity("image", party.String(), b.Workload.Kind, repository(image))
	planned := template == nil || slices.Contains(template.Images, image)
	s := signal{kind: UnknownImage, client: &party, workloads: []string{party.String()}, identities: []string{id}, first: pod.Started, last: l.Now, open: true}
	switch {
	case l.accepted(id):
		return
	case !slices.Contains(b.Images, repository(image)):
		s.severity = analyze.SeverityHigh
		if planned {
			s.severity = analyze.SeverityMedium
		}
		s.evidence = []string{fmt.Sprintf("%s/%s runs %s; until now its images came from %s.", pod.Namespace, pod.Name, image, analyze.List(b.Images, 4))}
	case !planned && l.strays(b, template, image):
		s.evidence = []string{fmt.Sprintf("%s/%s runs %s, which its template does not name, and no earlier version of it ran.", pod.Namespace, pod.Name, image)}
	default:
		return
	}
	if planned {
		s.evidence = append(s.evidence, "Its template names the image: somebody rolled it out.")
	}
	if s.first.IsZero() {
		s.first = l.Now
	}
	s.title = fmt.Sprintf("%s runs %s, which it never ran before", party, repository(image))
	l.raise(s)
}

// strays says whether an image is another version of one that the template
// names, and no earlier generation ran it. Sidecars that are put in by an
// admission controller are not in the template, and come as they like.
func (l *look) strays(b *Baseline, template *cluster.Workload, image string) bool {
	named := slices.ContainsFunc(template.Images, func(one string) bool { return repository(one) == repository(image) })
	earlier := slices.ContainsFunc(b.Generations, func(g Generation) bool {
		return slices.Contains(g.Images, image) && (g.First.IsZero() || g.First.Before(b.Closed))
	})
	return named && !earlier && !slices.Contains(b.Planned, image)
}

// gaps raises nodes, and pods on them, that are not watched any more.
func (l *look) gaps() {
	if !l.Live {
		return
	}
	for i := range l.Coverage {
		c := &l.Coverage[i]
		if l.Index.Node(c.Node) == nil {
			continue // it left the cluster
		}
		quiet := l.Now.Sub(c.LastSeen)
		switch {
		case quiet > l.options.GapAfter:
			l.raise(signal{
				kind: CaptureGap, node: c.Node, title: fmt.Sprintf("Node %s is not watched any more", c.Node), first: c.LastSeen, last: l.Now, open: true, workloads: l.onNode(c.Node),
				evidence: []string{fmt.Sprintf("Its agent reported last at %s, %s ago.", analyze.Moment(c.LastSeen), analyze.Span(quiet))},
			})
		case c.Coverage.PodsWatched < c.Coverage.PodsKnown:
			l.raise(signal{
				kind: CaptureGap, node: c.Node, about: "pods", severity: analyze.SeverityLow, last: l.Now, first: l.Now, open: true,
				title:    fmt.Sprintf("%s on node %s not watched", isAre(c.Coverage.PodsKnown-c.Coverage.PodsWatched, "pod"), c.Node),
				evidence: []string{fmt.Sprintf("The agent knows %s there and watches %d.", analyze.Plural(c.Coverage.PodsKnown, "pod"), c.Coverage.PodsWatched)},
			})
		}
	}
}

func isAre(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

// onNode names workloads that have pods on a node.
func (l *look) onNode(node string) []string {
	var names []string
	for i := range l.Snapshot.Pods {
		if p := &l.Snapshot.Pods[i]; p.Node == node && !p.Finished && !p.Workload.IsZero() {
			names = append(names, p.Workload.String())
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), MaxEdges)]
}

// lost raises workloads that were ready and have not been for a while.
func (l *look) lost() {
	for _, b := range l.baselines {
		r := l.ready[b.Workload]
		if r == nil || b.Lost.IsZero() || l.Now.Sub(b.Lost) < l.options.LostAfter {
			continue
		}
		party := analyze.PartyOf(b.Workload)
		l.raise(signal{
			kind: ReadinessLost, client: &party, workloads: []string{party.String()}, first: b.Lost, last: l.Now, open: true,
			title:    fmt.Sprintf("%s is not ready any more: %s", party, r.State),
			evidence: []string{upper(strings.Join(r.Reasons, "; ")) + "."},
		})
	}
}

func upper(s string) string {
	if s == "" {
		return "Why is not known"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// quietFor is after how much quiet an alert of a workload may be resolved: a
// CronJob is quiet between its runs.
func (l *look) quietFor(p *analyze.Party) time.Duration {
	if p == nil {
		return 0
	}
	if r := l.ready[p.Workload()]; r != nil {
		return time.Duration(r.Period * float64(time.Second))
	}
	return 0
}
