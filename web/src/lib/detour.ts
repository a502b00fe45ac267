// SPDX-License-Identifier: Apache-2.0
// Lines led around what they would run under.
import { type Cubic, centre, hits, pieces, type SideName } from './curve';
import type { Box, Placement, Point } from './place';

interface Ends {
  id: string;
  source: string;
  target: string;
}

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

/** What a line must not run under: other groups, and other nodes of its own. */
export function obstacles(e: Ends, placement: Placement, groupOf: Record<string, string>): Box[] {
  const own = new Set([groupOf[e.source], groupOf[e.target]]);
  const groups = Object.entries(placement.groups).filter(([id]) => !own.has(id));
  const nodes = Object.entries(placement.nodes).filter(
    ([id]) => own.has(groupOf[id]) && id !== e.source && id !== e.target,
  );
  return [...groups, ...nodes].map(([, box]) => box);
}

/** Leads a line around what it would run under: other groups, and nodes of its own. */
export function around(
  cubics: Cubic[],
  e: Ends,
  placement: Placement,
  groupOf: Record<string, string>,
  from: SideName,
  to: SideName,
): Cubic[] {
  const p = cubics[0]?.[0] as Point;
  const q = cubics.at(-1)?.[3] as Point;
  const flat = from === 'left' || from === 'right';
  const along = (a: Point, b: Point) =>
    flat ? (a.x - b.x) * Math.sign(q.x - p.x) : (a.y - b.y) * Math.sign(q.y - p.y);
  const blocks = obstacles(e, placement, groupOf).filter((box) => hits(cubics, box));
  if (blocks.length === 0) return cubics;
  const via = blocks.map((box) => detour(box, p, q, flat)).sort(along);
  return pieces(p, from, q, to, via);
}
