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

// gnpFor is a policy for the node's host endpoint.
func gnpFor(name, spec string) string {
	return strings.Replace(gnpHead, "name: g", "name: "+name, 1) + "  selector: role == 'node'\n" + spec
}

const (
	docsFailsafe  = "docs.tigera.io/calico/latest/reference/host-endpoints/failsafe"
	docsUntracked = "docs.tigera.io/calico/latest/reference/host-endpoints/overview, order of policy: untracked, pre-DNAT, normal"
	docsHosts     = "docs.tigera.io/calico/latest/reference/resources/hostendpoint"
	felixHead     = "---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: "
)

func TestHostPolicyStages(t *testing.T) {
	for _, c := range []struct {
		name, source, manifests string
		want                    []expectation
	}{
		{"failsafe ports of the configuration replace the usual", docsFailsafe, hostEndpoint + felixHead + "{failsafeInboundHostPorts: [{protocol: tcp, port: 2222}, {protocol: tcp, port: 9100, net: 198.51.100.0/24}]}\n", []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 22", "Ei"},
			{"203.0.113.1 -> 192.168.0.2 TCP 2222", "EI"},
			{"2001:db8::1 -> fd00:ff::2 TCP 2222", "EI"},
			{"203.0.113.1 -> 192.168.0.2 TCP 9100", "Ei"},
			{"198.51.100.1 -> 192.168.0.2 TCP 9100", "EI"},
			{"192.168.0.2 -> 203.0.113.1 UDP 53", "EI"}, // the outbound list is not given
		}},
		{"an empty list leaves no failsafe port", docsFailsafe, hostEndpoint + felixHead + "{failsafeOutboundHostPorts: []}\n", []expectation{
			{"192.168.0.2 -> 203.0.113.1 UDP 53", "eI"}, {"203.0.113.1 -> 192.168.0.2 TCP 22", "EI"},
		}},
		{"a node's own configuration counts before the default", "docs.tigera.io/calico/latest/reference/resources/felixconfig: node.<nodename>", hostEndpoint + felixHead + "{failsafeInboundHostPorts: []}\n" + strings.Replace(felixHead, "name: default", "name: node.n2", 1) + "{failsafeInboundHostPorts: [{protocol: udp, port: 161}]}\n", []expectation{
			{"203.0.113.1 -> 192.168.0.2 UDP 161", "EI"}, {"203.0.113.1 -> 192.168.0.2 TCP 22", "Ei"},
		}},
		{"the stored API group is read as well", docsFailsafe, hostEndpoint + strings.Replace(felixHead, "projectcalico.org/v3", "crd.projectcalico.org/v1", 1) + "{failsafeInboundHostPorts: []}\n", []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 22", "Ei"},
		}},
		{"an untracked allow comes before a normal deny, and an untracked miss goes on", docsUntracked, hostEndpoint + "---\n" +
			gnpFor("u", "  doNotTrack: true\n  applyOnForward: true\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: UDP, destination: {ports: [11211]}}]\n---\n") +
			gnpFor("n", "  order: 1\n  types: [Ingress]\n  ingress: [{action: Deny, protocol: UDP}, {action: Allow, protocol: TCP}]\n"), []expectation{
			{"203.0.113.1 -> 192.168.0.2 UDP 11211", "EI"},
			{"203.0.113.1 -> 192.168.0.2 UDP 11212", "Ei"},
			{"203.0.113.1 -> 192.168.0.2 TCP 80", "EI"},
			{"2001:db8::1 -> fd00:ff::2 UDP 11211", "EI"},
		}},
		{"a pre-DNAT deny comes before a normal allow, failsafe ports before both", docsUntracked, hostEndpoint + "---\n" +
			gnpFor("d", "  preDNAT: true\n  applyOnForward: true\n  types: [Ingress]\n  ingress: [{action: Deny, source: {nets: [203.0.113.0/24]}}]\n---\n") +
			gnpFor("n", "  types: [Ingress]\n  ingress: [{action: Allow}]\n"), []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 80", "Ei"},
			{"198.51.100.1 -> 192.168.0.2 TCP 80", "EI"},
			{"203.0.113.1 -> 192.168.0.2 TCP 22", "EI"},
			{"192.168.0.2 -> 203.0.113.1 TCP 80", "eI"}, // pre-DNAT is for ingress only; nothing allows egress
		}},
		{"expected addresses say what an endpoint without interface governs", docsHosts + ": interfaceName empty", strings.Replace(hostEndpoint, "interfaceName: eth0, expectedIPs: [192.168.0.2, \"fd00:ff::2\"]", "expectedIPs: [192.168.0.2]", 1), []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 80", "Ei"}, {"2001:db8::1 -> fd00:ff::2 TCP 80", "EI"},
		}},
		{"every interface of the node", docsHosts + ": interfaceName \"*\"", strings.Replace(hostEndpoint, "interfaceName: eth0, expectedIPs: [192.168.0.2, \"fd00:ff::2\"]", "interfaceName: '*'", 1), []expectation{
			{"203.0.113.1 -> 192.168.0.2 TCP 80", "Ei"}, {"2001:db8::1 -> fd00:ff::2 TCP 80", "Ei"},
		}},
		{
			"labels of profiles are the endpoint's, its own count before them", "docs.tigera.io/calico/latest/reference/resources/profile: labelsToApply",
			strings.Replace(strings.Replace(hostEndpoint, "spec: {", "spec: {profiles: [site], ", 1), "labels: {role: node}", "labels: {zone: a}", 1) +
				"---\napiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: site}\nspec: {labelsToApply: {role: node, zone: b}, egress: [{action: Allow}]}\n---\n" +
				strings.Replace(gnpFor("n", "  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]\n"), "role == 'node'", "role == 'node' && zone == 'a'", 1),
			[]expectation{
				{"203.0.113.1 -> 192.168.0.2 TCP 80", "EI"}, {"203.0.113.1 -> 192.168.0.2 TCP 81", "Ei"}, {"192.168.0.2 -> 203.0.113.1 TCP 81", "EI"},
			},
		},
		{"policy without applyOnForward leaves pods alone, and so does one that allows", "docs.tigera.io/calico/latest/reference/host-endpoints/forwarded", hostEndpoint + "---\n" +
			gnpFor("n", "  types: [Ingress]\n---\n") + gnpFor("f", "  applyOnForward: true\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: TCP}]\n"), []expectation{
			{"203.0.113.1 -> shop/api TCP 80", "EI"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cited(t, c.source)
			s := calicoShop(t, c.manifests)
			expect(t, compileClean(t, s, Options{}), s, c.want)
		})
	}
}

