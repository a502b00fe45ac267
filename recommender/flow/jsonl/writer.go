// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// Writer writes records, one a line. It does not buffer.
type Writer struct{ out *json.Encoder }

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return &Writer{out: e}
}

// Write writes one record. A record that a Reader would refuse (a window that
// ends before it starts, an end of which nothing is known) is refused here,
// and nothing of it is written.
func (w *Writer) Write(r flow.Record) error {
	l := lineOf(r)
	if _, err := l.record(); err != nil {
		return fmt.Errorf("writing a flow record: %w", err)
	}
	if err := w.out.Encode(l); err != nil {
		return fmt.Errorf("writing a flow record: %w", err)
	}
	return nil
}

func lineOf(r flow.Record) line {
	l := line{
		Schema:   Schema,
		Start:    r.Window.Start.UTC().Format(time.RFC3339Nano),
		End:      r.Window.End.UTC().Format(time.RFC3339Nano),
		Client:   endpointOf(r.Edge.Client),
		Server:   endpointOf(r.Edge.Server),
		Protocol: r.Edge.Protocol.String(),
		counters: counters(r.Counters()),
		Reason:   r.Edge.Reason,
		Service:  r.Edge.Service,
		Guessed:  r.Edge.Guessed,
		Probe:    r.Edge.Probe,
	}
	if int(r.Edge.Outcome) < len(outcomes) {
		l.Outcome = outcomes[r.Edge.Outcome]
	} else {
		l.Outcome = fmt.Sprintf("outcome %d", r.Edge.Outcome) // refused by record
	}
	if r.Edge.Protocol.HasPorts() || r.Edge.Port != 0 {
		port := r.Edge.Port
		l.Port = &port
	}
	switch {
	case r.ByServer.IsZero():
	case r.ByClient.IsZero():
		l.CountedAt = "server"
	default:
		at := counters(r.ByServer)
		l.AtServer = &at
	}
	return l
}

func endpointOf(e flow.Endpoint) *endpoint {
	out := &endpoint{Namespace: e.Workload.Namespace, Pod: e.Pod, Node: e.Node, DNS: e.DNS, Process: e.Process, Container: e.Container, Elsewhere: e.Elsewhere}
	if e.Workload.Kind != "" || e.Workload.Name != "" {
		out.Workload = &workload{Kind: e.Workload.Kind, Name: e.Workload.Name}
	}
	if e.IP.IsValid() {
		out.IP = e.IP.Unmap().String()
	}
	return out
}
