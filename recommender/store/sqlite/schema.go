// SPDX-License-Identifier: Apache-2.0

package sqlite

import "fmt"

// schemaVersion is the version of every kind of file (PRAGMA user_version).
//
// History
//
//	1  2026-11  first version
//	2  2026-11  days: journal with marks, programs, connections of nodes, elsewhere;
//	            catalogue: programs, elsewhere; indexes of ends; the register is new
const schemaVersion = 2

// schema is what a kind of file begins with, and how one of version 1 gets there.
type schema struct{ fresh, from1 string }

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
	service TEXT NOT NULL, reason TEXT NOT NULL, guessed INTEGER NOT NULL,
	client_elsewhere TEXT NOT NULL DEFAULT '', server_elsewhere TEXT NOT NULL DEFAULT ''`

const edgeNames = `cluster, client_namespace, client_kind, client_name, client_node, client_ip, client_dns,
	server_namespace, server_kind, server_name, server_node, server_ip, server_dns, protocol, port, outcome,
	client_process, server_process, service, reason, guessed, client_elsewhere, server_elsewhere`

const edgeMarks = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`

const (
	programTable = "CREATE TABLE program (edge %s NOT NULL, server INTEGER NOT NULL, path TEXT NOT NULL, " +
		"first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (edge, server, path)) STRICT, WITHOUT ROWID;\n"
	markTable = "CREATE TABLE mark (shard INTEGER PRIMARY KEY, folded INTEGER NOT NULL) STRICT;\n"
	podsTable = `
CREATE TABLE pods (id INTEGER PRIMARY KEY AUTOINCREMENT, first INTEGER NOT NULL, last INTEGER NOT NULL, cluster TEXT NOT NULL, rows BLOB NOT NULL) STRICT;
CREATE INDEX pods_first ON pods (first);
`
	elsewhere  = "ALTER TABLE edge ADD COLUMN client_elsewhere TEXT NOT NULL DEFAULT ''; ALTER TABLE edge ADD COLUMN server_elsewhere TEXT NOT NULL DEFAULT '';\n"
	endIndexes = "CREATE INDEX edge_client ON edge (client_namespace, client_name); CREATE INDEX edge_server ON edge (server_namespace, server_name);\n"
)

// daySchema is one day. Times are milliseconds since the day's start, rounded
// outward; bucket is a number of steps of its level since the day's start.
// Columns c_ are counted at the client's end, s_ at the server's.
//
// Table pods is the journal: the rows of each batch as they came. Edges and
// counts follow from it, each shard of them up to its mark. Programs beyond
// those that are kept of an edge's end are the one of the empty path.
var daySchema = schema{
	fresh: `
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
	connections INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (bucket, cluster, node)) STRICT, WITHOUT ROWID;
` + fmt.Sprintf(programTable, "INTEGER") + markTable + podsTable + endIndexes,
	// What version 1 counted, it counted with the batch.
	from1: `
ALTER TABLE node ADD COLUMN connections INTEGER NOT NULL DEFAULT 0;
DROP INDEX pods_first;
ALTER TABLE pods RENAME TO pods1;
` + fmt.Sprintf(programTable, "INTEGER") + markTable + podsTable + endIndexes + elsewhere + `
INSERT INTO pods (first, last, cluster, rows) SELECT first, last, cluster, rows FROM pods1 ORDER BY rowid;
DROP TABLE pods1;
WITH RECURSIVE n (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM n WHERE shard < 63)
	INSERT INTO mark SELECT shard, (SELECT coalesce(max(id), 0) FROM pods) FROM n;
INSERT INTO program SELECT id, 0, client_process, 0, 86400000 FROM edge WHERE client_process <> '';
INSERT INTO program SELECT id, 1, server_process, 0, 86400000 FROM edge WHERE server_process <> '';
`,
}

// catalogueSchema is the file that is never dropped. Times are Unix milliseconds.
var catalogueSchema = schema{
	fresh: `
CREATE TABLE edge (key BLOB PRIMARY KEY,` + edgeColumns + `, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX edge_first ON edge (first);
CREATE INDEX edge_last ON edge (last);
CREATE TABLE folded (day TEXT PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
` + fmt.Sprintf(programTable, "BLOB") + endIndexes,
	from1: fmt.Sprintf(programTable, "BLOB") + endIndexes + elsewhere + `
INSERT INTO program SELECT key, 0, client_process, first, last FROM edge WHERE client_process <> '';
INSERT INTO program SELECT key, 1, server_process, first, last FROM edge WHERE server_process <> '';
`,
}

// registerSchema is the file of findings and decisions, which is never dropped
// either. Times are Unix milliseconds; the trail takes no change and loses nothing.
var registerSchema = schema{fresh: `
CREATE TABLE finding (
	cluster TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, detail BLOB NOT NULL,
	PRIMARY KEY (cluster, id)) STRICT, WITHOUT ROWID;
CREATE INDEX finding_last ON finding (last);
CREATE TABLE decision (
	number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
	cluster TEXT NOT NULL, finding TEXT NOT NULL, verdict TEXT NOT NULL,
	who TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL, reason TEXT NOT NULL, detail BLOB NOT NULL,
	sum BLOB NOT NULL) STRICT;
CREATE INDEX decision_finding ON decision (cluster, finding);
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision BEGIN SELECT raise(ABORT, 'the trail takes no change'); END;
CREATE TRIGGER decision_kept BEFORE DELETE ON decision BEGIN SELECT raise(ABORT, 'the trail loses nothing'); END;
`}

// The levels of table count.
const (
	levelFine = iota
	levelHour
	levelDay
)
