// SPDX-License-Identifier: Apache-2.0

// Package jsonl reads and writes the flow file, schema netcinch.flow/v1: flow
// records as JSON lines, for import, export, tests and support.
//
// One line is one flow.Record. Counts are from the client's point of view, and
// those that the client's end counted; where only the server's end counted,
// the line says "countedAt":"server"; where both did, the server's own counts
// are beside them in "atServer". Of an endpoint there is what is known: a
// record read from "pod" without "workload" has a Workload with a namespace
// only, until somebody who knows the cluster completes it.
//
// A reader takes the fields that it knows and counts those that it does not. A
// line that cannot be read is a *LineError, which names file, line and field;
// reading may go on behind it.
package jsonl

// Schema is the name and version that each line carries.
const Schema = "netcinch.flow/v1"
