// SPDX-License-Identifier: Apache-2.0

package sqlite

// schemaVersion is the version of both kinds of file (PRAGMA user_version).
//
// History
//
//	1  2026-11  first version
const schemaVersion = 1

// applicationID marks our files ("NtCn"), so that another program's database
// is not taken for ours.
const applicationID = 0x4e74436e

// edgeColumns are the identity and the description of an edge, in the order
// that bindEdge and scanEdge use.
const edgeColumns = `
	cluster TEXT NOT NULL,
	client_namespace TEXT NOT NULL, client_kind TEXT NOT NULL, client_name TEXT NOT NULL,
	client_node TEXT NOT NULL, client_ip TEXT NOT NULL, client_dns TEXT NOT NULL,
	server_namespace TEXT NOT NULL, server_kind TEXT NOT NULL, server_name TEXT NOT NULL,
	server_node TEXT NOT NULL, server_ip TEXT NOT NULL, server_dns TEXT NOT NULL,
	protocol INTEGER NOT NULL, port INTEGER NOT NULL, outcome INTEGER NOT NULL,
	client_process TEXT NOT NULL, server_process TEXT NOT NULL,
	service TEXT NOT NULL, reason TEXT NOT NULL, guessed INTEGER NOT NULL`

const edgeNames = `cluster, client_namespace, client_kind, client_name, client_node, client_ip, client_dns,
	server_namespace, server_kind, server_name, server_node, server_ip, server_dns, protocol, port, outcome,
	client_process, server_process, service, reason, guessed`

const edgeMarks = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`

// daySchema is one day. Times are milliseconds since the day's start, rounded
// outward; bucket is a number of steps of its level since the day's start.
// Columns c_ are counted at the client's end, s_ at the server's.
const daySchema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
	cluster TEXT NOT NULL, node TEXT NOT NULL, epoch TEXT NOT NULL, sequence INTEGER NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL,
	PRIMARY KEY (cluster, node, epoch, sequence)) STRICT, WITHOUT ROWID;
CREATE TABLE watched (
	cluster TEXT NOT NULL, node TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
	PRIMARY KEY (cluster, node, first, last)) STRICT, WITHOUT ROWID;
CREATE TABLE edge (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,` + edgeColumns + `) STRICT;
CREATE TABLE count (
	level INTEGER NOT NULL, bucket INTEGER NOT NULL, edge INTEGER NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL,
	c_connections INTEGER NOT NULL, c_bytes_sent INTEGER NOT NULL, c_bytes_received INTEGER NOT NULL,
	c_packets_sent INTEGER NOT NULL, c_packets_received INTEGER NOT NULL,
	s_connections INTEGER NOT NULL, s_bytes_sent INTEGER NOT NULL, s_bytes_received INTEGER NOT NULL,
	s_packets_sent INTEGER NOT NULL, s_packets_received INTEGER NOT NULL,
	PRIMARY KEY (level, bucket, edge)) STRICT, WITHOUT ROWID;
CREATE TABLE node (
	bucket INTEGER NOT NULL, cluster TEXT NOT NULL, node TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, covered INTEGER NOT NULL, batches INTEGER NOT NULL,
	map_full INTEGER NOT NULL, ring_full INTEGER NOT NULL, unattributed INTEGER NOT NULL, unparsed INTEGER NOT NULL,
	detached INTEGER NOT NULL, spool_overflow INTEGER NOT NULL, refused INTEGER NOT NULL,
	pods_known INTEGER NOT NULL, pods_watched INTEGER NOT NULL, attach_mode TEXT NOT NULL, missing TEXT NOT NULL,
	PRIMARY KEY (bucket, cluster, node)) STRICT, WITHOUT ROWID;
CREATE TABLE pods (first INTEGER NOT NULL, last INTEGER NOT NULL, cluster TEXT NOT NULL, rows BLOB NOT NULL) STRICT;
CREATE INDEX pods_first ON pods (first);
`

// catalogueSchema is the file that is never dropped. Times are Unix milliseconds.
const catalogueSchema = `
CREATE TABLE edge (key BLOB PRIMARY KEY,` + edgeColumns + `, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX edge_first ON edge (first);
CREATE INDEX edge_last ON edge (last);
CREATE TABLE folded (day TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// The levels of table count.
const (
	levelFine = iota
	levelHour
	levelDay
)
