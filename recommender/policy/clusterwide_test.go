// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

const (
	anpHead  = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: a}\nspec:\n"
	banpHead = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}\nspec:\n"
	cnpV2    = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\nspec:\n"
	everyPod = "  subject: {namespaces: {}}\n"
	shopPods = "  subject: {namespaces: {matchLabels: {team: shop}}}\n"
	fromAll  = "from: [{namespaces: {}}]"
	noIn     = "\n---\n" + npHead + "  podSelector: {}\n  policyTypes: [Ingress]\n"
	allIn    = "\n---\n" + npHead + "  podSelector: {}\n  ingress: [{}]\n"
)

var clusterWideCases = []struct {
	name, source, manifests string
	want                    []expectation
}{
	{"admin allow beats a NetworkPolicy", "network-policy-api.sigs.k8s.io/api-overview/#the-adminnetworkpolicy-resource: Allow", anpHead + "  priority: 10\n" + shopPods + "  ingress: [{action: Allow, " + fromAll + ", ports: [{portNumber: {protocol: TCP, port: 80}}]}]" + noIn, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/api@6 TCP 81", "Ei"}, {"203.0.113.1 -> shop/api TCP 80", "Ei"},
	}},
	{"admin deny beats a NetworkPolicy", "network-policy-api.sigs.k8s.io/api-overview/#the-adminnetworkpolicy-resource: Deny", anpHead + "  priority: 10\n" + shopPods + "  ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}]}]" + allIn, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/six -> shop/api TCP 81", "EI"}, {"2001:db8::1 -> shop/api TCP 80", "EI"},
	}},
	{"being selected does not isolate", "network-policy-api.sigs.k8s.io/api-overview/#adminnetworkpolicy-actions: unlike NetworkPolicy there is no implicit isolation", anpHead + "  priority: 10\n" + shopPods + "  ingress: [{action: Allow, " + fromAll + ", ports: [{portNumber: {protocol: TCP, port: 80}}]}]", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 81", "EI"}, {"2001:db8::1 -> shop/api TCP 81", "EI"}, {"shop/api -> pay/web TCP 1", "EI"},
	}},
	{"pass skips the rest of the tier", "network-policy-api.sigs.k8s.io/api-overview/#adminnetworkpolicy-actions: Pass", anpHead + "  priority: 10\n" + shopPods + "  ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: pay}}}]}, {action: Deny, " + fromAll + "}]" + "\n---\n" + strings.Replace(anpHead, "name: a", "name: b", 1) + "  priority: 20\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + "}]", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"shop/web@6 -> shop/api@6 TCP 80", "Ei"},
	}},
	{"a lower priority comes first", "network-policy-api.sigs.k8s.io/api-overview/#adminnetworkpolicy-resource: priority", anpHead + "  priority: 20\n" + shopPods + "  ingress: [{action: Allow, " + fromAll + "}]" + "\n---\n" + strings.Replace(anpHead, "name: a", "name: b", 1) + "  priority: 5\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + ", ports: [{portRange: {protocol: UDP, start: 50, end: 60}}]}]", []expectation{
		{"pay/web@4 -> shop/api@4 UDP 53", "Ei"}, {"pay/web@6 -> shop/api@6 UDP 61", "EI"}, {"pay/web -> shop/api TCP 53", "EI"},
	}},
	{"baseline holds where no NetworkPolicy isolates", "network-policy-api.sigs.k8s.io/api-overview/#the-baselineadminnetworkpolicy-resource", banpHead + everyPod + "  ingress: [{action: Deny, " + fromAll + "}]" + "\n---\n" + npHead + "  podSelector: {matchLabels: {app: api}}\n  ingress: [{ports: [{port: 80}]}]", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@6 -> shop/db@6 TCP 80", "Ei"}, {"pay/web -> shop/api TCP 81", "Ei"}, {"2001:db8::1 -> shop/db TCP 80", "EI"},
	}},
	{"baseline holds also where a NetworkPolicy isolates the other direction only", "network-policy-api.sigs.k8s.io/api-overview/#the-baselineadminnetworkpolicy-resource; isolation is per direction", banpHead + everyPod + "  ingress: [{action: Deny, " + fromAll + "}]" + "\n---\n" + npHead + "  podSelector: {}\n  policyTypes: [Egress]\n  egress: [{}]", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "Ei"}, {"shop/api -> pay/web TCP 80", "Ei"},
	}},
	{"hostNetwork pods are never subject nor peer", "network-policy-api.sigs.k8s.io/reference/spec/: NamespacedPod, host-networked pods are not included", anpHead + "  priority: 1\n" + everyPod + "  ingress: [{action: Deny, from: [{pods: {namespaceSelector: {matchLabels: {team: pay}}, podSelector: {matchLabels: {app: web}}}}]}]\n  egress: [{action: Deny, to: [{namespaces: {}}]}]", []expectation{
		{"pay/host@4 -> shop/api@4 TCP 80", "EI"}, {"pay/host@6 -> shop/api@6 TCP 80", "EI"}, {"pay/web -> shop/api TCP 80", "ei"}, {"shop/api -> pay/host TCP 80", "EI"},
	}},
	{"networks match pods and the outside, nodes match nodes", "network-policy-api.sigs.k8s.io/reference/spec/: AdminNetworkPolicyEgressPeer networks and nodes", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Deny, to: [{networks: [10.2.0.0/16, '2001:db8::/32']}]}, {action: Deny, to: [{nodes: {}}], ports: [{portNumber: {protocol: TCP, port: 10250}}]}]", []expectation{
		{"shop/api@4 -> pay/web@4 TCP 80", "eI"},
		{"shop/api@6 -> pay/web@6 TCP 80", "EI"},
		{"shop/api -> 2001:db8::1 TCP 80", "eI"},
		{"shop/api -> 203.0.113.1 TCP 80", "EI"},
		{"shop/api -> 192.168.0.1 TCP 10250", "eI"},
		{"shop/api -> fd00:ff::2 TCP 10250", "eI"},
		{"shop/api -> 192.168.0.1 TCP 80", "EI"},
		{"shop/api -> pay/host TCP 10250", "eI"},
	}},
	{"named ports of every protocol", "network-policy-api.sigs.k8s.io/reference/spec/: AdminNetworkPolicyPort namedPort", anpHead + "  priority: 1\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + ", ports: [{namedPort: metrics}]}]", []expectation{
		{"pay/web@4 -> shop/api@4 UDP 9090", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 9090", "EI"}, {"pay/web -> shop/db UDP 9090", "EI"},
	}},
	{"domain names", "network-policy-api.sigs.k8s.io/reference/spec/: DomainName", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: [{domainNames: ['*.example.com', example.org]}]}, {action: Deny, to: [{networks: [0.0.0.0/0, '::/0']}]}]", []expectation{
		{"shop/api -> dns:pay.example.com TCP 443", "EI"}, {"shop/api -> dns:a.pay.Example.com. TCP 443", "EI"}, {"shop/api -> dns:example.com TCP 443", "eI"}, {"shop/api -> dns:example.org TCP 443", "EI"}, {"shop/api -> dns:x.example.org TCP 443", "eI"}, {"shop/api -> 203.0.113.1 TCP 443", "eI"},
	}},
	{"v1alpha2: admin, protocols and ranges", "network-policy-api.sigs.k8s.io/reference/spec/: ClusterNetworkPolicyProtocol", cnpV2 + "  tier: Admin\n  priority: 1\n" + shopPods + "  ingress: [{action: Accept, " + fromAll + ", protocols: [{tcp: {destinationPort: {range: {start: 80, end: 90}}}}, {udp: {}}, {destinationNamedPort: pg}]}]" + noIn, []expectation{
		{"pay/web@4 -> shop/api@4 TCP 85", "EI"}, {"pay/web@6 -> shop/api@6 TCP 91", "Ei"}, {"pay/web -> shop/api UDP 7", "EI"}, {"pay/web -> shop/db TCP 5432", "EI"}, {"pay/web -> shop/api TCP 5432", "Ei"}, {"pay/web -> shop/api SCTP 7", "Ei"},
	}},
	{"v1alpha2: baseline", "network-policy-api.sigs.k8s.io/reference/spec/: ClusterNetworkPolicy tier Baseline", cnpV2 + "  tier: Baseline\n  priority: 1\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + "}]" + "\n---\n" + npHead + "  podSelector: {matchLabels: {app: api}}\n  ingress: [{}]", []expectation{
		{"pay/web@4 -> shop/api@4 TCP 85", "EI"}, {"pay/web@6 -> shop/db@6 TCP 91", "Ei"},
	}},
}

