// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package owner says which program is at the local end of a flow.
//
// A program is an executable's path as its own container sees it, and that
// container. The kernel gives every exec a number; the flow program writes the
// number of the one who sends a SYN or a first datagram into the flow, so that
// a process which lives a millisecond has its name. At the server's end it is
// who listens: the listener is followed as it is opened and closed, and listed
// where it was open before the agent. A holder of a socket is a process that
// has it among its files; a listener that a server hands to its children is
// held by several, and belongs to the one that opened it.
//
// A namespace is told by its cookie, which the kernel never gives again.
package owner
