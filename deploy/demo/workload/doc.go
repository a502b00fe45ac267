// SPDX-License-Identifier: Apache-2.0

// Package workload is the program that every container of the demo runs: a
// server and a client of small requests, told by the container's args in the
// manifest what to be.
//
// Its words: a port is what it serves, as scheme and number (http/8080,
// tcp/5432, dns/53); a call is what it asks of others, and when (every 2s,
// once, when-told); a report is one JSON line on standard output that says
// that it is ready, or how a call fares. The parent steers it with lines on
// standard input; the end of that input is the end of the program, so that
// it never outlives its parent.
package workload
