// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakediscovery "k8s.io/client-go/discovery/fake"
	fakedynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/live"
)

var (
	calicoGVR = schema.GroupVersionResource{Group: "projectcalico.org", Version: "v3", Resource: "globalnetworkpolicies"}
	storedGVR = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "globalnetworkpolicies"}
	wideGVR   = schema.GroupVersionResource{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies"}
)

// world is an API server of fakes.
type world struct {
	core    *fake.Clientset
	dynamic *fakedynamic.FakeDynamicClient
	served  atomic.Pointer[[]*metav1.APIResourceList]
}

func newWorld(objects ...runtime.Object) *world {
	w := &world{core: fake.NewClientset(objects...)}
	w.dynamic = fakedynamic.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		calicoGVR: "GlobalNetworkPolicyList", storedGVR: "GlobalNetworkPolicyList", wideGVR: "AdminNetworkPolicyList",
	})
	w.serve()
	return w
}

// serve says which optional kinds the API server has.
func (w *world) serve(kinds ...schema.GroupVersionResource) {
	var lists []*metav1.APIResourceList
	for _, gvr := range kinds {
		kind := map[string]string{"globalnetworkpolicies": "GlobalNetworkPolicy", "adminnetworkpolicies": "AdminNetworkPolicy"}[gvr.Resource]
		lists = append(lists, &metav1.APIResourceList{GroupVersion: gvr.GroupVersion().String(), APIResources: []metav1.APIResource{
			{Name: gvr.Resource, Kind: kind}, {Name: gvr.Resource + "/status", Kind: kind}, {Name: "ippools", Kind: "IPPool"},
		}})
	}
	w.served.Store(&lists)
}

// discovery answers from what is served at the moment.
type discovery struct {
	*fakediscovery.FakeDiscovery
	w *world
}

func (d discovery) ServerResourcesForGroupVersion(gv string) (*metav1.APIResourceList, error) {
	for _, list := range *d.w.served.Load() {
		if list.GroupVersion == gv {
			return list, nil
		}
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: gv}, "")
}

func (w *world) start(t *testing.T) *live.Feed {
	t.Helper()
	f, err := live.StartWith(t.Context(), live.Clients{
		Core: w.core, Dynamic: w.dynamic, Discovery: discovery{w.core.Discovery().(*fakediscovery.FakeDiscovery), w},
	}, live.Options{Debounce: time.Millisecond, Rediscover: 10 * time.Millisecond, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// eventually waits for a snapshot that is as wanted; changes wake it.
func eventually(t *testing.T, f *live.Feed, what string, ok func(*cluster.Snapshot) bool) *cluster.Snapshot {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if s := f.Snapshot(); ok(s) {
			return s
		}
		select {
		case <-f.Changes():
		case <-deadline:
			s := f.Snapshot()
			t.Fatalf("never saw %s; policies %v, pods %d, problems %+v", what, names(s), len(s.Pods), s.Problems)
		}
	}
}

func names(s *cluster.Snapshot) string {
	var list []string
	for _, p := range s.Policies {
		list = append(list, p.Ref.APIVersion+" "+p.Ref.String())
	}
	return strings.Join(list, ", ")
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "x", Name: name} }

func owned(name, kind, owner string) metav1.ObjectMeta {
	m := meta(name)
	yes := true
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, Controller: &yes}}
	return m
}

func pod(name, ip string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: owned(name, "ReplicaSet", "web-1"),
		Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Image: "big", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}}}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: ip}}},
	}
}

// The first snapshot has everything; what comes, changes and goes follows.
func TestFeed(t *testing.T) {
	policy := &networkingv1.NetworkPolicy{ObjectMeta: meta("p"), Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}}
	policy.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	policy.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
	w := newWorld(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"a": "b"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Address: "2001:db8::1"}}}},
		&appsv1.Deployment{ObjectMeta: meta("web")},
		&appsv1.ReplicaSet{ObjectMeta: owned("web-1", "Deployment", "web")},
		pod("web-1-a", "10.0.0.1"), pod("web-1-b", "fd00::1"), policy,
	)
	f := w.start(t)
	s := f.Snapshot()
	if len(s.Namespaces) != 1 || s.Namespaces[0].Labels["a"] != "b" || len(s.Nodes) != 1 || len(s.Pods) != 2 || len(s.Problems) != 0 {
		t.Fatalf("first snapshot: %+v", s)
	}
	for i, want := range []string{"10.0.0.1", "fd00::1"} {
		p := s.Pods[i]
		if p.IPs[0] != netip.MustParseAddr(want) || p.Workload.Kind != "Deployment" || p.Workload.Name != "web" || p.Ports[0].Name != "http" {
			t.Errorf("pod %+v", p)
		}
	}
	const text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: x\nspec:\n  ingress:\n  - {}\n  podSelector: {}\n"
	o := s.Policies[0]
	if got := string(o.Source.YAML); got != text || o.Source.Line != 1 {
		t.Errorf("manifest:\n%s\nwant:\n%s", got, text)
	}
	if types := o.Typed.(*networkingv1.NetworkPolicy).Spec.PolicyTypes; len(types) != 1 || types[0] != networkingv1.PolicyTypeIngress {
		t.Errorf("types %v, want the default", types)
	}

	if _, err := w.core.CoreV1().Pods("x").Create(t.Context(), pod("web-1-c", "10.0.0.3"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, f, "the third pod", func(s *cluster.Snapshot) bool { return len(s.Pods) == 3 })
	if err := w.core.CoreV1().Pods("x").Delete(t.Context(), "web-1-a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s = eventually(t, f, "the first pod finished", func(s *cluster.Snapshot) bool { return s.Pods[0].Finished })
	if s.Pods[0].Name != "web-1-a" || s.Pods[0].Ended.IsZero() || s.Pods[1].Finished {
		t.Errorf("pods %+v", s.Pods)
	}
	if err := w.core.NetworkingV1().NetworkPolicies("x").Delete(t.Context(), "p", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, f, "no policy", func(s *cluster.Snapshot) bool { return len(s.Policies) == 0 })
}

func object(gvr schema.GroupVersionResource, kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gvr.GroupVersion().String(), "kind": kind, "metadata": map[string]any{"name": name, "resourceVersion": "1"}, "spec": spec,
	}}
}

