// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/deploy/demo/workload"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// judged is the shop as the recommender reads it: manifests and pods.
func judged(t *testing.T, p *Plan) (*cluster.Snapshot, *policy.Engine) {
	t.Helper()
	folder := t.TempDir()
	job, err := p.Jobs[0].Pod(time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range append(slices.Clone(p.Pods), job) {
		object := pod.Object.DeepCopy()
		object.Status.Phase = corev1.PodRunning
		var data []byte
		if data, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
		if err = os.WriteFile(filepath.Join(folder, object.Name+".json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := manifest.Load([]string{"../manifests", folder})
	if err != nil {
		t.Fatal(err)
	}
	engine, problems := policy.Compile(s, policy.Options{})
	for _, problem := range append(s.Problems, problems...) {
		t.Errorf("%s:%d %s: %s", problem.File, problem.Line, problem.Field, problem.Message)
	}
	return s, engine
}

func peerAt(s *cluster.Snapshot, a netip.Addr) policy.Peer {
	for i := range s.Pods {
		if !s.Pods[i].HostNetwork && slices.Contains(s.Pods[i].IPs, a) {
			return policy.Peer{Pod: &s.Pods[i], Addr: a}
		}
	}
	return policy.Peer{Addr: a}
}

// TestPoliciesAgree holds the world against the policies: every call that
// works is allowed by them, and the one that the packet filter cuts is not.
func TestPoliciesAgree(t *testing.T) {
	p := shop(t)
	s, engine := judged(t, p)
	denied := 0
	check := func(container string, from []netip.Addr, spec workload.Spec) {
		for _, c := range spec.Calls {
			for _, to := range targetsOf(p, c) {
				i := slices.IndexFunc(from, func(a netip.Addr) bool { return a.Is4() == to.Addr().Is4() })
				verdict := engine.Check(policy.Connection{
					From: peerAt(s, from[i]), To: peerAt(s, to.Addr()), Protocol: flow.TCP, Port: to.Port(), ICMPType: -1, ICMPCode: -1,
				})
				cut := slices.Contains(p.Drops, Drop{From: from[i], To: to.Addr(), Port: to.Port()})
				if verdict.Allowed == cut {
					t.Errorf("%s: %s: the policies say %v, the packet filter cuts: %v; %+v", container, c.Text, verdict.Allowed, cut, verdict)
				}
				if cut {
					denied++
				}
			}
		}
	}
	for _, pod := range p.Pods {
		check(pod.Container, pod.IPs, pod.Spec)
	}
	for _, o := range p.Outside {
		check(o.Name, []netip.Addr{o.Address}, o.Spec)
	}
	if denied != 1 {
		t.Errorf("%d denied attempts, want 1", denied)
	}
}
