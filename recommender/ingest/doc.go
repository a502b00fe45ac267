// SPDX-License-Identifier: Apache-2.0

// Package ingest takes the batches of agents: it authenticates the sender,
// judges the batch, finds out who the addresses were at the time, and
// acknowledges once the store has the batch on disk.
//
// The local end of an edge is the pod that the agent names, and an agent may
// speak only for pods of its own node. The remote end is whoever owned the
// address in the batch's window, by what the cluster's history says: a pod, a
// node, or nobody of the cluster (outside). A virtual address that a client
// dialled names the Service; where its backend is not known, the Service's
// backends stand in if they are all of one workload.
package ingest
