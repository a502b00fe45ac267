// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

const (
	service4, service6 = "10.96.0.10", "fd96::10"
	outside4, outside6 = "192.0.2.7", "2001:db8::7"
	dns4               = "10.77.0.53"
	outsideName        = "pay.example.com."
)

// Virtual addresses as kube-proxy makes them, and a port whose packets vanish.
const rules = `
table ip nat {
	chain prerouting {
		type nat hook prerouting priority -100
		ip daddr 10.96.0.10 tcp dport 80 dnat to 10.77.0.9:8080
	}
}
table ip6 nat {
	chain prerouting {
		type nat hook prerouting priority -100
		ip6 daddr fd96::10 tcp dport 80 dnat to [fd77::9]:8080
	}
}
table inet filter {
	chain forward {
		type filter hook forward priority 0
		tcp dport 82 drop
	}
}
`

const services = `apiVersion: v1
kind: Service
metadata: {name: server, namespace: shop}
spec: {clusterIPs: ["10.96.0.10", "fd96::10"], clusterIP: 10.96.0.10, ipFamilies: [IPv4, IPv6], selector: {app: server}, ports: [{name: http, port: 80, targetPort: 8080}]}
`

func (s *setup) nft(text string) {
	s.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		s.t.Skip("needs nft (nftables)")
	}
	err := s.node.Do(func() error {
		c := exec.Command("nft", "-f", "-")
		c.Stdin, c.Stderr = strings.NewReader(text), os.Stderr
		return c.Run()
	})
	if err != nil {
		s.t.Fatalf("making nftables rules in the node's namespace: %v", err)
	}
}

// answerNames serves DNS in a pod: both addresses of one outside name.
func answerNames(p *nodetest.Pod) {
	c := p.ListenPacket(dns4 + ":53")
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, peer, err := c.ReadFrom(buffer)
			if err != nil {
				return // the test has ended
			}
			if a := answerTo(buffer[:n]); a != nil {
				_, _ = c.WriteTo(a, peer) // the resolver asks again
			}
		}
	}()
}

func answerTo(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
	switch {
	case q.Name.String() != outsideName:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: netip.MustParseAddr(outside4).As4()}}}
	case q.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(outside6).As16()}}}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// lookUp asks for a name from a pod.
func lookUp(p *nodetest.Pod, network, name string) ([]netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return p.Dial("udp", dns4+":53") }}
	return r.LookupNetIP(context.Background(), network, name)
}

