// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"testing"

	"github.com/netcinch/netcinch/recommender/flow"
)

func TestAlike(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {matchLabels: {app: db}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}, {from: [{ipBlock: {cidr: 10.1.0.0/24}}]}]")
	e := compileClean(t, s, Options{})
	kinds := e.Alike()
	probe := func(from, to Peer) [2]bool {
		out, in := e.Allowed(Connection{From: from, To: to, Protocol: flow.TCP, Port: 80, ICMPType: -1, ICMPCode: -1})
		return [2]bool{out, in}
	}
	var peers []Peer
	for i := range s.Pods {
		for _, a := range s.Pods[i].IPs {
			if !s.Pods[i].HostNetwork {
				peers = append(peers, Peer{Pod: &s.Pods[i], Addr: a})
			}
		}
	}
	same := 0
	for _, a := range peers {
		for _, b := range peers {
			ka, _ := kinds.Of(a)
			kb, _ := kinds.Of(b)
			if ka != kb {
				continue
			}
			for _, c := range peers {
				if c.Pod == a.Pod || c.Pod == b.Pod {
					continue
				}
				if a.Pod != b.Pod {
					same++
				}
				if probe(a, c) != probe(b, c) || probe(c, a) != probe(c, b) {
					t.Errorf("%s and %s are said to be alike", a.Pod.Name, b.Pod.Name)
				}
			}
		}
	}
	if same == 0 {
		t.Error("no two pods are alike")
	}
	web, db := peerOf(t, s, "shop/web@4"), peerOf(t, s, "shop/db@4")
	kw, _ := kinds.Of(web)
	kd, _ := kinds.Of(db)
	if kw == kd {
		t.Error("the policy tells web and db apart")
	}
	if _, ok := kinds.Of(peerOf(t, s, "203.0.113.1")); ok {
		t.Error("an outside address has a kind")
	}
}

func TestReachesIsReach(t *testing.T) {
	s := shop()
	s.Policies = objectsOf(t, npHead+"  podSelector: {}\n  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {}}]}, {ports: [{port: 80}]}, {from: [{ipBlock: {cidr: 10.1.0.0/24}}]}]")
	e := compileClean(t, s, Options{})
	reach := e.Reaches()
	for _, a := range e.Allowances() {
		pods, anyone := e.Reach(a.ID)
		if got, open := reach(a.ID); open != anyone || !slices.Equal(got, pods) {
			t.Errorf("%+v: got %v, %v; want %v, %v", a.ID, got, open, pods, anyone)
		}
	}
}
