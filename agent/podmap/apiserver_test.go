// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

func object(name, node string, addresses ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid", Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c"}}},
	}
	for _, a := range addresses {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: a})
	}
	return p
}

// waitFor reads reports until one is right.
func waitFor(t *testing.T, reports <-chan []Pod, right func([]Pod) bool) {
	t.Helper()
	for {
		select {
		case p := <-reports:
			if right(p) {
				return
			}
		case <-t.Context().Done():
			t.Fatal("the report did not come")
		}
	}
}

func TestAPIServerFollowsTheNodesPods(t *testing.T) {
	client := fake.NewClientset(object("cart", "n1", "10.1.0.5", "fd00::5"), object("far", "n2", "10.2.0.5"))
	var selector string
	var mu sync.Mutex
	refuse := true
	client.PrependReactor("list", "pods", func(a k8stesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		if l, ok := a.(k8stesting.ListAction); ok {
			selector = l.GetListRestrictions().Fields.String()
		}
		if refuse {
			refuse = false
			return true, nil, errors.New("the API server is away")
		}
		return false, nil, nil
	})
	var log bytes.Buffer
	source := NewAPIServer(client, "n1", slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan []Pod, 100)
	done := make(chan error, 1)
	go func() { done <- source.Watch(ctx, func(p []Pod) { reports <- p }) }()

	waitFor(t, reports, func(p []Pod) bool { return len(p) == 1 && p[0].Name == "cart" && len(p[0].Addresses) == 2 })
	pods := client.CoreV1().Pods("shop")
	if _, err := pods.Create(ctx, object("db", "n1", "10.1.0.6"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, reports, func(p []Pod) bool { return len(p) == 2 })
	if _, err := pods.Create(ctx, object("odd", "n1", "no address"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := pods.Delete(ctx, "cart", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, reports, func(p []Pod) bool { return len(p) == 1 && p[0].Name == "db" })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if selector != "spec.nodeName=n1" {
		t.Errorf("listed with %q, want only this node's pods", selector)
	}
	if source.Failures() == 0 || !bytes.Contains(log.Bytes(), []byte("the API server is away")) {
		t.Errorf("%d failures counted, log: %s", source.Failures(), &log)
	}
	if !bytes.Contains(log.Bytes(), []byte("shop/odd: status.podIPs[0]")) {
		t.Errorf("the pod that cannot be understood is not named: %s", &log)
	}
}

func TestTrimKeepsWhatIsRead(t *testing.T) {
	p := object("cart", "n1", "10.1.0.5")
	trimmed, err := trim(p)
	if err != nil {
		t.Fatal(err)
	}
	small, ok := trimmed.(*corev1.Pod)
	if !ok || small.Labels != nil || small.Spec.Containers != nil {
		t.Errorf("kept too much: %+v", trimmed)
	}
	want, _ := podOf(p)
	if got, err := podOf(small); err != nil || got.Name != want.Name || got.Node != "n1" || got.UID != "uid" || len(got.Addresses) != 1 {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
