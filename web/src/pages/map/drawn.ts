// SPDX-License-Identifier: Apache-2.0
// From a view and its layout to what React Flow draws.
import { MarkerType, Position } from '@xyflow/react';
import { partyText, plural } from '../../lib/format';
import { alone, type Bundle, groupTitle, lookWeights, lookWords, type View } from '../../lib/graph';
import type { LayoutAnswer } from '../../lib/layout';
import { type BoxNode, detail, type GroupNode, type LineEdge } from './elements';
import type { Selection } from './useMapState';

/** From how many lines on the plain ones are drawn on one canvas instead of one by one. */
export const manyElements = 220;

interface Extent {
  width: number;
  height: number;
}

/** The bundles and nodes that the selection lights up; undefined for all. */
function litBy(selection: Selection | undefined, bundles: Bundle[]) {
  if (!selection) return undefined;
  const chosen = bundles.filter((b) => {
    if (selection.kind === 'node') return b.source === selection.id || b.target === selection.id;
    return selection.kind === 'bundle'
      ? b.id === selection.id
      : b.edges.some((e) => e.id === selection.id || e.edge === selection.id);
  });
  const nodes = new Set(chosen.flatMap((b) => [b.source, b.target]));
  if (selection.kind === 'node') nodes.add(selection.id);
  return chosen.length === 0 && selection.kind !== 'node'
    ? undefined
    : { bundles: new Set(chosen.map((b) => b.id)), nodes };
}

function alarms(bundles: Bundle[]) {
  const out = new Map<string, string>();
  for (const b of bundles)
    if (['unseen', 'risky', 'new'].includes(b.look)) out.set(b.source, 'unseen');
  return out;
}

/**
 * Sizes and handles as the layout has them. Without, each refresh would have
 * every box measured again, and its lines gone until then.
 */
function fixed({ width, height }: Extent) {
  const at = { y: height / 2, width: 1, height: 1 };
  return {
    measured: { width, height },
    handles: [
      { type: 'target' as const, position: Position.Left, x: 0, ...at },
      { type: 'source' as const, position: Position.Right, x: width, ...at },
    ],
  };
}

/** What a screen reader says of a line. */
export function sentence(b: Bundle, names: (id: string) => string): string {
  const words = lookWords[b.look].name.toLowerCase();
  const denied = b.denied && b.look !== 'denied' ? ', denied' : '';
  const many = b.look === 'unused' ? '' : `, ${plural(b.connections, 'connection')}`;
  return `${names(b.source)} to ${names(b.target)}, ${b.label}: ${words}${denied}${many}`;
}

function nodeSentence(n: BoxNode['data']['node']): string {
  const name = n.party && n.kind !== 'pod' ? partyText(n.party) : n.label;
  const within = n.within ? `, ${plural(n.within.edges, 'edge')} inside` : '';
  const stands = [
    n.denied && `${n.denied} denied`,
    n.unseen && `${n.unseen} unseen`,
    n.risky && `${n.risky} risky`,
  ];
  return `${name}, ${n.kind}, ${detail(n)}${within}${stands
    .filter(Boolean)
    .map((s) => `, ${s}`)
    .join('')}`;
}

export interface Drawn {
  nodes: (GroupNode | BoxNode)[];
  edges: LineEdge[];
  /** Drawn on the canvas below the boxes. */
  plain: { bundle: Bundle; d: string; chosen: boolean; dim: boolean }[];
}

function groupsOf(view: View, layout: LayoutAnswer, level: string): GroupNode[] {
  const members = new Map<string, number>();
  for (const n of view.nodes) {
    const group = layout.groupOf[n.id];
    if (group) members.set(group, (members.get(group) ?? 0) + 1);
  }
  return Object.entries(layout.placement.groups).flatMap(([id, box]): GroupNode[] =>
    alone(id)
      ? []
      : [
          {
            id: `group:${id}`,
            type: 'area',
            position: { x: box.x, y: box.y },
            width: box.width,
            height: box.height,
            ...fixed(box),
            zIndex: 0,
            selectable: false,
            focusable: false,
            data: {
              title: groupTitle(id),
              count: members.get(id) ?? 0,
              pseudo: id.startsWith('~'),
              level,
            },
          },
        ],
  );
}

function boxesOf(
  view: View,
  layout: LayoutAnswer,
  selection: Selection | undefined,
  lit: { nodes: Set<string> } | undefined,
): BoxNode[] {
  const alarm = alarms(view.bundles);
  return view.nodes.flatMap((node): BoxNode[] => {
    const box = layout.placement.nodes[node.id];
    if (!box) return [];
    return [
      {
        id: node.id,
        type: 'box',
        position: { x: box.x, y: box.y },
        width: box.width,
        height: box.height,
        ...fixed(box),
        zIndex: 3,
        ariaLabel: nodeSentence(node),
        data: {
          node,
          badges: [...(view.badges.get(node.id) ?? [])],
          alarm: alarm.get(node.id) ?? '',
          dim: lit !== undefined && !lit.nodes.has(node.id),
          chosen: selection?.kind === 'node' && selection.id === node.id,
        },
      },
    ];
  });
}

export function drawnOf(
  view: View,
  layout: LayoutAnswer,
  selection: Selection | undefined,
  level: string,
): Drawn {
  const lit = litBy(selection, view.bundles);
  const nodes = [...groupsOf(view, layout, level), ...boxesOf(view, layout, selection, lit)];
  const names = new Map(view.nodes.map((n) => [n.id, n.party ? partyText(n.party) : n.label]));
  const nameOf = (id: string) => names.get(id) ?? id;
  const many = view.bundles.length > manyElements;
  const few = (lit?.bundles.size ?? 0) <= manyElements;
  const loud = view.bundles.filter((b) => lookWeights[b.look] > 1).length;
  const out: Drawn = { nodes, edges: [], plain: [] };
  for (const bundle of view.bundles) {
    const route = layout.routes[bundle.id];
    if (!route) continue;
    const chosen = lit?.bundles.has(bundle.id) ?? false;
    const dim = lit !== undefined && !chosen;
    const standsOut = lookWeights[bundle.look] > 1 && loud <= manyElements;
    if (many && !standsOut && !(chosen && few)) {
      out.plain.push({ bundle, d: route.d, chosen, dim });
      continue;
    }
    out.edges.push({
      id: bundle.id,
      type: 'line',
      source: bundle.source,
      target: bundle.target,
      zIndex: chosen ? 2 : 1,
      ariaLabel: sentence(bundle, nameOf),
      ariaRole: 'button',
      markerEnd: {
        type: MarkerType.ArrowClosed,
        width: 13,
        height: 13,
        color: `var(--look-${bundle.look})`,
        markerUnits: 'userSpaceOnUse',
      },
      data: { bundle, route, chosen, dim },
    });
  }
  out.edges.sort((a, b) => weight(a) - weight(b));
  return out;
}

const weight = (e: LineEdge) => lookWeights[e.data?.bundle.look ?? 'allowed'];
