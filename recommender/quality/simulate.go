// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
)

// The times of a world. A bin is one window of records.
const (
	Learnt = 28 * 24 * time.Hour
	After  = 7 * 24 * time.Hour
	bin    = 3 * time.Hour
)

var begin = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

// World is a history of a topology.
type World struct {
	Topology Topology
	// Now is the cluster at the end of what is learnt, Later at the end of the
	// window after it: all pods have been replaced.
	Now, Later *cluster.Snapshot
	Records    []flow.Record  // of what is learnt
	Following  []flow.Record  // of the window after it
	Seen       map[Tuple]bool // in it
	Next       map[Tuple]bool // in the window after it
	Needs      map[Tuple]bool // all that is truly needed, also what was never made
	// Labels are those of every pod that stands in Records, by namespace/name.
	Labels map[string]map[string]string
}

// Tuple is one need. It is comparable.
type Tuple struct {
	From, To string // "namespace/name", or an address
	Protocol flow.Protocol
	Port     uint16
}

func (c *Call) tuple() Tuple { return Tuple{c.From, c.To, c.Protocol, c.Port} }

// Simulate makes a world. policies are manifests that are in force; empty for
// none.
func Simulate(t Topology, seed uint64, policies string) (*World, error) {
	s := newSimulator(t, seed)
	var err error
	if s.Now, err = s.cluster(begin.Add(Learnt), policies); err != nil {
		return nil, err
	}
	if s.Later, err = s.cluster(begin.Add(Learnt+After), policies); err != nil {
		return nil, err
	}
	return &s.World, nil
}

// newSimulator makes the history of a topology.
func newSimulator(t Topology, seed uint64) *simulator {
	s := &simulator{World: World{Topology: t, Seen: map[Tuple]bool{}, Next: map[Tuple]bool{}, Needs: map[Tuple]bool{}, Labels: map[string]map[string]string{}}, dice: rand.New(rand.NewPCG(seed, 28)), later: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // a simulation wants the same dice each time
	s.rollouts()
	for i := range t.Calls {
		s.call(&t.Calls[i])
	}
	for _, list := range [][]flow.Record{s.Records, s.Following} {
		slices.SortStableFunc(list, func(a, b flow.Record) int { return a.Window.Start.Compare(b.Window.Start) })
	}
	return s
}

type simulator struct {
	World
	dice   *rand.Rand
	later  *rand.Rand             // for the window after: what is learnt is the same without it
	starts map[string][]time.Time // of each workload's versions, the first at the beginning
	number map[string]int
}

// rollouts decides when each workload's pods are replaced: every ten days or
// so, and once at the beginning of the window after.
func (s *simulator) rollouts() {
	s.starts, s.number = map[string][]time.Time{}, map[string]int{}
	for i, w := range s.Topology.Workloads {
		name := w.String()
		s.number[name] = i
		at := begin.Add(-time.Hour)
		for at.Before(begin.Add(Learnt)) {
			s.starts[name] = append(s.starts[name], at)
			at = at.Add(time.Duration((5 + 10*s.dice.Float64()) * float64(24*time.Hour)))
		}
		s.starts[name] = append(s.starts[name], begin.Add(Learnt+time.Duration(1+s.dice.IntN(12))*time.Hour))
	}
}

// version counts the rollouts of a workload up to a time.
func (s *simulator) version(name string, at time.Time) int {
	n := 0
	for i, start := range s.starts[name] {
		if !start.After(at) {
			n = i
		}
	}
	return n
}

// call makes one need's connections over both windows.
func (s *simulator) call(c *Call) {
	s.Needs[c.tuple()] = true
	total := Learnt + After
	switch c.When {
	case Steady:
		for at := time.Duration(0); at < total; at += bin {
			s.happen(c, begin.Add(at), uint64(20+s.dice.IntN(60)))
		}
	case Rare:
		mean := float64(7*24*time.Hour) / c.PerWeek
		for at := time.Duration(s.dice.ExpFloat64() * mean); at < total; at += time.Duration(s.dice.ExpFloat64() * mean) {
			s.happen(c, begin.Add(at), 1)
		}
	case AtStart:
		for _, at := range s.starts[c.From] {
			s.happen(c, at, 1)
		}
	case Scheduled:
		w := s.workload(c.From)
		for at := range runsOf(w.Schedule, total) {
			s.happen(c, at, uint64(1+s.dice.IntN(4)))
		}
	}
}

func (s *simulator) workload(name string) *Workload { return &s.Topology.Workloads[s.number[name]] }

// runsOf gives the runs of the schedules that the topologies use: minute,
// hour or every so many hours, and day of the week.
func runsOf(schedule string, total time.Duration) func(func(time.Time) bool) {
	f := strings.Fields(schedule)
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			panic(fmt.Sprintf("quality: schedule %q: %v", schedule, err))
		}
		return n
	}
	minute, hour, every, day := number(f[0]), 0, 24, -1
	if n, ok := strings.CutPrefix(f[1], "*/"); ok {
		every = number(n)
	} else {
		hour = number(f[1])
	}
	if f[4] != "*" {
		day = number(f[4])
	}
	return func(yield func(time.Time) bool) {
		for h := hour; time.Duration(h)*time.Hour < total; h += every {
			at := begin.Add(time.Duration(h)*time.Hour + time.Duration(minute)*time.Minute)
			if (day < 0 || int(at.Weekday()) == day) && !yield(at) {
				return
			}
		}
	}
}

