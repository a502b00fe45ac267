// SPDX-License-Identifier: Apache-2.0

package live

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// graves holds pods that were deleted a short while ago.
type graves struct {
	mu   sync.Mutex
	pods map[string]grave // by namespace/name; bounded by deletedPodsKeep
}

type grave struct {
	pod  *corev1.Pod
	died time.Time
}

func (g *graves) add(pod *corev1.Pod, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pod = pod.DeepCopy()
	if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		pod.Status.Phase = corev1.PodSucceeded
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(now)}},
		}}
	}
	g.pods[pod.Namespace+"/"+pod.Name] = grave{pod: pod, died: now}
}

// items gives those whose names are not taken again.
func (g *graves) items(living cache.Store, now time.Time) []cluster.Item {
	g.mu.Lock()
	defer g.mu.Unlock()
	var items []cluster.Item
	for key, one := range g.pods {
		if now.Sub(one.died) > deletedPodsKeep {
			delete(g.pods, key)
			continue
		}
		if _, again, err := living.GetByKey(key); err == nil && !again {
			items = append(items, cluster.Item{
				Ref:    cluster.Ref{APIVersion: "v1", Kind: "Pod", Namespace: one.pod.Namespace, Name: one.pod.Name},
				Object: one.pod,
			})
		}
	}
	return items
}
