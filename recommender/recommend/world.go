// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// world is what every recommendation is made from.
type world struct {
	snapshot  *cluster.Snapshot
	report    *analyze.Report
	index     *analyze.Index
	options   policy.Options
	input     Input
	inline    bool           // no network sets: addresses stand in the rules
	engine    *policy.Engine // for the policies in force
	inSpace   map[string][]*cluster.Pod
	selectors map[flow.Workload]selection
	touching  map[string][]int32         // by namespace/name: numbers of the edges that touch a workload
	crowds    *analyze.Crowds            // as the policies in force see them
	members   map[string][]flow.Workload // by label, as key=value: workloads of which some pod has it
	ownerOf   []int32                    // by index in Snapshot.Pods: number in index.Workloads; -1 for finished pods
	byName    map[string][]flow.Workload
	late      []flow.Workload    // workloads whose schedule has not been covered
	atoms     []policy.Allowance // of the policies in force
	ready     map[string]*analyze.Readiness
	dns       []service
	own       []netip.Addr                // of pods, nodes and Services, sorted; only with AllowExtra
	public    map[flow.Workload][]portKey // ports that load balancers and node ports lead to
}

// service is a port of a Service with who answers on it.
type service struct {
	name     string // namespace/name
	protocol flow.Protocol
	port     uint16 // on the pods
	party    analyze.Party
}

func newWorld(in Input) *world {
	w := &world{
		input:    in,
		snapshot: in.Snapshot, report: in.Report, index: analyze.NewIndex(in.Snapshot), options: in.Policy,
		inSpace: map[string][]*cluster.Pod{}, selectors: map[flow.Workload]selection{}, ready: map[string]*analyze.Readiness{},
		public: map[flow.Workload][]portKey{}, touching: map[string][]int32{}, byName: map[string][]flow.Workload{}, members: map[string][]flow.Workload{},
	}
	w.engine = in.Engine
	if w.engine == nil {
		w.engine, _ = policy.Compile(in.Snapshot, in.Policy)
	}
	w.crowds = analyze.NewCrowds(w.index, w.engine, policy.NewKinship(w.engine))
	w.atoms = w.engine.Atoms()
	for _, wl := range w.index.Workloads() {
		w.inSpace[wl.Namespace] = append(w.inSpace[wl.Namespace], w.index.Pods(wl)...)
	}
	for i := range in.Report.Readiness {
		r := &in.Report.Readiness[i]
		w.ready[r.Workload.String()] = r
	}
	for _, s := range in.Snapshot.Services {
		w.service(s)
	}
	w.touch()
	w.label()
	if in.AllowExtra > 0 {
		w.own = w.ownAddresses()
	}
	return w
}

// label finds the labels of all workloads and who has which.
func (w *world) label() {
	workloads := w.index.Workloads()
	selections := make([]selection, len(workloads))
	parallel(len(workloads), func(i int) { selections[i] = w.findSelection(workloads[i]) })
	number := map[flow.Workload]int32{}
	for i, wl := range workloads {
		number[wl] = int32(i)
	}
	w.ownerOf = make([]int32, len(w.snapshot.Pods))
	for i := range w.snapshot.Pods {
		n, ok := number[w.owner(&w.snapshot.Pods[i])]
		if w.ownerOf[i] = n; !ok {
			w.ownerOf[i] = -1
		}
	}
	for i, wl := range workloads {
		w.selectors[wl] = selections[i]
		w.byName[wl.String()] = append(w.byName[wl.String()], wl)
		if w.uncovered(wl) {
			w.late = append(w.late, wl)
		}
		known := map[string]bool{}
		for _, p := range w.index.Pods(wl) {
			for k, v := range p.Labels {
				if label := k + "=" + v; !known[label] {
					known[label] = true
					w.members[label] = append(w.members[label], wl)
				}
			}
		}
	}
}

// labelled gives workloads among which are all that have a pod with the labels.
func (w *world) labelled(labels map[string]string) []flow.Workload {
	var least []flow.Workload
	first := true
	for k, v := range labels {
		if list := w.members[k+"="+v]; first || len(list) < len(least) {
			least, first = list, false
		}
	}
	return least
}

