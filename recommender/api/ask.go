// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

type checkBody struct {
	Allowed   bool         `json:"allowed"`
	Egress    analyze.Side `json:"egress"`
	Ingress   analyze.Side `json:"ingress"`
	Uncertain []string     `json:"uncertain"`
}

// check judges one connection.
func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	v, _, err := s.view(r)
	if err != nil {
		return err
	}
	var body struct {
		From     string          `json:"from"`
		To       string          `json:"to"`
		Port     json.RawMessage `json:"port"`
		Protocol string          `json:"protocol"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	c := policy.Connection{Protocol: flow.TCP, ICMPType: -1, ICMPCode: -1}
	if c.From, err = peerOf(v, "from", body.From); err != nil {
		return err
	}
	if c.To, err = peerOf(v, "to", body.To); err != nil {
		return err
	}
	if body.Protocol != "" {
		if c.Protocol, err = flow.ParseProtocol(body.Protocol); err != nil {
			return wrong("protocol", "%v.", err)
		}
	}
	if c.Port, err = portNamed(c, body.Port); err != nil {
		return err
	}
	verdict := v.Engine.Check(c)
	return s.json(w, r, checkBody{
		Allowed: verdict.Allowed, Egress: v.Index.Side(verdict.Egress), Ingress: v.Index.Side(verdict.Ingress), Uncertain: verdict.Uncertain,
	})
}

// peerOf finds what namespace/name or an address means: a pod, else a workload
// (its first pod), else the address.
func peerOf(v *View, field, text string) (policy.Peer, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addressed(v, addr.Unmap()), nil
	}
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" {
		return policy.Peer{}, wrong(field, "%q is neither namespace/name of a pod or workload nor an address.", text)
	}
	for i := range v.Snapshot.Pods {
		if p := &v.Snapshot.Pods[i]; p.Namespace == namespace && p.Name == name && !p.Finished {
			return policy.Peer{Pod: p}, nil
		}
	}
	for _, w := range v.Index.Workloads() {
		if w.Namespace == namespace && w.Name == name {
			if ends := v.Index.Ends(analyze.PartyOf(w), 1); len(ends) > 0 {
				return ends[0], nil
			}
		}
	}
	return policy.Peer{}, wrong(field, "There is no pod and no workload %q.", text)
}

// addressed gives the pod that has the address, or the bare address.
func addressed(v *View, addr netip.Addr) policy.Peer {
	for i := range v.Snapshot.Pods {
		p := &v.Snapshot.Pods[i]
		if p.HostNetwork || p.Finished {
			continue
		}
		for _, ip := range p.IPs {
			if ip == addr {
				return policy.Peer{Pod: p, Addr: addr}
			}
		}
	}
	return policy.Peer{Addr: addr}
}

// portNamed reads a number, or the name of a port of the server's pod.
func portNamed(c policy.Connection, raw json.RawMessage) (uint16, error) {
	if len(raw) == 0 || string(raw) == "null" {
		if !c.Protocol.HasPorts() {
			return 0, nil
		}
		return 0, wrong("port", "Say which port of the server: a number, or the name of a container port.")
	}
	text := strings.Trim(string(raw), `"`)
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return uint16(n), nil
	}
	if c.To.Pod != nil {
		for _, p := range c.To.Pod.Ports {
			if p.Name == text && p.Protocol == c.Protocol {
				return p.Port, nil
			}
		}
	}
	return 0, wrong("port", "%s is neither a number from 0 to 65535 nor the name of a %s port of the server's pod.", raw, c.Protocol)
}

type replayBody struct {
	Meta meta `json:"meta"`
	*recommend.ReplayReport
	Window   *struct{}      `json:"window,omitempty"` // the meta has it
	Problems []inputProblem `json:"problems"`
}

// replay holds policies against what was seen.
func (s *Server) replay(w http.ResponseWriter, r *http.Request) error {
	v, q, err := s.view(r)
	if err != nil {
		return err
	}
	var body struct {
		Policies string `json:"policies"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	given := manifest.LoadText("policies", []byte(body.Policies), manifest.Options{Namespace: q.namespace})
	if len(given.Policies) == 0 {
		return wrong("policies", "There is no policy in it%s.", firstProblem(given.Problems))
	}
	input := v.Input
	if q.namespace != "" {
		input.Records = ofNamespace(input.Records, q.namespace)
	}
	report, err := recommend.Replay(recommend.ReplayInput{Input: input, Policies: given.Policies})
	if err != nil {
		return err
	}
	return s.json(w, r, replayBody{Meta: metaOf(v), ReplayReport: report, Problems: problemsOf(given.Problems)})
}

func firstProblem(problems []cluster.Problem) string {
	if len(problems) == 0 {
		return ""
	}
	p := problems[0]
	return " that is understood: line " + strconv.Itoa(p.Line) + ": " + p.Message
}

func ofNamespace(records []flow.Record, namespace string) []flow.Record {
	var out []flow.Record
	for i := range records {
		e := &records[i].Edge
		if e.Client.Workload.Namespace == namespace || e.Server.Workload.Namespace == namespace {
			out = append(out, records[i])
		}
	}
	return out
}
