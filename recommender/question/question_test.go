// SPDX-License-Identifier: Apache-2.0

package question_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/question"
)

const world = `apiVersion: v1
kind: Pod
metadata: {name: a-1, namespace: x, labels: {app: a, set: old}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: a, uid: u, controller: true}]}
spec: {containers: []}
status: {podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a-2, namespace: x, labels: {app: a, set: new}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: a, uid: u, controller: true}]}
spec: {containers: []}
status: {podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: gone, namespace: x}
spec: {containers: []}
status: {phase: Succeeded, podIPs: [{ip: 10.0.0.9}]}
---
apiVersion: v1
kind: Pod
metadata: {name: six, namespace: x}
spec: {containers: []}
status: {podIPs: [{ip: "fd00::6"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, namespace: x}
spec: {selector: {matchLabels: {app: b}}, template: {metadata: {labels: {app: b}}, spec: {containers: [{name: m, ports: [{name: web, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}]}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: b, namespace: x}
spec: {schedule: "@daily", jobTemplate: {spec: {template: {spec: {containers: []}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress:
  - from: [{podSelector: {matchLabels: {set: old}}}]
    ports:
    - port: web
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dual, namespace: x}
spec: {podSelector: {matchLabels: {app: dual}}, ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dual-1, namespace: x, labels: {app: dual}}
spec: {containers: []}
status: {podIPs: [{ip: 10.1.0.1}, {ip: "fd00:1::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dual-2, namespace: x, labels: {app: dual}}
spec: {containers: []}
status: {podIPs: [{ip: 10.1.0.2}, {ip: "fd00:1::2"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: x}
spec: {podSelector: {matchLabels: {app: a}}}
`

func judge(tb testing.TB) *question.Judge {
	tb.Helper()
	s := manifest.LoadText("w.yaml", []byte(world), manifest.Options{})
	e, problems := policy.Compile(s, policy.Options{})
	for _, p := range append(problems, s.Problems...) {
		tb.Fatalf("%+v", p)
	}
	return question.NewJudge(s, e)
}

func TestAsk(t *testing.T) {
	j := judge(t)
	tests := []struct {
		from, to, port, protocol string
		allowed                  bool
		uncertain                string
	}{
		{"x/a-1", "x/Deployment/b", "web", "", true, ""},
		{"x/a-1", "x/Deployment/b", "80", "TCP", true, ""},
		{"x/a-2", "x/Deployment/b", "80", "tcp", false, ""},
		{"10.0.0.1", "x/Deployment/b", "80", "TCP", true, ""},
		{"fd00::1", "x/Deployment/b", "80", "TCP", true, ""},
		{"::ffff:10.0.0.1", "x/Deployment/b", "80", "TCP", true, ""},
		{"10.0.0.2", "x/Deployment/b", "80", "TCP", false, ""},
		{"10.0.0.9", "x/Deployment/b", "80", "TCP", false, ""}, // nobody's any more
		{"x/a-1", "x/Deployment/b", "dns", "UDP", false, ""},
		{"x/a-1", "x/CronJob/b", "1", "SCTP", true, ""},
		{"x/a-1", "x/CronJob/b", "", "ICMP", true, ""},
		{"x/a", "x/Deployment/b", "80", "TCP", false, "the pods differ: x/a-1 → x/b is allowed, x/a-2 → x/b is denied; ask for pods"},
		{"x/a-1", "x/a-1", "1", "TCP", true, ""},
		{"x/a", "x/a", "1", "TCP", false, ""}, // its replicas, not one pod and itself
		{"x/Deployment/b", "x/Deployment/b", "1", "TCP", true, "both ends are the one pod that stands in for x/Deployment/b; another replica of it may be judged otherwise"},
		{"x/dual-1", "x/dual-2", "80", "TCP", false, "the addresses differ: x/dual-1 → x/dual-2 over IPv4 is allowed, x/dual-1 → x/dual-2 over IPv6 is denied; ask for addresses"},
		{"x/dual-1", "10.1.0.2", "80", "TCP", true, ""},
		{"fd00:1::1", "x/dual-2", "80", "TCP", false, ""},
		{"x/dual-1", "x/dual-2", "", "ICMP", true, ""},
		{"x/dual-1", "x/dual-2", "", "ICMPv6", false, ""},
		{"192.0.2.1", "2001:db8::1", "1", "TCP", true, ""},
	}
	for _, tt := range tests {
		q := question.Question{From: tt.from, To: tt.to, Port: question.Port(tt.port), Protocol: tt.protocol}
		a, err := j.Ask(q)
		if err != nil {
			if tt.from == "192.0.2.1" { // two families
				continue
			}
			t.Errorf("%+v: %v", q, err)
			continue
		}
		if a.Allowed != tt.allowed || strings.Join(a.Uncertain, "; ") != tt.uncertain {
			t.Errorf("%+v: allowed %t, uncertain %q; want %t, %q", q, a.Allowed, a.Uncertain, tt.allowed, tt.uncertain)
		}
		if len(a.Egress.Why) == 0 || len(a.Ingress.Why) == 0 {
			t.Errorf("%+v: no reasons: %+v", q, a)
		}
	}
}

