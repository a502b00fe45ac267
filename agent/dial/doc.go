// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package dial has the kernel write down which address a socket dials, where a
// load balancer at the socket layer chooses another one before any packet is
// sent. The flow program takes the dialled address over when the flow begins.
//
// The programs of a control group run before those of the groups around it: at
// the pods' group they run before a load balancer's at the root, and see what
// the pod asked for.
package dial
