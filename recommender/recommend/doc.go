// SPDX-License-Identifier: Apache-2.0

// Package recommend turns what was seen into manifests, each with its proof.
//
// A new policy is written for a workload that none selects; an existing
// Kubernetes or Calico policy is tightened by the smallest edit to its
// author's text. Each recommendation is proved on the policy engine, exactly,
// for every pod, port and address: all that was seen, learnt and allowed stays
// allowed, nothing is opened, no part is superfluous. What cannot be proved is
// withheld, with the reason. Replay holds any policies against the same
// history.
//
// The package is pure: it reads no clock and no file; the same input gives the
// same bytes.
package recommend
