// SPDX-License-Identifier: Apache-2.0

// Package plan turns a folder of plain Kubernetes manifests into the demo's
// world on paper: which pods run with which addresses, what the DNS server
// answers, and what the node's packet filter rewrites and drops. It is pure
// but for reading the folder; package world builds what it says.
//
// Its words: a pod is one that runs from start to end; a job is a CronJob,
// whose pods come and go; a route is one Service port with the virtual
// address, and the backends behind it; a drop is one pair that the filter
// cuts, as the policies say.
package plan
