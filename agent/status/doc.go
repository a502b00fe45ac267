// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package status is what an agent says of itself: a report, served on a unix
// socket to this machine's root, and its table for people.
//
// Each agent has a socket of its own in the run directory, named after its
// node, so that several agents of one machine (nodes that are containers) can
// be told apart.
package status
