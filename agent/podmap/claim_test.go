// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"testing"
	"time"
)

// Two pods of one address within a second, both gone when they are reported:
// by address neither is likelier, by their processes each has its own.
func TestProcessesTellPodsOfOneAddressApart(t *testing.T) {
	for _, address := range []string{"10.1.0.5", "fd00::5"} {
		reuse := func(claim bool) *world {
			w := newWorld()
			w.attach(1, address)
			w.after(200 * time.Millisecond)
			w.Detach(1)
			w.after(200 * time.Millisecond)
			w.attach(2, address)
			if claim {
				w.Claim(1, "uid-a")
				w.Claim(2, "uid-b")
				w.Claim(2, "uid-a") // the first one holds
			}
			w.after(200 * time.Millisecond)
			w.Detach(2)
			w.after(time.Second)
			a, b := pod("a", address).over(noon.Add(time.Second)), pod("b", address).over(noon.Add(time.Second))
			a.Started, b.Started = noon, noon
			w.report(a, b)
			return w
		}
		w := reuse(false)
		wantName(t, w, 1, "")
		wantName(t, w, 2, "")
		w = reuse(true)
		wantName(t, w, 1, "a")
		wantName(t, w, 2, "b")
	}
}

// A slot whose processes are of a pod that is not reported yet takes no other.
func TestClaimWaitsForItsPod(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.Claim(1, "uid-b")
	w.report(pod("a", "10.1.0.5"))
	w.after(time.Minute)
	wantName(t, w, 1, "")
	w.report(pod("a", "10.1.0.5"), pod("b", "10.1.0.5"))
	wantName(t, w, 1, "b")
}

// An address that named the wrong pod is corrected, and counted.
func TestClaimSettlesADispute(t *testing.T) {
	w := newWorld()
	w.attach(1, "10.1.0.5")
	w.report(pod("a", "10.1.0.5"), pod("b", "10.1.0.6"))
	wantName(t, w, 1, "a")
	w.Claim(1, "uid-b")
	wantName(t, w, 1, "b")
	if got := w.State().Disputed; got != 1 {
		t.Errorf("%d disputes, want 1", got)
	}
}

// The kubelet calls a static pod by its hash, the API server its mirror by
// another UID.
func TestClaimByHash(t *testing.T) {
	w := newWorld()
	p := pod("static", "10.1.0.5")
	p.Hash = "0123456789abcdef0123456789abcdef"
	w.report(p)
	w.attach(1)
	w.Claim(1, p.Hash)
	wantName(t, w, 1, "static")
	w.report(Pod{Namespace: "kube-system", Name: "etcd", UID: "uid-etcd", Hash: "feed", HostNetwork: true})
	if got, ok := w.ByUID("feed"); !ok || got.Name != "etcd" {
		t.Errorf("by hash: %v %v", got, ok)
	}
}
