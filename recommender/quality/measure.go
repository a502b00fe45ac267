// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

// Figures are what was measured on one topology.
type Figures struct {
	Topology  string
	Reference int
	Fresh     Score // new policies, where there were none
	Tight     Score // tightened policies, where there were wide ones
	// Unused are allowances of the wide policies that were said, and ready, to be
	// used by nobody; FalseUnused those that the window after used all the same.
	Unused, FalseUnused int
	Withheld            []string // recommendations that were not offered, with the reason
}

// Measure simulates a topology without and with policies, asks for advice on
// what was learnt, and holds it against the window after.
func Measure(t Topology, seed uint64) (*Figures, error) {
	f := &Figures{Topology: t.Name, Reference: t.Reference}
	w, err := Simulate(t, seed, "")
	if err != nil {
		return nil, err
	}
	advice, _, err := w.advise(f)
	if err != nil {
		return nil, err
	}
	s, err := w.Judge(advice)
	if err != nil {
		return nil, err
	}
	f.Fresh = *s
	if w, err = Simulate(t, seed, Wide(t, seed)); err != nil {
		return nil, err
	}
	advice, report, err := w.advise(f)
	if err != nil {
		return nil, err
	}
	if s, err = w.Judge(advice); err != nil {
		return nil, err
	}
	f.Tight = *s
	return f, w.unused(report, f)
}

// advise gives all manifests that are offered.
func (w *World) advise(f *Figures) ([]cluster.Object, *analyze.Report, error) {
	in := w.Input()
	in.Engine, _ = policy.Compile(w.Now, policy.Options{})
	report, err := analyze.Analyze(in)
	if err != nil {
		return nil, nil, fmt.Errorf("measuring %s: %w", w.Topology.Name, err)
	}
	all, err := recommend.Build(recommend.Input{Snapshot: w.Now, Report: report})
	if err != nil {
		return nil, nil, fmt.Errorf("measuring %s: %w", w.Topology.Name, err)
	}
	var out []cluster.Object
	for i := range all {
		r := &all[i]
		if r.Withheld != "" {
			f.Withheld = append(f.Withheld, r.Title+": "+r.Withheld)
			continue
		}
		s := manifest.LoadText("advice.yaml", []byte(r.After), manifest.Options{Namespace: r.Namespace})
		if len(s.Problems) > 0 {
			return nil, nil, fmt.Errorf("measuring %s: %s does not read back: %s", w.Topology.Name, r.Title, s.Problems[0].Message)
		}
		out = append(out, s.Policies...)
	}
	return out, report, nil
}

// unused counts which allowances were called unused, and which of them were
// used after.
func (w *World) unused(report *analyze.Report, f *Figures) error {
	engine, problems := policy.Compile(w.Later, policy.Options{})
	if len(problems) > 0 {
		return fmt.Errorf("measuring %s: %s", w.Topology.Name, problems[0].Message)
	}
	j := newJudge(w.Later, engine)
	used := map[analyze.Allowance]bool{}
	for t := range w.Next {
		for _, a := range j.ends(t.From) {
			for _, b := range j.ends(t.To) {
				engine.Matching(policy.Connection{From: a, To: b, Protocol: t.Protocol, Port: t.Port, ICMPType: -1, ICMPCode: -1}, func(id policy.AllowanceID) {
					used[analyze.AllowanceOf(id)] = true
				})
			}
		}
	}
	for _, n := range report.Findings {
		if n.Kind != analyze.FindingUnused || !n.Ready {
			continue
		}
		for _, a := range n.Allowances {
			f.Unused++
			if used[a] {
				f.FalseUnused++
			}
		}
	}
	return nil
}

// decoys is how many workloads each wide policy lets in that never come.
const decoys = 6

// Wide writes ingress policies as they grow over the years: each port is open
// to all that need it, to some that never did, and the old metrics port too.
func Wide(t Topology, seed uint64) string {
	dice := rand.New(rand.NewPCG(seed, 6)) //nolint:gosec // a simulation wants the same dice each time
	var b strings.Builder
	for _, w := range t.Workloads {
		var peers []string
		ports := []uint16{9999}
		for _, c := range t.Calls {
			if c.To == w.String() {
				peers, ports = append(peers, c.From), append(ports, c.Port)
			}
		}
		if len(peers) == 0 {
			continue
		}
		for range decoys {
			peers = append(peers, t.Workloads[dice.IntN(len(t.Workloads))].String())
		}
		slices.Sort(peers)
		slices.Sort(ports)
		fmt.Fprintf(&b, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: %s}\nspec:\n  podSelector: {matchLabels: {app: %s}}\n  policyTypes: [Ingress]\n  ingress:\n    - from:\n", w.Name, w.Namespace, w.Name)
		for _, p := range slices.Compact(peers) {
			if a, ok := outside(p); ok {
				fmt.Fprintf(&b, "        - ipBlock: {cidr: \"%s/%d\"}\n", a, a.BitLen())
				continue
			}
			ns, name, _ := strings.Cut(p, "/")
			fmt.Fprintf(&b, "        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}\n          podSelector: {matchLabels: {app: %s}}\n", ns, name)
		}
		b.WriteString("      ports:\n")
		for _, p := range slices.Compact(ports) {
			for _, protocol := range protocolsOf(w, p) {
				fmt.Fprintf(&b, "        - {protocol: %s, port: %d}\n", protocol, p)
			}
		}
		b.WriteString("---\n")
	}
	return b.String()
}

func protocolsOf(w Workload, port uint16) []string {
	if port == 53 && w.Name == "coredns" {
		return []string{"UDP", "TCP"}
	}
	return []string{"TCP"}
}
