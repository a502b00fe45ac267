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
import { portText, short } from '../../lib/format';
import { type Bundle, lookOf, lookWeights, lookWords } from '../../lib/graph';
import { select } from './useMapState';

type Names = (id: string) => string;
type Compare = (a: GraphEdge, b: GraphEdge) => number;

const compare = (names: Names): Record<string, Compare> => ({
  state: (a, b) => lookWeights[lookOf(b)] - lookWeights[lookOf(a)] || b.connections - a.connections,
  path: (a, b) =>
    names(a.source).localeCompare(names(b.source)) ||
    names(a.target).localeCompare(names(b.target)),
  port: (a, b) => a.port - b.port,
  connections: (a, b) => a.connections - b.connections,
});

const choose = (e: GraphEdge) =>
  select(
    e.state === 'unused' || e.count > 1 || e.change
      ? { kind: 'bundle', id: `${e.source}|${e.target}|${lookOf(e)}` }
      : { kind: 'edge', id: e.edge ?? e.id },
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
              <span className="sign" data-state={lookOf(e)} title={lookWords[lookOf(e)].name}>
                <span aria-hidden="true">
                  {lookWords[lookOf(e)].sign}
                  {e.denied && lookOf(e) !== 'denied' && '✕'}
                </span>
                <span className="hidden">{lookWords[lookOf(e)].name}</span>
              </span>
            </Cell>
            <Cell>
              <div className="path">{names(e.source)}</div>
              <div className="path to">→ {names(e.target)}</div>
            </Cell>
            <Cell>
              <code>
                {e.count > 1 ? `${e.count} edges` : portText(e.protocol, e.port, e.portText)}
              </code>
            </Cell>
            <Cell className="number">{e.state === 'unused' ? '–' : short(e.connections)}</Cell>
          </Row>
        )}
      </TableBody>
    </Table>
  );
}
