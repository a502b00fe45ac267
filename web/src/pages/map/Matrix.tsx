// SPDX-License-Identifier: Apache-2.0
// The whole as a matrix: who asks in rows, who is asked in columns. Nothing is
// left out of it, however much there is.
import { useMemo } from 'react';
import { count, plural } from '../../lib/format';
import { type Bundle, type Look, lookWeights, lookWords, type View } from '../../lib/graph';
import { select } from './useMapState';

interface Cell {
  look: Look;
  edges: number;
  connections: number;
  bundle: Bundle;
}

/** Cells by source and target: each shows the weightiest of its looks. */
export function cellsOf(view: View) {
  const cells = new Map<string, Cell>();
  for (const b of view.bundles) {
    const key = `${b.source}|${b.target}`;
    const cell = cells.get(key);
    const { look, count: edges, connections } = b;
    if (!cell) cells.set(key, { look, edges, connections, bundle: b });
    else {
      cell.edges += edges;
      cell.connections += connections;
      if (lookWeights[look] > lookWeights[cell.look]) [cell.look, cell.bundle] = [look, b];
    }
  }
  return cells;
}

export function Matrix({ view, names }: { view: View; names: (id: string) => string }) {
  const cells = useMemo(() => cellsOf(view), [view]);
  const by = (a: string, b: string) => names(a).localeCompare(names(b));
  const rows = [...new Set(view.bundles.map((b) => b.source))].sort(by);
  const columns = [...new Set(view.bundles.map((b) => b.target))].sort(by);
  const inside = new Map(view.nodes.flatMap((n) => (n.within ? [[n.id, n.within.edges]] : [])));
  return (
    <div className="matrix" data-testid="matrix">
      <table aria-label="Who talks to whom">
        <thead>
          <tr>
            <td className="matrix-corner">from ↓ to →</td>
            {columns.map((id) => (
              <th key={id} scope="col">
                <span>{names(id)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((from) => (
            <tr key={from}>
              <th scope="row">{names(from)}</th>
              {columns.map((to) => {
                const cell = cells.get(`${from}|${to}`);
                if (!cell) {
                  const own = from === to ? inside.get(from) : undefined;
                  return (
                    <td key={to}>
                      {own !== undefined && (
                        <span title={`${plural(own, 'edge')} inside`}>{count(own)}</span>
                      )}
                    </td>
                  );
                }
                const words = lookWords[cell.look];
                const text = `${names(from)} to ${names(to)}: ${plural(cell.edges, 'edge')}, ${plural(cell.connections, 'connection')}, ${words.name.toLowerCase()}`;
                return (
                  <td key={to}>
                    <button
                      type="button"
                      data-look={cell.look}
                      aria-label={text}
                      title={text}
                      onClick={() => select({ kind: 'bundle', id: cell.bundle.id })}
                    >
                      {cell.look === 'allowed' || cell.look === 'same' ? '' : words.sign}
                      {count(cell.edges)}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
