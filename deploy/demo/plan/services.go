// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// addService lays out a Service's names and, unless it is headless, its
// routes: one for each port and virtual address, one for each node port.
func (p *Plan) addService(s *corev1.Service) error {
	backends := p.selected(s)
	name := s.Name + "." + s.Namespace + ".svc.cluster.local."
	virtual, err := virtualAddresses(s)
	if err != nil {
		return err
	}
	p.Zone.Addresses[name] = virtual
	if len(virtual) == 0 {
		for _, b := range backends {
			p.Zone.Addresses[name] = append(p.Zone.Addresses[name], b.IPs...)
		}
	}
	for _, port := range s.Spec.Ports {
		for _, v := range virtual {
			route, err := p.route(v, uint16(port.Port), port, backends)
			if err != nil {
				return err
			}
			p.Routes = append(p.Routes, route)
		}
		if s.Spec.Type != corev1.ServiceTypeNodePort || port.NodePort == 0 {
			continue
		}
		route, err := p.route(p.Node.Addresses[0], uint16(port.NodePort), port, backends)
		if err != nil {
			return err
		}
		p.Routes = append(p.Routes, route)
	}
	if s.Namespace == "kube-system" && s.Name == "kube-dns" && len(virtual) > 0 {
		p.Resolver = netip.AddrPortFrom(virtual[0], 53)
	}
	return nil
}

func virtualAddresses(s *corev1.Service) ([]netip.Addr, error) {
	all := s.Spec.ClusterIPs
	if len(all) == 0 {
		all = []string{s.Spec.ClusterIP}
	}
	var addrs []netip.Addr
	for _, text := range all {
		if text == corev1.ClusterIPNone {
			return nil, nil
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("reading clusterIP: %w", err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// selected gives the pods behind a Service.
func (p *Plan) selected(s *corev1.Service) []*Pod {
	selector := labels.SelectorFromSet(s.Spec.Selector)
	return slices.DeleteFunc(slices.Clone(p.Pods), func(pod *Pod) bool {
		return pod.Object.Namespace != s.Namespace || !selector.Matches(labels.Set(pod.Object.Labels))
	})
}

// route finds the backends of one dialled address, in its own family.
func (p *Plan) route(dialled netip.Addr, number uint16, port corev1.ServicePort, pods []*Pod) (Route, error) {
	r := Route{Dialled: netip.AddrPortFrom(dialled, number), Protocol: port.Protocol}
	if r.Protocol == "" {
		r.Protocol = corev1.ProtocolTCP
	}
	for _, pod := range pods {
		target, err := targetPort(port, pod)
		if err != nil {
			return Route{}, err
		}
		for _, a := range pod.IPs {
			if a.Is4() == dialled.Is4() {
				r.Backends = append(r.Backends, netip.AddrPortFrom(a, target))
			}
		}
	}
	if len(r.Backends) == 0 {
		return Route{}, fmt.Errorf("port %d: no pod behind it", port.Port)
	}
	return r, nil
}

func targetPort(port corev1.ServicePort, pod *Pod) (uint16, error) {
	switch {
	case port.TargetPort.Type == intstr.Int && port.TargetPort.IntVal != 0:
		return uint16(port.TargetPort.IntVal), nil
	case port.TargetPort.Type == intstr.Int:
		return uint16(port.Port), nil
	}
	for _, c := range pod.Object.Spec.Containers[0].Ports {
		if c.Name == port.TargetPort.StrVal {
			return uint16(c.ContainerPort), nil
		}
	}
	return 0, fmt.Errorf("targetPort %q: pod %s names no such port", port.TargetPort.StrVal, pod.Key())
}
