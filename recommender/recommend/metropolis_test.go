// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// metropolis is a large cluster as one finds them: namespaces of twenty
// workloads with ten pods each; most talk to a few neighbours, to the cluster's
// DNS and to a database; a monitoring workload scrapes everybody; kubelets
// probe; one workload in twenty serves the world, one in four calls it; some
// attempts are denied. Its policies are those that people write: wider than
// what is used.
type metropolis struct {
	*rand.Rand
	namespaces int
	nodes      int
	snapshot   *cluster.Snapshot
	records    []flow.Record
	policies   strings.Builder
	edges      map[flow.Edge]bool
}

const (
	metroWorkloads = 20 // of a namespace
	metroPods      = 10 // of a workload
)

var metroStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newMetropolis(tb testing.TB, namespaces, edges int) *metropolis {
	tb.Helper()
	m := &metropolis{Rand: rand.New(rand.NewPCG(11, 11)), namespaces: namespaces, nodes: namespaces, snapshot: &cluster.Snapshot{}, edges: map[flow.Edge]bool{}}
	m.inventory()
	m.rules()
	loaded := manifest.LoadText("policies.yaml", []byte(m.policies.String()), manifest.Options{})
	if len(loaded.Problems) > 0 {
		tb.Fatal(loaded.Problems[0])
	}
	m.snapshot.Policies = loaded.Policies
	m.traffic(edges)
	return m
}

func metroName(n, w int) flow.Workload {
	return flow.Workload{Namespace: fmt.Sprintf("n%03d", n), Kind: "Deployment", Name: fmt.Sprintf("w%02d", w)}
}

func (m *metropolis) workload(wl flow.Workload, number, pods int, ports ...cluster.ContainerPort) {
	labels := map[string]string{"app": wl.Name}
	m.snapshot.Workloads = append(m.snapshot.Workloads, cluster.Workload{Workload: wl, Selector: labels, TemplateLabels: labels, Ports: ports})
	for p := range pods {
		i := len(m.snapshot.Pods)
		m.snapshot.Pods = append(m.snapshot.Pods, cluster.Pod{
			Namespace: wl.Namespace, Name: fmt.Sprintf("%s-%02d", wl.Name, p), Labels: map[string]string{"app": wl.Name, "pod-template-hash": fmt.Sprint("x", number)},
			ServiceAccount: "default", Node: fmt.Sprintf("node%03d", (number+p)%m.nodes), Ports: ports, Workload: wl, Started: metroStart.Add(-time.Hour),
			IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
		})
	}
}

func (m *metropolis) inventory() {
	s := m.snapshot
	for n := range m.nodes {
		s.Nodes = append(s.Nodes, cluster.Node{Name: fmt.Sprintf("node%03d", n), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, byte(n >> 8), byte(n)})}})
	}
	web := cluster.ContainerPort{Name: "http", Protocol: flow.TCP, Port: 8080}
	space := func(name string) {
		s.Namespaces = append(s.Namespaces, cluster.Namespace{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name, "team": fmt.Sprint("t", len(s.Namespaces)%17)}})
	}
	space("kube-system")
	m.workload(flow.Workload{Namespace: "kube-system", Kind: "Deployment", Name: "coredns"}, 0, 2)
	space("monitoring")
	m.workload(flow.Workload{Namespace: "monitoring", Kind: "StatefulSet", Name: "prometheus"}, 1, 2)
	for n := range m.namespaces {
		space(metroName(n, 0).Namespace)
		for w := range metroWorkloads {
			m.workload(metroName(n, w), n*metroWorkloads+w, metroPods, web)
		}
	}
	s.Services = append(s.Services, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: map[string]string{"k8s-app": "kube-dns"}},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "coredns"}, Ports: []corev1.ServicePort{
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(53)}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(53)},
		}},
	})
	for n := range m.namespaces { // the first workload of each namespace serves the world
		s.Services = append(s.Services, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: metroName(n, 0).Namespace, Name: "front"},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": "w00"}, Ports: []corev1.ServicePort{
				{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8080)},
			}},
		})
	}
}

func (m *metropolis) put(namespace, name, spec string) {
	fmt.Fprintf(&m.policies, "---\n# kept by its team\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n%s", name, namespace, spec)
}

