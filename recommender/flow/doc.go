// SPDX-License-Identifier: Apache-2.0

// Package flow holds the values that every other part speaks in: endpoint,
// workload, protocol, edge, window, record.
//
// A flow is one 5-tuple seen by the kernel. An edge is flows folded to client,
// server, protocol and server port; the client's ephemeral port is never part
// of one. A record is what was counted on one edge in one window. All values
// are plain, comparable where they serve as keys, and free of I/O, so that the
// same record means the same in the store, in the flow file and on the page.
package flow
