// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// The committed manifests are what the chart renders to.
func TestPlainManifestsAreTheChart(t *testing.T) {
	values, err := os.ReadFile("plain-values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := render("..", "netcinch", values)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../manifests/netcinch.yaml")
	if err != nil || string(got) != want {
		t.Errorf("deploy/manifests/netcinch.yaml is not what the chart renders to: run make manifests (%v)", err)
	}
}

// objects decodes every document into its type; a field that the type does not
// have is an error.
func objects(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, doc := range strings.Split(text, "\n---\n") {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		into, ok := map[string]any{
			"Secret": &corev1.Secret{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{}, "StatefulSet": &appsv1.StatefulSet{},
			"DaemonSet": &appsv1.DaemonSet{}, "ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
			"NetworkPolicy": &networkingv1.NetworkPolicy{}, "Certificate": &map[string]any{},
		}[head.Kind]
		if !ok {
			t.Fatalf("a %q in\n%s", head.Kind, doc)
		}
		if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
			t.Fatalf("%s %s: %v", head.Kind, head.Metadata.Name, err)
		}
		out[head.Kind+" "+head.Metadata.Name] = into
	}
	return out
}

func TestChartRendersToTypedObjects(t *testing.T) {
	for name, values := range map[string]string{
		"defaults":      "",
		"cert-manager":  "tls: {mode: certManager, issuerRef: {name: ca}}",
		"token":         "people: token\npeopleTokenSecret: page",
		"digest":        "image: {tag: 'sha256:0123'}",
		"own claim":     "recommender: {persistence: {existingClaim: mine}, nodeSelector: {a: b}, tolerations: [{operator: Exists}], affinity: {nodeAffinity: {}}}",
		"storage class": "recommender: {persistence: {storageClass: fast}, pageHosts: [n.example], extraArgs: [--log-level=debug], priorityClassName: high}",
		"agent":         "agent: {unpinOnExit: true, appArmorProfile: '', extraArgs: [--ignore-link=docker*], nodeSelector: {a: b}}",
		"policy":        "networkPolicy: {pageFrom: [{podSelector: {}}], agentCIDRs: [192.0.2.0/24, '2001:db8::/32']}\nimage: {pullSecrets: [mine]}",
		"no policy":     "networkPolicy: {enabled: false}",
	} {
		t.Run(name, func(t *testing.T) {
			text, err := render("..", "somewhere", []byte(values))
			if err != nil {
				t.Fatal(err)
			}
			all := objects(t, text)
			for _, want := range []string{"DaemonSet netcinch-agent", "StatefulSet netcinch", "Service netcinch", "ClusterRole somewhere-netcinch", "ClusterRoleBinding somewhere-netcinch-agent"} {
				if all[want] == nil {
					t.Errorf("no %s", want)
				}
			}
			if strings.Contains(text, "<no value>") {
				t.Error("a value is not there")
			}
		})
	}
}

func TestValuesAreChecked(t *testing.T) {
	for values, want := range map[string]string{
		"clusterName: 'a b'":                      "clusterName",
		"people: everybody":                       "people",
		"people: token":                           "peopleTokenSecret",
		"tls: {mode: none}":                       "mode",
		"tls: {mode: secret}":                     "tls.secret",
		"tls: {mode: certManager}":                "tls.issuerRef.name",
		"agent: {window: often}":                  "window",
		"agent: {maxFlows: 0}":                    "maxFlows",
		"agent: {privileged: true}":               "privileged",
		"recommander: {}":                         "recommander",
		"recommender: {persistence: {size: big}}": "size",
	} {
		if _, err := render("..", "n", []byte(values)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that names %s", values, err, want)
		}
	}
}

// Whatever a person writes into values.yaml is known by the schema, and each
// value is said what it is for.
func TestValuesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if !regexp.MustCompile(`^  ?[a-z][A-Za-z]*: \S|^[a-z][A-Za-z]*: \S`).MatchString(line) || i == 0 {
			continue
		}
		documented := false
		for j := i - 1; j >= 0 && strings.TrimSpace(lines[j]) != ""; j-- {
			documented = documented || strings.HasPrefix(strings.TrimSpace(lines[j]), "#")
		}
		if !documented {
			t.Errorf("values.yaml:%d: nothing says what %q is for", i+1, strings.TrimSpace(line))
		}
	}
}

