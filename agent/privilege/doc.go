// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package privilege knows the capabilities that the agent uses and gives up
// all others.
//
// A capability is held where it is in the effective set. What is dropped is
// out of every set of every thread and cannot come back: the process may gain
// no privileges any more, by running another program either.
package privilege
