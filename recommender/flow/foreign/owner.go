// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"strings"

	"github.com/netcinch/netcinch/recommender/flow"
)

// calicoWorkload finds out whose pods a name stands for: who knows the cluster
// says so, else the labels that Kubernetes' controllers put on their pods do.
// Without either the namespace is all that is known.
func (im *importer) calicoWorkload(e *calicoEnd) flow.Workload {
	if w := im.owner(e.namespace, e.name); w.Name != "" {
		return w
	}
	w := flow.Workload{Namespace: e.namespace}
	base := strings.TrimSuffix(e.name, "*")
	switch hash, revision, job := e.labels["pod-template-hash"], e.labels["controller-revision-hash"], jobName(e.labels); {
	case hash != "":
		if name, _, ok := strings.Cut(base, "-"+hash+"-"); ok && name != "" {
			w.Kind, w.Name = "Deployment", name
		}
	case job != "":
		w.Kind, w.Name = "Job", job
		if name, ok := cronOf(job); ok {
			w.Kind, w.Name = "CronJob", name
		}
	case revision != "":
		if name, ok := setOf(revision); ok && strings.HasPrefix(base, name+"-") {
			w.Kind, w.Name = "StatefulSet", name // its revisions carry its name, a DaemonSet's do not
		} else if i := strings.LastIndexByte(strings.TrimSuffix(base, "-"), '-'); strings.HasSuffix(e.name, "*") {
			w.Kind, w.Name = "DaemonSet", strings.TrimSuffix(base, "-")
		} else if i > 0 {
			w.Kind, w.Name = "DaemonSet", base[:i]
		}
	}
	return w
}

func jobName(labels map[string]string) string {
	if name := labels["batch.kubernetes.io/job-name"]; name != "" {
		return name
	}
	return labels["job-name"]
}

// cronOf takes off the minute that a CronJob puts behind its Jobs' names.
func cronOf(job string) (string, bool) {
	i := strings.LastIndexByte(job, '-')
	if i <= 0 || len(job)-i-1 < 8 || strings.Trim(job[i+1:], "0123456789") != "" {
		return "", false
	}
	return job[:i], true
}

// setOf takes the hash off a StatefulSet's revision.
func setOf(revision string) (string, bool) {
	i := strings.LastIndexByte(revision, '-')
	if i <= 0 {
		return "", false
	}
	return revision[:i], true
}
