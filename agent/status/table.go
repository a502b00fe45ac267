// SPDX-License-Identifier: Apache-2.0

//go:build linux

package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people.
func WriteTable(out io.Writer, r Report) error {
	t := &table{Writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.head(r)
	t.interfaces(r)
	t.programs(r)
	t.features(r)
	t.capabilities(r)
	if r.Agent {
		t.rates(r.Rates)
		t.losses(r.Losses)
	}
	if err := t.Flush(); t.err == nil {
		t.err = err
	}
	return t.err
}

// table remembers the first error of a write.
type table struct {
	*tabwriter.Writer
	err error
}

func (t *table) line(cells ...any) {
	words := make([]string, len(cells))
	for i, c := range cells {
		words[i] = strings.Map(plain, fmt.Sprint(c))
	}
	if _, err := fmt.Fprintln(t, strings.Join(words, "\t")); t.err == nil {
		t.err = err
	}
}

// plain keeps control characters out of the terminal and of the columns.
func plain(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

func (t *table) title(words string) {
	t.line("")
	t.line(words)
}

func (t *table) head(r Report) {
	if r.Agent {
		t.line(fmt.Sprintf("netcinch-agent %s on node %s, cluster %s, for %v", r.Version, r.Node, r.Cluster, r.At.Sub(r.Started).Round(time.Second)))
	} else {
		t.line("no agent answers on this machine; this is what one would find here")
	}
	if r.Problem != "" {
		t.line("problem: " + r.Problem)
	}
	t.line("kernel: Linux " + r.Kernel)
	if r.AttachMode != "" {
		t.line("attach mode: " + r.AttachMode)
	}
	if d := r.Delivery; d != nil {
		state := "reachable"
		if d.Problem != "" {
			state = d.Problem
		}
		t.line(fmt.Sprintf("recommender: %s, %s; %d batches sent, %d waiting (%d bytes)", d.Server, state, d.Sent, d.Waiting, d.SpoolBytes))
	}
}

func (t *table) interfaces(r Report) {
	if !r.Agent {
		return
	}
	t.title(fmt.Sprintf("WATCHED: %d interfaces; %d of %d pods, %d more share the node's network", len(r.Interfaces), r.Pods.Watched, r.Pods.Known, r.Pods.HostNetwork))
	if len(r.Interfaces) == 0 {
		t.line("  none: see that --netns is the node's network namespace, and --netns-dir where the container runtime keeps the pods'")
		return
	}
	t.line("  POD", "ADDRESSES", "ATTACHED", "FOR")
	for _, i := range r.Interfaces {
		pod := "(not known)"
		switch {
		case i.Pod != "":
			pod = i.Namespace + "/" + i.Pod
		case i.Node != "":
			pod = "(the node: " + i.Node + ")"
		}
		addresses := make([]string, len(i.Addresses))
		for n, a := range i.Addresses {
			addresses[n] = a.String()
		}
		t.line("  "+pod, strings.Join(addresses, ","), i.Mode, r.At.Sub(i.Since).Round(time.Second))
	}
}

func (t *table) programs(r Report) {
	if len(r.Programs) == 0 {
		return
	}
	t.title("PROGRAMS")
	t.line("  NAME", "TYPE", "ATTACHED")
	for _, p := range r.Programs {
		name := p.Name
		if name == "" {
			name = "(not told)"
		}
		t.line("  "+name, p.Type, p.Attached)
	}
}

func (t *table) features(r Report) {
	t.title("KERNEL FEATURES")
	t.line("  FEATURE", "FOUND", "LOST WITHOUT IT")
	for _, f := range r.Features {
		if f.Found {
			t.line("  "+f.Name, "yes", "")
			continue
		}
		t.line("  "+f.Name, "no", f.Lost)
	}
}

func (t *table) capabilities(r Report) {
	t.title("CAPABILITIES")
	t.line("  CAPABILITY", "HELD", "FOR")
	for _, c := range r.Capabilities {
		switch {
		case c.Held:
			t.line("  "+c.Name, "yes", c.For)
		case c.Lost == "":
			t.line("  "+c.Name, "no", c.For+"; CAP_SYS_ADMIN stands for it")
		default:
			t.line("  "+c.Name, "no", c.For+"; lost: "+c.Lost)
		}
	}
}

func (t *table) rates(r Rates) {
	t.title(fmt.Sprintf("RATES, per second over the last %.0f s", r.Over))
	t.line("  CONNECTIONS", "PACKETS", "BYTES", "FLOW RECORDS", "EDGES")
	t.line("  "+rate(r.Connections), rate(r.Packets), rate(r.Bytes), rate(r.Records), rate(r.Edges))
}

func rate(v float64) string { return fmt.Sprintf("%.1f", v) }

func (t *table) losses(all []Loss) {
	t.title("LOSSES since the agent began")
	t.line("  CAUSE", "COUNT", "UNIT", "WHAT")
	for _, l := range all {
		t.line("  "+l.Cause, l.Count, l.Unit, l.What)
	}
}