func TestClusterWide(t *testing.T) {
	for _, c := range clusterWideCases {
		t.Run(c.name, func(t *testing.T) {
			cited(t, c.source)
			for _, order := range []Order{CalicoOrder, UpstreamOrder} {
				s := shop()
				s.Policies = objectsOf(t, c.manifests)
				expect(t, compileClean(t, s, Options{Order: order}), s, c.want)
			}
		})
	}
}

func TestAmbiguousPriority(t *testing.T) {
	s := shop()
	rules := "  ingress: [{action: %, " + fromAll + "}]\n"
	s.Policies = objectsOf(t, anpHead+"  priority: 7\n"+shopPods+strings.Replace(rules, "%", "Allow", 1)+"---\n"+
		strings.Replace(anpHead, "name: a", "name: b", 1)+"  priority: 7\n"+everyPod+strings.Replace(rules, "%", "Deny", 1))
	e := compileClean(t, s, Options{})
	v := e.Check(connectionOf(t, s, "pay/web -> shop/api TCP 80"))
	if len(v.Uncertain) != 1 || !strings.Contains(v.Uncertain[0], "AdminNetworkPolicy a and AdminNetworkPolicy b have the same priority 7") {
		t.Errorf("uncertain: %v", v.Uncertain)
	}
	if v := e.Check(connectionOf(t, s, "shop/web -> pay/web TCP 80")); v.Allowed || len(v.Uncertain) > 0 {
		t.Errorf("only one policy applies: %s", whyText(v))
	}
}

