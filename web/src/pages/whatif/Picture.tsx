// SPDX-License-Identifier: Apache-2.0
// What changes, as a small map: who asks on the left, who answers on the right.
import { useMemo } from 'react';
import type { Replay, Replayed } from '../../api/types';
import { partyText, plural, portText, short } from '../../lib/format';
import { linkTo, navigate } from '../../lib/router';

interface Line {
  key: string;
  from: string;
  to: string;
  kind: 'denied' | 'allowed';
  edges: Replayed[];
  connections: number;
}

/** How many lines are drawn; the rest is told, and is in the table. */
const most = 60;

function linesOf(replay: Replay): Line[] {
  const lines = new Map<string, Line>();
  for (const kind of ['denied', 'allowed'] as const) {
    for (const e of replay[kind]) {
      const [from, to] = [partyText(e.client), partyText(e.server)];
      const key = `${kind} ${from} ${to}`;
      const line = lines.get(key) ?? { key, from, to, kind, edges: [], connections: 0 };
      line.edges.push(e);
      line.connections += e.connections;
      lines.set(key, line);
    }
  }
  return [...lines.values()].sort((a, b) => b.connections - a.connections);
}

const row = 44;
const width = 920;
const box = 250;

const cut = (text: string, at = 32) => (text.length > at ? `${text.slice(0, at - 1)}…` : text);

function ports(line: Line): string {
  const all = [...new Set(line.edges.map((e) => portText(e.protocol, e.port)))];
  return all.length > 2 ? `${all.length} ports` : all.join(', ');
}

const words = {
  denied: { sign: '✕', text: 'would be denied' },
  allowed: { sign: '+', text: 'would newly pass' },
};

/** Labels of lines that leave one end are put one behind the other. */
function labelAt(line: Line, lines: Line[]): number {
  const beside = lines.filter((l) => l.from === line.from);
  return 0.2 + (0.64 * beside.indexOf(line)) / Math.max(beside.length, 4);
}

function Arrow({ line, y1, y2, at }: { line: Line; y1: number; y2: number; at: number }) {
  const edge = line.edges[0]?.edge ?? '';
  const href = linkTo('/map', { edge });
  const label = `${line.from} to ${line.to}, ${ports(line)}: ${plural(line.connections, 'connection')} ${words[line.kind].text}`;
  const [x1, x2] = [box, width - box - 8];
  const t = at;
  const my = (1 - t) ** 2 * (1 + 2 * t) * y1 + t ** 2 * (3 - 2 * t) * y2;
  const text = `${words[line.kind].sign} ${cut(ports(line), 20)} · ${short(line.connections)}`;
  const half = text.length * 3.6 + 8;
  const mx = (1 - t) ** 3 * x1 + 3 * t * (1 - t) * ((x1 + x2) / 2) + t ** 3 * x2;
  return (
    <a
      href={href}
      aria-label={label}
      className="change-line"
      data-kind={line.kind}
      data-testid={`change-${line.kind}`}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(href);
      }}
    >
      <title>{label}</title>
      <path
        d={`M${x1} ${y1} C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`}
        markerEnd={`url(#head-${line.kind})`}
      />
      <rect x={mx - half} y={my - 11} width={half * 2} height={22} rx={11} />
      <text x={mx} y={my + 4} textAnchor="middle">
        {text}
      </text>
    </a>
  );
}

function Ends({ names, x, at }: { names: string[]; x: number; at: (n: number) => number }) {
  return names.map((name, n) => (
    <g key={name} className="change-end">
      <title>{name}</title>
      <rect x={x} y={at(n) - 15} width={box} height={30} rx={8} />
      <text x={x + 12} y={at(n) + 5}>
        {cut(name)}
      </text>
    </g>
  ));
}

export function Picture({ replay }: { replay: Replay }) {
  const all = useMemo(() => linesOf(replay), [replay]);
  if (all.length === 0) return null;
  const lines = all.slice(0, most);
  const from = [...new Set(lines.map((l) => l.from))].sort();
  const to = [...new Set(lines.map((l) => l.to))].sort();
  const rows = Math.max(from.length, to.length);
  const height = rows * row + 12;
  const place = (many: number) => (n: number) => ((n + 0.5) * (height - 12)) / many + 6;
  const [left, right] = [place(from.length), place(to.length)];
  return (
    <figure className="card change-map" data-testid="change-map">
      <figcaption>
        <h3>What changes on the map</h3>
        <span className="quiet">
          <b data-kind="denied">✕ ┄┄</b> denied, <b data-kind="allowed">+ ━━</b> newly passes
          {all.length > lines.length && `; ${plural(all.length - lines.length, 'pair')} more below`}
        </span>
      </figcaption>
      <div className="change-scroll">
        <svg
          viewBox={`0 0 ${width} ${height}`}
          width={width}
          height={height}
          aria-label="Connections that the policies would change"
        >
          <defs>
            {(['denied', 'allowed'] as const).map((kind) => (
              <marker
                key={kind}
                id={`head-${kind}`}
                className="change-head"
                data-kind={kind}
                viewBox="0 0 8 8"
                refX="1"
                refY="4"
                markerWidth="8"
                markerHeight="8"
                markerUnits="userSpaceOnUse"
                orient="auto"
              >
                <path d="M0 0L8 4L0 8z" />
              </marker>
            ))}
          </defs>
          {lines.map((l) => (
            <Arrow
              key={l.key}
              line={l}
              y1={left(from.indexOf(l.from))}
              y2={right(to.indexOf(l.to))}
              at={labelAt(l, lines)}
            />
          ))}
          <Ends names={from} x={0} at={left} />
          <Ends names={to} x={width - box} at={right} />
        </svg>
      </div>
    </figure>
  );
}
