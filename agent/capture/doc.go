// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package capture turns what the eBPF program counts into records.
//
// A slot is one attachment: one watched interface of one network namespace,
// numbered once and never again in the life of the process, because interface
// indexes repeat across namespaces. Local is the end that owns the watched
// interface, remote the other one. A record is what one flow has counted since
// the last drain; counts in the kernel are cumulative and are never reset, so
// that a packet which arrives while they are read is part of the next record.
//
// Who began a flow is told by, in this order: TCP's SYN (SCTP's INIT, the ICMP
// request), conntrack's direction, the first datagram seen. Only where none of
// these is known is the lower port taken for the server's, and Guessed says so.
package capture