// service notes the Services that matter whether traffic was seen or not: the
// cluster's DNS, and those that are reached from outside.
func (w *world) service(s *corev1.Service) {
	public := s.Spec.Type == corev1.ServiceTypeLoadBalancer || s.Spec.Type == corev1.ServiceTypeNodePort || len(s.Spec.ExternalIPs) > 0
	dns := isDNS(s)
	if !public && !dns {
		return
	}
	for _, port := range s.Spec.Ports {
		protocol := protocolOf(port.Protocol)
		for _, t := range w.targets(s, port) {
			switch {
			case public && t.party.Kind == analyze.PartyWorkload:
				wl := t.party.Workload()
				w.public[wl] = append(w.public[wl], portKey{protocol, t.port})
			case dns && port.Port == 53:
				t.name, t.protocol = s.Namespace+"/"+s.Name, protocol
				if !slices.Contains(w.dns, t) {
					w.dns = append(w.dns, t)
				}
			}
		}
	}
}

// isDNS: the cluster's DNS Service, by the label and names under which it is
// installed. https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/
func isDNS(s *corev1.Service) bool {
	if !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == 53 }) {
		return false
	}
	return s.Labels["k8s-app"] == "kube-dns" || s.Namespace == metaSystem && strings.Contains(s.Name, "dns")
}

const metaSystem = "kube-system"

// targets gives who answers on a Service's port: the workloads of the pods that
// it selects, else the addresses of its slices.
func (w *world) targets(s *corev1.Service, port corev1.ServicePort) []service {
	var out []service
	add := func(party analyze.Party, number uint16) {
		t := service{party: party, port: number}
		if number != 0 && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if len(s.Spec.Selector) > 0 {
		selector := labels.SelectorFromSet(s.Spec.Selector)
		for _, pod := range w.inSpace[s.Namespace] {
			if selector.Matches(labels.Set(pod.Labels)) {
				add(analyze.PartyOf(w.owner(pod)), targetPort(pod, port))
			}
		}
		return out
	}
	for _, slice := range w.snapshot.EndpointSlices {
		if slice.Namespace != s.Namespace || slice.Labels["kubernetes.io/service-name"] != s.Name {
			continue
		}
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != port.Name {
				continue
			}
			for _, e := range slice.Endpoints {
				for _, text := range e.Addresses {
					if a, err := netip.ParseAddr(text); err == nil {
						add(analyze.Party{Kind: analyze.PartyOutside, IP: a.Unmap()}, uint16(*p.Port))
					}
				}
			}
		}
	}
	return out
}

// targetPort is the port on the pod; 0 where the pod does not declare its name.
func targetPort(pod *cluster.Pod, port corev1.ServicePort) uint16 {
	switch {
	case port.TargetPort.Type == intstr.String && port.TargetPort.StrVal != "":
		for _, c := range pod.Ports {
			if c.Name == port.TargetPort.StrVal && c.Protocol == protocolOf(port.Protocol) {
				return c.Port
			}
		}
		return 0
	case port.TargetPort.IntVal != 0:
		return uint16(port.TargetPort.IntVal)
	}
	return uint16(port.Port)
}

func protocolOf(p corev1.Protocol) flow.Protocol {
	switch p {
	case corev1.ProtocolUDP:
		return flow.UDP
	case corev1.ProtocolSCTP:
		return flow.SCTP
	case corev1.ProtocolTCP:
	}
	return flow.TCP
}

func (w *world) owner(p *cluster.Pod) flow.Workload {
	if !p.Workload.IsZero() {
		return p.Workload
	}
	return flow.Workload{Namespace: p.Namespace, Kind: "Pod", Name: p.Name}
}

// states gives the readiness of workloads in short.
func (w *world) states(names []string) (states []WorkloadState, ready bool) {
	ready = true
	states = []WorkloadState{}
	for _, name := range names {
		r := w.ready[name]
		if r == nil {
			ready = false
			continue
		}
		states = append(states, stateOf(r))
		ready = ready && r.State == analyze.ReadyReady
	}
	return states, ready
}

func stateOf(r *analyze.Readiness) WorkloadState {
	return WorkloadState{
		Workload: r.Workload.String(), State: r.State, Coverage: r.Coverage, Observed: r.Observed, Since: r.Since,
		Reasons: append([]string{}, r.Reasons...), Caveats: append([]string{}, r.Caveats...),
	}
}

// uncovered says whether a workload's schedule has not been covered: what its
// next run does nobody has seen.
func (w *world) uncovered(wl flow.Workload) bool {
	r := w.ready[wl.String()]
	return r != nil && r.Uncovered()
}
