// SPDX-License-Identifier: Apache-2.0
// Two-level layout: dagre inside each namespace, dagre over the namespaces.
// Of the combinations of directions the one is taken that can be drawn largest
// in the room there is.
import { Graph, layout } from '@dagrejs/dagre';
import { pack } from './pack';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
export interface Point {
  x: number;
  y: number;
}
export interface PlaceNode {
  id: string;
  group: string;
  width: number;
  height: number;
}
export type Pair = readonly [source: string, target: string];
export interface Placement {
  nodes: Record<string, Box>;
  groups: Record<string, Box>;
  /** Bends that lead a long edge around what lies between; by "source|target". */
  ways: Record<string, Point[]>;
  horizontal: { inner: boolean; outer: boolean };
}

export const groupPad = 14;
export const groupHead = 34;
/** From how many boxes or pairs of them on layers take too long and say nothing. */
const manyGroups = 40;
const manyPairs = 220;
/** From how many nodes on those of each group stand in a grid. */
const manyNodes = 400;

/** Room that a group takes around its nodes; what stands alone has no box around it. */
const padOf = (group: string) =>
  group.startsWith('=') ? { side: 0, head: 0 } : { side: groupPad, head: groupHead };

interface Flat {
  width: number;
  height: number;
  nodes: Record<string, Box>;
  ways: Record<string, Point[]>;
}

type Direction = 'LR' | 'TB';

