// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// hashLetters are those of a pod-template-hash (Kubernetes' rand.SafeEncodeString).
const hashLetters = "bcdfghjklmnpqrstvwxz2456789"

// lifecycle counts the starts and rollouts of a workload that were seen, and
// says what is missing: some connections are made at a start only.
func (r *Readiness) lifecycle(x *Index, f *foldings, h *history) {
	pods := x.pods[r.Workload.Workload()]
	revisions := set{}
	for _, p := range pods {
		revisions.add(Revision(p))
		if !p.Started.IsZero() {
			r.Lifecycle = true
			if p.Started.After(h.start) && !p.Started.After(h.end) {
				r.Starts++
			}
		}
	}
	live := set{}
	for _, p := range pods {
		live.add(p.Name)
	}
	for name := range h.sightings.podsOf(f, r.Workload) {
		revisions.add(revisionInName(r.Workload, name))
		if _, still := live[name]; !still && len(live) > 0 && r.Lifecycle {
			r.Starts++ // it was there before one of those that live now
		}
	}
	r.Rollouts = max(0, len(revisions)-1)
	r.caveats(h)
}

// Revision names the version of the template that a pod was made of; empty
// where its labels do not tell.
func Revision(p *cluster.Pod) string {
	for _, label := range []string{"pod-template-hash", "controller-revision-hash"} {
		if v := p.Labels[label]; v != "" {
			return v
		}
	}
	return ""
}

// revisionInName reads the hash in the name of a Deployment's pod:
// name-hash-suffix. Empty for other names.
func revisionInName(p Party, pod string) string {
	rest, ok := strings.CutPrefix(pod, p.Name+"-")
	if !ok || p.WorkloadKind != "Deployment" {
		return ""
	}
	hash, suffix, ok := strings.Cut(rest, "-")
	if !ok || len(suffix) != 5 || len(hash) < 5 || len(hash) > 10 || strings.Trim(hash, hashLetters) != "" || strings.Trim(suffix, hashLetters) != "" {
		return ""
	}
	return hash
}

// rollsOut says whether a kind of workload replaces its pods when its template
// changes.
func rollsOut(kind string) bool {
	return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet"
}

func (r *Readiness) caveats(h *history) {
	if r.Edges == 0 {
		return
	}
	rolls := rollsOut(r.Workload.WorkloadKind)
	switch {
	case r.Lifecycle && r.Starts == 0 && rolls:
		r.Caveats = append(r.Caveats, "no start and no rollout of it was seen: what it needs only then is not known")
	case r.Lifecycle && r.Starts == 0:
		r.Caveats = append(r.Caveats, "no start of it was seen: what it needs only then is not known")
	case r.Lifecycle && r.Rollouts == 0 && rolls:
		r.Caveats = append(r.Caveats, "no rollout of it was seen: what a new version needs is not known")
	}
	if age := h.end.Sub(r.Newest); !r.Newest.IsZero() && r.Newest.After(h.start) && age < h.learning/youngShare {
		r.Caveats = append(r.Caveats, fmt.Sprintf("its newest edge is %s old", Span(max(age, time.Second))))
	}
}

// youngShare: an edge is young for a quarter of the learning period.
const youngShare = 4