// Who is who: the Service behind a virtual address, the name of an outside
// peer, what nobody answered.
func TestServicesNamesAndSilence(t *testing.T) {
	s := newSetup(t)
	s.write("manifests/services.yaml", services)
	s.nft(rules)
	recommender := s.startRecommender()
	s.await("the recommender makes its CA", func() bool { return exists(s.path("data/ca.pem")) })
	client, server := s.addPair()
	names := s.addPod("dns", dns4)
	outside := s.node.AddPod("outside", outside4, outside6) // no pod: nobody reports it
	agent := s.startAgent("--ignore-link", outside.HostLink)
	s.awaitAgent(3)

	serve(server)
	for _, a := range outside.Addresses {
		serveAt(outside, netip.AddrPortFrom(a, 443))
	}
	answerNames(names)
	const requests = 7
	for range requests {
		for _, a := range []string{service4, service6} {
			if err := request(client, netip.AddrPortFrom(netip.MustParseAddr(a), 80)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, network := range []string{"ip4", "ip6"} {
		found, err := lookUp(client, network, outsideName)
		if err != nil || len(found) != 1 {
			t.Fatalf("looking up %s: %v, %v", outsideName, found, err)
		}
		if err := request(client, netip.AddrPortFrom(found[0].Unmap(), 443)); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []string{server4, server6} {
		if err := client.DialFor("tcp", netip.AddrPortFrom(netip.MustParseAddr(a), 82).String(), 100*time.Millisecond); err == nil {
			t.Fatal("a connection through a rule that drops it")
		}
	}
	s.finish(agent, recommender)

	own, err := os.Executable() // all pods run this test
	if err != nil {
		t.Fatal(err)
	}
	records := s.records()
	for _, family := range []struct{ client, server, outside string }{{client4, server4, outside4}, {client6, server6, outside6}} {
		find := func(port uint16, ip string) flow.Record {
			t.Helper()
			var sum flow.Record
			for _, r := range records {
				if e := r.Edge; e.Port == port && e.Client.IP.String() == family.client && e.Server.IP.String() == ip {
					sum.Edge = r.Edge
					sum.ByClient, sum.ByServer = sum.ByClient.Add(r.ByClient), sum.ByServer.Add(r.ByServer)
				}
			}
			return sum
		}
		r := find(8080, family.server)
		if e := r.Edge; r.ByClient.Connections != requests || r.ByServer.Connections != requests || e.Client.Pod != "client" || e.Server.Pod != "server" {
			t.Errorf("requests to the Service over %s: %+v", family.client, r)
		}
		if opened, served := programsOf(records, family.client, 8080); opened != own || served != own {
			t.Errorf("programs of the requests over %s: %q, %q: want %q", family.client, opened, served, own)
		}
		if service := serviceOf(records, family.client, 8080); service != "shop/server:http" && service != "shop/server:80" {
			t.Errorf("the Service that was dialled over %s is %q", family.client, service)
		}
		r = find(443, family.outside)
		if e := r.Edge; r.ByClient.Connections != 1 || e.Server.Kind() != flow.KindOutside || e.Server.DNS != strings.TrimSuffix(outsideName, ".") {
			t.Errorf("the request to outside over %s: %+v", family.client, r)
		}
		r = find(82, family.server)
		if r.ByClient.Connections != 1 || r.Edge.Outcome != flow.Dropped || r.Edge.Reason != "NETFILTER_DROP" || r.ByServer.Connections != 1 {
			t.Errorf("what was dropped over %s: %+v", family.client, r)
		}
	}
}

// serviceOf gives the Service on the client's side of an edge.
func serviceOf(records []flow.Record, client string, port uint16) string {
	for _, r := range records {
		if r.Edge.Client.IP.String() == client && r.Edge.Port == port && !r.ByClient.IsZero() {
			return r.Edge.Service
		}
	}
	return ""
}

// programsOf gives the programs at the two ends, each as its own end tells it.
func programsOf(records []flow.Record, client string, port uint16) (opened, served string) {
	for _, r := range records {
		if r.Edge.Client.IP.String() != client || r.Edge.Port != port {
			continue
		}
		opened, served = cmp.Or(opened, r.Edge.Client.Process), cmp.Or(served, r.Edge.Server.Process)
	}
	return opened, served
}

// The same traffic as a flow file, read back by the recommender's own reader.
func TestRecordWritesAFlowFile(t *testing.T) {
	s := newSetup(t)
	client, server := s.addPair()
	agent := start(t, "agent", "record", "--node", "n1", "-o", s.path("flows.jsonl"), "--window", "1s",
		"--netns", s.node.Path, "--netns-dir", s.node.PodsDir, "--pods-dir", s.path("pods"), "--log-level", "debug")
	s.await("the agent watches both pods", func() bool { return strings.Count(agent.out.String(), "interface watched") == 2 })
	serve(server)
	const requests = 11
	for range requests {
		for _, a := range server.Addresses {
			if err := request(client, netip.AddrPortFrom(a, 8080)); err != nil {
				t.Fatal(err)
			}
		}
	}
	agent.stop()
	f, err := os.Open(s.path("flows.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, unknown, err := jsonl.ReadAll(f, "flows.jsonl")
	if err != nil || len(unknown) != 0 {
		t.Fatalf("reading the flow file: %v, unknown fields %v", err, unknown)
	}
	got := sum(records)
	for _, address := range []string{server4, server6} {
		e, a := s.family(address)
		e.port = 8080
		wantTCP(t, got, e, a, requests)
	}
	for e, c := range got {
		t.Errorf("an edge that was not made: %+v %+v", e, c)
	}
}
