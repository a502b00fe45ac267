// SPDX-License-Identifier: Apache-2.0
// The same edges as rows: sortable, and usable without seeing the map.
import { useMemo, useState } from 'react';
import {
  Cell,
  Column,
  Row,
  type SortDescriptor,
  Table,
  TableBody,
  TableHeader,
} from 'react-aria-components';
import type { GraphEdge } from '../../api/types';
import { Sign } from '../../components/bits';
import { portText, short } from '../../lib/format';
import type { Bundle } from '../../lib/graph';
import { select } from './useMapState';

const order = { unseen: 0, denied: 1, unused: 2, allowed: 3 };

type Names = (id: string) => string;
type Compare = (a: GraphEdge, b: GraphEdge) => number;

const compare = (names: Names): Record<string, Compare> => ({
  state: (a, b) => order[a.state] - order[b.state] || b.connections - a.connections,
  path: (a, b) =>
    names(a.source).localeCompare(names(b.source)) ||
    names(a.target).localeCompare(names(b.target)),
  port: (a, b) => a.port - b.port,
  connections: (a, b) => a.connections - b.connections,
});

const choose = (e: GraphEdge) =>
  select(
    e.state === 'unused' || e.count > 1
      ? { kind: 'bundle', id: `${e.source}|${e.target}|${e.state}` }
      : { kind: 'edge', id: e.id },
  );

export function EdgeTable({ bundles, names }: { bundles: Bundle[]; names: Names }) {
  const [sort, setSort] = useState<SortDescriptor>({ column: 'state', direction: 'ascending' });
  const rows = useMemo(() => {
    const by = compare(names)[String(sort.column)] ?? (() => 0);
    const sign = sort.direction === 'descending' ? -1 : 1;
    return bundles.flatMap((b) => b.edges).sort((a, b) => sign * by(a, b));
  }, [bundles, names, sort]);
  const find = (key: React.Key) => rows.find((r) => r.id === key);
  return (
    <Table
      aria-label="Edges"
      className="table edges"
      data-testid="edge-table"
      sortDescriptor={sort}
      onSortChange={setSort}
      onRowAction={(key) => {
        const row = find(key);
        if (row) choose(row);
      }}
    >
      <TableHeader>
        <Column id="state" allowsSorting width={30}>
          <span className="hidden">State</span>
        </Column>
        <Column id="path" isRowHeader allowsSorting>
          From → to
        </Column>
        <Column id="port" allowsSorting>
          Port
        </Column>
        <Column id="connections" allowsSorting className="number">
          Conn.
        </Column>
      </TableHeader>
      <TableBody items={rows} renderEmptyState={() => <p className="quiet">No edge matches.</p>}>
        {(e) => (
          <Row id={e.id} data-state={e.state}>
            <Cell>
              <Sign state={e.state} denied={e.denied} />
            </Cell>
            <Cell>
              <div className="path">{names(e.source)}</div>
              <div className="path to">→ {names(e.target)}</div>
            </Cell>
            <Cell>
              <code>{portText(e.protocol, e.port, e.portText)}</code>
            </Cell>
            <Cell className="number">{e.state === 'unused' ? '–' : short(e.connections)}</Cell>
          </Row>
        )}
      </TableBody>
    </Table>
  );
}