// The agent is not privileged, and has exactly the capabilities that its page lists.
func TestAgentsPrivileges(t *testing.T) {
	text, err := render("..", "netcinch", nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := objects(t, text)["DaemonSet netcinch-agent"].(*appsv1.DaemonSet).Spec.Template.Spec
	page, err := os.ReadFile("../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- capabilities:")
	table, _, _ = strings.Cut(table, "<!-- end of capabilities -->")
	var listed, given []string
	for _, m := range regexp.MustCompile(`(?m)^\| CAP_(\w+) \|`).FindAllStringSubmatch(table, -1) {
		listed = append(listed, m[1])
	}
	security := pod.Containers[0].SecurityContext
	for _, c := range security.Capabilities.Add {
		given = append(given, string(c))
	}
	slices.Sort(listed)
	slices.Sort(given)
	if len(listed) == 0 || !slices.Equal(listed, given) || fmt.Sprint(security.Capabilities.Drop) != "[ALL]" {
		t.Errorf("capabilities %v of ALL but %v; docs/agent.md lists %v", given, security.Capabilities.Drop, listed)
	}
	if security.Privileged != nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("security context %+v", security)
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if writable := m.Name == "bpf" || m.Name == "spool" || m.Name == "run"; m.ReadOnly == writable {
			t.Errorf("volume %s: read only is %v", m.Name, m.ReadOnly)
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil && (len(v.Secret.Items) != 1 || v.Secret.Items[0].Key != "ca.crt") {
			t.Errorf("the agent gets more of a secret than the CA: %+v", v.Secret)
		}
		if v.Name == "token" && v.Projected.Sources[0].ServiceAccountToken.Audience != "netcinch" {
			t.Errorf("the agent's token is for %q", v.Projected.Sources[0].ServiceAccountToken.Audience)
		}
	}
	if limits := pod.Containers[0].Resources.Limits; limits.Memory().IsZero() || len(pod.Tolerations) != 1 || pod.Tolerations[0].Operator != corev1.TolerationOpExists {
		t.Errorf("limits %v, tolerations %v", limits, pod.Tolerations)
	}
}

func TestRecommenderIsNobody(t *testing.T) {
	text, err := render("..", "netcinch", nil)
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, text)
	set := all["StatefulSet netcinch"].(*appsv1.StatefulSet)
	pod := set.Spec.Template.Spec
	s := pod.Containers[0].SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Add) > 0 || pod.HostNetwork || pod.HostPID {
		t.Errorf("security contexts %+v %+v", pod.SecurityContext, s)
	}
	if r := set.Spec.PersistentVolumeClaimRetentionPolicy; r == nil || r.WhenDeleted != "Retain" {
		t.Errorf("the history goes with the release: %+v", r)
	}
	// Read only: nothing but the two questions is ever created.
	for name, object := range all {
		role, ok := object.(*rbacv1.ClusterRole)
		if !ok {
			continue
		}
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				question := verb == "create" && (slices.Equal(rule.Resources, []string{"tokenreviews"}) || slices.Equal(rule.Resources, []string{"subjectaccessreviews"}))
				if verb != "list" && verb != "watch" && !question {
					t.Errorf("%s may %s %v", name, verb, rule.Resources)
				}
			}
			if slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "*") {
				t.Errorf("%s may %v %v", name, rule.Verbs, rule.Resources)
			}
		}
	}
}

// The key of the agents' port is in a secret that no agent's pod refers to, and
// a certificate is made for the name that agents dial.
func TestCertificateOfTheChart(t *testing.T) {
	text, err := render("..", "netcinch", nil)
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, text)
	server, ca := all["Secret netcinch-tls"].(*corev1.Secret), all["Secret netcinch-ca"].(*corev1.Secret)
	if len(ca.Data) != 1 || string(ca.Data["ca.crt"]) != string(server.Data["ca.crt"]) {
		t.Errorf("the CA's secret has %d entries", len(ca.Data))
	}
	roots := pool(t, ca.Data["ca.crt"])
	leaf := certificate(t, server.Data["tls.crt"])
	if err := verify(leaf, roots, "netcinch.netcinch.svc"); err != nil {
		t.Error(err)
	}
}
