// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func second(n float64) time.Time { return epoch.Add(time.Duration(n * float64(time.Second))) }

func pod(name string, started time.Time, ips ...string) cluster.Pod {
	return cluster.Pod{
		Namespace: "x", Name: name, UID: "uid-" + name, Node: "n1", IPs: addrs(ips...), Started: started,
		Workload: workload("Deployment", name),
	}
}

func snap(taken time.Time, pods ...cluster.Pod) *cluster.Snapshot {
	return &cluster.Snapshot{Taken: taken, Pods: pods, Nodes: []cluster.Node{
		{Name: "n1", Addresses: addrs("192.0.2.1", "2001:db8::1"), PodCIDRs: prefixes("10.0.0.0/24", "fd00::/64")},
	}}
}

func who(h *cluster.History, ip string, at time.Time) string {
	e, ok := h.At(netip.MustParseAddr(ip), at)
	switch {
	case !ok:
		return "outside"
	case e.Kind() == flow.KindNode:
		return "node " + e.Node
	}
	return e.Pod
}

// Both families of an address that two pods had, a second apart.
func TestAddressReuse(t *testing.T) {
	for _, ip := range []string{"10.0.0.9", "fd00::9"} {
		t.Run(ip, func(t *testing.T) {
			h := cluster.NewHistory(cluster.HistoryOptions{})
			h.Observe(snap(second(10), pod("old", second(5), ip)))
			h.Observe(snap(second(20)))
			h.Observe(snap(second(21), pod("new", second(21), ip)))
			tests := []struct {
				at   time.Time
				want string
			}{
				{second(-60), "outside"},    // long before anybody had it
				{second(4), "old"},          // clocks differ
				{second(5), "old"},          // its first moment
				{second(19.999), "old"},     //
				{second(20.5), "old"},       // lingering packets, nobody has it
				{second(20.999999), "old"},  // the last moment before the next owner
				{second(21), "new"},         //
				{second(10_000_000), "new"}, // lasts
			}
			for _, tt := range tests {
				if got := who(h, ip, tt.at); got != tt.want {
					t.Errorf("at %s: %s, want %s", tt.at, got, tt.want)
				}
			}
		})
	}
}

// A pod that was only ever seen finished owned its address while it ran.
func TestFinishedPod(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	job := pod("job", second(5), "10.0.0.9")
	job.Finished, job.Ended = true, second(6)
	next := pod("next", second(7), "10.0.0.9")
	h.Observe(snap(second(8), job, next))
	for at, want := range map[float64]string{5: "job", 6: "job", 6.9: "job", 7: "next"} {
		if got := who(h, "10.0.0.9", second(at)); got != want {
			t.Errorf("at %v: %s, want %s", at, got, want)
		}
	}
	if got := who(h, "10.0.0.9", second(5)); got != "job" {
		t.Errorf("asked again: %s", got)
	}
}

// What is not known to have begun was there before everything.
func TestUnknownStart(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	h.Observe(snap(second(100), pod("a", time.Time{}, "10.0.0.9")))
	h.Observe(snap(second(200), pod("b", time.Time{}, "10.0.0.9")))
	for at, want := range map[float64]string{-1e6: "a", 199: "a", 200: "b"} {
		if got := who(h, "10.0.0.9", second(at)); got != want {
			t.Errorf("at %v: %s, want %s", at, got, want)
		}
	}
}

// An old address is forgotten some time after its owner, not before.
func TestEnd(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{Keep: time.Hour})
	h.Observe(snap(second(0), pod("a", second(0), "10.0.0.9")))
	h.Observe(snap(second(60)))
	if got := who(h, "10.0.0.9", second(60+119)); got != "a" {
		t.Errorf("two minutes later: %s, want a", got)
	}
	if got := who(h, "10.0.0.9", second(60+121)); got != "outside" {
		t.Errorf("later: %s, want outside", got)
	}
	h.Observe(snap(second(60 + 3000)))
	if got := who(h, "10.0.0.9", second(30)); got != "a" {
		t.Errorf("within the hour that is kept: %s, want a", got)
	}
	h.Observe(snap(second(60 + 3700)))
	if got := who(h, "10.0.0.9", second(30)); got != "outside" {
		t.Errorf("after the hour that is kept: %s, want outside", got)
	}
	if _, ok := h.Pod("x", "a", ""); ok {
		t.Error("the pod is still known")
	}
}

