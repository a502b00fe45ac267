// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// bigCluster makes 10,000 pods in namespaces of 100, ten workloads of ten in each, and
// policies spread over the workloads: peers of the own namespace, of others and
// address blocks of both families, with ports, ranges and names.
func bigCluster(policies int) *cluster.Snapshot { return clusterOf(10_000, policies) }

func clusterOf(pods, policies int) *cluster.Snapshot {
	s := &cluster.Snapshot{}
	for i := range 50 {
		s.Nodes = append(s.Nodes, cluster.Node{Name: fmt.Sprint("n", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, 1, byte(i + 1)})}})
	}
	for i := range pods {
		ns := fmt.Sprintf("ns%04d", i/100)
		if i%100 == 0 {
			s.Namespaces = append(s.Namespaces, cluster.Namespace{Name: ns, Labels: map[string]string{"team": fmt.Sprint("t", i/100%17)}})
		}
		app := fmt.Sprint("app", i%10)
		s.Pods = append(s.Pods, cluster.Pod{
			Namespace: ns, Name: fmt.Sprintf("%s-%05d", app, i), Node: fmt.Sprint("n", i%50), ServiceAccount: "default",
			Labels: map[string]string{"app": app, "tier": fmt.Sprint("tier", i%3), "pod-template-hash": fmt.Sprint(i / 10)},
			IPs: []netip.Addr{
				netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
				netip.AddrFrom16([16]byte{0xfd, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}),
			},
			Ports: []cluster.ContainerPort{{Name: "http", Protocol: flow.TCP, Port: 8080}},
		})
	}
	r := rand.New(rand.NewPCG(7, 7))
	for i := range policies {
		s.Policies = append(s.Policies, bigPolicy(r, i, len(s.Namespaces)))
	}
	return s
}

func bigPolicy(r *rand.Rand, i, namespaces int) cluster.Object {
	app := func(n int) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint("app", n)}}
	}
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("ns%04d", i%namespaces), Name: fmt.Sprintf("p%05d", i)}}
	np.Spec.PodSelector = *app(i / namespaces % 10)
	port := intstr.FromInt32(int32(80 + r.IntN(50)))
	name := intstr.FromString("http")
	peers := []networkingv1.NetworkPolicyPeer{
		{PodSelector: app(r.IntN(10))},
		{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint("t", r.IntN(17))}}, PodSelector: app(r.IntN(10))},
		{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("203.0.%d.0/24", r.IntN(256)), Except: []string{}}},
		{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("2001:db8:%x::/48", r.IntN(4096))}},
	}
	np.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: peers, Ports: []networkingv1.NetworkPolicyPort{{Port: &port}, {Port: &name}}}}
	if i%2 == 0 {
		np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: peers, Ports: []networkingv1.NetworkPolicyPort{{Port: &port}}}, {To: peers[:1]}}
	}
	return cluster.Object{Ref: cluster.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: np.Namespace, Name: np.Name}, Typed: np}
}

// bigEdges picks connections, half of them within a namespace.
func bigEdges(s *cluster.Snapshot, n int) []Connection {
	r := rand.New(rand.NewPCG(8, 8))
	out := make([]Connection, n)
	for i := range out {
		from := r.IntN(len(s.Pods))
		to := r.IntN(len(s.Pods))
		if i%2 == 0 {
			to = from/100*100 + r.IntN(100)
		}
		out[i] = Connection{From: Peer{Pod: &s.Pods[from]}, To: Peer{Pod: &s.Pods[to]}, Protocol: flow.TCP, Port: uint16(80 + r.IntN(50)), ICMPType: -1, ICMPCode: -1}
		if i%10 == 0 {
			out[i].From = Peer{Addr: netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(256)), 9})}
		}
	}
	return out
}

