// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"go4.org/netipx"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy/bits"
	"github.com/netcinch/netcinch/recommender/policy/l4"
)

// services compiles a rule's Service into what stands behind it: its endpoints,
// and for egress each endpoint's own ports. They come from EndpointSlices, else
// from the Service's selector.
func (c *compiler) services(ns string, d Direction, e *calicov3.EntityRule, at path) ([]entityItem, *fault) {
	name := podName{e.Services.Namespace, e.Services.Name}
	if name.namespace == "" {
		name.namespace = ns
	}
	switch {
	case name.name == "":
		return nil, faultAt(at.with("services", "name"), "the Service needs a name")
	case name.namespace == "":
		return nil, faultAt(at.with("services", "namespace"), "a policy for the whole cluster must give the Service's namespace")
	case e.Selector+e.NotSelector+e.NamespaceSelector != "" || e.ServiceAccounts != nil || len(e.Nets)+len(e.NotNets) > 0:
		return nil, faultAt(at.with("services"), "services cannot stand with selectors, nets or serviceAccounts")
	case d == Egress && len(e.Ports)+len(e.NotPorts) > 0:
		return nil, faultAt(at.with("ports"), "an egress rule with services takes its ports from the Service; leave ports out")
	}
	c.asked("service\x00"+name.namespace+"/"+name.name, hangsOnServices, func(c *compiler) string { return c.serviceKey(name) })
	items := c.serviceItems(name)
	if items == nil {
		c.doubt(c.top.reach(ns), "Service "+name.namespace+"/"+name.name+" is not in the input, and a policy here refers to it")
		items = []entityItem{{peer: c.top.intern(peer{})}}
	}
	for i := range items {
		items[i].text = "Service " + name.namespace + "/" + name.name
		if d == Ingress {
			items[i].ports = nil // the source's port is not the Service's
		}
	}
	return items, nil
}

func (c *compiler) serviceItems(name podName) []entityItem {
	if items := c.sliceItems(name); items != nil {
		return items
	}
	return c.selectedItems(name)
}

// serviceKey is the same as long as the same stands behind a Service.
func (c *compiler) serviceKey(name podName) string {
	var key strings.Builder
	for _, i := range c.serviceItems(name) {
		fmt.Fprintf(&key, "%p %v;", i.peer, i.ports) // equal peers are one
	}
	return key.String()
}

// sliceItems reads a Service's endpoints from its EndpointSlices.
func (c *compiler) sliceItems(name podName) []entityItem {
	var out []entityItem
	for _, s := range c.top.snapshot.EndpointSlices {
		if s.Namespace != name.namespace || s.Labels[discoveryv1.LabelServiceName] != name.name {
			continue
		}
		var build netipx.IPSetBuilder
		for _, e := range s.Endpoints {
			for _, text := range e.Addresses {
				if a, err := netip.ParseAddr(text); err == nil { // FQDN slices have names here
					build.Add(a.Unmap())
				}
			}
		}
		set, err := build.IPSet()
		if err != nil {
			continue
		}
		item := entityItem{peer: c.addresses(set, true), ports: []port{}}
		for _, p := range s.Ports {
			if p.Port == nil {
				item.ports = nil // every port
				break
			}
			protocol := serviceProtocol(p.Protocol)
			item.ports = append(item.ports, port{interval: l4.Ports(protocol, uint16(*p.Port), uint16(*p.Port)), protocol: protocol, index: -1})
		}
		out = append(out, item)
	}
	return out
}

func serviceProtocol(p *corev1.Protocol) flow.Protocol {
	if p != nil {
		switch *p {
		case corev1.ProtocolUDP:
			return flow.UDP
		case corev1.ProtocolSCTP:
			return flow.SCTP
		case corev1.ProtocolTCP:
		}
	}
	return flow.TCP
}

// selectedItems finds what a Service selects, where there are no EndpointSlices.
func (c *compiler) selectedItems(name podName) []entityItem {
	for _, s := range c.top.snapshot.Services {
		if s.Namespace != name.namespace || s.Name != name.name {
			continue
		}
		item := entityItem{peer: c.top.intern(peer{ends: c.top.servicePods(s)}), ports: []port{}}
		for i := range s.Spec.Ports {
			item.ports = append(item.ports, c.targetPort(&s.Spec.Ports[i]))
		}
		return []entityItem{item}
	}
	return nil
}

func (c *compiler) targetPort(p *corev1.ServicePort) port {
	protocol := serviceProtocol(&p.Protocol)
	switch {
	case p.TargetPort.Type == intstr.String:
		return port{name: c.top.portName(p.TargetPort.StrVal), protocol: protocol, index: -1}
	case p.TargetPort.IntVal > 0 && p.TargetPort.IntVal <= math.MaxUint16:
		n := uint16(p.TargetPort.IntVal)
		return port{interval: l4.Ports(protocol, n, n), protocol: protocol, index: -1}
	default:
		return port{interval: l4.Ports(protocol, uint16(p.Port), uint16(p.Port)), protocol: protocol, index: -1}
	}
}

// servicePods gives the ends behind a Service's selector; none without one.
func (t *topology) servicePods(s *corev1.Service) bits.Set {
	var out bits.Set
	if len(s.Spec.Selector) == 0 {
		return out
	}
	for i := range t.snapshot.Pods {
		p := &t.snapshot.Pods[i]
		if p.Namespace != s.Namespace || p.Finished || !hasAll(p.Labels, s.Spec.Selector) {
			continue
		}
		for n := t.firstEnd[i]; n < t.firstEnd[i]+max(1, t.endCount[i]); n++ {
			out.Add(int(n))
		}
	}
	return out
}

func hasAll(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