func (w *world) create(t *testing.T, gvr schema.GroupVersionResource, kind, name string, spec map[string]any) {
	t.Helper()
	if _, err := w.dynamic.Resource(gvr).Create(t.Context(), object(gvr, kind, name, spec), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Calico and the cluster-wide kinds come and go while the feed runs; of
// Calico's two groups one is read.
func TestOptionalKinds(t *testing.T) {
	w := newWorld()
	w.create(t, storedGVR, "GlobalNetworkPolicy", "g", map[string]any{"ingress": []any{map[string]any{"action": "Allow"}}})
	w.create(t, calicoGVR, "GlobalNetworkPolicy", "g", map[string]any{"ingress": []any{map[string]any{"action": "Allow"}}})
	w.create(t, wideGVR, "AdminNetworkPolicy", "a", map[string]any{"priority": int64(1), "subject": map[string]any{"namespaces": map[string]any{}}})
	f := w.start(t)
	if got := names(f.Snapshot()); got != "" {
		t.Fatalf("policies %s before any kind is served", got)
	}
	stories := []struct {
		served []schema.GroupVersionResource
		want   string
	}{
		{[]schema.GroupVersionResource{storedGVR}, "crd.projectcalico.org/v1 GlobalNetworkPolicy g"},
		{[]schema.GroupVersionResource{storedGVR, calicoGVR}, "projectcalico.org/v3 GlobalNetworkPolicy g"},
		{[]schema.GroupVersionResource{calicoGVR, wideGVR}, "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy a, projectcalico.org/v3 GlobalNetworkPolicy g"},
		{[]schema.GroupVersionResource{wideGVR}, "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy a"},
		{nil, ""},
	}
	for _, story := range stories {
		w.serve(story.served...)
		eventually(t, f, story.want, func(s *cluster.Snapshot) bool { return names(s) == story.want })
	}
}

// An object that is not understood is a problem that names it; others stay.
func TestNotUnderstood(t *testing.T) {
	w := newWorld()
	w.serve(calicoGVR)
	w.create(t, calicoGVR, "GlobalNetworkPolicy", "bad", map[string]any{"ingres": []any{}})
	w.create(t, calicoGVR, "GlobalNetworkPolicy", "good", map[string]any{})
	s := eventually(t, w.start(t), "one policy and one problem", func(s *cluster.Snapshot) bool { return len(s.Problems) == 1 && len(s.Policies) == 1 })
	p := s.Problems[0]
	if p.Field != "spec.ingres" || p.Ref.Name != "bad" || !strings.Contains(p.Message, `meant "ingress"?`) || s.Policies[0].Ref.Name != "good" {
		t.Errorf("problem %+v", p)
	}
}

func (w *world) forbid(resource string) {
	w.core.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
	})
}

// Rights that are missing: an error where nothing works without, else a problem.
func TestForbidden(t *testing.T) {
	w := newWorld(pod("a", "10.0.0.1"))
	w.forbid("cronjobs")
	s := w.start(t).Snapshot()
	if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "grant get, list and watch on cronjobs.batch") || len(s.Pods) != 1 {
		t.Errorf("problems %+v, %d pods", s.Problems, len(s.Pods))
	}
	w = newWorld()
	w.forbid("pods")
	_, err := live.StartWith(t.Context(), live.Clients{Core: w.core, Dynamic: w.dynamic, Discovery: discovery{nil, w}}, live.Options{Clock: time.Now})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "grant get, list and watch on pods") {
		t.Errorf("error %v", err)
	}
}

// A start that is called off says what it was waiting for.
func TestCalledOff(t *testing.T) {
	w := newWorld()
	w.core.PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("not today")
	})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("enough"))
	defer cancel()
	_, err := live.StartWith(ctx, live.Clients{Core: w.core, Dynamic: w.dynamic, Discovery: discovery{nil, w}}, live.Options{Clock: time.Now})
	if err == nil || !strings.Contains(err.Error(), "enough") || !strings.Contains(err.Error(), "nodes: ") {
		t.Errorf("error %v", err)
	}
}
