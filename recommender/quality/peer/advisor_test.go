// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/inspektor-gadget/inspektor-gadget/pkg/gadgets/advise/networkpolicy/advisor"

	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/quality"
)

// event is what the advisor reads, one a line.
type event struct {
	Type      string            `json:"type"`
	K8s       place             `json:"k8s"`
	PktType   string            `json:"pktType"`
	Proto     string            `json:"proto"`
	Port      uint16            `json:"port"`
	PodOwner  string            `json:"podOwner,omitempty"`
	PodLabels map[string]string `json:"podLabels,omitempty"`
	Dst       far               `json:"dst"`
}

type place struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"podname"`
}

type far struct {
	Kind      string            `json:"kind"`
	Addr      string            `json:"addr"`
	Namespace string            `json:"namespace,omitempty"`
	Name      string            `json:"name,omitempty"`
	PodLabels map[string]string `json:"podLabels,omitempty"`
}

// events turns a world's records into the advisor's: one for each end. Pods are
// told as pods, with the port that they are reached on, which is the best that
// the advisor can get: what it sees of a Service has the Service's port.
func events(t *testing.T, w *quality.World) string {
	t.Helper()
	var b strings.Builder
	said := map[string]bool{}
	put := func(own, other flow.Endpoint, direction string, e flow.Edge) {
		if own.Workload.IsZero() {
			return
		}
		ev := event{
			Type: "normal", K8s: place{own.Workload.Namespace, own.Pod}, PktType: direction, Proto: strings.ToLower(e.Protocol.String()), Port: e.Port,
			PodOwner: own.Workload.Name, PodLabels: w.Labels[own.Workload.Namespace+"/"+own.Pod], Dst: far{Kind: "raw", Addr: other.IP.String()},
		}
		if !other.Workload.IsZero() {
			ev.Dst = far{Kind: "pod", Addr: other.IP.String(), Namespace: other.Workload.Namespace, Name: other.Pod, PodLabels: w.Labels[other.Workload.Namespace+"/"+other.Pod]}
		}
		text, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if !said[string(text)] {
			said[string(text)] = true
			b.Write(append(text, '\n'))
		}
	}
	for _, r := range w.Records {
		put(r.Edge.Client, r.Edge.Server, "OUTGOING", r.Edge)
		put(r.Edge.Server, r.Edge.Client, "HOST", r.Edge)
	}
	return b.String()
}

// TestAdvisor prints the advisor's figures beside ours, on the same worlds.
func TestAdvisor(t *testing.T) {
	for _, top := range quality.Topologies() {
		w, err := quality.Simulate(top, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		a := advisor.NewAdvisor()
		if err := a.LoadBuffer([]byte(events(t, w))); err != nil {
			t.Fatal(err)
		}
		a.GeneratePolicies()
		read := manifest.LoadText("advisor.yaml", []byte(a.FormatPolicies()), manifest.Options{})
		refused := map[string]bool{}
		for _, p := range read.Problems {
			refused[p.Ref.String()+": "+p.Field+": "+p.Message] = true
		}
		theirs, err := w.Judge(read.Policies)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := quality.Measure(top, 0)
		if err != nil {
			t.Fatal(err)
		}
		if theirs.Known == 0 || theirs.Known != ours.Fresh.Known {
			t.Errorf("%s: held against %d tuples, ours against %d", top.Name, theirs.Known, ours.Fresh.Known)
		}
		t.Logf("%-17s advisor: recall %g of %d, over %d, rules %d, policies %d, not readable %d | netcinch: recall %g of %d, over %d, rules %d | a person: %d rules",
			top.Name, theirs.Recall(), theirs.Known, len(theirs.Over), theirs.Rules, len(a.Policies), len(refused),
			ours.Fresh.Recall(), ours.Fresh.Known, len(ours.Fresh.Over), ours.Fresh.Rules, top.Reference)
		for text := range refused {
			t.Logf("  not readable: %s", text)
		}
		for i, cut := range theirs.Cut {
			if i == 4 {
				t.Logf("  and %d more", len(theirs.Cut)-i)
				break
			}
			t.Logf("  the advisor's policies cut %s", cut)
		}
	}
}
