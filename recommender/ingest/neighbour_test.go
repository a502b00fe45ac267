// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/wire"
)

// emptyFake knows nobody yet.
func emptyFake() *fake {
	return &fake{owners: map[netip.Addr][]tenure{}, services: map[netip.AddrPort]cluster.Service{}}
}

// TestElsewhere names who has an address in another cluster, at the time, and
// says nothing where that is not sure.
func TestElsewhere(t *testing.T) {
	prod, test := emptyFake(), emptyFake()
	prod.own("10.9.0.1", pod("db", "0", "p1"))
	prod.own("fd09::1", pod("db", "0", "p1"))
	prod.own("192.0.2.99", flow.Endpoint{Node: "p1"})
	prod.own("10.9.0.2", pod("mail", "0", "p1"))
	test.own("10.9.0.2", pod("other", "0", "q1"))
	prod.own("10.0.2.1", pod("shadow", "0", "p1")) // the own cluster has it too
	prod.ownFor("10.9.0.3", pod("gone", "0", "p1"), t0.Add(-time.Hour), t0.Add(-time.Minute))
	others := []neighbour{{"prod", prod}, {"test", test}}
	for _, c := range []struct{ name, local, remote, want, how string }{
		{"a pod, v4", "10.0.1.1", "10.9.0.1", "prod/shop/db", asElsewhere},
		{"a pod, v6", "fd00::1:1", "fd09::1", "prod/shop/db", asElsewhere},
		{"a node", "10.0.1.1", "192.0.2.99", "prod/p1", asElsewhere},
		{"in two clusters", "10.0.1.1", "10.9.0.2", "", asOutside},
		{"in none", "10.0.1.1", "203.0.113.1", "", asOutside},
		{"of the own cluster", "10.0.1.1", "10.0.2.1", "", asPod},
		{"at another time", "10.0.1.1", "10.9.0.3", "", asOutside},
	} {
		for end, flags := range map[string]wire.EdgeFlag{"client": 0, "server": isClient} {
			a := newAttributor(shop(), others, header)
			e := a.record(edge(c.local, c.remote, flags)).Edge
			remote := e.Server
			if end == "client" {
				remote = e.Client
			}
			if remote.Elsewhere != c.want || a.resolved[[2]string{endRemote, c.how}] != 1 {
				t.Errorf("%s as the %s: %+v, resolved %v; want %q, %s", c.name, end, remote, a.resolved, c.want, c.how)
			}
			if c.want != "" && (remote.Kind() != flow.KindOutside || remote.IP != netip.MustParseAddr(c.remote)) {
				t.Errorf("%s: %+v; to policies it is an outside address", c.name, remote)
			}
		}
	}
}

// TestClustersKeepToThemselves sends as one cluster's agent in another's name.
func TestClustersKeepToThemselves(t *testing.T) {
	world := func(t *testing.T) *world {
		t.Helper()
		return newWorld(t, func(o *Options) {
			auth, err := ParseTokens(strings.NewReader("secret-of-node-one cluster=c n1\nsecret-of-cluster-d cluster=d"))
			if err != nil {
				t.Fatal(err)
			}
			o.Auth = auth
			o.Clusters["d"] = emptyFake()
		})
	}
	for _, c := range []struct {
		token, cluster string
		status         int
	}{{"secret-of-node-one", "c", 200}, {"secret-of-node-one", "d", 403}, {"secret-of-cluster-d", "d", 200}, {"secret-of-cluster-d", "c", 403}} {
		w := world(t)
		h := header
		h.Cluster = c.cluster
		r := request(body(t, h, edge("10.0.1.1", "10.0.2.1", isClient)))
		r.Header.Set("Authorization", "Bearer "+c.token)
		answer := w.post(r)
		if answer.Code != c.status || (len(w.store.batches) == 1) != (c.status == 200) {
			t.Errorf("%s as %s: %d %s, %d stored; want %d", c.token, c.cluster, answer.Code, answer.Body, len(w.store.batches), c.status)
		}
		for _, b := range w.store.batches {
			known := b.Records[0].Edge.Server.Elsewhere
			if b.Cluster != c.cluster || (c.cluster == "d") != (known == "c/shop/cart") {
				t.Errorf("stored as cluster %s, server elsewhere %q", b.Cluster, known)
			}
		}
	}
}
