// SPDX-License-Identifier: Apache-2.0
// Lines between placed nodes: where they leave and arrive, their bends, and a
// free spot for each label.
import type { Box, Placement, Point } from './place';

export interface RouteEdge {
  id: string;
  source: string;
  target: string;
  /** Width of the label in px; 0 for none. */
  label: number;
  /** Labels of higher rank are placed first and always. */
  rank: number;
}
export interface Route {
  d: string;
  label: Point | undefined;
}

type SideName = 'left' | 'right' | 'top' | 'bottom';
interface End {
  edge: string;
  node: string;
  side: SideName;
  toward: Point;
}

const centre = (b: Box): Point => ({ x: b.x + b.width / 2, y: b.y + b.height / 2 });

/** Which sides an edge leaves from and arrives at, seen from the boxes' places. */
function sides(a: Box, b: Box, via: Point[], horizontal: boolean): [SideName, SideName] {
  const first = via[0] ?? centre(b);
  const last = via.at(-1) ?? centre(a);
  const ca = centre(a);
  const cb = centre(b);
  const apart = b.x > a.x + a.width || b.x + b.width < a.x;
  const above = b.y > a.y + a.height || b.y + b.height < a.y;
  if ((horizontal || !above) && apart) {
    return [first.x >= ca.x ? 'right' : 'left', last.x <= cb.x ? 'left' : 'right'];
  }
  if (above && !(horizontal && !via.length && Math.abs(ca.x - cb.x) < 20)) {
    return [first.y >= ca.y ? 'bottom' : 'top', last.y <= cb.y ? 'top' : 'bottom'];
  }
  return above && Math.abs(ca.y - cb.y) < 90
    ? [cb.y > ca.y ? 'bottom' : 'top', cb.y > ca.y ? 'top' : 'bottom']
    : ['right', 'right'];
}

/** Spreads the ends on each side of each node, in the order of where they go. */
function spread(ends: End[], boxes: Record<string, Box>): Map<string, Point> {
  const bySide = new Map<string, End[]>();
  for (const end of ends) {
    const key = `${end.node}|${end.side}`;
    bySide.set(key, [...(bySide.get(key) ?? []), end]);
  }
  const at = new Map<string, Point>();
  for (const list of bySide.values()) {
    const upright = list[0]?.side === 'left' || list[0]?.side === 'right';
    list.sort((p, q) => (upright ? p.toward.y - q.toward.y : p.toward.x - q.toward.x) || (p.edge < q.edge ? -1 : 1));
    const box = boxes[list[0]?.node ?? ''] as Box;
    const length = upright ? box.height : box.width;
    const step = Math.min(upright ? 11 : 18, (length - 14) / list.length);
    list.forEach((end, i) => {
      const offset = (i - (list.length - 1) / 2) * step;
      const c = centre(box);
      at.set(`${end.edge}|${end.node}`, {
        x: upright ? (end.side === 'right' ? box.x + box.width : box.x) : c.x + offset,
        y: upright ? c.y + offset : end.side === 'bottom' ? box.y + box.height : box.y,
      });
    });
  }
  return at;
}

const outward: Record<SideName, Point> = {
  left: { x: -1, y: 0 }, right: { x: 1, y: 0 }, top: { x: 0, y: -1 }, bottom: { x: 0, y: 1 },
};

type Cubic = [Point, Point, Point, Point];

/** Cubic pieces from end to end; each bend is passed along the edge's main direction. */
function pieces(from: Point, fromSide: SideName, to: Point, toSide: SideName, via: Point[]): Cubic[] {
  const points = [from, ...via, to];
  const upright = fromSide === 'top' || fromSide === 'bottom';
  const out: Cubic[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const p = points[i] as Point;
    const q = points[i + 1] as Point;
    const reach = upright ? Math.abs(q.y - p.y) : Math.abs(q.x - p.x);
    const same = fromSide === toSide && points.length === 2;
    const k = same ? 46 + Math.abs(q.y - p.y) * 0.12 : Math.max(18, reach * 0.5);
    const along = upright ? { x: 0, y: Math.sign(to.y - from.y) || 1 } : { x: Math.sign(to.x - from.x) || 1, y: 0 };
    const leave = i === 0 ? outward[fromSide] : along;
    const back = outward[toSide];
    const arrive = i + 2 === points.length ? back : { x: -along.x, y: -along.y };
    out.push([p, { x: p.x + leave.x * k, y: p.y + leave.y * k }, { x: q.x + arrive.x * k, y: q.y + arrive.y * k }, q]);
  }
  return out;
}

