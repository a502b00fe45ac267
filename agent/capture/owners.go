// SPDX-License-Identifier: Apache-2.0

//go:build linux

package capture

import "github.com/cilium/ebpf"

// Running gives the map in which the flow program looks up what a process
// runs: process id in the initial PID namespace to the number of an executable.
// It lives as long as the collector.
func (c *Collector) Running() *ebpf.Map { return c.set.Running }

// Dialled gives the map in which the flow program looks up what a socket
// dialled, by its cookie: struct dialled of bpf/flow.h. It lives as long as the
// collector, and is read only with [probe.Options].Dialling.
func (c *Collector) Dialled() *ebpf.Map { return c.set.Dialled }
