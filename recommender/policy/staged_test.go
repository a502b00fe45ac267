// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
)

// A staged policy is not in force, and enforcing it in a preview does what the
// enforced policy of the same words would do.
func TestStage(t *testing.T) {
	calico := func(kind, action, spec string) string {
		meta := "metadata: {name: g, namespace: shop}\n"
		if strings.Contains(kind, "Global") {
			meta = "metadata: {name: g}\n"
		}
		return "apiVersion: projectcalico.org/v3\nkind: " + kind + "\n" + meta + "spec:\n" + action + spec
	}
	const rules = "  selector: app == 'api'\n  ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]\n"
	const kubernetes = "  podSelector: {matchLabels: {app: api}}\n  ingress: [{ports: [{port: 80}]}]\n"
	tests := []struct {
		name, manifests string
		now, then       []expectation
		set, deleted    int
		problem         string
	}{
		{"NetworkPolicy set", calico("StagedNetworkPolicy", "", rules), []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "EI"}}, []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "Ei"}, {"pay/web@6 -> shop/api@6 TCP 80", "EI"}}, 1, 0, ""},
		{"GlobalNetworkPolicy set", calico("StagedGlobalNetworkPolicy", "  stagedAction: Set\n", rules), []expectation{{"pay/web@6 -> shop/api@6 TCP 81", "EI"}}, []expectation{{"pay/web@6 -> shop/api@6 TCP 81", "Ei"}, {"pay/web@4 -> shop/api@4 TCP 80", "EI"}}, 1, 0, ""},
		{"Kubernetes set, in the place of the enforced one", strings.ReplaceAll(npHead, "name: p", "name: g") + "  podSelector: {}\n---\n" + calico("StagedKubernetesNetworkPolicy", "", kubernetes), []expectation{{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}, {"pay/web@4 -> shop/db@4 TCP 80", "Ei"}}, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", "EI"}, {"pay/web@4 -> shop/api@4 TCP 81", "Ei"}, {"pay/web@4 -> shop/db@4 TCP 80", "EI"}}, 1, 0, ""},
		{"delete", gnpHead + "  selector: app == 'api'\n---\n" + calico("StagedGlobalNetworkPolicy", "  stagedAction: Delete\n", ""), []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "Ei"}}, []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "EI"}}, 0, 1, ""},
		{"delete what is not there", calico("StagedGlobalNetworkPolicy", "  stagedAction: Delete\n", ""), nil, []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "EI"}}, 0, 0, "there is no GlobalNetworkPolicy"},
		{"one kind is not another's counterpart", strings.ReplaceAll(npHead, "name: p", "name: g") + "  podSelector: {}\n---\n" + calico("StagedNetworkPolicy", "  stagedAction: Delete\n", ""), nil, []expectation{{"pay/web@4 -> shop/api@4 TCP 80", "Ei"}}, 0, 0, "there is no NetworkPolicy"},
		{"ignored", calico("StagedGlobalNetworkPolicy", "  stagedAction: Ignore\n", rules), nil, []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "EI"}}, 0, 0, ""},
		{"unknown action", calico("StagedGlobalNetworkPolicy", "  stagedAction: Later\n", rules), nil, []expectation{{"pay/web@4 -> shop/api@4 TCP 81", "EI"}}, 0, 0, `"Later" is not a staged action`},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := shop()
			s.Policies = objectsOf(t, c.manifests)
			expect(t, compileClean(t, s, Options{}), s, c.now)
			staging := Stage(s)
			if len(staging.Set) != c.set || len(staging.Deleted) != c.deleted || (c.problem == "") != (len(staging.Problems) == 0) {
				t.Fatalf("%+v", staging)
			}
			if c.problem != "" && !strings.Contains(staging.Problems[0].Message, c.problem) {
				t.Errorf("problem %q", staging.Problems[0].Message)
			}
			e := compileClean(t, staging.Snapshot, Options{})
			expect(t, e, staging.Snapshot, c.then)
			if c.set > 0 {
				v := e.Check(connectionOf(t, s, "pay/web@4 -> shop/api@4 TCP 81"))
				if text := whyText(v); !strings.Contains(text, "Staged") {
					t.Errorf("the verdict does not name the staged policy: %s", text)
				}
			}
		})
	}
}