// happen writes down connections.
func (s *simulator) happen(c *Call, at time.Time, n uint64) {
	if at.Before(begin) {
		return // before anybody watched
	}
	if !at.Before(begin.Add(Learnt)) {
		s.Next[c.tuple()] = true
		s.Following = append(s.Following, s.record(s.later, c, at, n))
		return
	}
	s.Seen[c.tuple()] = true
	s.Records = append(s.Records, s.record(s.dice, c, at, n))
}

// record is what is recorded of connections.
func (s *simulator) record(dice *rand.Rand, c *Call, at time.Time, n uint64) flow.Record {
	start := at.Truncate(bin)
	from, to := s.end(dice, c.From, at, ""), s.end(dice, c.To, at, c.DNS)
	for _, pair := range [][2]*flow.Endpoint{{&from, &to}, {&to, &from}} { // both ends are of one family
		if pair[1].Workload.IsZero() && pair[1].IP.Is6() {
			pair[0].IP = six(pair[0].IP)
		}
	}
	r := flow.Record{
		Window: flow.Window{Start: start, End: start.Add(bin)},
		Edge:   flow.Edge{Client: from, Server: to, Protocol: c.Protocol, Port: c.Port, Service: c.Service},
	}
	counted := flow.Counters{Connections: n, BytesSent: 400 * n, BytesReceived: 4000 * n, PacketsSent: 6 * n, PacketsReceived: 7 * n}
	if _, ok := outside(c.From); !ok {
		r.ByClient = counted
	}
	if _, ok := outside(c.To); !ok {
		r.ByServer = counted
	}
	return r
}

// end is one of the pods that a workload has at the time.
func (s *simulator) end(dice *rand.Rand, name string, at time.Time, dns string) flow.Endpoint {
	if a, ok := outside(name); ok {
		return flow.Endpoint{IP: a, DNS: dns}
	}
	w := s.workload(name)
	version, pod := s.version(name, at), dice.IntN(w.Pods)
	out := flow.Endpoint{Workload: w.Workload, Pod: podName(w, version, pod), IP: s.address(name, version, pod)}
	if key := w.Namespace + "/" + out.Pod; s.Labels[key] == nil {
		s.Labels[key] = podLabels(w, version, pod)
	}
	return out
}

// address gives each pod of each version its own.
func (s *simulator) address(name string, version, pod int) netip.Addr {
	n := s.number[name]
	return netip.AddrFrom4([4]byte{10, byte(64 + n/16), byte(16*(n%16) + version), byte(10 + pod)})
}

// six gives a pod its second address.
func six(a netip.Addr) netip.Addr {
	four := a.As4()
	return netip.AddrFrom16([16]byte{0xfd, 0, 0, 10, 12: four[0], 13: four[1], 14: four[2], 15: four[3]})
}

const letters = "bcdfghjklmnpqrstvwxz2456789"

// hash makes what looks like a hash of a name and a number.
func hash(name string, n, length int) string {
	sum := uint64(14695981039346656037)
	for _, b := range []byte(fmt.Sprintf("%s/%d", name, n)) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	out := make([]byte, length)
	for i := range out {
		out[i] = letters[sum%uint64(len(letters))]
		sum /= uint64(len(letters))
	}
	return string(out)
}

func podName(w *Workload, version, pod int) string {
	switch w.Kind {
	case "StatefulSet":
		return fmt.Sprintf("%s-%d", w.Name, pod)
	case "CronJob":
		return fmt.Sprintf("%s-%d-%s", w.Name, 29000000+version, hash(w.Name, pod, 5))
	case "DaemonSet":
		return fmt.Sprintf("%s-%s", w.Name, hash(w.Name, 100*version+pod, 5))
	}
	return fmt.Sprintf("%s-%s-%s", w.Name, hash(w.Name, version, 9), hash(w.Name, 100*version+pod, 5))
}

