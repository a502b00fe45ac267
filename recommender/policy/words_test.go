// SPDX-License-Identifier: Apache-2.0

package policy

import (
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