// What hangs on interfaces, tunnels and replies is told as doubt, and only
// where it would change the verdict.
func TestHostDoubts(t *testing.T) {
	for _, c := range []struct{ endpoint, spec, connection, want string }{
		{hostEndpoint, "  preDNAT: true\n  applyOnForward: true\n  types: [Ingress]\n  ingress: [{action: Allow}]\n", "203.0.113.1 -> shop/api TCP 80", "accepts it on its way through node n2 (HostEndpoint n2-eth0) before other policies are asked"},
		{hostEndpoint, "  preDNAT: true\n  applyOnForward: true\n  types: [Ingress]\n  ingress: [{action: Allow, protocol: UDP}]\n", "203.0.113.1 -> shop/api TCP 80", ""},
		{hostEndpoint, "  doNotTrack: true\n  applyOnForward: true\n  ingress: [{action: Allow}]\n", "203.0.113.1 -> 192.168.0.2 TCP 80", "without connection tracking"},
		{hostEndpoint, "  doNotTrack: true\n  applyOnForward: true\n  ingress: [{action: Allow}]\n", "203.0.113.1 -> 192.168.0.2 TCP 22", ""},
		{hostEndpoint, "  applyOnForward: true\n", "203.0.113.1 -> shop/api TCP 80", "tier default has policies with applyOnForward and none of their rules matches"},
		{hostEndpoint, "  applyOnForward: true\n  types: [Egress]\n", "203.0.113.1 -> shop/api TCP 80", ""},
		{hostEndpoint, "  applyOnForward: true\n  types: [Egress]\n", "shop/api -> 203.0.113.1 TCP 80", "denies it on its way through node n2"},
		{hostEndpoint, "  applyOnForward: true\n  ingress: [{action: Deny, source: {nets: [203.0.113.0/24]}}, {action: Allow}]\n", "203.0.113.1 -> shop/api TCP 80", "GlobalNetworkPolicy g denies it on its way"},
		{hostEndpoint, "  applyOnForward: true\n  ingress: [{action: Deny, source: {nets: [203.0.113.0/24]}}, {action: Allow}]\n", "198.51.100.1 -> shop/api TCP 80", ""},
		{hostEndpoint, "", "shop/api -> 192.168.0.2 TCP 10250", "defaultEndpointToHostAction"},
		{strings.Replace(hostEndpoint, ", \"fd00:ff::2\"", "", 1), "", "2001:db8::1 -> fd00:ff::2 TCP 80", "governs interface eth0 of node n2"},
	} {
		s := calicoShop(t, c.endpoint+"---\n"+gnpFor("g", c.spec))
		v := compileClean(t, s, Options{}).Check(connectionOf(t, s, c.connection))
		if got := strings.Join(v.Uncertain, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s%s: %v, want %q", c.spec, c.connection, v.Uncertain, c.want)
		}
	}
}

