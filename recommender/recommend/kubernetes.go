// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend/edit"
)

// kubernetesPeer writes a target as an item of from or to.
func kubernetesPeer(t target, namespace string) *yaml.Node {
	if t.prefix.IsValid() {
		n := edit.Map(edit.Text("ipBlock"), edit.Map(edit.Text("cidr"), cidr(t)))
		return n
	}
	if t.space == namespace && t.space != "" {
		return edit.Map(edit.Text("podSelector"), edit.Flow(edit.Map()))
	}
	if t.space != "" {
		return edit.Map(edit.Text("namespaceSelector"), labelSelector(map[string]string{corev1.LabelMetadataName: t.space}))
	}
	pods := labelSelector(t.selected.labels)
	if t.workload.Namespace == namespace {
		return edit.Map(edit.Text("podSelector"), pods)
	}
	return edit.Map(
		edit.Text("namespaceSelector"), labelSelector(map[string]string{corev1.LabelMetadataName: t.workload.Namespace}),
		edit.Text("podSelector"), pods,
	)
}

// cidr writes an address with its host mask, and its name beside it.
func cidr(t target) *yaml.Node {
	n := edit.Text(t.prefix.String())
	n.LineComment = t.name
	return n
}

func labelSelector(labels map[string]string) *yaml.Node {
	m := edit.Map()
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		m.Content = append(m.Content, edit.Text(k), edit.Text(labels[k]))
	}
	return edit.Map(edit.Text("matchLabels"), m)
}

// portRun is a run of ports without a gap.
type portRun struct {
	portKey
	last uint16
}

// mergeRun is how many ports in a row are written as a range: lists of two read
// better as a list.
const mergeRun = 3

// runs merges contiguous ports, and only those.
func runs(ports []portKey) []portRun {
	slices.SortFunc(ports, comparePorts)
	var out []portRun
	for i := 0; i < len(ports); {
		j := i
		for j+1 < len(ports) && ports[j+1].protocol == ports[i].protocol && ports[j+1].port == ports[j].port+1 {
			j++
		}
		if j-i+1 >= mergeRun {
			out = append(out, portRun{ports[i], ports[j].port})
		} else {
			for k := i; k <= j; k++ {
				out = append(out, portRun{ports[k], ports[k].port})
			}
		}
		i = j + 1
	}
	return out
}

func kubernetesPort(r portRun) *yaml.Node {
	n := edit.Map(edit.Text("protocol"), edit.Text(r.protocol.String()), edit.Text("port"), edit.Number(int64(r.port)))
	if r.last != r.port {
		n.Content = append(n.Content, edit.Text("endPort"), edit.Number(int64(r.last)))
	}
	return n
}

// kubernetesPorts writes a group's ports; nil stands for any port.
func (b *book) kubernetesPorts(g group) *yaml.Node {
	var ports []portKey
	for _, k := range g.ports {
		if b.ports[k].any {
			return nil
		}
		ports = append(ports, b.ports[k].portKey)
	}
	list := edit.List()
	for _, r := range runs(ports) {
		list.Content = append(list.Content, kubernetesPort(r))
	}
	return list
}

// kubernetesRule writes one group as a rule of a NetworkPolicy.
func (b *book) kubernetesRule(d policy.Direction, namespace string, g group) *yaml.Node {
	peers := edit.List()
	for _, k := range g.peers {
		if b.targets[k].anyone {
			continue
		}
		peers.Content = append(peers.Content, kubernetesPeer(b.targets[k], namespace))
	}
	side := "from"
	if d == policy.Egress {
		side = "to"
	}
	rule := edit.Map(edit.Text(side), peers)
	if slices.Contains(g.peers, original(-1).key()) {
		rule = edit.Map() // everybody
	}
	if ports := b.kubernetesPorts(g); ports != nil {
		rule.Content = append(rule.Content, edit.Text("ports"), ports)
	}
	rule.HeadComment = b.comment(g)
	return rule
}
