// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/sink"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// ConfigOptions are what a file of alerts is checked against: the kinds and
// severities that there are, and an alert of each kind for its templates.
func ConfigOptions(getenv func(string) string, kubernetes bool) config.Options {
	o := config.Options{Getenv: getenv, Kubernetes: kubernetes}
	for _, s := range []analyze.Severity{analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow, analyze.SeverityInfo} {
		o.Severities = append(o.Severities, string(s))
	}
	for _, k := range kinds() {
		o.Kinds = append(o.Kinds, string(k.Kind))
		o.Samples = append(o.Samples, samples(k)...)
	}
	return o
}

// kinds are all that an alert can be of.
func kinds() []alert.KindInfo { return append(alert.Kinds(), sink.Own()...) }

// samples are alerts of a kind, as full and as bare as they come.
func samples(k alert.KindInfo) (all []config.Sample) {
	texts := sink.Texts{Page: "https://netcinch.example.org"}
	full, bare := sampleOf(k), sampleOf(k)
	bare.Client, bare.Server, bare.Node, bare.Narrowing, bare.Accept, bare.Decision = nil, nil, "", nil, nil, nil
	bare.Workloads, bare.Edges, bare.Evidence, bare.Processes, bare.Allowances, bare.Labels = nil, nil, nil, nil, nil, nil
	bare.Namespace, bare.Text = "", ""
	over := full
	over.Status, over.Ended = alert.Resolved, over.LastSeen.Add(time.Hour)
	add := func(name string, a alert.Alert) {
		all = append(all, config.Sample{Name: name + " of the kind " + string(k.Kind), Data: texts.DataOf(&a)})
	}
	if k.Edges {
		add("an alert", full)
		add("an alert that is over", over)
		without := full
		without.Server = nil
		add("an alert with many servers (Server is nil)", without)
	}
	add("an alert without workloads, edges and policies (Client, Server, Narrowing, Accept and Decision are nil)", bare)
	return all
}

// sampleOf is an alert of a kind, with everything that it can have.
func sampleOf(k alert.KindInfo) alert.Alert {
	at := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	client := &analyze.Party{Kind: analyze.PartyWorkload, Namespace: "shop", WorkloadKind: "Deployment", Name: "cart"}
	server := &analyze.Party{Kind: analyze.PartyOutside, DNS: "api.pay.example", IP: netip.MustParseAddr("203.0.113.9")}
	ref := &analyze.Ref{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespace: "shop", Name: "cart"}
	return alert.Alert{
		ID: "0123456789abcdef", Revision: 1, Kind: k.Kind, Severity: k.Severity, Status: alert.Firing,
		Title: "shop/cart talks with api.pay.example", Text: k.Meaning, Evidence: []string{"3 connections since 10:02."},
		Cluster: "default", Namespace: "shop", Workloads: []string{"shop/cart"}, Client: client, Server: server, Node: "node-1",
		Edge: "edge", EdgeCount: 1, Processes: []string{"/bin/cart"},
		Edges:   []alert.Edge{{ID: "edge", Client: *client, Server: *server, Protocol: "TCP", Port: 443, Connections: 3, First: at, Last: at, Processes: []string{"/bin/cart"}}},
		Started: at, LastSeen: at, Raised: at, Changed: at,
		Allowances: []alert.Allowance{{Allowance: analyze.Allowance{Policy: *ref, Direction: "Egress"}, Text: "NetworkPolicy shop/cart, egress rule 1", File: "cart.yaml", Line: 7}},
		Narrowing:  &alert.Edit{Text: "Remove the peer.", Policy: ref, File: "cart.yaml", Line: 7, After: "kind: NetworkPolicy\n", Diff: "-\n", Exact: true},
		Accept:     &alert.Edit{Text: "Allow it.", Policy: ref, File: "cart.yaml", Line: 7, After: "kind: NetworkPolicy\n", Diff: "+\n", Exact: true},
		Decision:   &alert.Decided{ID: "1", By: "somebody", At: at, Reason: "a reason"},
		Link:       "/alerts/0123456789abcdef?cluster=default", Labels: map[string]string{"workload": "shop/cart"},
	}
}