function flat(
  nodes: { id: string; width: number; height: number }[],
  pairs: Pair[],
  rankdir: Direction,
  gaps: { node: number; rank: number },
): Flat {
  const g = new Graph();
  g.setGraph({ rankdir, nodesep: gaps.node, ranksep: gaps.rank, edgesep: 14 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) g.setNode(id, { width, height });
  for (const [source, target] of pairs) if (source !== target) g.setEdge(source, target);
  layout(g);
  const out: Flat = { width: 0, height: 0, nodes: {}, ways: {} };
  for (const id of g.nodes()) {
    const n = g.node(id) as Box;
    out.nodes[id] = {
      x: n.x - n.width / 2,
      y: n.y - n.height / 2,
      width: n.width,
      height: n.height,
    };
    out.width = Math.max(out.width, n.x + n.width / 2);
    out.height = Math.max(out.height, n.y + n.height / 2);
  }
  for (const e of g.edges()) {
    const points = (g.edge(e) as { points?: Point[] }).points ?? [];
    // Ends and, between neighbouring ranks, one point in the middle: no bend needed.
    if (points.length > 3) out.ways[`${e.v}|${e.w}`] = points.slice(1, -1);
  }
  return out;
}

/** Unconnected nodes beside each other fill a grid instead of one long column. */
function grid(nodes: PlaceNode[], columns: number): Flat {
  const out: Flat = { width: 0, height: 0, nodes: {}, ways: {} };
  const width = Math.max(...nodes.map((n) => n.width));
  nodes.forEach((n, i) => {
    const x = (i % columns) * (width + 14);
    const y = Math.floor(i / columns) * (n.height + 14);
    out.nodes[n.id] = { x, y, width: n.width, height: n.height };
    out.width = Math.max(out.width, x + n.width);
    out.height = Math.max(out.height, y + n.height);
  });
  return out;
}

/** How the inside of each namespace is laid out: all alike, or as fits best. */
type Inner = 'reading' | 'narrow' | 'flat';

/** The ways to lay out the inside of one namespace, the one that reads best first. */
function insides(members: PlaceNode[], pairs: Pair[]): Flat[] {
  if (pairs.length > 0) {
    return [
      flat(members, pairs, 'LR', { node: 16, rank: 56 }),
      flat(members, pairs, 'TB', { node: 16, rank: 40 }),
    ];
  }
  const most = Math.min(members.length, 4);
  const columns = [Math.ceil(members.length / 4), ...Array.from({ length: most }, (_, i) => i + 1)];
  return columns.map((n) => grid(members, n));
}

function inside(members: PlaceNode[], pairs: Pair[], inner: Inner): Flat {
  const ways = insides(members, pairs);
  if (inner === 'narrow') ways.sort((a, b) => a.width - b.width || a.height - b.height);
  if (inner === 'flat') ways.sort((a, b) => a.height - b.height || a.width - b.width);
  return ways[0] as Flat;
}

/** Places the groups, by layers or, with a room, in rows. */
function outside(
  groups: string[],
  flats: Map<string, Flat>,
  pairs: Pair[],
  groupOf: Map<string, string>,
  outer: Direction | { width: number; height: number },
): Flat {
  const boxes = groups.map((id) => {
    const f = flats.get(id) as Flat;
    const { side, head } = padOf(id);
    return { id, width: f.width + 2 * side, height: f.height + head + side };
  });
  const between = new Map<string, Pair>();
  for (const [s, t] of pairs) {
    const a = groupOf.get(s);
    const b = groupOf.get(t);
    if (a && b && a !== b) between.set(`${a}|${b}`, [a, b]);
  }
  return typeof outer === 'string'
    ? flat(boxes, [...between.values()], outer, { node: 26, rank: outer === 'LR' ? 72 : 56 })
    : rows(boxes, [...between.values()], outer);
}

function combine(
  nodes: PlaceNode[],
  pairs: Pair[],
  inner: Inner,
  outer: Direction | { width: number; height: number },
): Placement & { size: Point } {
  const groupOf = new Map(nodes.map((n) => [n.id, n.group]));
  const groups = [...new Set(nodes.map((n) => n.group))];
  const flats = new Map<string, Flat>();
  for (const group of groups) {
    const own = pairs.filter(([s, t]) => groupOf.get(s) === group && groupOf.get(t) === group);
    const members = nodes.filter((n) => n.group === group);
    flats.set(
      group,
      inside(members, own.length > manyPairs || nodes.length > manyNodes ? [] : own, inner),
    );
  }
  const over = outside(groups, flats, pairs, groupOf, outer);
  const out: Placement & { size: Point } = {
    nodes: {},
    groups: over.nodes,
    ways: {},
    size: { x: over.width, y: over.height },
    horizontal: { inner: inner === 'reading', outer: outer !== 'TB' },
  };
  for (const [group, f] of flats) {
    const at = over.nodes[group] as Box;
    const { side, head } = padOf(group);
    const shift = (p: Point) => ({ x: p.x + at.x + side, y: p.y + at.y + head });
    for (const [id, box] of Object.entries(f.nodes)) out.nodes[id] = { ...box, ...shift(box) };
    for (const [pair, points] of Object.entries(f.ways)) out.ways[pair] = points.map(shift);
  }
  for (const [s, t] of pairs) {
    const way = over.ways[`${groupOf.get(s)}|${groupOf.get(t)}`];
    if (way) out.ways[`${s}|${t}`] = way;
  }
  return out;
}

function rows(
  boxes: { id: string; width: number; height: number }[],
  pairs: Pair[],
  room: { width: number; height: number },
): Flat {
  const { at, size } = pack(boxes, pairs, room);
  const nodes: Record<string, Box> = {};
  for (const { id, width, height } of boxes) nodes[id] = { ...(at[id] as Point), width, height };
  return { width: size.x, height: size.y, nodes, ways: {} };
}

/** Every way to lay out that is considered. */
export function candidates(nodes: PlaceNode[], pairs: Pair[]): (Placement & { size: Point })[] {
  const sorted = [...nodes].sort((a, b) => (a.group + a.id < b.group + b.id ? -1 : 1));
  const known = new Set(nodes.map((n) => n.id));
  const real = pairs.filter(([s, t]) => known.has(s) && known.has(t));
  const inners = ['reading', 'narrow', 'flat'] as const;
  return (['LR', 'TB'] as const).flatMap((outer) =>
    inners.map((inner) => combine(sorted, real, inner, outer)),
  );
}

/** Places every node; room is the size in pixels that the picture should fit. */
export function place(
  nodes: PlaceNode[],
  pairs: Pair[],
  room: { width: number; height: number },
): Placement {
  const many = new Set(nodes.map((n) => n.group)).size;
  if (many > manyGroups || (pairs.length > manyPairs && many > 4)) {
    const sorted = [...nodes].sort((a, b) => (a.group + a.id < b.group + b.id ? -1 : 1));
    const { size: _, ...placement } = combine(sorted, pairs, 'narrow', room);
    return placement;
  }
  let best: (Placement & { size: Point }) | undefined;
  let bestScore = 0;
  for (const one of candidates(nodes, pairs)) {
    const zoom = Math.min(room.width / one.size.x, room.height / one.size.y, 1.15);
    // Reading from left to right is worth a little size.
    const score = zoom * (one.horizontal.inner ? 1.04 : 1) * (one.horizontal.outer ? 1.08 : 1);
    if (!best || score > bestScore) [best, bestScore] = [one, score];
  }
  const { nodes: at, groups, ways, horizontal } = best as Placement;
  return { nodes: at, groups, ways, horizontal };
}
