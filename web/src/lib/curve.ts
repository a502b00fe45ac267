// SPDX-License-Identifier: Apache-2.0
// Lines as cubic pieces, and what they pass.
import type { Box, Point } from './place';

export type SideName = 'left' | 'right' | 'top' | 'bottom';

export const centre = (b: Box): Point => ({ x: b.x + b.width / 2, y: b.y + b.height / 2 });

/** Which way each side looks. */
export const outward: Record<SideName, Point> = {
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
  top: { x: 0, y: -1 },
  bottom: { x: 0, y: 1 },
};

export type Cubic = [Point, Point, Point, Point];

/** Cubic pieces from end to end; each bend is passed along the edge's main direction. */
export function pieces(
  from: Point,
  fromSide: SideName,
  to: Point,
  toSide: SideName,
  via: Point[],
): Cubic[] {
  const points = [from, ...via, to];
  const upright = fromSide === 'top' || fromSide === 'bottom';
  const out: Cubic[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const p = points[i] as Point;
    const q = points[i + 1] as Point;
    const reach = upright ? Math.abs(q.y - p.y) : Math.abs(q.x - p.x);
    const same = fromSide === toSide && points.length === 2;
    const k = same ? 46 + Math.abs(q.y - p.y) * 0.12 : Math.max(18, reach * 0.5);
    const along = upright
      ? { x: 0, y: Math.sign(to.y - from.y) || 1 }
      : { x: Math.sign(to.x - from.x) || 1, y: 0 };
    const leave = i === 0 ? outward[fromSide] : along;
    const back = outward[toSide];
    const arrive = i + 2 === points.length ? back : { x: -along.x, y: -along.y };
    out.push([
      p,
      { x: p.x + leave.x * k, y: p.y + leave.y * k },
      { x: q.x + arrive.x * k, y: q.y + arrive.y * k },
      q,
    ]);
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

/** The point at t, from 0 to 1, of the whole line. */
export function along(cubics: Cubic[], t: number): Point {
  const scaled = Math.min(t * cubics.length, cubics.length - 1e-6);
  const i = Math.floor(scaled);
  return on(cubics[i] as Cubic, scaled - i);
}

/** Whether a line runs under a box. */
export const hits = (cubics: Cubic[], box: Box) => {
  for (let t = 0.04; t < 0.97; t += 0.04) {
    const p = along(cubics, t);
    if (
      p.x > box.x - 4 &&
      p.x < box.x + box.width + 4 &&
      p.y > box.y - 4 &&
      p.y < box.y + box.height + 4
    )
      return true;
  }
  return false;
};

export const round = (n: number) => Math.round(n * 10) / 10;
/** The line as an SVG path. */
export const pathOf = (cubics: Cubic[]) =>
  cubics
    .map(
      ([a, b, c, d], i) =>
        `${i === 0 ? `M${round(a.x)} ${round(a.y)}` : ''}C${[b, c, d].map((p) => `${round(p.x)} ${round(p.y)}`).join(' ')}`,
    )
    .join('');
