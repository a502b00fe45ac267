// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package drops says of which flows the kernel dropped the packets, and why.
//
// A drop is packets of one sender to one receiver that the kernel gave up in
// the network namespace of the node or of one of its pods; the reason is the
// kernel's own word. A flow that nothing answered was dropped where at least
// half of what it sent is among the drops: a server may well lose a datagram.
// A policy that drops what comes to a pod does so on the node, and the pod never
// sees it: those drops are attempts, told as the records that the pod's
// interface would have given.
package drops