// rules: of twenty workloads nineteen have a policy for ingress and one for
// egress; each namespace has some for all of its pods.
func (m *metropolis) rules() {
	for n := range m.namespaces {
		ns := metroName(n, 0).Namespace
		for w := range metroWorkloads - 1 {
			app := metroName(n, w).Name
			from := "    - namespaceSelector: {}\n"
			switch {
			case w == 0:
				from = "    - ipBlock: {cidr: 0.0.0.0/0}\n"
			case w%3 == 1:
				from = "    - podSelector: {}\n"
			case w%3 == 2:
				from = fmt.Sprintf("    - namespaceSelector:\n        matchLabels: {team: t%d}\n    - podSelector: {}\n", (n+2)%17)
			}
			m.put(ns, app+"-in", fmt.Sprintf("  podSelector:\n    matchLabels:\n      app: %s\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n%s    ports:\n    - {port: 8080}\n    - {port: 8443} # some day\n  - from:\n    - namespaceSelector:\n        matchLabels: {kubernetes.io/metadata.name: monitoring}\n    ports:\n    - {port: 9090}\n    - {port: 9091}\n", app, from))
			m.put(ns, app+"-out", fmt.Sprintf("  podSelector:\n    matchLabels:\n      app: %s\n  policyTypes: [Egress]\n  egress:\n  - to:\n    - namespaceSelector: {}\n    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]\n  - to:\n    - podSelector: {}\n    - namespaceSelector:\n        matchLabels: {team: t%d}\n    ports:\n    - {port: 8080}\n    - {port: 5432}\n  - to:\n    - ipBlock:\n        cidr: 0.0.0.0/0\n        except: [10.0.0.0/8]\n    ports: [{port: 443}]\n", app, (n+2)%17))
		}
		for i := range 12 { // left behind, or said twice
			app := metroName(n, i).Name
			switch i % 3 {
			case 0:
				app = "gone"
			case 1:
				m.put(ns, fmt.Sprint("old-", i), fmt.Sprintf("  podSelector:\n    matchLabels:\n      app: %s\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector: {}\n    ports: [{port: 8080}]\n", app))
				continue
			}
			m.put(ns, fmt.Sprint("old-", i), fmt.Sprintf("  podSelector:\n    matchLabels:\n      app: %s\n  policyTypes: [Ingress]\n  ingress:\n  - ports: [{port: 7070}]\n", app))
		}
	}
}

func (m *metropolis) edge(client, server flow.Endpoint, protocol flow.Protocol, port uint16) {
	e := flow.Edge{Client: client, Server: server, Protocol: protocol, Port: port}
	if m.edges[e] {
		return
	}
	m.edges[e] = true
	at := metroStart.Add(time.Duration(m.IntN(3)) * time.Hour)
	if m.IntN(100) == 0 { // new after the learning period
		at = metroStart.Add(3 * time.Hour)
	}
	m.records = append(m.records, flow.Record{
		Window: flow.Window{Start: at, End: at.Add(time.Hour)}, Edge: e, ByClient: flow.Counters{Connections: uint64(1 + m.IntN(900))},
	})
}

// traffic goes on until there are so many edges: what is left over goes to the
// clients from outside.
func (m *metropolis) traffic(edges int) {
	end := func(wl flow.Workload) flow.Endpoint { return flow.Endpoint{Workload: wl} }
	dns := end(flow.Workload{Namespace: "kube-system", Kind: "Deployment", Name: "coredns"})
	scraper := end(flow.Workload{Namespace: "monitoring", Kind: "StatefulSet", Name: "prometheus"})
	for n := range m.namespaces {
		for w := range metroWorkloads {
			wl := end(metroName(n, w))
			m.edge(wl, dns, flow.UDP, 53)
			m.edge(scraper, wl, flow.TCP, 9090)
			for p := range metroPods {
				m.edge(flow.Endpoint{Node: fmt.Sprintf("node%03d", (n*metroWorkloads+w+p)%m.nodes)}, wl, flow.TCP, 8080)
			}
			for range 1 + m.IntN(8) {
				m.edge(wl, end(metroName(n, m.IntN(metroWorkloads))), flow.TCP, 8080)
			}
			for range m.IntN(4) {
				m.edge(wl, end(metroName((n+2+17*m.IntN(1+m.namespaces/17))%m.namespaces, m.IntN(metroWorkloads))), flow.TCP, 8080)
			}
			for range m.IntN(6) { // denied, most of them
				m.edge(wl, end(metroName(m.IntN(m.namespaces), m.IntN(metroWorkloads))), flow.TCP, uint16(1+m.IntN(9999)))
			}
			if w%4 == 3 {
				for range 40 {
					m.edge(wl, flow.Endpoint{IP: netip.AddrFrom4([4]byte{203, 0, byte(m.IntN(4)), byte(m.IntN(256))})}, flow.TCP, 443)
				}
			}
		}
	}
	for n := 0; len(m.edges) < edges; n++ {
		r := m.Uint32()
		m.edge(flow.Endpoint{IP: netip.AddrFrom4([4]byte{100, byte(64 + r>>16&63), byte(r >> 8), byte(r)})}, end(metroName(n%m.namespaces, 0)), flow.TCP, 8080)
	}
	m.edges = nil
	slices.SortFunc(m.records, func(a, b flow.Record) int { return a.Window.Start.Compare(b.Window.Start) })
}