// The reason of an answer can be found: the port, or where the policy begins.
func TestPlaces(t *testing.T) {
	j := judge(t)
	for from, want := range map[string]int{"x/a-1": 43, "x/a-2": 35} {
		a, err := j.Ask(question.Question{From: from, To: "x/Deployment/b", Port: "80"})
		if err != nil {
			t.Fatal(err)
		}
		if s := a.Ingress.Why[0]; s.File != "w.yaml" || s.Line != want {
			t.Errorf("%s: %s:%d, want w.yaml:%d (%s)", from, s.File, s.Line, want, s.Text)
		}
	}
}

func TestWrongQuestions(t *testing.T) {
	j := judge(t)
	tests := []struct{ text, want string }{
		{`{}`, `from: is absent; give namespace/name of a pod or workload, or an address`},
		{`{"from":"x/a"}`, `to: is absent; give namespace/name of a pod or workload, or an address`},
		{`{"from":"x/a","to":"x/b","port":1}`, `to: "x/b" is the name of a CronJob and of a Deployment; write x/Deployment/b`},
		{`{"from":"x/gone","to":"x/a","port":1}`, `from: no pod or workload "x/gone"`},
		{`{"from":"x//a","to":"x/a","port":1}`, `from: "x//a": want namespace/name`},
		{`{"from":"x/a","to":"x/a"}`, `port: is absent`},
		{`{"from":"x/a","to":"x/a","port":0}`, `port: 0: want 1 to 65535`},
		{`{"from":"x/a","to":"x/a","port":-1}`, `port: -1: want 1 to 65535`},
		{`{"from":"x/a","to":"x/a","port":65536}`, `port: 65536: want 1 to 65535`},
		{`{"from":"x/a","to":"x/a","port":1.5}`, `port: x/a-2 has no TCP port named "1.5"`},
		{`{"from":"x/a","to":"x/a","port":[1]}`, `port: want a number or a name, got [1]`},
		{`{"from":"x/a","to":"x/Deployment/b","port":"dns"}`, `port: x/b has no TCP port named "dns"; it has web/TCP, dns/UDP`},
		{`{"from":"x/a","to":"10.1.1.1","port":"web"}`, `port: "web": only pods have named ports`},
		{`{"from":"x/a","to":"x/a","port":1,"protocol":"ICMP"}`, `port: ICMP has no ports; leave it out`},
		{`{"from":"x/a","to":"x/a","port":1,"protocol":"300"}`, `protocol: "300": want`},
		{`{"from":"x/six","to":"x/a-2","port":1}`, `to: x/six and x/a-2 have no address family in common`},
		{`{"from":"x/a","too":"x/a"}`, `too: unknown field; a question has from, to, port, protocol and explain`},
		{`{"from":1}`, `from: want text, got number`},
		{`{} {}`, `is more than one question; write one a line`},
		{`[]`, `is not a question: `},
	}
	for _, tt := range tests {
		q, err := question.Parse([]byte(tt.text))
		if err == nil {
			_, err = j.Ask(q)
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", tt.text, err, tt.want)
		}
	}
}

// A question without manifests is an answer too: nobody is there.
func TestEmptyWorld(t *testing.T) {
	s := &cluster.Snapshot{}
	e, _ := policy.Compile(s, policy.Options{})
	_, err := question.NewJudge(s, e).Ask(question.Question{From: "x/a", To: "192.0.2.1", Port: "1"})
	var fe *question.FieldError
	if !errors.As(err, &fe) || fe.Field != "from" {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"from":"x/a","to":"x/Deployment/b","port":"web","protocol":"TCP"}`)
	f.Add(`{"from":"10.0.0.1","to":"fd00::6","port":80}`)
	f.Add(`{"port":1e3}`)
	j := judge(f)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := question.Parse([]byte(text))
		if err != nil {
			return
		}
		// What was read can be written and reads the same again.
		again, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := question.Parse(again); err != nil || p != q {
			t.Fatalf("%+v became %s, %+v, %v", q, again, p, err)
		}
		if a, err := j.Ask(q); err == nil && (len(a.Egress.Why) == 0 || len(a.Ingress.Why) == 0) {
			t.Fatalf("%+v: an answer without reasons: %+v", q, a)
		}
	})
}
