// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package aggregate folds flow records to the edges of one window.
//
// A record is what the kernel counted on one flow, one 5-tuple seen from a
// watched interface, since the last drain. An edge is what remains once the
// client's ephemeral port is folded away: local end, remote end, dialled
// address, protocol, server port, outcome, name and process. A slot is one
// watched interface; a part is edges of one window, ready to be sent.
//
// Which pod a slot is may become known only later. Its edges are waited with,
// within bounds ([Options.Wait], [Options.MaxWaiting]), and keep their own
// window; what has no pod after that is counted as unattributed.
package aggregate