func BenchmarkAllowed(b *testing.B) {
	s := bigCluster(10_000)
	e := compileClean(b, s, Options{})
	edges := bigEdges(s, 200_000)
	for i := range edges { // make the tables first
		e.Allowed(edges[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e.Allowed(edges[i%len(edges)])
		i++
	}
}

func BenchmarkCheck(b *testing.B) {
	s := bigCluster(10_000)
	e := compileClean(b, s, Options{})
	edges := bigEdges(s, 200_000)
	for i := range edges { // make the tables first
		e.Allowed(edges[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e.Check(edges[i%len(edges)])
		i++
	}
}

// BenchmarkCluster is the whole: 10,000 policies over 10,000 pods compiled and
// 200,000 edges evaluated, with the most memory that the process ever had.
func BenchmarkCluster(b *testing.B) {
	s := bigCluster(10_000)
	edges := bigEdges(s, 200_000)
	b.ReportAllocs()
	for b.Loop() {
		before := cpuSeconds(b)
		e := compileClean(b, s, Options{})
		b.ReportMetric(cpuSeconds(b)-before, "compile-cpu-s")
		allowed := 0
		for i := range edges {
			if egress, ingress := e.Allowed(edges[i]); egress && ingress {
				allowed++
			}
		}
		b.ReportMetric(cpuSeconds(b)-before, "cpu-s")
		b.ReportMetric(float64(allowed)/float64(len(edges)), "allowed/edge")
		b.ReportMetric(float64(usage(b).Maxrss)/(1<<10), "MiB-RSS")
	}
}

// BenchmarkGrowth does the same at three sizes: the time of an edge, compilation
// in it, and that time by the logarithm of the number of policies.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1_000, 3_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := clusterOf(n, n)
			edges := bigEdges(s, 20*n)
			before, rounds := cpuSeconds(b), 0.0
			for b.Loop() {
				rounds++
				e := compileClean(b, s, Options{})
				for i := range edges {
					e.Allowed(edges[i])
				}
			}
			edge := (cpuSeconds(b) - before) / rounds / float64(len(edges)) * 1e9
			b.ReportMetric(edge, "cpu-ns/edge")
			b.ReportMetric(edge/math.Log2(float64(n)), "cpu-ns/edge/log2(policies)")
		})
	}
}

// cpuSeconds is the processor time that the process has used, which a busy
// machine does not stretch.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	u := usage(b)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func usage(b *testing.B) (u unix.Rusage) {
	b.Helper()
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// BenchmarkPolicies shows how the cost of an edge grows with policies.
func BenchmarkPolicies(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := bigCluster(n)
			e := compileClean(b, s, Options{})
			edges := bigEdges(s, 100_000)
			for i := range edges { // make the tables first
				e.Allowed(edges[i])
			}
			i := 0
			for b.Loop() {
				e.Allowed(edges[i%len(edges)])
				i++
			}
		})
	}
}

// BenchmarkEdit changes one of 10,000 policies: the edit, 200,000 edges judged
// again, and the exact difference of the two.
func BenchmarkEdit(b *testing.B) {
	s := bigCluster(10_000)
	edges := bigEdges(s, 200_000)
	old := compileClean(b, s, Options{})
	for i := range edges {
		old.Allowed(edges[i])
	}
	edit := Edit{Put: []cluster.Object{bigPolicy(rand.New(rand.NewPCG(1, 1)), 77, 100)}}
	var took [3]float64
	rounds := 0.0
	for b.Loop() {
		rounds++
		start := cpuSeconds(b)
		changed, problems := old.With(edit)
		edited := cpuSeconds(b)
		for i := range edges {
			changed.Allowed(edges[i])
		}
		judged := cpuSeconds(b)
		if len(problems) > 0 || Compare(old, changed).Empty() {
			b.Fatal("nothing changed")
		}
		took[0], took[1], took[2] = took[0]+edited-start, took[1]+judged-edited, took[2]+cpuSeconds(b)-judged
	}
	for i, unit := range []string{"edit-cpu-ms", "judge-cpu-ms", "compare-cpu-ms"} {
		b.ReportMetric(took[i]*1000/rounds, unit)
	}
}
