// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// veiled stands for every name that may not be told. No object can be called so.
const veiled = "(hidden)"

// veil is what one caller must not be told of a view: every name of a
// namespace that they may not see, and of what belongs to the cluster.
type veil struct {
	rights auth.Rights
	spaces map[string]bool   // namespaces that are hidden
	words  map[string]bool   // names that are hidden and not also of something that is seen
	nodes  map[string]string // name → what stands for it
}

func newVeil(v *View, rights auth.Rights, all []string) *veil {
	h := &veil{rights: rights, spaces: map[string]bool{}, words: map[string]bool{}, nodes: map[string]string{}}
	for _, name := range all {
		if !rights.See(name) {
			h.spaces[name] = true
		}
	}
	for i := range v.Snapshot.Nodes {
		h.nodes[v.Snapshot.Nodes[i].Name] = "node-" + strconv.Itoa(i+1) + veiled
	}
	h.learn(v, all)
	return h
}

// learn collects the names of what is hidden, and takes out those that
// something has that is seen: "web" in another namespace tells nothing.
func (h *veil) learn(v *View, all []string) {
	seen := map[string]bool{}
	note := func(namespace string, names ...string) {
		for _, name := range names {
			if h.rights.See(namespace) {
				seen[name] = true
			} else {
				h.words[name] = true
			}
		}
	}
	seen[v.Cluster], seen[""] = true, true
	s := v.Snapshot
	for _, name := range all {
		note(name, name)
	}
	for i := range s.Nodes {
		note("", s.Nodes[i].Name)
		for _, a := range s.Nodes[i].Addresses {
			note("", a.String())
		}
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		note(p.Namespace, p.Name, p.Workload.Name)
		for _, a := range p.IPs {
			note(p.Namespace, a.String())
		}
	}
	for i := range s.Workloads {
		note(s.Workloads[i].Namespace, s.Workloads[i].Name)
	}
	for _, service := range s.Services {
		note(service.Namespace, service.Name)
	}
	for i := range s.Policies {
		note(s.Policies[i].Ref.Namespace, s.Policies[i].Ref.Name, s.Policies[i].Source.File)
	}
	for i := range v.Report.Edges {
		for _, p := range []*analyze.Party{&v.Report.Edges[i].Client, &v.Report.Edges[i].Server} {
			if p.Kind == analyze.PartyWorkload {
				note(p.Namespace, p.Name)
			}
		}
	}
	for name := range seen {
		delete(h.words, name)
	}
}

// tells says whether a text has a name in it that is hidden.
func (h *veil) tells(text string) bool {
	if text == "" {
		return false
	}
	if h.words[text] {
		return true
	}
	for token := range strings.FieldsFuncSeq(text, notInName) {
		token = strings.Trim(token, ".:-")
		namespace, name, composed := strings.Cut(token, "/")
		switch {
		case h.words[token]:
			return true
		case composed && (h.spaces[namespace] || h.words[name] && !h.rights.See(namespace)):
			return true
		case composed && slices.ContainsFunc(strings.Split(token, "/"), func(part string) bool { return h.spaces[part] && h.words[part] }):
			return true
		}
		if host, _, ok := strings.Cut(token, ":"); ok && (h.words[host] || h.tells(host)) {
			return true
		}
	}
	return false
}

// notInName splits a text into what may be names, also of files, namespace/name
// and address:port.
func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._/:", r)
}

// ref says whether an object may be named.
func (h *veil) ref(namespace string) bool { return h.rights.See(namespace) }

// party gives what is shown of a party.
func (h *veil) party(p analyze.Party) analyze.Party {
	switch p.Kind {
	case analyze.PartyWorkload:
		if !h.rights.See(p.Namespace) {
			return analyze.Party{Kind: p.Kind, Namespace: veiled, WorkloadKind: "Workload", Name: veiled}
		}
	case analyze.PartyNode:
		return analyze.Party{Kind: p.Kind, Name: h.node(p.Name)}
	case analyze.PartyOutside:
		if h.tells(p.DNS) || strings.Contains(p.DNS, "/") {
			p.DNS = ""
		}
	}
	return p
}

// node gives what stands for a node's name.
func (h *veil) node(name string) string {
	if alias, ok := h.nodes[name]; ok {
		return alias
	}
	if strings.HasSuffix(name, veiled) {
		return name // it is one
	}
	return veiled
}

// endpoint gives what is shown of an endpoint.
func (h *veil) endpoint(e flow.Endpoint) flow.Endpoint {
	switch e.Kind() {
	case flow.KindPod:
		if !h.rights.See(e.Workload.Namespace) {
			return flow.Endpoint{Workload: flow.Workload{Namespace: veiled, Kind: "Workload", Name: veiled}}
		}
	case flow.KindNode:
		return flow.Endpoint{Node: h.node(e.Node)}
	case flow.KindOutside:
		e.Elsewhere = "" // in another cluster
		if h.tells(e.DNS) || strings.Contains(e.DNS, "/") {
			e.DNS = ""
		}
	}
	return e
}

// inside says whether an end is a workload that may be seen.
func (h *veil) inside(p *analyze.Party) bool {
	return p.Kind == analyze.PartyWorkload && h.rights.See(p.Namespace)
}

func (h *veil) problems(list []cluster.Problem) (out []cluster.Problem) {
	for i := range list {
		if p := &list[i]; p.Ref.Namespace != "" && h.ref(p.Ref.Namespace) && !h.tells(p.Message) {
			out = append(out, *p)
		}
	}
	return out
}
