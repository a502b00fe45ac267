// SPDX-License-Identifier: Apache-2.0
// A spot for each label: on its own line, away from boxes, other labels and
// other lines, so that it cannot be read as theirs.
import { along, type Cubic } from './curve';
import type { Box, Point } from './place';

const spots = Array.from({ length: 21 }, (_, i) => 0.1 + i * 0.04);

/** What each pixel of another line under a label costs, against one square pixel of a box. */
const underCost = 2.2;
const asideCost = 110;
const endCost = 60;
/** From how many pixels of other lines a quiet label would be read as theirs. */
const readAsOther = 20;

const step = 6; // px between two samples of a line
const cell = 32;
const headLength = 16;

interface Sample extends Point {
  edge: string;
  weight: number;
}

function lengthOf(cubics: Cubic[]): number {
  let sum = 0;
  for (const points of cubics) {
    for (let i = 1; i < 4; i++) {
      const p = points[i - 1] as Point;
      const q = points[i] as Point;
      sum += Math.hypot(q.x - p.x, q.y - p.y);
    }
  }
  return sum;
}

/** Where all lines run, to be asked for what of others is in a box. */
export class Lines {
  private readonly cells = new Map<string, Sample[]>();

  constructor(lines: Iterable<readonly [edge: string, cubics: Cubic[]]>) {
    for (const [edge, cubics] of lines) this.add(edge, cubics);
  }

  private add(edge: string, cubics: Cubic[]) {
    const many = Math.max(2, Math.ceil(lengthOf(cubics) / step));
    for (let i = 0; i <= many; i++) {
      const p = along(cubics, i / many);
      // The head tells where a line goes: nothing may hide it.
      const weight = (many - i) * step < headLength ? 4 : 1;
      const key = `${Math.floor(p.x / cell)} ${Math.floor(p.y / cell)}`;
      const here = this.cells.get(key);
      if (here) here.push({ ...p, edge, weight });
      else this.cells.set(key, [{ ...p, edge, weight }]);
    }
  }

  /** How many pixels of other lines run through a box, heads counted more. */
  under(box: Box, own: string): number {
    let sum = 0;
    const inside = (p: Sample) =>
      p.x > box.x && p.x < box.x + box.width && p.y > box.y && p.y < box.y + box.height;
    for (let i = Math.floor(box.x / cell); i <= Math.floor((box.x + box.width) / cell); i++) {
      for (let j = Math.floor(box.y / cell); j <= Math.floor((box.y + box.height) / cell); j++) {
        for (const p of this.cells.get(`${i} ${j}`) ?? [])
          if (p.edge !== own && inside(p)) sum += p.weight * step;
      }
    }
    return sum;
  }
}

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

/** On the line first, then above, below and at either side of it. */
const asides = (width: number): Point[] => [
  { x: 0, y: 0 },
  { x: 0, y: -20 },
  { x: 0, y: 20 },
  { x: width / 2 + 8, y: 0 },
  { x: -width / 2 - 8, y: 0 },
];

function spotsOf(cubics: Cubic[], width: number): Spot[] {
  return asides(width).flatMap((aside, i) =>
    spots.map((t) => {
      const p = along(cubics, t);
      const at = { x: p.x + aside.x, y: p.y + aside.y };
      const box = { x: at.x - width / 2 - 2, y: at.y - 11, width: width + 4, height: 22 };
      return { at, box, cost: (i > 0 ? asideCost : 0) + Math.abs(t - 0.5) * endCost };
    }),
  );
}

export interface Label {
  edge: string;
  cubics: Cubic[];
  width: number;
  /** Drawn even where it hides something. */
  always: boolean;
}

/**
 * The spot that hides least and is on no other line; none for a quiet label
 * that would lie on a box or along another line. What is taken grows by it.
 */
export function labelSpot(label: Label, taken: Box[], lines: Lines): Point | undefined {
  let best: Spot | undefined;
  for (const spot of spotsOf(label.cubics, label.width)) {
    if (best && spot.cost >= best.cost) continue;
    const hidden = covered(spot.box, taken);
    const under = lines.under(spot.box, label.edge);
    if (!label.always && (hidden > 0 || under > readAsOther)) continue;
    const cost = spot.cost + hidden + under * underCost;
    if (!best || cost < best.cost) best = { ...spot, cost };
  }
  if (best) taken.push(best.box);
  return best?.at;
}
