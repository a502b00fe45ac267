// SPDX-License-Identifier: Apache-2.0
// Where lines leave and arrive.
import { centre, hits, outward, pieces, type SideName } from './curve';
import type { Box, Point } from './place';

export type Sides = [from: SideName, to: SideName];

export interface End {
  edge: string;
  node: string;
  side: SideName;
  toward: Point;
}

/** Which sides an edge leaves from and arrives at, seen from the boxes' places. */
export function sides(a: Box, b: Box, via: Point[], horizontal: boolean): Sides {
  const first = via[0] ?? centre(b);
  const last = via.at(-1) ?? centre(a);
  const ca = centre(a);
  const cb = centre(b);
  const flat: Sides = [first.x >= ca.x ? 'right' : 'left', last.x <= cb.x ? 'left' : 'right'];
  const upright: Sides = [first.y >= ca.y ? 'bottom' : 'top', last.y <= cb.y ? 'top' : 'bottom'];
  const beside = b.x > a.x + a.width || b.x + b.width < a.x;
  const above = b.y > a.y + a.height || b.y + b.height < a.y;
  if (beside && above) return horizontal ? flat : upright;
  if (beside) return flat;
  if (above) return upright;
  return ['right', 'right'];
}

/** Spreads the ends on each side of each node, in the order of where they go. */
export function spread(ends: End[], boxes: Record<string, Box>): Map<string, Point> {
  const bySide = new Map<string, End[]>();
  for (const end of ends) {
    const key = `${end.node}|${end.side}`;
    bySide.set(key, [...(bySide.get(key) ?? []), end]);
  }
  const at = new Map<string, Point>();
  for (const list of bySide.values()) {
    const upright = list[0]?.side === 'left' || list[0]?.side === 'right';
    list.sort(
      (p, q) =>
        (upright ? p.toward.y - q.toward.y : p.toward.x - q.toward.x) || (p.edge < q.edge ? -1 : 1),
    );
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

const middle = (b: Box, side: SideName): Point => {
  const c = centre(b);
  const out = outward[side];
  return { x: c.x + (out.x * b.width) / 2, y: c.y + (out.y * b.height) / 2 };
};

const names: SideName[] = ['right', 'left', 'bottom', 'top'];

/** The sides of two boxes between which a line runs under least; the usual ones where that is as good. */
export function clearest(a: Box, b: Box, usual: Sides, blocks: Box[]): Sides {
  const count = ([from, to]: Sides) => {
    const cubics = pieces(middle(a, from), from, middle(b, to), to, []);
    return blocks.filter((box) => hits(cubics, box)).length;
  };
  let best = usual;
  let least = count(usual);
  if (least === 0) return usual;
  const facing = (side: SideName, p: Point, q: Point) =>
    outward[side].x * (q.x - p.x) + outward[side].y * (q.y - p.y) > 0;
  for (const from of names) {
    for (const to of names) {
      if (!facing(from, centre(a), centre(b)) || !facing(to, centre(b), centre(a))) continue;
      const n = count([from, to]);
      if (n < least) [best, least] = [[from, to], n];
    }
  }
  return best;
}
