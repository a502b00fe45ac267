// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

func shop(t *testing.T) *Plan {
	t.Helper()
	p, err := Make("../manifests")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestShop holds the manifests against what the demo promises to show.
func TestShop(t *testing.T) {
	p := shop(t)
	containers := map[string]int{}
	namespaces := map[string]bool{}
	hostNetwork := 0
	for _, pod := range p.Pods {
		containers[pod.Container]++
		namespaces[pod.Object.Namespace] = true
		if pod.Netns == "" {
			hostNetwork++
		}
	}
	for _, want := range []string{
		"frontend", "cart", "catalogue", "checkout", "payment", "search", "database", "cache", "coredns", "scraper", "node-exporter",
	} {
		if containers[want] == 0 {
			t.Errorf("no pod of %s", want)
		}
	}
	if len(namespaces) != 4 || hostNetwork != 1 || len(p.Jobs) != 1 {
		t.Errorf("%d namespaces, %d hostNetwork pods, %d jobs; want 4, 1, 1", len(namespaces), hostNetwork, len(p.Jobs))
	}
	if p.Jobs[0].Every != 20*time.Second {
		t.Errorf("job every %s, want 20s", p.Jobs[0].Every)
	}
	for _, r := range p.Routes {
		if !r.Dialled.Addr().Is4() {
			return
		}
	}
	t.Error("no route over IPv6")
}

// TestCallsReachServers resolves each call as the pods will, follows the
// Service, and looks for a listener at the end. Only the DNS server's own
// port is not called by name.
func TestCallsReachServers(t *testing.T) {
	p := shop(t)
	listening := map[netip.AddrPort]bool{}
	listen := func(spec workload.Spec, addrs ...netip.Addr) {
		for _, s := range spec.Serve {
			for _, a := range addrs {
				listening[netip.AddrPortFrom(a, s.Number)] = true
			}
		}
	}
	for _, pod := range p.Pods {
		listen(pod.Spec, pod.IPs...)
	}
	for _, o := range p.Outside {
		listen(o.Spec, o.Address)
	}
	check := func(who string, spec workload.Spec) {
		for _, c := range spec.Calls {
			targets := targetsOf(p, c)
			if len(targets) == 0 {
				t.Errorf("%s: %s: nothing to call", who, c.Text)
			}
			for _, to := range targets {
				if !listening[to] {
					t.Errorf("%s: %s: nobody listens on %s", who, c.Text, to)
				}
			}
		}
	}
	for _, pod := range p.Pods {
		check(pod.Key(), pod.Spec)
	}
	for _, o := range p.Outside {
		check(o.Name, o.Spec)
	}
	job, err := p.Jobs[0].Pod(time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	check(job.Key(), job.Spec)
}

// targetsOf gives the addresses that a call arrives at, after DNAT.
func targetsOf(p *Plan, c workload.Call) []netip.AddrPort {
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(c.Host); err == nil {
		addrs = []netip.Addr{a}
	} else {
		name := c.Host + "."
		if alias, ok := p.Zone.Aliases[name]; ok {
			name = alias
		}
		addrs = p.Zone.Addresses[name]
	}
	var targets []netip.AddrPort
	for _, a := range addrs {
		if a.Is6() != c.Six {
			continue
		}
		dialled := netip.AddrPortFrom(a, c.Port)
		if i := slices.IndexFunc(p.Routes, func(r Route) bool { return r.Dialled == dialled }); i >= 0 {
			targets = append(targets, p.Routes[i].Backends...)
			continue
		}
		targets = append(targets, dialled)
	}
	return targets
}

func TestJobPodsDiffer(t *testing.T) {
	p := shop(t)
	at := time.Unix(1_700_000_000, 0)
	seen := map[string]bool{}
	for i := range 2 * poolSize {
		pod, err := p.Jobs[0].Pod(at.Add(time.Duration(i) * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if seen[pod.Object.Name] || seen[pod.Link] || len(pod.Link) > 15 {
			t.Fatalf("pod %s on link %s: name or link used before, or too long", pod.Object.Name, pod.Link)
		}
		seen[pod.Object.Name], seen[pod.Link] = true, true
		for j, a := range pod.IPs {
			if !p.Node.Pods[j].Contains(a) {
				t.Fatalf("pod %s has %s outside %s", pod.Object.Name, a, p.Node.Pods[j])
			}
		}
	}
}

func TestPodsAreAsTheirControllersNameThem(t *testing.T) {
	p := shop(t)
	addresses := map[netip.Addr]string{}
	for _, pod := range p.Pods {
		o := pod.Object
		owner := o.OwnerReferences[0]
		switch owner.Kind {
		case "ReplicaSet":
			if want := pod.Container + "-" + o.Labels["pod-template-hash"]; owner.Name != want || !strings.HasPrefix(o.Name, want+"-") {
				t.Errorf("%s: owner %s, want %s", o.Name, owner.Name, want)
			}
		case "StatefulSet":
			if o.Name != "database-0" || o.Labels["statefulset.kubernetes.io/pod-name"] != o.Name {
				t.Errorf("%s: labels %v", o.Name, o.Labels)
			}
		}
		if len(o.UID) != 36 || o.Spec.NodeName != "demo-node" {
			t.Errorf("%s: uid %s, node %s", o.Name, o.UID, o.Spec.NodeName)
		}
		for _, a := range pod.IPs {
			if other, ok := addresses[a]; ok {
				t.Errorf("%s and %s share %s", other, o.Name, a)
			}
			addresses[a] = o.Name
		}
	}
}

// TestManifestsAreStrict decodes the policies with every field known: what a
// cluster would refuse is not to be in the demo.
func TestManifestsAreStrict(t *testing.T) {
	data, err := os.ReadFile("../manifests/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		into := map[string]any{
			"networking.k8s.io/v1 NetworkPolicy":       &networkingv1.NetworkPolicy{},
			"projectcalico.org/v3 NetworkPolicy":       &calicov3.NetworkPolicy{},
			"projectcalico.org/v3 GlobalNetworkPolicy": &calicov3.GlobalNetworkPolicy{},
		}[head.APIVersion+" "+head.Kind]
		if into == nil {
			t.Fatalf("%s %s is no policy kind that this test knows", head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Errorf("%s: %v\n%s", head.Kind, err, document)
		}
		kinds[head.APIVersion]++
	}
	if kinds["networking.k8s.io/v1"] != 5 || kinds["projectcalico.org/v3"] != 2 {
		t.Errorf("policies %v, want 5 of Kubernetes and 2 of Calico", kinds)
	}
}

const goodNode = `kind: Node
metadata: {name: n}
spec: {podCIDRs: [10.0.0.0/24, "fd00::/64"]}
status: {addresses: [{type: InternalIP, address: 10.1.0.2}, {type: InternalIP, address: "fd01::2"}]}
`

func TestMakeNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"not YAML", "kind: [", "a.yaml: document 1"},
		{"unknown field", "kind: Service\nspec: {clusterAddress: x}\n", `unknown field "clusterAddress"`},
		{"no node", "kind: Namespace\n", "0 Nodes in the manifests, want 1"},
		{"bad node address", strings.Replace(goodNode, "10.1.0.2", "10.1", 1), "reading the node's address"},
		{"bad pod range", strings.Replace(goodNode, "10.0.0.0/24", "10.0.0.0", 1), "podCIDRs"},
		{"one family", strings.Replace(goodNode, ", \"fd00::/64\"", "", 1), "one IPv4 and one IPv6"},
		{"no DNS", goodNode, "no Service kube-system/kube-dns"},
		{"bad arg", goodNode + `---
kind: Deployment
metadata: {name: d, namespace: x}
spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, args: [--serve=ftp/1]}]}}}
`, `planning Deployment x/d: reading container arg "--serve=ftp/1"`},
		{"no rhythm", goodNode + "---\nkind: CronJob\nmetadata: {name: j, namespace: x}\n", "planning CronJob x/j: annotation demo.netcinch/every"},
		{"no backend", goodNode + "---\nkind: Service\nmetadata: {name: s, namespace: x}\nspec: {clusterIP: 10.2.0.1, selector: {a: b}, ports: [{port: 80}]}\n", "planning Service x/s: port 80: no pod behind it"},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "a.yaml"), []byte(c.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Make(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
