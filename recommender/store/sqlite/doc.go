// SPDX-License-Identifier: Apache-2.0

// Package sqlite is the embedded engine of the store: files in one folder, no
// server, no cgo.
//
// Each UTC day is one SQLite file that knows everything about itself: the
// ledger of its batches, its edges, their counts, its nodes. Retention drops
// whole files. A batch belongs to the day in which its window starts, so that
// one transaction on one file keeps it, all or nothing.
//
// The catalogue is a file of its own that is never dropped. It can be behind
// the days, never ahead: each day counts its transactions (its generation),
// the catalogue remembers up to which generation it has folded each day, and
// what a crash left out is folded again when the store is opened.
//
// Counts are kept at three levels: buckets of the store's resolution, hours,
// and the day. A query takes the coarsest level that fits, so that no query
// adds up long history from fine rows. Rows as they came (pods) are one
// compressed blob a batch, kept for hours.
package sqlite
