// SPDX-License-Identifier: Apache-2.0
// Two-level layout: dagre inside each namespace, dagre over the namespaces.
// Of the four combinations of directions the one is taken that can be drawn
// largest in the room there is.
import { Graph, layout } from '@dagrejs/dagre';

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

interface Flat {
  width: number;
  height: number;
  nodes: Record<string, Box>;
  ways: Record<string, Point[]>;
}

type Direction = 'LR' | 'TB';

function flat(nodes: { id: string; width: number; height: number }[], pairs: Pair[], rankdir: Direction, gaps: { node: number; rank: number }): Flat {
  const g = new Graph();
  g.setGraph({ rankdir, nodesep: gaps.node, ranksep: gaps.rank, edgesep: 14 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) g.setNode(id, { width, height });
  for (const [source, target] of pairs) if (source !== target) g.setEdge(source, target);
  layout(g);
  const out: Flat = { width: 0, height: 0, nodes: {}, ways: {} };
  for (const id of g.nodes()) {
    const n = g.node(id) as Box;
    out.nodes[id] = { x: n.x - n.width / 2, y: n.y - n.height / 2, width: n.width, height: n.height };
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

function inside(members: PlaceNode[], pairs: Pair[], direction: Direction): Flat {
  if (pairs.length > 0) return flat(members, pairs, direction, { node: 18, rank: direction === 'LR' ? 56 : 40 });
  const columns = direction === 'LR' ? Math.ceil(members.length / 4) : Math.min(members.length, 3);
  return grid(members, Math.max(columns, members.length > 8 ? 3 : 1));
}

function combine(nodes: PlaceNode[], pairs: Pair[], inner: Direction, outer: Direction): Placement & { size: Point } {
  const groupOf = new Map(nodes.map((n) => [n.id, n.group]));
  const groups = [...new Set(nodes.map((n) => n.group))];
  const insides = new Map<string, Flat>();
  for (const group of groups) {
    const own = pairs.filter(([s, t]) => groupOf.get(s) === group && groupOf.get(t) === group);
    insides.set(group, inside(nodes.filter((n) => n.group === group), own, inner));
  }
  const boxes = groups.map((id) => {
    const f = insides.get(id) as Flat;
    return { id, width: f.width + 2 * groupPad, height: f.height + groupHead + groupPad };
  });
  const between = new Map<string, Pair>();
  for (const [s, t] of pairs) {
    const a = groupOf.get(s);
    const b = groupOf.get(t);
    if (a && b && a !== b) between.set(`${a}|${b}`, [a, b]);
  }
  const over = flat(boxes, [...between.values()], outer, { node: 30, rank: outer === 'LR' ? 84 : 66 });
  const out: Placement & { size: Point } = {
    nodes: {}, groups: over.nodes, ways: {}, size: { x: over.width, y: over.height },
    horizontal: { inner: inner === 'LR', outer: outer === 'LR' },
  };
  for (const [group, f] of insides) {
    const at = over.nodes[group] as Box;
    const shift = (p: Point) => ({ x: p.x + at.x + groupPad, y: p.y + at.y + groupHead });
    for (const [id, box] of Object.entries(f.nodes)) out.nodes[id] = { ...box, ...shift(box) };
    for (const [pair, points] of Object.entries(f.ways)) out.ways[pair] = points.map(shift);
  }
  for (const [s, t] of pairs) {
    const way = over.ways[`${groupOf.get(s)}|${groupOf.get(t)}`];
    if (way) out.ways[`${s}|${t}`] = way;
  }
  return out;
}

/** Places every node; room is the size in pixels that the picture should fit. */
export function place(nodes: PlaceNode[], pairs: Pair[], room: { width: number; height: number }): Placement {
  const sorted = [...nodes].sort((a, b) => (a.group + a.id < b.group + b.id ? -1 : 1));
  const known = new Set(nodes.map((n) => n.id));
  const real = pairs.filter(([s, t]) => known.has(s) && known.has(t));
  let best: (Placement & { size: Point }) | undefined;
  let bestScore = 0;
  for (const [inner, outer] of [['LR', 'LR'], ['TB', 'LR'], ['LR', 'TB'], ['TB', 'TB']] as const) {
    const one = combine(sorted, real, inner, outer);
    const zoom = Math.min(room.width / one.size.x, room.height / one.size.y, 1.15);
    // Reading from left to right is worth a little size.
    const score = zoom * (inner === 'LR' ? 1.04 : 1) * (outer === 'LR' ? 1.08 : 1);
    if (!best || score > bestScore) [best, bestScore] = [one, score];
  }
  const { nodes: at, groups, ways, horizontal } = best as Placement;
  return { nodes: at, groups, ways, horizontal };
}
