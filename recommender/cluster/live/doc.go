// SPDX-License-Identifier: Apache-2.0

// Package live reads a cluster from its API server: informers with trimmed
// objects become cluster.Snapshots as the cluster changes. It only ever lists
// and watches.
//
// Its words: the core kinds are those that every API server has; the optional
// kinds, Calico's and the cluster-wide policies, are there when their resource
// definitions are, which may come and go while the feed runs. A kind that
// could not be read, for want of rights or because its server does not answer,
// is a Problem in each snapshot; what was read of it before stays.
package live
