// SPDX-License-Identifier: Apache-2.0
// Many boxes in rows, those that talk near each other. Layers say nothing where
// everything talks to everything, and take seconds; this takes milliseconds.
import type { Point } from './place';

export interface Item {
  id: string;
  width: number;
  height: number;
}

const gap = 22;
const rounds = 400; // swaps that are tried for each item

/** A repeatable die: the same cluster is the same picture. */
function dice(seed: number) {
  let a = seed;
  return (n: number) => {
    a = (Math.imul(a, 1664525) + 1013904223) >>> 0;
    return Math.floor((a / 4294967296) * n);
  };
}

/** The order in which items fill the cells of a grid, row by row, so that lines are short. */
function order(items: Item[], pairs: (readonly [string, string])[], columns: number): number[] {
  const index = new Map(items.map((item, i) => [item.id, i]));
  const near: number[][] = items.map(() => []);
  for (const [a, b] of pairs) {
    const [i, j] = [index.get(a), index.get(b)];
    if (i === undefined || j === undefined || i === j) continue;
    near[i]?.push(j);
    near[j]?.push(i);
  }
  const cell = items.map((_, i) => i); // by item
  const at = items.map((_, i) => i); // by cell
  const cost = (i: number, c: number) => {
    let sum = 0;
    for (const j of near[i] ?? []) {
      const d = cell[j] as number;
      const dx = (c % columns) - (d % columns);
      const dy = 1.3 * (Math.floor(c / columns) - Math.floor(d / columns));
      sum += Math.sqrt(dx * dx + dy * dy);
    }
    return sum;
  };
  const roll = dice(items.length);
  const tries = Math.min(60_000, items.length * rounds);
  for (let n = 0; n < tries; n++) {
    const i = roll(items.length);
    const to = roll(items.length);
    const from = cell[i] as number;
    const j = at[to] as number;
    if (i === j) continue;
    const before = cost(i, from) + cost(j, to);
    cell[i] = to;
    cell[j] = from;
    const heat = 1.5 * (1 - n / tries) ** 2;
    if (cost(i, to) + cost(j, from) > before + heat) {
      cell[i] = from;
      cell[j] = to;
    } else {
      at[to] = i;
      at[from] = j;
    }
  }
  return at;
}

/** Whether an item is so much larger than most that rows of them would have holes. */
function bulky(items: Item[]): (item: Item) => boolean {
  const middle = (of: (i: Item) => number) =>
    [...items].map(of).sort((a, b) => a - b)[Math.floor(items.length / 2)] ?? 0;
  const wide = middle((i) => i.width);
  const tall = middle((i) => i.height);
  return (i) => i.height > 1.9 * tall || i.width > 2.2 * wide;
}

interface Shelf {
  at: Record<string, Point>;
  size: Point;
}

/** Large items side by side, in as many rows as the width asks for. */
function shelve(items: Item[], width: number): Shelf {
  const out: Shelf = { at: {}, size: { x: 0, y: 0 } };
  let [x, y, tall] = [0, 0, 0];
  for (const item of [...items].sort((a, b) => b.height - a.height)) {
    if (x > 0 && x + item.width > width) {
      [x, y, tall] = [0, y + tall + gap, 0];
    }
    out.at[item.id] = { x, y };
    x += item.width + gap;
    tall = Math.max(tall, item.height);
    out.size = { x: Math.max(out.size.x, x - gap), y: y + tall };
  }
  return out;
}

/** Places items as a picture in the proportions of the room: the large above, the rest in rows. */
export function pack(
  items: Item[],
  pairs: (readonly [string, string])[],
  room: { width: number; height: number },
): Shelf {
  const large = items.filter(bulky(items));
  if (large.length === 0 || large.length === items.length) return rows(items, pairs, room);
  const small = items.filter((i) => !large.includes(i));
  const area = items.reduce((sum, i) => sum + (i.width + gap) * (i.height + gap), 0);
  const width = Math.sqrt((area * 1.1 * room.width) / Math.max(1, room.height));
  const above = shelve(large, Math.max(width, ...large.map((i) => i.width)));
  const wide = Math.max(width, above.size.x);
  const high = Math.max(1, (wide * room.height) / room.width - above.size.y - gap);
  const below = rows(small, pairs, { width: wide, height: high });
  const at = { ...above.at };
  for (const [id, p] of Object.entries(below.at)) at[id] = { x: p.x, y: p.y + above.size.y + gap };
  return {
    at,
    size: {
      x: Math.max(above.size.x, below.size.x),
      y: above.size.y + gap + below.size.y,
    },
  };
}

/** Places items in rows, in the proportions of the room; gives their corners and the size of all. */
function rows(
  items: Item[],
  pairs: (readonly [string, string])[],
  room: { width: number; height: number },
): Shelf {
  const count = Math.max(1, items.length);
  const width = items.reduce((sum, i) => sum + i.width + gap, 0) / count;
  const height = items.reduce((sum, i) => sum + i.height + gap, 0) / count;
  const wanted = Math.sqrt((count * (room.width / Math.max(1, room.height)) * height) / width);
  const columns = Math.max(1, Math.min(count, Math.round(wanted)));
  const at: Record<string, Point> = {};
  const size = { x: 0, y: 0 };
  const cells = order(items, pairs, columns);
  for (let row = 0; row * columns < cells.length; row++) {
    const own = cells.slice(row * columns, (row + 1) * columns).map((i) => items[i] as Item);
    const tall = Math.max(...own.map((i) => i.height));
    let x = 0;
    for (const item of own) {
      const wide = Math.max(item.width, width - gap);
      at[item.id] = { x: x + (wide - item.width) / 2, y: size.y + (tall - item.height) / 2 };
      x += wide + gap;
    }
    size.x = Math.max(size.x, x - gap);
    size.y += tall + gap;
  }
  size.y = Math.max(0, size.y - gap);
  return { at, size };
}