// A pod or node that was gone and comes back is known from then on again.
func TestReturn(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	a := pod("a", second(0), "10.0.0.9")
	h.Observe(snap(second(0), a))
	h.Observe(&cluster.Snapshot{Taken: second(100)})
	h.Observe(snap(second(1000), a))
	for at, want := range map[float64]string{50: "a", 500: "outside", 1000: "a"} {
		if got := who(h, "10.0.0.9", second(at)); got != want {
			t.Errorf("pod at %v: %s, want %s", at, got, want)
		}
	}
	if got := who(h, "192.0.2.1", second(1000)); got != "node n1" {
		t.Errorf("node: %s", got)
	}
}

// A hostNetwork pod leaves the address to its node and is known by its ports.
func TestNodes(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	exporter := pod("exporter", second(0), "192.0.2.1", "2001:db8::1")
	exporter.HostNetwork = true
	exporter.Ports = []cluster.ContainerPort{{Protocol: flow.TCP, Port: 9100}}
	proxy := pod("proxy", second(0), "10.0.0.7")
	proxy.Ports = []cluster.ContainerPort{{Protocol: flow.UDP, Port: 53, HostPort: 5353}}
	h.Observe(snap(second(0), exporter, proxy))
	for ip, want := range map[string]string{
		"192.0.2.1": "node n1", "2001:db8::1": "node n1", "::ffff:192.0.2.1": "node n1", "10.0.0.7": "proxy",
		"10.0.0.1": "node n1", "fd00::1": "node n1", "10.0.0.2": "outside", "198.51.100.1": "outside",
	} {
		if got := who(h, ip, second(1)); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
	ports := []struct {
		port uint16
		p    flow.Protocol
		want string
	}{{9100, flow.TCP, "x/exporter"}, {9100, flow.UDP, "/"}, {5353, flow.UDP, "x/proxy"}, {53, flow.UDP, "/"}}
	for _, tt := range ports {
		w, _ := h.HostPort("n1", tt.port, tt.p)
		if w.String() != tt.want {
			t.Errorf("port %d/%s: %s, want %s", tt.port, tt.p, w, tt.want)
		}
	}
	if e, ok := h.Pod("x", "exporter", "uid-exporter"); !ok || e.Workload.Name != "exporter" || e.Node != "n1" {
		t.Errorf("pod exporter: %+v, %t", e, ok)
	}
	if _, ok := h.Pod("y", "exporter", "uid-exporter"); ok {
		t.Error("a pod answers to a name that is not its own")
	}
}

func TestServices(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	web := pod("web", second(0), "10.0.0.7", "fd00::7")
	web.Labels = map[string]string{"app": "web"}
	web.Ports = []cluster.ContainerPort{{Name: "http", Protocol: flow.TCP, Port: 8080}}
	s := snap(second(0), web)
	s.Services = []*corev1.Service{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "web"},
		Spec: corev1.ServiceSpec{
			ClusterIPs: []string{"10.96.0.5", "fd00:96::5"}, Selector: map[string]string{"app": "web"}, ExternalIPs: []string{"203.0.113.9"},
			Ports: []corev1.ServicePort{{Name: "w", Port: 80, TargetPort: intstr.FromString("http"), NodePort: 30080}},
		},
	}, {ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "headless"}, Spec: corev1.ServiceSpec{ClusterIP: "None", Ports: []corev1.ServicePort{{Port: 80}}}}}
	h.Observe(s)
	want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.7:8080"), netip.MustParseAddrPort("[fd00::7]:8080")}
	for addr, port := range map[string]uint16{"10.96.0.5": 80, "fd00:96::5": 80, "203.0.113.9": 80, "192.0.2.1": 30080, "2001:db8::1": 30080} {
		got, ok := h.ServiceAt(netip.MustParseAddr(addr), port, flow.TCP)
		if !ok || got.String() != "x/web:80" || !slices.Equal(got.Backends, want) {
			t.Errorf("%s:%d: %s %v %t, want x/web:80 %v", addr, port, got, got.Backends, ok, want)
		}
	}
	if got, ok := h.ServiceAt(netip.MustParseAddr("10.96.0.5"), 80, flow.UDP); ok {
		t.Errorf("over UDP: %s, want nothing", got)
	}
}