// Where one end denies for certain, a tie at the other end changes nothing.
func TestAmbiguousPriorityAtOneEnd(t *testing.T) {
	tie := func(lists string) string {
		a := anpHead + "  priority: 7\n" + shopPods + lists
		return strings.ReplaceAll(a, "%", "Allow") + "\n---\n" + strings.ReplaceAll(strings.Replace(a, "name: a", "name: b", 1), "%", "Deny")
	}
	egress := func(action string) string {
		return "\n---\n" + strings.Replace(anpHead, "name: a", "name: c", 1) +
			"  priority: 1\n  subject: {namespaces: {matchLabels: {team: pay}}}\n  egress: [{action: " + action + ", to: [{namespaces: {}}]}]"
	}
	for _, c := range []struct {
		name, manifests, connection string
		allowed, uncertain          bool
	}{
		{"the other end denies", tie("  ingress: [{action: %, "+fromAll+"}]") + egress("Deny"), "pay/web@4 -> shop/api@4 TCP 80", false, false},
		{"the other end allows", tie("  ingress: [{action: %, "+fromAll+"}]") + egress("Allow"), "pay/web@6 -> shop/api@6 TCP 80", true, true},
		{"both ends are tied", tie("  ingress: [{action: %, " + fromAll + "}]\n  egress: [{action: %, to: [{namespaces: {}}]}]"), "shop/web@4 -> shop/api@4 TCP 80", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			s.Policies = objectsOf(t, c.manifests)
			v := compileClean(t, s, Options{}).Check(connectionOf(t, s, c.connection))
			if v.Allowed != c.allowed || (len(v.Uncertain) > 0) != c.uncertain {
				t.Errorf("allowed %v, want %v, uncertain %v\n%s", v.Allowed, c.allowed, v.Uncertain, whyText(v))
			}
		})
	}
}

