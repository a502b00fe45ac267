// SPDX-License-Identifier: Apache-2.0

//go:build linux

package status

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/privilege"
)

// Schema names the form of a report. Fields are added, never changed.
const Schema = "netcinch.agent-status/v1"

// Report is an agent at a moment, or a probe of a machine without one. Lists
// are never nil.
type Report struct {
	Schema  string    `json:"schema"`
	Agent   bool      `json:"agent"`             // false: no agent runs, this is what one would find
	Problem string    `json:"problem,omitempty"` // why none can run here, or none is known
	At      time.Time `json:"at"`
	Started time.Time `json:"started,omitzero"`
	Version string    `json:"version"`
	Node    string    `json:"node,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Kernel  string    `json:"kernel"`

	AttachMode   string       `json:"attachMode,omitempty"` // for new interfaces
	Programs     []Program    `json:"programs"`
	Interfaces   []Interface  `json:"interfaces"`
	Pods         Pods         `json:"pods"`
	Features     []Feature    `json:"features"`
	Capabilities []Capability `json:"capabilities"`
	Rates        Rates        `json:"rates"`
	Losses       []Loss       `json:"losses"`
	Delivery     *Delivery    `json:"delivery,omitempty"` // nil without an agent
}

// Program is one that the agent has loaded, and how often it is attached.
type Program struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Attached int    `json:"attached"` // 0: called by others, or run by the agent
}

// Interface is one that is watched.
type Interface struct {
	Namespace string       `json:"namespace,omitempty"` // of the pod; empty while it is not known
	Pod       string       `json:"pod,omitempty"`
	Node      string       `json:"node,omitempty"` // of an interface of the node itself: its name
	Addresses []netip.Addr `json:"addresses"`
	Mode      string       `json:"mode"`
	Slot      uint32       `json:"slot"`
	Since     time.Time    `json:"since"`
}

// Pods are the pods of the node.
type Pods struct {
	Synced      bool `json:"synced"` // somebody said which pods run here
	Known       int  `json:"known"`
	Watched     int  `json:"watched"`
	HostNetwork int  `json:"hostNetwork"`
}

// Feature is one of the kernel's, found or not.
type Feature struct {
	Name   string `json:"name"`
	Found  bool   `json:"found"`
	Kernel string `json:"kernel"`           // the first release that has it
	Lost   string `json:"lost,omitempty"`   // where it is missing: what is lost
	Reason string `json:"reason,omitempty"` // where it is missing: what the kernel said
}

// Capability is one that the agent uses, held or not.
type Capability struct {
	Name string `json:"name"`
	Held bool   `json:"held"`
	For  string `json:"for"`
	Lost string `json:"lost,omitempty"` // where it is not held, and nothing stands for it
}

// Rates are per second, over the last one to two windows, as counted at the
// watched interfaces: what two pods of this node exchange is seen at both.
type Rates struct {
	Over        float64 `json:"overSeconds"`
	Connections float64 `json:"connections"`
	Packets     float64 `json:"packets"`
	Bytes       float64 `json:"bytes"`
	Records     float64 `json:"flowRecords"`
	Edges       float64 `json:"edges"`
}

// Loss is what was not recorded for one cause, since the agent began.
type Loss struct {
	Cause string `json:"cause"`
	Unit  string `json:"unit"`
	Count uint64 `json:"count"`
	What  string `json:"what"`
}

// Delivery is what became of the batches.
type Delivery struct {
	Server     string `json:"server"`
	Problem    string `json:"problem,omitempty"` // of the last try; empty where it succeeded
	Sent       uint64 `json:"batchesSent"`
	Waiting    int    `json:"batchesWaiting"`
	SpoolBytes int64  `json:"spoolBytes"`
}

// Features says of each known feature whether it is among the missing ones,
// and adds missing ones that the list does not know.
func Features(missing []feature.Missing) []Feature {
	without := make(map[string]feature.Missing, len(missing))
	for _, m := range missing {
		without[m.Feature] = m
	}
	all := make([]Feature, 0, len(feature.All))
	for _, f := range feature.All {
		m, lacks := without[f.Name]
		delete(without, f.Name)
		all = append(all, stateOf(f, m, lacks))
	}
	for _, m := range missing {
		if _, unknown := without[m.Feature]; unknown {
			all = append(all, stateOf(feature.Feature{Name: m.Feature, Lost: m.Lost}, m, true))
		}
	}
	return all
}

func stateOf(f feature.Feature, m feature.Missing, lacks bool) Feature {
	s := Feature{Name: f.Name, Kernel: f.Kernel, Found: !lacks}
	if lacks {
		s.Lost = m.Lost
		if m.Err != nil {
			s.Reason = m.Err.Error()
		}
	}
	return s
}

// Capabilities says of each capability that the agent uses whether it is held.
func Capabilities(held privilege.Set) []Capability {
	lacking := make(map[int]bool)
	for _, c := range privilege.Lacking(held) {
		lacking[c.Number] = true
	}
	all := make([]Capability, 0, len(privilege.All))
	for _, c := range privilege.All {
		s := Capability{Name: c.Name, Held: held.Has(c.Number), For: c.For}
		if lacking[c.Number] {
			s.Lost = c.Lost
		}
		all = append(all, s)
	}
	return all
}
