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
import { type Bundle, stateWords } from '../../lib/graph';
import type { Route } from '../../lib/route';
import { select } from './useMapState';

export type BoxNode = Node<
  { node: GraphNode; badges: [string, number][]; alarm: string; dim: boolean; chosen: boolean },
  'box'
>;
export type GroupNode = Node<
  { title: string; count: number; pseudo: boolean; dim: boolean },
  'area'
>;
export type LineEdge = Edge<
  { bundle: Bundle; route: Route; dim: boolean; chosen: boolean },
  'line'
>;

export function detail(n: GraphNode): string {
  if (n.kind === 'outside') {
    if (n.members === 0) return 'named by a policy';
    if (n.members > 1) return plural(n.members, 'address', 'addresses');
    const only = n.addresses?.[0];
    return only && only !== n.label ? only : 'bare address';
  }
  if (n.kind === 'node') return 'node';
  if (n.kind === 'namespace') return plural(n.members, 'workload');
  const kind = n.party?.workloadKind ?? 'Workload';
  return n.members === 0 ? kind : plural(n.members, 'pod');
}

const isolation = (n: GraphNode) => {
  if (n.isolatedIngress && n.isolatedEgress) return 'Policies select it in both directions';
  if (n.isolatedIngress) return 'A policy selects it for ingress';
  return n.isolatedEgress ? 'A policy selects it for egress' : '';
};

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
      data-dim={data.dim || undefined}
      data-testid={`group-${data.title}`}
    >
      <div className="area-title">
        {data.title} <span>{data.count}</span>
      </div>
    </div>
  );
});

function sentence(b: Bundle): string {
  const words = stateWords[b.state].name.toLowerCase();
  const port = b.label;
  return b.state === 'unused'
    ? `${words}: ${port}`
    : `${words}: ${port}, ${plural(b.connections, 'connection')}`;
}

export const Line = memo(function Line({ id, data, markerEnd }: EdgeProps<LineEdge>) {
  if (!data) return null;
  const { bundle, route, dim, chosen } = data;
  const { sign } = stateWords[bundle.state];
  const signs = `${bundle.state === 'allowed' ? '' : sign}${bundle.state === 'unseen' && bundle.denied ? ' ✕' : ''}`;
  return (
    <g
      className="line"
      data-state={bundle.state}
      data-dim={dim || undefined}
      data-chosen={chosen || undefined}
    >
      <BaseEdge
        id={id}
        path={route.d}
        interactionWidth={18}
        {...(markerEnd ? { markerEnd } : {})}
      />
      {(route.label || chosen) && (
        <EdgeLabelRenderer>
          {route.label && (
            <button
              type="button"
              tabIndex={-1}
              className="line-label nopan"
              data-state={bundle.state}
              data-dim={dim || undefined}
              data-chosen={chosen || undefined}
              data-testid={`line-${bundle.state}`}
              data-line={bundle.id}
              title={sentence(bundle)}
              style={{
                transform: `translate(-50%, -50%) translate(${route.label.x}px, ${route.label.y}px)`,
              }}
              onClick={() => select({ kind: 'bundle', id: bundle.id })}
            >
              {signs && <b>{signs}</b>}
              {bundle.label}
            </button>
          )}
        </EdgeLabelRenderer>
      )}
    </g>
  );
});