function on([a, b, c, d]: Cubic, t: number): Point {
  const u = 1 - t;
  const w = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t] as const;
  return {
    x: w[0] * a.x + w[1] * b.x + w[2] * c.x + w[3] * d.x,
    y: w[0] * a.y + w[1] * b.y + w[2] * c.y + w[3] * d.y,
  };
}

function along(cubics: Cubic[], t: number): Point {
  const scaled = Math.min(t * cubics.length, cubics.length - 1e-6);
  const i = Math.floor(scaled);
  return on(cubics[i] as Cubic, scaled - i);
}

const spots = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8, 0.14, 0.86];
const asides = [0, -22, 22];

/** How much of a box lies on others, in square pixels. */
const covered = (box: Box, taken: Box[]) =>
  taken.reduce((sum, t) => {
    const w = Math.min(box.x + box.width, t.x + t.width) - Math.max(box.x, t.x);
    const h = Math.min(box.y + box.height, t.y + t.height) - Math.max(box.y, t.y);
    return sum + (w > 0 && h > 0 ? w * h : 0);
  }, 0);

/**
 * A free spot on the line, else beside it. A label that must be there takes the
 * spot that hides least.
 */
function labelSpot(cubics: Cubic[], width: number, taken: Box[], always: boolean): Point | undefined {
  let best: { at: Point; box: Box; cost: number } | undefined;
  for (const aside of always ? asides : [0]) {
    for (const t of spots) {
      const p = along(cubics, t);
      const at = { x: p.x, y: p.y + aside };
      const box = { x: at.x - width / 2 - 2, y: at.y - 11, width: width + 4, height: 22 };
      const cost = covered(box, taken);
      if (!best || cost < best.cost) best = { at, box, cost };
      if (cost === 0) break;
    }
    if (best?.cost === 0) break;
  }
  if (!best || (best.cost > 0 && !always)) return undefined;
  taken.push(best.box);
  return best.at;
}

const round = (n: number) => Math.round(n * 10) / 10;
const pathOf = (cubics: Cubic[]) =>
  cubics.map(([a, b, c, d], i) => `${i === 0 ? `M${round(a.x)} ${round(a.y)}` : ''}C${[b, c, d].map((p) => `${round(p.x)} ${round(p.y)}`).join(' ')}`).join('');

const hits = (cubics: Cubic[], box: Box) => {
  for (let t = 0.04; t < 0.97; t += 0.04) {
    const p = along(cubics, t);
    if (p.x > box.x - 4 && p.x < box.x + box.width + 4 && p.y > box.y - 4 && p.y < box.y + box.height + 4) return true;
  }
  return false;
};

/** A point beside a box that a line would otherwise run under, on the nearer side. */
function detour(box: Box, from: Point, to: Point, flat: boolean): Point {
  const c = centre(box);
  if (flat) {
    const t = to.x === from.x ? 0.5 : Math.min(1, Math.max(0, (c.x - from.x) / (to.x - from.x)));
    const y = from.y + t * (to.y - from.y);
    return { x: c.x, y: y < c.y ? box.y - 16 : box.y + box.height + 16 };
  }
  const t = to.y === from.y ? 0.5 : Math.min(1, Math.max(0, (c.y - from.y) / (to.y - from.y)));
  const x = from.x + t * (to.x - from.x);
  return { x: x < c.x ? box.x - 16 : box.x + box.width + 16, y: c.y };
}

