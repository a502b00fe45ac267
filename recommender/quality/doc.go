// SPDX-License-Identifier: Apache-2.0

// Package quality measures how good the advice is: a simulator of applications
// whose true needs are known to it and hidden from the advice.
//
// Its words: a topology is workloads and the calls that they need; a call is
// steady, rare, made at a pod's start, or made by a schedule; a world is one
// simulated history of a topology, cut in time into what is learnt and the
// window after it, with rollouts in both; a tuple is a client, a server, a
// protocol and a port. The same seed gives the same world.
package quality
