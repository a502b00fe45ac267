// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// party is a workload that an event can be about.
type party struct{ namespace, kind, name string }

func partyOf(p *analyze.Party) *party {
	if p == nil || p.Kind != analyze.PartyWorkload || p.Namespace == "" {
		return nil
	}
	return &party{p.Namespace, p.WorkloadKind, p.Name}
}

// versions are the API versions of the kinds of workload.
var versions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
	"Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1",
}

func (p *party) reference() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: versions[p.kind], Kind: p.kind, Namespace: p.namespace, Name: p.name}
}

// complete finds the identity of an object, by which kubectl describe finds the
// events about it. Without it (the object is gone, or may not be read) the
// event names the object all the same.
func complete(ctx context.Context, c kubernetes.Interface, r *corev1.ObjectReference) {
	var object metav1.Object
	var err error
	o := metav1.GetOptions{}
	switch r.Kind {
	case "Deployment":
		object, err = c.AppsV1().Deployments(r.Namespace).Get(ctx, r.Name, o)
	case "StatefulSet":
		object, err = c.AppsV1().StatefulSets(r.Namespace).Get(ctx, r.Name, o)
	case "DaemonSet":
		object, err = c.AppsV1().DaemonSets(r.Namespace).Get(ctx, r.Name, o)
	case "ReplicaSet":
		object, err = c.AppsV1().ReplicaSets(r.Namespace).Get(ctx, r.Name, o)
	case "Job":
		object, err = c.BatchV1().Jobs(r.Namespace).Get(ctx, r.Name, o)
	case "CronJob":
		object, err = c.BatchV1().CronJobs(r.Namespace).Get(ctx, r.Name, o)
	case "Pod":
		object, err = c.CoreV1().Pods(r.Namespace).Get(ctx, r.Name, o)
	case "Node":
		r.UID = types.UID(r.Name) // as the kubelet does
		return
	default:
		return
	}
	if err == nil {
		r.UID = object.GetUID()
	}
}

func seconds2wait(seconds int) time.Duration {
	return min(maxWait, time.Duration(seconds)*time.Second)
}
