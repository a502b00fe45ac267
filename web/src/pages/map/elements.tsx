// SPDX-License-Identifier: Apache-2.0
// What the map is drawn with: boxes, groups and lines.
import {
  BaseEdge,
  type Edge,
  EdgeLabelRenderer,
  type EdgeProps,
  Handle,
  type Node,
  type NodeProps,
  Position,
} from '@xyflow/react';
import { memo } from 'react';
import type { GraphNode } from '../../api/types';
import { KindIcon } from '../../components/KindIcon';
import { plural } from '../../lib/format';
import { type Bundle, type Look, lookWords } from '../../lib/graph';
import type { Route } from '../../lib/route';
import { select, setOpen } from './useMapState';

export type BoxNode = Node<
  { node: GraphNode; badges: [string, number][]; alarm: string; dim: boolean; chosen: boolean },
  'box'
>;
export type GroupNode = Node<
  { title: string; count: number; pseudo: boolean; level: string },
  'area'
>;
export type LineEdge = Edge<
  { bundle: Bundle; route: Route; dim: boolean; chosen: boolean },
  'line'
>;

function outsideDetail(n: GraphNode): string {
  if (n.elsewhere) return plural(n.members, 'address', 'addresses');
  if (n.members === 0) return 'named by a policy';
  if (n.members > 1) return plural(n.members, 'address', 'addresses');
  const only = n.addresses?.[0];
  return only && only !== n.label ? only : 'bare address';
}

function podDetail(n: GraphNode): string {
  if (n.members === 0) return 'pods no longer kept';
  return n.node ? `on ${n.node}` : 'pod';
}

/** The second line of a box. */
export function detail(n: GraphNode): string {
  switch (n.kind) {
    case 'outside':
      return outsideDetail(n);
    case 'pod':
      return podDetail(n);
    case 'node':
      return 'node';
    case 'nodes':
      return plural(n.members, 'node');
    case 'namespace':
      return plural(n.members, 'workload');
    default:
      return n.members === 0 ? (n.party?.workloadKind ?? 'Workload') : plural(n.members, 'pod');
  }
}

const isolation = (n: GraphNode) => {
  if (n.isolatedIngress && n.isolatedEgress) return 'Policies select it in both directions';
  if (n.isolatedIngress) return 'A policy selects it for ingress';
  return n.isolatedEgress ? 'A policy selects it for egress' : '';
};

/** What stands out inside a folded box, with the signs of the legend. */
const inside = (n: GraphNode) =>
  (
    [
      ['risky', n.risky],
      ['unseen', n.unseen],
      ['denied', n.denied],
    ] as const
  ).filter(
    (entry): entry is readonly ['risky' | 'unseen' | 'denied', number] => (entry[1] ?? 0) > 0,
  );

const badgeWords: Record<string, string> = { dns: 'DNS', scrape: 'scrape', probe: 'probe' };

export const Box = memo(function Box({ data }: NodeProps<BoxNode>) {
  const { node, badges, alarm, dim, chosen } = data;
  const shield = isolation(node);
  return (
    <div
      className="box"
      data-kind={node.kind}
      data-alarm={alarm || undefined}
      data-dim={dim || undefined}
      data-chosen={chosen || undefined}
      data-testid={`node-${node.label}`}
    >
      <Handle type="target" position={Position.Left} className="handle" isConnectable={false} />
      <Handle type="source" position={Position.Right} className="handle" isConnectable={false} />
      <KindIcon kind={node.party?.workloadKind ?? node.kind} />
      <div className="box-text">
        <div className="box-name" title={`${node.label}, ${node.party?.workloadKind ?? node.kind}`}>
          {node.label}
        </div>
        <div className="box-detail">
          {detail(node)}
          {badges.map(([kind, many]) => (
            <span
              key={kind}
              className="box-badge"
              title={`${plural(many, `${badgeWords[kind]} edge`)} folded away`}
            >
              {badgeWords[kind]} {many}
            </span>
          ))}
          {inside(node).map(([look, many]) => (
            <span
              key={look}
              className="box-inside"
              data-look={look}
              title={`${plural(many, 'edge')} inside: ${lookWords[look].name.toLowerCase()}`}
            >
              {lookWords[look].sign} {many}
            </span>
          ))}
        </div>
      </div>
      {shield && (
        <span className="box-shield" role="img" aria-label={shield} title={shield}>
          <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
            <path d="M8 1.5 2.8 3.4v4.1c0 3.2 2.2 5.7 5.2 7 3-1.3 5.2-3.8 5.2-7V3.4z" />
          </svg>
        </span>
      )}
    </div>
  );
});

export const Group = memo(function Group({ data }: NodeProps<GroupNode>) {
  return (
    <div
      className="area"
      data-pseudo={data.pseudo || undefined}
      data-testid={`group-${data.title}`}
    >
      <div className="area-title">
        {data.title} <span>{data.count}</span>
        {!data.pseudo && (
          <button
            type="button"
            className="area-fold nopan"
            tabIndex={-1}
            title={`Fold ${data.title} to one box`}
            aria-label={`Fold ${data.title} to one box`}
            onClick={() => setOpen(data.title, data.level, false)}
          >
            −
          </button>
        )}
      </div>
    </div>
  );
});

const quietLooks: ReadonlySet<Look> = new Set(['allowed', 'same']);

/** The signs before a line's label: how it looks, and that it is denied where that is not said yet. */
const signsOf = (b: Bundle) =>
  [
    quietLooks.has(b.look) ? '' : lookWords[b.look].sign,
    b.risky && b.look !== 'risky' ? lookWords.risky.sign : '',
    b.denied && b.look !== 'denied' ? lookWords.denied.sign : '',
  ]
    .filter(Boolean)
    .join(' ');

function title(b: Bundle): string {
  const words = lookWords[b.look].name.toLowerCase();
  return b.look === 'unused'
    ? `${words}: ${b.label}`
    : `${words}: ${b.label}, ${plural(b.connections, 'connection')}`;
}

export const Line = memo(function Line({ id, data, markerEnd }: EdgeProps<LineEdge>) {
  if (!data) return null;
  const { bundle, route, dim, chosen } = data;
  const signs = signsOf(bundle);
  const flags = {
    'data-state': bundle.state,
    'data-look': bundle.look,
    'data-dim': dim || undefined,
    'data-chosen': chosen || undefined,
  };
  return (
    <g className="line" {...flags}>
      <BaseEdge
        id={id}
        path={route.d}
        interactionWidth={18}
        {...(markerEnd ? { markerEnd } : {})}
      />
      {bundle.look === 'risky' && <path className="line-core" d={route.d} />}
      {route.label && (
        <EdgeLabelRenderer>
          <button
            type="button"
            tabIndex={-1}
            aria-hidden="true"
            className="line-label nopan"
            {...flags}
            data-testid={`line-${bundle.state}`}
            data-line={bundle.id}
            title={title(bundle)}
            style={{
              transform: `translate(-50%, -50%) translate(${route.label.x}px, ${route.label.y}px)`,
            }}
            onClick={() => select({ kind: 'bundle', id: bundle.id })}
          >
            {signs && <b>{signs}</b>}
            {bundle.label}
          </button>
        </EdgeLabelRenderer>
      )}
    </g>
  );
});