// A record learns who its ends were when its window began.
func TestAttribute(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	h.Observe(snap(second(10), pod("a", second(0), "10.0.0.9")))
	h.Observe(snap(second(30), pod("b", second(30), "10.0.0.9")))
	in := flow.Record{Window: flow.Window{Start: second(5), End: second(35)}, Edge: flow.Edge{
		Client: flow.Endpoint{IP: netip.MustParseAddr("10.0.0.9")},
		Server: flow.Endpoint{Pod: "b", Workload: flow.Workload{Namespace: "x"}},
	}}
	got := h.Attribute(in).Edge
	want := flow.Edge{
		Client: flow.Endpoint{IP: netip.MustParseAddr("10.0.0.9"), Pod: "a", Node: "n1", Workload: workload("Deployment", "a")},
		Server: flow.Endpoint{Pod: "b", Node: "n1", Workload: workload("Deployment", "b")},
	}
	if diff := cmp.Diff(want, got, comparers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in.Edge.Server = flow.Endpoint{Pod: "never", Workload: flow.Workload{Namespace: "x"}}
	if got := h.Attribute(in).Edge.Server.Workload; got != workload("Pod", "never") {
		t.Errorf("unknown pod: %+v", got)
	}
}

// Memory is bounded: the oldest ended are forgotten, and counted.
func TestBound(t *testing.T) {
	h := cluster.NewHistory(cluster.HistoryOptions{MaxSpans: 100})
	for i := range 1000 {
		at := second(float64(i))
		h.Observe(snap(at, pod(fmt.Sprint("p", i), at, fmt.Sprintf("10.0.%d.%d", 1+i/200, 2+i%200))))
	}
	if n := h.Forgotten(); n < 850 || n > 950 {
		t.Errorf("%d forgotten, want about 900", n)
	}
	if got := who(h, "10.0.5.201", second(999)); got != "p999" {
		t.Errorf("the newest is %s", got)
	}
	if _, ok := h.Pod("x", "p1", ""); ok {
		t.Error("the oldest pod is still known")
	}
}

// Property: whatever pods come and go, whoever was told to own an address when
// it was current is still told to have owned it then, after any later history.
func TestPastNeverMoves(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := cluster.NewHistory(cluster.HistoryOptions{})
		owner := map[string]string{} // address → pod, now
		start := map[string]time.Time{}
		type told struct {
			ip   string
			at   time.Time
			want string
		}
		var past []told
		for step := range 60 {
			at := second(float64(step * 10))
			for n := range 4 {
				ip := fmt.Sprintf("10.0.0.%d", 10+n)
				if r.IntN(3) == 0 {
					delete(owner, ip)
				}
				if owner[ip] == "" && r.IntN(2) == 0 {
					owner[ip] = fmt.Sprintf("p%d-%d", step, n)
					start[owner[ip]] = at.Add(-time.Duration(r.IntN(5)) * time.Second)
				}
			}
			var pods []cluster.Pod
			for ip, name := range owner {
				pods = append(pods, pod(name, start[name], ip))
				past = append(past, told{ip, at.Add(time.Second), name})
			}
			h.Observe(snap(at, pods...))
		}
		for _, p := range past {
			if got := who(h, p.ip, p.at); got != p.want {
				t.Fatalf("seed %d: %s at %s: %s, want %s", seed, p.ip, p.at, got, p.want)
			}
		}
	}
}

func BenchmarkAt(b *testing.B) {
	h := cluster.NewHistory(cluster.HistoryOptions{})
	var pods []cluster.Pod
	for i := range 20_000 {
		pods = append(pods, pod(fmt.Sprint("p", i), second(0), fmt.Sprintf("10.%d.%d.%d", 1+i/62500, i/250%250, 2+i%250)))
	}
	h.Observe(snap(second(1), pods...))
	addr := netip.MustParseAddr("10.1.40.20")
	for b.Loop() {
		h.At(addr, second(2))
	}
}