// podLabels are the template's and those that Kubernetes' controllers add.
func podLabels(w *Workload, version, pod int) map[string]string {
	l := map[string]string{"app": w.Name}
	switch w.Kind {
	case "Deployment":
		l["pod-template-hash"] = hash(w.Name, version, 9)
	case "StatefulSet":
		l["controller-revision-hash"] = w.Name + "-" + hash(w.Name, version, 9)
		l["statefulset.kubernetes.io/pod-name"], l["apps.kubernetes.io/pod-index"] = podName(w, version, pod), fmt.Sprint(pod)
	case "DaemonSet":
		l["controller-revision-hash"], l["pod-template-generation"] = hash(w.Name, version, 9), fmt.Sprint(version+1)
	case "CronJob":
		job := fmt.Sprintf("%s-%d", w.Name, 29000000+version)
		l["job-name"], l["batch.kubernetes.io/job-name"] = job, job
	}
	return l
}

func labelText(labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, fmt.Sprintf("%s: %q", k, labels[k]))
	}
	return strings.Join(parts, ", ")
}

// cluster writes the manifests of the cluster at a time and reads them.
func (s *simulator) cluster(at time.Time, policies string) (*cluster.Snapshot, error) {
	var b strings.Builder
	for i := range 3 {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Node\nmetadata: {name: n%d}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.%d}]}\n---\n", i, i+1)
	}
	b.WriteString("apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system}\nspec: {clusterIP: 10.96.0.10, selector: {app: coredns}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}\n---\n")
	for i := range s.Topology.Workloads {
		s.manifests(&b, &s.Topology.Workloads[i], at)
	}
	out := manifest.LoadText("cluster.yaml", []byte(b.String()+policies), manifest.Options{})
	if len(out.Problems) > 0 {
		p := out.Problems[0]
		return nil, fmt.Errorf("simulating %s: line %d: %s: %s", s.Topology.Name, p.Line, p.Field, p.Message)
	}
	return out, nil
}

func (s *simulator) manifests(b *strings.Builder, w *Workload, at time.Time) {
	labels := "app: " + w.Name
	template := fmt.Sprintf("template: {metadata: {labels: {%s}}, spec: {containers: [{name: c, image: i}]}}", labels)
	version := s.version(w.String(), at)
	owner := fmt.Sprintf("{apiVersion: apps/v1, kind: %s, name: %s, controller: true, uid: u}", w.Kind, w.Name)
	switch w.Kind {
	case "CronJob":
		fmt.Fprintf(b, "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: %s, namespace: %s}\nspec: {schedule: %q, jobTemplate: {spec: {%s}}}\n---\n", w.Name, w.Namespace, w.Schedule, template)
		return // no run is going on
	case "Deployment":
		owner = fmt.Sprintf("{apiVersion: apps/v1, kind: ReplicaSet, name: %s-%s, controller: true, uid: u}", w.Name, hash(w.Name, version, 9))
		extra := ", pod-template-hash: " + hash(w.Name, version, 9)
		fmt.Fprintf(b, "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: %s-%s, namespace: %s, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %s, controller: true, uid: u}]}\nspec: {selector: {matchLabels: {%s%s}}, template: {metadata: {labels: {%s%s}}, spec: {containers: [{name: c, image: i}]}}}\n---\n",
			w.Name, hash(w.Name, version, 9), w.Namespace, w.Name, labels, extra, labels, extra)
	}
	fmt.Fprintf(b, "apiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec: {selector: {matchLabels: {%s}}, %s}\n---\n", w.Kind, w.Name, w.Namespace, labels, template)
	started := s.starts[w.String()][version]
	for pod := range w.Pods {
		fmt.Fprintf(b, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s, labels: {%s}, ownerReferences: [%s]}\nspec: {nodeName: n%d, containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIP: %s, podIPs: [{ip: %s}, {ip: \"%s\"}], startTime: %q}\n---\n",
			podName(w, version, pod), w.Namespace, labelText(podLabels(w, version, pod)), owner, pod%3, s.address(w.String(), version, pod), s.address(w.String(), version, pod), six(s.address(w.String(), version, pod)), started.Format(time.RFC3339))
	}
}

// Input is what the advice gets to see.
func (w *World) Input() analyze.Input {
	return analyze.Input{
		Snapshot: w.Now, Records: w.Records, Window: flow.Window{Start: begin, End: begin.Add(Learnt)},
		// All that was seen is taken as learnt: nobody was there to accept it.
		Options: analyze.Options{Learning: Learnt},
	}
}

// compare orders tuples.
func (t Tuple) compare(o Tuple) int {
	return cmp.Or(strings.Compare(t.From, o.From), strings.Compare(t.To, o.To), cmp.Compare(t.Protocol, o.Protocol), cmp.Compare(t.Port, o.Port))
}

// String gives "a/x → b/y TCP 80".
func (t Tuple) String() string {
	return fmt.Sprintf("%s → %s %s %d", t.From, t.To, t.Protocol, t.Port)
}

// share gives a part of a whole; 1 of nothing.
func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return math.Round(1e6*float64(part)/float64(whole)) / 1e6
}
