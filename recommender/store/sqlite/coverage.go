// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/netcinch/netcinch/recommender/store"
)

const addNode = `INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
	pods_known = iif(excluded.last >= last, excluded.pods_known, pods_known),
	pods_watched = iif(excluded.last >= last, excluded.pods_watched, pods_watched),
	attach_mode = iif(excluded.last >= last, excluded.attach_mode, attach_mode),
	missing = iif(excluded.last >= last, excluded.missing, missing),
	first = min(first, excluded.first), last = max(last, excluded.last),
	covered = covered + excluded.covered, batches = batches + 1,
	map_full = CAST(map_full + excluded.map_full AS INTEGER), ring_full = CAST(ring_full + excluded.ring_full AS INTEGER),
	unattributed = CAST(unattributed + excluded.unattributed AS INTEGER), unparsed = CAST(unparsed + excluded.unparsed AS INTEGER),
	detached = CAST(detached + excluded.detached AS INTEGER), spool_overflow = CAST(spool_overflow + excluded.spool_overflow AS INTEGER),
	refused = CAST(refused + excluded.refused AS INTEGER), connections = CAST(connections + excluded.connections AS INTEGER)`

// node adds a batch's losses and coverage. A window that comes in several
// batches is covered once.
func (w *writer) node(b *prepared) error {
	first, last := w.day.floor(b.Window.Start), w.day.ceil(b.Window.End)
	err := run(w.conn, "INSERT INTO watched VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", func(p *binder) {
		p.text(b.Cluster, b.Node)
		p.number(first, last)
	})
	if err != nil {
		return err
	}
	covered := int64(0)
	if w.conn.Changes() > 0 {
		covered = last - first
	}
	return run(w.conn, addNode, func(p *binder) {
		p.number(first / w.resolution.Milliseconds())
		p.text(b.Cluster, b.Node)
		p.number(first, last, covered)
		l := b.Losses
		for _, n := range []uint64{l.MapFull, l.RingFull, l.Unattributed, l.Unparsed, l.Detached, l.SpoolOverflow, l.Refused} {
			p.number(saturate(n))
		}
		p.number(int64(b.Coverage.PodsKnown), int64(b.Coverage.PodsWatched))
		p.text(b.Coverage.AttachMode, strings.Join(b.Coverage.Missing, "\n"))
		p.number(saturate(b.connections))
	})
}

// Coverage implements store.Store.
func (s *Store) Coverage(ctx context.Context, q store.Query) ([]store.NodeCoverage, error) {
	type name struct{ cluster, node string }
	found := map[name]store.NodeCoverage{}
	err := s.each(ctx, q, func(r *reader) error {
		from, to := within(q, r.day)
		return r.nodes(q.Cluster, from, to, func(n store.NodeCoverage) {
			k := name{n.Cluster, n.Node}
			if have, ok := found[k]; ok {
				n = mergeNode(have, n)
			}
			found[k] = n
		})
	})
	if err != nil {
		return nil, err
	}
	list := make([]store.NodeCoverage, 0, len(found))
	for _, n := range found {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b store.NodeCoverage) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Node, b.Node))
	})
	return list, nil
}

func mergeNode(a, b store.NodeCoverage) store.NodeCoverage {
	if b.LastSeen.After(a.LastSeen) {
		a.LastSeen, a.Coverage = b.LastSeen, b.Coverage
	}
	if b.FirstSeen.Before(a.FirstSeen) {
		a.FirstSeen = b.FirstSeen
	}
	a.Covered += b.Covered
	a.Batches += b.Batches
	a.Connections += b.Connections
	a.Losses = a.Losses.Add(b.Losses)
	return a
}

// nodes gives what each bucket knows of each node.
func (r *reader) nodes(cluster string, from, to time.Time, visit func(store.NodeCoverage)) error {
	first, last := int64(from.Sub(r.day.start)/r.resolution), int64((to.Sub(r.day.start)-1)/r.resolution)
	return sqlitex.Execute(r.conn, `SELECT cluster, node, first, last, covered, batches, map_full, ring_full, unattributed, unparsed,
		detached, spool_overflow, refused, pods_known, pods_watched, attach_mode, missing, connections
		FROM node WHERE bucket BETWEEN ? AND ?`, &sqlitex.ExecOptions{
		Args: []any{first, last},
		ResultFunc: func(row *sqlite.Stmt) error {
			n := func(i int) uint64 { return uint64(row.ColumnInt64(i)) }
			if cluster != "" && row.ColumnText(0) != cluster {
				return nil
			}
			one := store.NodeCoverage{
				Cluster: row.ColumnText(0), Node: row.ColumnText(1),
				FirstSeen: r.day.at(row.ColumnInt64(2)), LastSeen: r.day.at(row.ColumnInt64(3)),
				Covered: time.Duration(row.ColumnInt64(4)) * time.Millisecond, Batches: n(5), Connections: n(17),
				Losses:   store.Losses{MapFull: n(6), RingFull: n(7), Unattributed: n(8), Unparsed: n(9), Detached: n(10), SpoolOverflow: n(11), Refused: n(12)},
				Coverage: store.Coverage{PodsKnown: int(n(13)), PodsWatched: int(n(14)), AttachMode: row.ColumnText(15)},
			}
			if missing := row.ColumnText(16); missing != "" {
				one.Coverage.Missing = strings.Split(missing, "\n")
			}
			visit(one)
			return nil
		},
	})
}
