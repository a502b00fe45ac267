// SPDX-License-Identifier: Apache-2.0
// Lines of a large map: from border to border with a slight bend, so that the
// two directions of a pair are apart. No detours: there are too many for that.
import { centre, round } from './curve';
import type { Box, Point } from './place';
import type { Route, RouteEdge } from './route';

/** From how many lines on a map is drawn like this. */
export const manyLines = 250;

/** Where the way from a box's middle to a point leaves the box. */
function border(box: Box, to: Point): Point {
  const c = centre(box);
  const dx = to.x - c.x;
  const dy = to.y - c.y;
  const t = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : box.width / 2 / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : box.height / 2 / Math.abs(dy),
    1,
  );
  return { x: c.x + dx * t, y: c.y + dy * t };
}

export function straight(nodes: Record<string, Box>, edges: RouteEdge[]): Record<string, Route> {
  const out: Record<string, Route> = {};
  for (const e of edges) {
    const a = nodes[e.source];
    const b = nodes[e.target];
    if (!a || !b || e.source === e.target) continue;
    const [p, q] = [centre(a), centre(b)];
    const length = Math.hypot(q.x - p.x, q.y - p.y) || 1;
    const bend = Math.min(42, length * 0.12) + 3 * e.rank;
    const middle = {
      x: (p.x + q.x) / 2 - ((q.y - p.y) / length) * bend,
      y: (p.y + q.y) / 2 + ((q.x - p.x) / length) * bend,
    };
    const [from, to] = [border(a, middle), border(b, middle)];
    const d = `M${round(from.x)} ${round(from.y)}Q${round(middle.x)} ${round(middle.y)} ${round(to.x)} ${round(to.y)}`;
    const at = {
      x: round((from.x + 2 * middle.x + to.x) / 4),
      y: round((from.y + 2 * middle.y + to.y) / 4),
    };
    out[e.id] = { d, label: e.label && e.rank > 1 ? at : undefined };
  }
  return out;
}