func TestHostFaults(t *testing.T) {
	for _, c := range []struct{ manifests, field, message string }{
		{strings.Replace(hostEndpoint, "node: n2", "node: n9", 1), "spec.node", "is not in the input"},
		{hostEndpoint + "---\n" + gnpFor("g", "  doNotTrack: true\n  preDNAT: true\n  applyOnForward: true\n"), "spec.preDNAT", "cannot both be true"},
		{hostEndpoint + "---\n" + gnpFor("g", "  doNotTrack: true\n"), "spec.applyOnForward", "must be true"},
		{hostEndpoint + "---\n" + gnpFor("g", "  preDNAT: true\n  applyOnForward: true\n  egress: [{action: Allow}]\n"), "spec.egress", "no egress rules"},
		{hostEndpoint + "---\n" + gnpFor("g", "  preDNAT: true\n  applyOnForward: true\n  types: [Ingress, Egress]\n"), "spec.types", "no egress"},
		{hostEndpoint + felixHead + "{failsafeInboundHostPorts: [{protocol: icmp, port: 1}]}\n", "spec.failsafeInboundHostPorts[0].protocol", "ICMP has no ports"},
		{hostEndpoint + felixHead + "{failsafeOutboundHostPorts: [{protocol: tcp, port: 1, net: 10.0.0.0/33}]}\n", "spec.failsafeOutboundHostPorts[0].net", "is not an address block"},
	} {
		s := calicoShop(t, c.manifests)
		e, problems := Compile(s, Options{})
		if len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Message, c.message) {
			t.Errorf("%s: problems %v", c.field, problems)
		}
		if c.field == "spec.node" {
			continue
		}
		if v := e.Check(connectionOf(t, s, "203.0.113.1 -> 192.168.0.2 TCP 80")); len(v.Uncertain) == 0 {
			t.Errorf("%s: the verdict is not uncertain", c.field)
		}
		if v := e.Check(connectionOf(t, s, "203.0.113.1 -> 192.168.0.1 TCP 80")); len(v.Uncertain) > 0 {
			t.Errorf("%s: a verdict that it cannot touch is uncertain: %v", c.field, v.Uncertain)
		}
	}
}