func TestUnknownPeerFailsClosed(t *testing.T) {
	for _, c := range []struct {
		action, want string
	}{{"Accept", "EI"}, {"Deny", "Ei"}, {"Pass", "Ei"}} {
		s := shop()
		s.Policies = objectsOf(t, cnpV2+"  tier: Admin\n  priority: 1\n"+shopPods+"  ingress: [{action: "+c.action+", from: [{}]}]")
		e, problems := Compile(s, Options{})
		if len(problems) != 1 || problems[0].Field != "spec.ingress[0].from[0]" || problems[0].Message != unknownPeer {
			t.Fatalf("problems: %v", problems)
		}
		expect(t, e, s, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", c.want}, {"2001:db8::1 -> shop/api TCP 80", c.want}})
	}
}

// An early tier of Calico's comes before the Admin tier in Calico's order only.
func TestOrders(t *testing.T) {
	manifests := anpHead + "  priority: 1\n" + shopPods + "  ingress: [{action: Allow, " + fromAll + "}]\n---\n" + gnpHead + "  tier: early\n  selector: app == 'api'\n  types: [Ingress]\n"
	for _, c := range []struct {
		order Order
		want  string
	}{{CalicoOrder, "Ei"}, {UpstreamOrder, "EI"}} {
		s := calicoShop(t, manifests)
		expect(t, compileClean(t, s, Options{Order: c.order}), s, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", c.want}, {"pay/web@6 -> shop/api@6 TCP 80", c.want}})
	}
}

// A tier without order comes after the Baseline tier in Calico's order, and
// before it in upstream's.
func TestBaselineIsLastUpstream(t *testing.T) {
	manifests := banpHead + everyPod + "  ingress: [{action: Deny, " + fromAll + "}]\n---\n" + tierOf("zz", "") + "---\n" + inTier("zz", "z", "{action: Allow}")
	for _, c := range []struct {
		order Order
		want  string
	}{{CalicoOrder, "Ei"}, {UpstreamOrder, "EI"}} {
		s := calicoShop(t, manifests)
		expect(t, compileClean(t, s, Options{Order: c.order}), s, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", c.want}, {"pay/web@6 -> shop/api@6 TCP 80", c.want}})
	}
}

func TestClusterWideFaults(t *testing.T) {
	for _, c := range []struct{ name, manifest, field, message string }{
		{"priority", anpHead + "  priority: 1001\n" + shopPods, "spec.priority", "between 0 and 1000"},
		{"subject", anpHead + "  priority: 1\n  subject: {}\n", "spec.subject", "exactly one"},
		{"subject operator", anpHead + "  priority: 1\n  subject: {namespaces: {matchExpressions: [{key: a, operator: Is}]}}\n", "spec.subject.namespaces.matchExpressions[0].operator", "is not an operator"},
		{"action", anpHead + "  priority: 1\n" + shopPods + "  ingress: [{action: Accept, " + fromAll + "}]\n", "spec.ingress[0].action", "use Allow, Deny, Pass"},
		{"baseline pass", banpHead + shopPods + "  ingress: [{action: Pass, " + fromAll + "}]\n", "spec.ingress[0].action", "use Allow, Deny"},
		{"no peers", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: []}]\n", "spec.egress[0].to", "at least one peer"},
		{"two fields", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: [{namespaces: {}, nodes: {}}]}]\n", "spec.egress[0].to[0]", "exactly one"},
		{"peer operator", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: [{namespaces: {matchExpressions: [{key: a, operator: Is}]}}]}]\n", "spec.egress[0].to[0].namespaces.matchExpressions[0].operator", "is not an operator"},
		{"network", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: [{networks: ['10.0.0.0/8', 'fd00::/200']}]}]\n", "spec.egress[0].to[0].networks[1]", "not an address block"},
		{"name", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Allow, to: [{domainNames: ['*x.com']}]}]\n", "spec.egress[0].to[0].domainNames[0]", "not a domain name"},
		{"name denied", anpHead + "  priority: 1\n" + shopPods + "  egress: [{action: Deny, to: [{domainNames: ['x.com']}]}]\n", "spec.egress[0].to[0].domainNames", "Allow rules only"},
		{"port", anpHead + "  priority: 1\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + ", ports: [{}]}]\n", "spec.ingress[0].ports[0]", "exactly one of portNumber"},
		{"range", anpHead + "  priority: 1\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + ", ports: [{portRange: {protocol: TCP, start: 9, end: 8}}]}]\n", "spec.ingress[0].ports[0]", "ends before it begins"},
		{"tier", cnpV2 + "  tier: Middle\n  priority: 1\n" + shopPods, "spec.tier", "use Admin or Baseline"},
		{"protocol item", cnpV2 + "  tier: Admin\n  priority: 1\n" + shopPods + "  ingress: [{action: Deny, " + fromAll + ", protocols: [{}]}]\n", "spec.ingress[0].protocols[0]", "exactly one of tcp"},
		{"baseline name", strings.Replace(banpHead, "default", "other", 1) + shopPods, "metadata.name", "named default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			s.Policies = objectsOf(t, c.manifest)
			e, problems := Compile(s, Options{})
			if len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Message, c.message) || problems[0].Line < 3 {
				t.Fatalf("problems: %+v", problems)
			}
			if v := e.Check(connectionOf(t, s, "shop/api -> shop/web TCP 80")); len(v.Uncertain) == 0 {
				t.Error("the verdict is not uncertain")
			}
		})
	}
}
