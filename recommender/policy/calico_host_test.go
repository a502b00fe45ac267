// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

const hostEndpoint = `apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: n2-eth0, labels: {role: node}}
spec: {node: n2, interfaceName: eth0, expectedIPs: [192.168.0.2, "fd00:ff::2"], ports: [{name: kubelet, protocol: TCP, port: 10250}]}
`

// docs.tigera.io/calico/latest/network-policy/hosts: a host endpoint without
// policy denies all but the failsafe ports.
func TestHostEndpoint(t *testing.T) {
	for _, c := range []struct {
		name, manifests string
		want            []expectation
	}{
		{"without policy only failsafe ports", hostEndpoint, []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 22", "EI"},
			{"2001:db8::1 -> fd00:ff::2 TCP 6443", "EI"},
			{"203.0.113.1 -> 192.168.0.2 TCP 10250", "Ei"},
			{"192.168.0.2 -> 203.0.113.1 UDP 53", "EI"},
			{"fd00:ff::2 -> 2001:db8::1 TCP 443", "eI"},
			{"203.0.113.1 -> 192.168.0.1 TCP 10250", "EI"},
		}},
		{"its own profile allows", strings.Replace(hostEndpoint, "spec: {", "spec: {profiles: [projectcalico-default-allow], ", 1), []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 10250", "EI"}, {"fd00:ff::2 -> 2001:db8::1 TCP 443", "EI"},
		}},
		{"policy by its labels, named port", hostEndpoint + "---\n" + gnpHead + "  selector: role == 'node'\n  types: [Ingress, Egress]\n  ingress: [{action: Allow, protocol: TCP, source: {nets: [203.0.113.0/24, '2001:db8::/32']}, destination: {ports: [kubelet]}}]\n", []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 10250", "EI"},
			{"2001:db8::1 -> fd00:ff::2 TCP 10250", "EI"},
			{"198.51.100.1 -> 192.168.0.2 TCP 10250", "Ei"},
			{"203.0.113.1 -> 192.168.0.2 TCP 80", "Ei"},
			{"198.51.100.1 -> 192.168.0.2 TCP 22", "EI"},
			{"192.168.0.2 -> shop/api TCP 80", "EI"},
			{"192.168.0.2 -> shop/db TCP 80", "eI"},
		}},
		{"a policy that asks for namespaces is not for hosts", hostEndpoint + "---\n" + gnpHead + "  namespaceSelector: all()\n  types: [Ingress]\n  ingress: [{action: Allow}]\n", []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 10250", "Ei"},
		}},
		{"a rule's selector means its expected addresses", hostEndpoint + "---\n" + gnpHead + "  selector: app == 'db'\n  types: [Ingress]\n  ingress: [{action: Allow, source: {selector: role == 'node'}}]\n---\n" + strings.Replace(gnpHead, "name: g", "name: h", 1) + "  selector: role == 'node'\n  types: [Egress]\n  egress: [{action: Allow}]\n", []expectation{
			{"192.168.0.2 -> shop/db TCP 80", "EI"}, {"fd00:ff::2 -> shop/db TCP 80", "EI"}, {"203.0.113.1 -> shop/db TCP 80", "Ei"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := calicoShop(t, c.manifests)
			expect(t, compileClean(t, s, Options{}), s, c.want)
		})
	}
}

// What is not judged of host policies is told as doubt, never passed over.
func TestHostDoubts(t *testing.T) {
	for _, c := range []struct{ spec, connection, want string }{
		{"  selector: role == 'node'\n  preDNAT: true\n  applyOnForward: true\n  types: [Ingress]\n", "203.0.113.1 -> 192.168.0.2 TCP 22", "before connections are tracked or translated"},
		{"  selector: role == 'node'\n  doNotTrack: true\n  applyOnForward: true\n", "203.0.113.1 -> 192.168.0.2 TCP 22", "before connections are tracked or translated"},
		{"  selector: role == 'node'\n  applyOnForward: true\n", "203.0.113.1 -> shop/api TCP 80", "traffic that node n2 forwards"},
		{"  selector: role == 'node'\n", "shop/api -> 192.168.0.2 TCP 10250", "defaultEndpointToHostAction"},
	} {
		s := calicoShop(t, hostEndpoint+"---\n"+gnpHead+c.spec)
		v := compileClean(t, s, Options{}).Check(connectionOf(t, s, c.connection))
		if !strings.Contains(strings.Join(v.Uncertain, "; "), c.want) {
			t.Errorf("%s: %v", c.connection, v.Uncertain)
		}
	}
	s := calicoShop(t, strings.Replace(hostEndpoint, "node: n2", "node: n9", 1))
	if _, problems := Compile(s, Options{}); len(problems) != 1 || problems[0].Field != "spec.node" {
		t.Errorf("problems: %v", problems)
	}
}