/** Leads a line around what it would run under: other groups, and nodes of its own. */
function around(cubics: Cubic[], e: RouteEdge, placement: Placement, groupOf: Record<string, string>, from: SideName, to: SideName): Cubic[] {
  const p = cubics[0]?.[0] as Point;
  const q = cubics.at(-1)?.[3] as Point;
  const flat = from === 'left' || from === 'right';
  const own = new Set([groupOf[e.source], groupOf[e.target]]);
  const groups = Object.entries(placement.groups).filter(([id]) => !own.has(id));
  const nodes = Object.entries(placement.nodes).filter(([id]) => own.has(groupOf[id]) && id !== e.source && id !== e.target);
  const along = (a: Point, b: Point) => (flat ? (a.x - b.x) * Math.sign(q.x - p.x) : (a.y - b.y) * Math.sign(q.y - p.y));
  const blocks = [...groups, ...nodes].filter(([, box]) => hits(cubics, box));
  if (blocks.length === 0) return cubics;
  const via = blocks.map(([, box]) => detour(box, p, q, flat)).sort(along);
  return pieces(p, from, q, to, via);
}

/** Bends of edges that share a way are moved apart so that each can be followed. */
function fan(placement: Placement, edges: RouteEdge[]): Map<string, Point[]> {
  const shared = new Map<string, RouteEdge[]>();
  const key = (p: Point[]) => p.map((q) => `${round(q.x)},${round(q.y)}`).join(' ');
  const out = new Map<string, Point[]>();
  for (const e of edges) {
    const way = placement.ways[`${e.source}|${e.target}`];
    if (way) shared.set(key(way), [...(shared.get(key(way)) ?? []), e]);
  }
  for (const list of shared.values()) {
    list.sort((a, b) => (placement.nodes[a.source]?.y ?? 0) - (placement.nodes[b.source]?.y ?? 0));
    list.forEach((e, i) => {
      const offset = (i - (list.length - 1) / 2) * 9;
      const way = placement.ways[`${e.source}|${e.target}`] as Point[];
      const flatWay = placement.horizontal.outer;
      out.set(e.id, way.map((p) => (flatWay ? { x: p.x, y: p.y + offset } : { x: p.x + offset, y: p.y })));
    });
  }
  return out;
}

export function route(placement: Placement, edges: RouteEdge[], groupOf: Record<string, string>): Record<string, Route> {
  const boxes = placement.nodes;
  const drawn = edges.filter((e) => boxes[e.source] && boxes[e.target] && e.source !== e.target);
  const ways = fan(placement, drawn);
  const ends: End[] = [];
  const chosen = new Map<string, [SideName, SideName]>();
  for (const e of drawn) {
    const a = boxes[e.source] as Box;
    const b = boxes[e.target] as Box;
    const via = ways.get(e.id) ?? [];
    const inner = groupOf[e.source] === groupOf[e.target];
    const pair = sides(a, b, via, inner ? placement.horizontal.inner : placement.horizontal.outer);
    chosen.set(e.id, pair);
    ends.push({ edge: e.id, node: e.source, side: pair[0], toward: via[0] ?? centre(b) });
    ends.push({ edge: e.id, node: e.target, side: pair[1], toward: via.at(-1) ?? centre(a) });
  }
  const at = spread(ends, boxes);
  const taken: Box[] = Object.values(boxes).map((b) => ({ ...b }));
  for (const g of Object.values(placement.groups)) taken.push({ x: g.x, y: g.y, width: g.width, height: 26 });
  const out: Record<string, Route> = {};
  for (const e of [...drawn].sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1))) {
    const [from, to] = chosen.get(e.id) as [SideName, SideName];
    const p = at.get(`${e.id}|${e.source}`) as Point;
    const q = at.get(`${e.id}|${e.target}`) as Point;
    let cubics = pieces(p, from, q, to, ways.get(e.id) ?? []);
    if (!ways.has(e.id) && from !== to) cubics = around(cubics, e, placement, groupOf, from, to);
    out[e.id] = { d: pathOf(cubics), label: e.label ? labelSpot(cubics, e.label, taken, e.rank > 0) : undefined };
  }
  return out;
}
