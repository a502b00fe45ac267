// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Service is one port of a Service, as a client dials it.
type Service struct {
	Namespace string
	Name      string
	Port      uint16
	PortName  string // may be empty
	Protocol  flow.Protocol
	Backends  []netip.AddrPort // pods' addresses and ports behind it, ready ones, sorted
}

// String gives "namespace/name:port", as flow records name a Service.
func (s Service) String() string {
	return s.Namespace + "/" + s.Name + ":" + strconv.Itoa(int(s.Port))
}

type servicePort struct {
	addr     netip.Addr
	port     uint16
	protocol flow.Protocol
}

// ServiceAt gives the Service that answers at a virtual address and port: a
// cluster address, an external or load balancer's address, or a node port.
func (h *History) ServiceAt(addr netip.Addr, port uint16, protocol flow.Protocol) (Service, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, ok := h.services[servicePort{addr.Unmap(), port, protocol}]
	return s, ok
}

// servicesOf indexes a snapshot's Services by every address that they answer at.
func servicesOf(s *Snapshot) map[servicePort]Service {
	backends := backendsOf(s)
	index := map[servicePort]Service{}
	for _, svc := range s.Services {
		for _, p := range svc.Spec.Ports {
			one := Service{
				Namespace: svc.Namespace, Name: svc.Name, Port: port16(p.Port), PortName: p.Name, Protocol: protocolOf(p.Protocol),
			}
			one.Backends = backends[backendKey{svc.Namespace, svc.Name, p.Name}]
			for _, addr := range virtualAddresses(svc) {
				index[servicePort{addr, one.Port, one.Protocol}] = one
			}
			if p.NodePort == 0 {
				continue
			}
			for _, n := range s.Nodes {
				for _, addr := range n.Addresses {
					index[servicePort{addr, port16(p.NodePort), one.Protocol}] = one
				}
			}
		}
	}
	return index
}

func virtualAddresses(svc *corev1.Service) []netip.Addr {
	texts := append([]string{svc.Spec.ClusterIP}, svc.Spec.ClusterIPs...)
	texts = append(texts, svc.Spec.ExternalIPs...)
	for _, in := range svc.Status.LoadBalancer.Ingress {
		texts = append(texts, in.IP)
	}
	var addrs []netip.Addr
	for _, text := range texts {
		// A headless Service says "None".
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(addrs, a.Unmap()) {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs
}

type backendKey struct{ namespace, service, port string }

// backendsOf reads the EndpointSlices; for Services that have none (folders),
// the pods that the Service selects.
func backendsOf(s *Snapshot) map[backendKey][]netip.AddrPort {
	all := map[backendKey][]netip.AddrPort{}
	sliced := map[podName]bool{}
	for _, slice := range s.EndpointSlices {
		service := slice.Labels[discoveryv1.LabelServiceName]
		if service == "" || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		sliced[podName{slice.Namespace, service}] = true
		for _, p := range slice.Ports {
			if p.Port == nil {
				continue
			}
			name := ""
			if p.Name != nil {
				name = *p.Name
			}
			key := backendKey{slice.Namespace, service, name}
			all[key] = append(all[key], sliceAddresses(slice, port16(*p.Port))...)
		}
	}
	for _, svc := range s.Services {
		if !sliced[podName{svc.Namespace, svc.Name}] && len(svc.Spec.Selector) > 0 {
			selectBackends(s, svc, all)
		}
	}
	for key, list := range all {
		slices.SortFunc(list, func(a, b netip.AddrPort) int { return a.Compare(b) })
		all[key] = slices.Compact(list)
	}
	return all
}

// sliceAddresses gives the ready ones: "A nil value should be interpreted as
// true".
func sliceAddresses(slice *discoveryv1.EndpointSlice, port uint16) []netip.AddrPort {
	var list []netip.AddrPort
	for _, e := range slice.Endpoints {
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		for _, text := range e.Addresses {
			if a, err := netip.ParseAddr(text); err == nil {
				list = append(list, netip.AddrPortFrom(a.Unmap(), port))
			}
		}
	}
	return list
}

func selectBackends(s *Snapshot, svc *corev1.Service, all map[backendKey][]netip.AddrPort) {
	for i := range s.Pods {
		pod := &s.Pods[i]
		if pod.Namespace != svc.Namespace || pod.Finished || pod.Template || !hasLabels(pod.Labels, svc.Spec.Selector) {
			continue
		}
		for _, p := range svc.Spec.Ports {
			port, ok := targetPort(pod, p)
			if !ok {
				continue
			}
			key := backendKey{svc.Namespace, svc.Name, p.Name}
			for _, addr := range pod.IPs {
				all[key] = append(all[key], netip.AddrPortFrom(addr, port))
			}
		}
	}
}

func hasLabels(labels, want map[string]string) bool {
	for k := range maps.Keys(want) {
		if got, ok := labels[k]; !ok || got != want[k] {
			return false
		}
	}
	return true
}

// targetPort is the port of a pod that a Service's port leads to: named ports
// are looked up in the pod, absent ones are the Service's own.
func targetPort(pod *Pod, p corev1.ServicePort) (uint16, bool) {
	if name := p.TargetPort.StrVal; name != "" {
		for _, c := range pod.Ports {
			if c.Name == name && c.Protocol == protocolOf(p.Protocol) {
				return c.Port, true
			}
		}
		return 0, false
	}
	return cmp.Or(port16(p.TargetPort.IntVal), port16(p.Port)), true
}
