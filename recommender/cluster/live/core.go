// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// kind is one kind that is watched through an informer.
type kind struct {
	apiVersion string
	name       string
	resource   string // as RBAC names it
	needed     bool   // nothing works without it
	informer   cache.SharedIndexInformer

	clock func() time.Time

	mu      sync.Mutex
	failure error // of the last list or watch
	since   time.Time
}

// failureLasts is for how long a failure counts without being repeated: a
// watch that works again does not say so, one that fails tries at least every
// minute.
const failureLasts = 2 * time.Minute

// fail notes a failure; nil says that it works again.
func (k *kind) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failure, k.since = err, k.clock()
}

func (k *kind) failed() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clock().Sub(k.since) > failureLasts {
		return nil
	}
	return k.failure
}

// refused says whether waiting cannot help: somebody has to grant a right.
func (k *kind) refused() bool {
	err := k.failed()
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// settled: it was read, or will not be without help.
func (k *kind) settled() bool { return k.informer.HasSynced() || k.refused() }

func (k *kind) problem() (cluster.Problem, bool) {
	err := k.failed()
	switch {
	case err == nil, apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return cluster.Problem{}, false
	case k.refused():
		err = fmt.Errorf("%w; grant get, list and watch on %s", err, k.resource)
	}
	ref := cluster.Ref{APIVersion: k.apiVersion, Kind: k.name}
	return cluster.Problem{Ref: ref, Message: fmt.Sprintf("reading %s from the API server: %v; what was read before is used", k.resource, err)}, true
}

// core watches the kinds that every API server has.
type core struct {
	factory informers.SharedInformerFactory
	kinds   []*kind
	pods    *kind
	gone    graves
	render  *renderer
	clock   func() time.Time
}

// deletedPodsKeep is for how long a deleted pod is still told of, as finished:
// one that lived between two snapshots would never have been in any.
const deletedPodsKeep = 30 * time.Second

func newCore(client kubernetes.Interface, o Options, touch func()) *core {
	f := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	c := &core{factory: f, render: newRenderer(), clock: o.Clock, gone: graves{pods: map[string]grave{}}}
	add := func(apiVersion, name, resource string, needed bool, informer cache.SharedIndexInformer) *kind {
		k := &kind{apiVersion: apiVersion, name: name, resource: resource, needed: needed, informer: informer, clock: o.Clock}
		c.kinds = append(c.kinds, k)
		return k
	}
	add("v1", "Namespace", "namespaces", true, f.Core().V1().Namespaces().Informer())
	add("v1", "Node", "nodes", true, f.Core().V1().Nodes().Informer())
	c.pods = add("v1", "Pod", "pods", true, f.Core().V1().Pods().Informer())
	add("v1", "Service", "services", true, f.Core().V1().Services().Informer())
	add("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies.networking.k8s.io", true, f.Networking().V1().NetworkPolicies().Informer())
	add("v1", "ServiceAccount", "serviceaccounts", false, f.Core().V1().ServiceAccounts().Informer())
	add("v1", "ReplicationController", "replicationcontrollers", false, f.Core().V1().ReplicationControllers().Informer())
	add("apps/v1", "Deployment", "deployments.apps", false, f.Apps().V1().Deployments().Informer())
	add("apps/v1", "ReplicaSet", "replicasets.apps", false, f.Apps().V1().ReplicaSets().Informer())
	add("apps/v1", "StatefulSet", "statefulsets.apps", false, f.Apps().V1().StatefulSets().Informer())
	add("apps/v1", "DaemonSet", "daemonsets.apps", false, f.Apps().V1().DaemonSets().Informer())
	add("batch/v1", "Job", "jobs.batch", false, f.Batch().V1().Jobs().Informer())
	add("batch/v1", "CronJob", "cronjobs.batch", false, f.Batch().V1().CronJobs().Informer())
	add("discovery.k8s.io/v1", "EndpointSlice", "endpointslices.discovery.k8s.io", false, f.Discovery().V1().EndpointSlices().Informer())
	for _, k := range c.kinds {
		follow(k, o, touch)
	}
	follow := cache.ResourceEventHandlerFuncs{DeleteFunc: c.bury}
	if _, err := c.pods.informer.AddEventHandler(follow); err != nil {
		o.Log.Error("following deleted pods failed", "error", err)
	}
	return c
}

// follow hears of changes and failures of a kind. Errors of the two calls mean
// that the informer runs already, which a programme error alone could cause.
func follow(k *kind, o Options, touch func()) {
	err := k.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		k.fail(err)
		o.Log.WarnContext(ctx, "watch failed", "resource", k.resource, "error", err)
		touch()
	})
	_, handlerErr := k.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { k.fail(nil); touch() },
		UpdateFunc: func(any, any) { k.fail(nil); touch() },
		DeleteFunc: func(any) { k.fail(nil); touch() },
	})
	if err = errors.Join(err, handlerErr); err != nil {
		k.fail(err)
		o.Log.Error("following a kind failed", "resource", k.resource, "error", err)
	}
}

func (c *core) start(ctx context.Context) { c.factory.StartWithContext(ctx) }

func (c *core) stop() { c.factory.Shutdown() }

// syncPoll is how often wait looks; informers tell of their sync by polling only.
const syncPoll = 50 * time.Millisecond

// wait returns when every kind was read or refused. A needed kind that is
// refused is an error.
func (c *core) wait(ctx context.Context) error {
	for !allSettled(c.kinds) {
		if !pause(ctx, syncPoll) {
			return fmt.Errorf("reading the cluster: %w%s", context.Cause(ctx), pending(c.kinds))
		}
	}
	for _, k := range c.kinds {
		if k.needed && k.refused() {
			return fmt.Errorf("reading %s: %w; grant get, list and watch on %s", k.resource, k.failed(), k.resource)
		}
	}
	return nil
}

func allSettled(kinds []*kind) bool {
	for _, k := range kinds {
		if !k.settled() {
			return false
		}
	}
	return true
}

func anyFailed(kinds []*kind) bool {
	for _, k := range kinds {
		k.mu.Lock()
		failed := k.failure != nil
		k.mu.Unlock()
		if failed {
			return true
		}
	}
	return false
}

func pending(kinds []*kind) string {
	for _, k := range kinds {
		if err := k.failed(); err != nil && !k.settled() {
			return fmt.Sprintf(" (%s: %v)", k.resource, err)
		}
	}
	return ""
}

func (c *core) bury(object any) {
	if d, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = d.Obj
	}
	if pod, ok := object.(*corev1.Pod); ok {
		c.gone.add(pod, c.clock())
	}
}

// items gives what is in the caches as items of a snapshot.
func (c *core) items() ([]cluster.Item, []cluster.Problem) {
	var items []cluster.Item
	var problems []cluster.Problem
	policies := map[cluster.Ref]bool{}
	for _, k := range c.kinds {
		if p, bad := k.problem(); bad {
			problems = append(problems, p)
		}
		for _, object := range k.informer.GetStore().List() {
			typed, ok := object.(cluster.Typed)
			if !ok {
				continue
			}
			item := cluster.Item{
				Ref:    cluster.Ref{APIVersion: k.apiVersion, Kind: k.name, Namespace: typed.GetNamespace(), Name: typed.GetName()},
				Object: typed,
			}
			if policy, ok := typed.(*networkingv1.NetworkPolicy); ok {
				policies[item.Ref] = true
				item = c.render.policy(item, policy)
			}
			items = append(items, item)
		}
	}
	c.render.keep(policies)
	return append(items, c.gone.items(c.pods.informer.GetStore(), c.clock())...), problems
}