// advise is all usage and all recommendations. Records are let go once they are
// analysed, as the commands do.
func (m *metropolis) advise(tb testing.TB) (*analyze.Report, []Recommendation) {
	tb.Helper()
	engine, _ := policy.Compile(m.snapshot, policy.Options{})
	report, err := analyze.Analyze(analyze.Input{Snapshot: m.snapshot, Engine: engine, Records: m.records, Options: analyze.Options{Learning: 3 * time.Hour}})
	if err != nil {
		tb.Fatal(err)
	}
	m.records = nil
	list, err := Build(Input{Snapshot: m.snapshot, Report: report, Engine: engine})
	if err != nil {
		tb.Fatal(err)
	}
	return report, list
}

// BenchmarkMetropolis is all usage and all recommendations for 2,000 workloads,
// 20,000 pods, 200,000 edges and 5,000 policies.
func BenchmarkMetropolis(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(60)) // as the commands that read files have it
	offered, rounds, cpu, peak := 0, 0, 0.0, 0.0
	for b.Loop() {
		b.StopTimer()
		m := newMetropolis(b, 100, 200_000)
		if len(m.snapshot.Policies) != 5_000 || len(m.snapshot.Pods) < 20_000 || len(m.records) != 200_000 {
			b.Fatalf("%d policies, %d pods, %d edges", len(m.snapshot.Policies), len(m.snapshot.Pods), len(m.records))
		}
		debug.FreeOSMemory()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
			b.Logf("the peak has what making the cluster took: %v", err)
		}
		before := cpuSeconds(b)
		b.StartTimer()
		_, list := m.advise(b)
		b.StopTimer()
		cpu += cpuSeconds(b) - before
		peak = max(peak, peakMiB(b))
		offered = len(standing(list))
		rounds++
		b.StartTimer()
	}
	b.ReportMetric(cpu/float64(rounds), "cpu-s/op")
	b.ReportMetric(float64(offered), "offered")
	b.ReportMetric(peak, "peak-MiB")
	b.ReportMetric(liveMiB(), "heap-in-use-MiB")
}

// liveMiB is what the heap holds that is in use.
func liveMiB() float64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapInuse) / (1 << 20)
}

// cpuSeconds is the processor time that the process has used, which a busy
// machine does not stretch.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMiB is the most memory that the process had resident.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	b.Fatal("the kernel does not tell the peak")
	return 0
}

func BenchmarkSmallMetropolis(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		m := newMetropolis(b, 4, 8_000)
		b.StartTimer()
		_, list := m.advise(b)
		b.ReportMetric(float64(len(standing(list))), "offered")
	}
}

// TestSameBytesOnAnyProcessors: who works on what does not show, in the report
// and in what is recommended.
func TestSameBytesOnAnyProcessors(t *testing.T) {
	var want []byte
	for _, processors := range []int{1, 4, 2} {
		before := runtime.GOMAXPROCS(processors)
		report, list := newMetropolis(t, 2, 3_000).advise(t)
		runtime.GOMAXPROCS(before)
		got, err := json.Marshal([]any{report, list})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if len(standing(list)) == 0 || !bytes.Equal(got, want) {
			t.Errorf("%d processors say something else than one", processors)
		}
	}
}
