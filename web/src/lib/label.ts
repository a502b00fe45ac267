// SPDX-License-Identifier: Apache-2.0
// A free spot for each label.
import { along, type Cubic } from './curve';
import type { Box, Point } from './place';

const spots = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8, 0.14, 0.86];
const asides = [0, -22, 22];

/** How much of a box lies on others, in square pixels. */
const covered = (box: Box, taken: Box[]) =>
  taken.reduce((sum, t) => {
    const w = Math.min(box.x + box.width, t.x + t.width) - Math.max(box.x, t.x);
    const h = Math.min(box.y + box.height, t.y + t.height) - Math.max(box.y, t.y);
    return sum + (w > 0 && h > 0 ? w * h : 0);
  }, 0);

interface Spot {
  at: Point;
  box: Box;
  cost: number;
}

function spotsOf(cubics: Cubic[], width: number, offsets: number[]): Omit<Spot, 'cost'>[] {
  return offsets.flatMap((aside) =>
    spots.map((t) => {
      const p = along(cubics, t);
      const at = { x: p.x, y: p.y + aside };
      return { at, box: { x: at.x - width / 2 - 2, y: at.y - 11, width: width + 4, height: 22 } };
    }),
  );
}

/**
 * A free spot on the line; for a label that must be there else one beside it,
 * or the one that hides least. What is taken by then grows by it.
 */
export function labelSpot(
  cubics: Cubic[],
  width: number,
  taken: Box[],
  always: boolean,
): Point | undefined {
  let best: Spot | undefined;
  for (const spot of spotsOf(cubics, width, always ? asides : [0])) {
    const cost = covered(spot.box, taken);
    if (!best || cost < best.cost) best = { ...spot, cost };
    if (cost === 0) break;
  }
  if (!best || (best.cost > 0 && !always)) return undefined;
  taken.push(best.box);
  return best.at;
}
