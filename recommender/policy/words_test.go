// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"
)

// Asking for a Service's virtual address is doubtful: policies apply behind it.
func TestServiceAddressIsDoubtful(t *testing.T) {
	s := calicoShop(t, cnpHead+"  ingress: [{action: Allow}]\n")
	s.Services[0].Spec.ClusterIP = "10.96.0.10"
	s.Services[0].Spec.ClusterIPs = []string{"10.96.0.10", "fd00:96::10"}
	e := compileClean(t, s, Options{})
	for _, address := range []string{"10.96.0.10", "fd00:96::10"} {
		v := e.Check(connectionOf(t, s, "shop/web -> "+address+" TCP 80"))
		if len(v.Uncertain) != 1 || !strings.Contains(v.Uncertain[0], "virtual address of Service shop/api") {
			t.Errorf("%s: %v", address, v.Uncertain)
		}
	}
}

// A pod that is given as a copy, or with an address that is another family's,
// is still that pod.
func TestPodsAreFoundByName(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {matchLabels: {app: api}}\n  ingress: [{from: [{ipBlock: {cidr: 'fd00:1::/64'}}]}]\n")
	e := compileClean(t, s, Options{})
	web, api := *peerOf(t, s, "shop/web").Pod, *peerOf(t, s, "shop/api").Pod
	for _, c := range []struct {
		from, to string
		want     bool
	}{{"10.1.0.1", "", false}, {"fd00:1::1", "", true}, {"", "fd00:1::2", true}, {"", "10.1.0.2", false}, {"", "", false}} {
		conn := Connection{From: Peer{Pod: &web}, To: Peer{Pod: &api}, Protocol: 6, Port: 80}
		if c.from != "" {
			conn.From = Peer{Pod: &web, Addr: peerOf(t, s, c.from).Addr}
		}
		if c.to != "" {
			conn.To = Peer{Pod: &api, Addr: peerOf(t, s, c.to).Addr}
		}
		if v := e.Check(conn); v.Allowed != c.want {
			t.Errorf("%+v: %v\n%s", c, v.Allowed, whyText(v))
		}
	}
}

// Of a pod without an address, such as a template, nobody can say whether it lies
// in a block that pods may lie in. What decides before does not leave that open.
func TestPodsWithoutAddressAreDoubtful(t *testing.T) {
	const to = npHead + "  podSelector: {matchLabels: {app: api}}\n  ingress:\n"
	for _, c := range []struct {
		policies, connection string
		allowed              bool
		want                 string
	}{
		{to + "  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]\n", "shop/web -> shop/api TCP 80", false, "NetworkPolicy shop/p Ingress rule 1 may match or not: pod shop/web has no address in the input"},
		{to + "  - from: [{ipBlock: {cidr: 'fd00::/8'}}]\n", "shop/web -> shop/api TCP 80", false, "rule 1 may match or not"},
		{to + "  - from: [{ipBlock: {cidr: 203.0.113.0/24}}]\n", "shop/web -> shop/api TCP 80", false, ""},
		{to + "  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]\n    ports: [{port: 81}]\n", "shop/web -> shop/api TCP 80", false, ""},
		{to + "  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]\n  - {}\n", "shop/web -> shop/api TCP 80", true, ""},
		{cnpHead + "  ingress: [{action: Deny, source: {nets: [10.0.0.0/8]}}, {action: Allow}]\n", "shop/web -> shop/api TCP 80", true, "rule 1 may match or not"},
		{cnpHead + "  ingress: [{action: Allow}, {action: Deny, source: {nets: [10.0.0.0/8]}}]\n", "shop/web -> shop/api TCP 80", true, ""},
	} {
		s := calicoShop(t, c.policies)
		for i := range s.Pods {
			if s.Pods[i].Namespace == "shop" && s.Pods[i].Name == "web" {
				s.Pods[i].IPs = nil
			}
		}
		v := compileClean(t, s, Options{}).Check(connectionOf(t, s, c.connection))
		if got := strings.ToLower(strings.Join(v.Uncertain, "; ")); v.Allowed != c.allowed || (c.want == "") != (got == "") || !strings.Contains(got, strings.ToLower(c.want)) {
			t.Errorf("%s: %v, %v, want %v, %q", c.policies, v.Allowed, v.Uncertain, c.allowed, c.want)
		}
	}
}

// What is computed over all ends cannot tell of each doubt: it names the pods.
func TestUnplacedPodsAreNamed(t *testing.T) {
	const to = npHead + "  podSelector: {matchLabels: {app: api}}\n  ingress:\n"
	for _, c := range []struct {
		policies string
		want     []string
	}{
		{to + "  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]\n", []string{"pay/template", "shop/web"}},
		{to + "  - from: [{ipBlock: {cidr: 'fd00::/8'}}]\n", []string{"pay/template", "shop/web"}},
		{to + "  - from: [{ipBlock: {cidr: 203.0.113.0/24}}]\n", nil},
		{to + "  - from: [{podSelector: {}}]\n", nil},
	} {
		s := calicoShop(t, c.policies)
		for i := range s.Pods {
			if s.Pods[i].Namespace == "shop" && s.Pods[i].Name == "web" {
				s.Pods[i].IPs = nil
			}
		}
		if got := compileClean(t, s, Options{}).Unplaced(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.policies, got, c.want)
		}
	}
}

// A rule that may match leaves nothing open where it would say what is said
// without it, or comes after what decides.
func TestDoubtsThatChangeNothing(t *testing.T) {
	for _, c := range []struct{ rules, want string }{
		{"[{action: Allow, protocol: ICMP, icmp: {type: 8}}, {action: Allow}]", ""},
		{"[{action: Allow}, {action: Deny, protocol: ICMP, icmp: {type: 8}}]", ""},
		{"[{action: Deny, protocol: ICMP, icmp: {type: 8}}]", ""},
		{"[{action: Deny, protocol: ICMP, icmp: {type: 8}}, {action: Allow}]", "rule 1 may match or not"},
		{"[{action: Allow, protocol: ICMP, icmp: {type: 8}}]", "rule 1 may match or not"},
		{"[{action: Pass, protocol: ICMP, icmp: {type: 8}}, {action: Deny}]", "rule 1 may match or not"},
	} {
		s := calicoShop(t, cnpHead+"  ingress: "+c.rules+"\n")
		conn := connectionOf(t, s, "shop/web -> shop/api TCP 80")
		conn.Protocol, conn.Port, conn.ICMPType, conn.ICMPCode = 1, 0, -1, -1
		v := compileClean(t, s, Options{}).Check(conn)
		if got := strings.Join(v.Uncertain, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", c.rules, v.Uncertain, c.want)
		}
	}
}

// What NetworkPolicy cannot name is not written into a rule of it.
func TestChangesNameWhatTheKindKnows(t *testing.T) {
	s := calicoShop(t, npHead+"  podSelector: {matchLabels: {app: api}}\n")
	conn := connectionOf(t, s, "shop/web -> shop/api TCP 80")
	conn.Protocol = 136
	changes := compileClean(t, s, Options{}).Explain(conn).Changes
	if len(changes) != 1 || strings.Contains(changes[0].Rule, "ports") || !strings.Contains(changes[0].Text, "cannot name UDPLite") {
		t.Errorf("%+v", changes)
	}
	next, _ := applied(t, s, changes)
	if v := compileClean(t, next, Options{}).Check(conn); !v.Allowed {
		t.Errorf("still denied after %+v", changes)
	}
}
