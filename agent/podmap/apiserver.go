// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// APIServer is a source of pods: a watch on the pods that are bound to this
// node.
type APIServer struct {
	pods   cache.ListerWatcher
	node   string
	logger *slog.Logger
	fails  atomic.Uint64
	last   atomic.Pointer[string] // the watch's problem, logged once while it lasts
	odd    map[string]string      // pods that cannot be understood, by name: why, logged once
}

// NewAPIServer makes a source; nothing is asked before Watch. It speaks of pods
// alone: the whole clientset would double the agent.
func NewAPIServer(config *rest.Config, node string, logger *slog.Logger) (*APIServer, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("preparing the API server's client: %w", err)
	}
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the API server's client: %w", err)
	}
	pods := cache.NewListWatchFromClient(client, "pods", metav1.NamespaceAll, fields.OneTermEqualSelector("spec.nodeName", node))
	return &APIServer{pods: pods, node: node, logger: logger, odd: make(map[string]string)}, nil
}

// Failures counts watches that broke and objects that could not be understood.
func (a *APIServer) Failures() uint64 { return a.fails.Load() }

// Watch lists the node's pods and follows their changes. While the API server
// cannot be reached, what was known stays.
func (a *APIServer) Watch(ctx context.Context, update func([]Pod)) error {
	informer := cache.NewSharedIndexInformer(a.pods, &corev1.Pod{}, 0, nil)
	if err := errors.Join(informer.SetWatchErrorHandlerWithContext(a.failed), informer.SetTransform(trim)); err != nil {
		return fmt.Errorf("watching the node's pods: %w", err)
	}
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default: // a change is already waiting to be looked at
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, UpdateFunc: func(_, _ any) { poke() }, DeleteFunc: func(any) { poke() },
	})
	if err != nil {
		return fmt.Errorf("watching the node's pods: %w", err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { informer.RunWithContext(ctx) })
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil // stopped before the API server answered
	}
	poke() // also where there are no pods
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			update(a.known(informer.GetStore()))
		}
	}
}

func (a *APIServer) known(store cache.Store) []Pod {
	a.last.Store(nil)
	odd := make(map[string]string)
	var pods []Pod
	for _, object := range store.List() {
		p, ok := object.(*corev1.Pod)
		if !ok || (p.Spec.NodeName != "" && p.Spec.NodeName != a.node) {
			continue
		}
		pod, err := podOf(p)
		if err == nil {
			pods = append(pods, pod)
			continue
		}
		key := p.Namespace + "/" + p.Name
		odd[key] = err.Error()
		if a.odd[key] != odd[key] {
			a.fails.Add(1)
			a.logger.Error("a pod of the API server cannot be understood and is passed over", slog.Any("error", err))
		}
	}
	a.odd = odd
	return pods
}

// failed logs a problem of the watch once while it lasts.
func (a *APIServer) failed(ctx context.Context, _ *cache.Reflector, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	a.fails.Add(1)
	text := err.Error()
	if last := a.last.Swap(&text); last != nil && *last == text {
		return
	}
	a.logger.WarnContext(ctx, "the node's pods cannot be watched; what was known stays, and it is tried again", slog.Any("error", err))
}

// trim keeps of a pod only what [podOf] reads, for the memory's sake.
func trim(object any) (any, error) {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	t := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion, CreationTimestamp: p.CreationTimestamp,
		},
		Spec: corev1.PodSpec{
			NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
			Containers: trimContainers(p.Spec.Containers), InitContainers: trimContainers(p.Spec.InitContainers),
		},
		Status: corev1.PodStatus{
			Phase: p.Status.Phase, PodIP: p.Status.PodIP, PodIPs: p.Status.PodIPs, StartTime: p.Status.StartTime,
			InitContainerStatuses: trimStatuses(p.Status.InitContainerStatuses), ContainerStatuses: trimStatuses(p.Status.ContainerStatuses),
			EphemeralContainerStatuses: trimStatuses(p.Status.EphemeralContainerStatuses),
		},
	}
	if hash, static := p.Annotations[staticPodHash]; static {
		t.Annotations = map[string]string{staticPodHash: hash}
	}
	return t, nil
}
