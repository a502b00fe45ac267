// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// selection is the labels that select a workload's pods, now and after the next
// rollout.
type selection struct {
	labels map[string]string
	// caught are other workloads of the namespace that the labels select too,
	// where no stable labels tell them apart.
	caught []flow.Workload
}

// unstable labels change with a rollout, or name one pod of many.
var unstable = map[string]bool{
	"pod-template-hash": true, "controller-revision-hash": true, "pod-template-generation": true,
	"job-name": true, "batch.kubernetes.io/job-name": true, "controller-uid": true, "batch.kubernetes.io/controller-uid": true,
	"batch.kubernetes.io/job-completion-index": true, "statefulset.kubernetes.io/pod-name": true, "apps.kubernetes.io/pod-index": true,
	"helm.sh/chart": true, "chart": true, "heritage": true, "app.kubernetes.io/managed-by": true,
	"app.kubernetes.io/version": true, "version": true, "deployment": true, "deploymentconfig": true,
}

// hashLike are values that look computed: Kubernetes' own alphabet for hashes
// has no vowels; others are long and hexadecimal.
var hashLike = regexp.MustCompile(`^([bcdfghjklmnpqrstvwxz2456789]{8,10}|[0-9a-f]{12,64})$`)

func isStable(key, value string) bool {
	return !unstable[key] && (!hashLike.MatchString(value) || !strings.ContainsAny(value, "0123456789"))
}

// preferred labels come first: those that people give to say what runs.
var preferred = []string{"app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/component", "component", "app.kubernetes.io/instance", "name", "role", "tier"}

// selection finds the labels of a workload: its own selector where that is
// exact, else the shortest conjunction of stable labels that is.
func (w *world) selection(wl flow.Workload) selection {
	if s, ok := w.selectors[wl]; ok {
		return s
	}
	return w.findSelection(wl)
}

func (w *world) findSelection(wl flow.Workload) selection {
	described := w.index.Workload(wl)
	if described != nil && len(described.Selector) > 0 && !hasUnstableHash(described.Selector) {
		if s := w.measure(wl, described.Selector); len(s.caught) == 0 && s.labels != nil {
			return s
		}
	}
	common := w.commonLabels(wl, described)
	keys := slices.SortedFunc(maps.Keys(common), comparePreferred)
	best := selection{}
	for size := 1; size <= min(len(keys), 3); size++ {
		each(keys, size, func(chosen []string) bool {
			s := w.measure(wl, pick(common, chosen))
			if s.labels != nil && (best.labels == nil || len(s.caught) < len(best.caught)) {
				best = s
			}
			return best.labels == nil || len(best.caught) > 0
		})
		if best.labels != nil && len(best.caught) == 0 {
			return best
		}
	}
	if len(common) > 3 {
		if s := w.measure(wl, common); s.labels != nil && len(s.caught) < len(best.caught) {
			return s
		}
	}
	return best
}

func hasUnstableHash(selector map[string]string) bool {
	for k := range selector {
		if unstable[k] && k != "version" && k != "app.kubernetes.io/version" {
			return true
		}
	}
	return false
}

// commonLabels are the stable labels that all pods of the workload have, and
// its template too.
func (w *world) commonLabels(wl flow.Workload, described *cluster.Workload) map[string]string {
	common := map[string]string{}
	for i, p := range w.index.Pods(wl) {
		if i == 0 {
			for k, v := range p.Labels {
				if isStable(k, v) {
					common[k] = v
				}
			}
		}
		maps.DeleteFunc(common, func(k, v string) bool { return p.Labels[k] != v })
	}
	if described != nil && described.TemplateLabels != nil {
		maps.DeleteFunc(common, func(k, v string) bool { return described.TemplateLabels[k] != v })
	}
	return common
}

func comparePreferred(a, b string) int {
	rank := func(k string) int {
		if i := slices.Index(preferred, k); i >= 0 {
			return i
		}
		return len(preferred)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// measure says whom labels select; labels are nil where they miss a pod or the
// template of the workload itself.
func (w *world) measure(wl flow.Workload, set map[string]string) selection {
	selector := labels.SelectorFromSet(set)
	s := selection{labels: set}
	caught := map[flow.Workload]bool{}
	for _, p := range w.inSpace[wl.Namespace] {
		owner := w.owner(p)
		matches := selector.Matches(labels.Set(p.Labels))
		if owner == wl && !matches {
			return selection{}
		}
		if owner != wl && matches {
			caught[owner] = true
		}
	}
	for i := range w.snapshot.Workloads {
		o := &w.snapshot.Workloads[i]
		if o.Namespace != wl.Namespace || o.TemplateLabels == nil {
			continue
		}
		matches := selector.Matches(labels.Set(o.TemplateLabels))
		if o.Workload == wl && !matches {
			return selection{}
		}
		if o.Workload != wl && matches {
			caught[o.Workload] = true
		}
	}
	s.caught = slices.SortedFunc(maps.Keys(caught), compareWorkloads)
	return s
}

func compareWorkloads(a, b flow.Workload) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
}

func pick(all map[string]string, keys []string) map[string]string {
	out := make(map[string]string, len(keys))
	for _, k := range keys {
		out[k] = all[k]
	}
	return out
}

// each visits the subsets of a size in order, until visit says no.
func each(keys []string, size int, visit func([]string) bool) {
	var walk func(from int, chosen []string) bool
	walk = func(from int, chosen []string) bool {
		if len(chosen) == size {
			return visit(chosen)
		}
		for i := from; i < len(keys); i++ {
			if !walk(i+1, append(slices.Clip(chosen), keys[i])) {
				return false
			}
		}
		return true
	}
	walk(0, nil)
}
