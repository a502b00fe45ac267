// SPDX-License-Identifier: Apache-2.0

// Package analyze holds what was seen against what is allowed.
//
// It folds flow records to workload edges, asks the policy engine for a
// verdict on each, counts the use of every allowance, and states findings. The
// package is pure: the moment "now" is the end of the window that it is given.
//
// Its words: a party is one end of an edge at workload level (a workload, a
// node, an outside address); usage is what one allowance was used for; an edge
// is unseen when it first appeared after both of its ends had been learnt;
// readiness says how far the evidence about a workload can be trusted; a
// finding is a statement about an allowance or an edge, with its evidence and
// a stable identity.
package analyze
