// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { answer, type LayoutQuestion } from './layout';
import type { Box } from './place';
import { route } from './route';

/** A repeatable cluster: groups of workloads that talk within and between. */
function cluster(groups: number, each: number): LayoutQuestion {
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % n;
  };
  const nodes = Array.from({ length: groups * each }, (_, i) => ({
    id: `n${i}`,
    group: `g${Math.floor(i / each)}`,
    width: 130 + random(80),
    height: 46,
  }));
  const edges = Array.from({ length: nodes.length * 2 }, (_, i) => ({
    id: `e${i}`,
    source: `n${random(nodes.length)}`,
    target: `n${random(nodes.length)}`,
    label: 50,
    rank: random(4),
  }));
  const pairs = edges.map((e) => [e.source, e.target] as const);
  return { nodes, edges, pairs, room: { width: 1280, height: 700 }, keep: undefined };
}

const apart = (a: Box, b: Box) =>
  a.x + a.width <= b.x + 0.01 ||
  b.x + b.width <= a.x + 0.01 ||
  a.y + a.height <= b.y + 0.01 ||
  b.y + b.height <= a.y + 0.01;
const within = (a: Box, b: Box) =>
  a.x >= b.x &&
  a.y >= b.y &&
  a.x + a.width <= b.x + b.width + 0.01 &&
  a.y + a.height <= b.y + b.height + 0.01;

describe.each([
  ['one workload', cluster(1, 1)],
  ['four namespaces', cluster(4, 3)],
  ['twelve namespaces', cluster(12, 5)],
])('the layout of %s', (_, question) => {
  const { placement, routes } = answer(question);

  it('keeps all boxes apart and in their namespace', () => {
    const boxes = Object.entries(placement.nodes);
    for (const [id, box] of boxes) {
      const group = question.nodes.find((n) => n.id === id)?.group ?? '';
      expect(within(box, placement.groups[group] as Box), `${id} in ${group}`).toBe(true);
      for (const [other, its] of boxes)
        if (other > id) expect(apart(box, its), `${id} and ${other}`).toBe(true);
    }
    const groups = Object.values(placement.groups);
    groups.forEach((a, i) => {
      for (const b of groups.slice(i + 1)) expect(apart(a, b)).toBe(true);
    });
  });

  it('draws each line from box to box', () => {
    for (const e of question.edges.filter((one) => one.source !== one.target)) {
      const d = routes[e.id]?.d ?? '';
      const numbers = d.match(/-?[\d.]+/g)?.map(Number) ?? [];
      const touches = (x = Number.NaN, y = Number.NaN, box: Box) =>
        x >= box.x - 0.1 &&
        x <= box.x + box.width + 0.1 &&
        y >= box.y - 0.1 &&
        y <= box.y + box.height + 0.1;
      expect(
        touches(numbers[0], numbers[1], placement.nodes[e.source] as Box),
        `${e.id} leaves ${e.source}: ${d}`,
      ).toBe(true);
      expect(
        touches(numbers.at(-2), numbers.at(-1), placement.nodes[e.target] as Box),
        `${e.id} reaches ${e.target}: ${d}`,
      ).toBe(true);
    }
  });

  it('puts no label of a quiet line on a box or on another label', () => {
    const labels = question.edges.flatMap((e) => {
      const at = routes[e.id]?.label;
      return at ? [{ e, box: { x: at.x - 25, y: at.y - 10, width: 50, height: 20 } }] : [];
    });
    const boxes = Object.values(placement.nodes);
    for (const { e, box } of labels.filter((l) => l.e.rank === 0)) {
      expect(boxes.filter((other) => !apart(box, other))).toEqual([]);
      const others = labels.filter((l) => l.e !== e && !apart(box, l.box));
      expect(
        others.map((l) => l.e.id),
        `on ${e.id}`,
      ).toEqual([]);
    }
  });

  it('is the same for the same question', () => {
    expect(answer(question)).toEqual(answer({ ...question, nodes: question.nodes.toReversed() }));
  });
});

it('keeps every box where it is when it is told to', () => {
  const question = cluster(4, 3);
  const { placement } = answer(question);
  const added = { id: 'new', source: 'n0', target: 'n11', label: 40, rank: 3 };
  const next = answer({ ...question, edges: [...question.edges, added], keep: placement });
  expect(next.placement).toEqual(placement);
  expect(next.routes.new?.d).toMatch(/^M/);
});

describe('the label of a line', () => {
  const box = (x: number, y: number) => ({ x, y, width: 140, height: 44 });
  const nodes = {
    west: box(0, 0),
    east: box(600, 0),
    north: box(300, -240),
    south: box(300, 240),
  };
  const placement = {
    nodes,
    groups: {},
    ways: {},
    horizontal: { inner: true, outer: true },
  };
  const groupOf = { west: 'g', east: 'g', north: 'g', south: 'g' };
  const across = { id: 'across', source: 'west', target: 'east', label: 60, rank: 1 };
  const down = { id: 'down', source: 'north', target: 'south', label: 60, rank: 1 };

  it('is not where another line crosses', () => {
    const routes = route(placement, [across, down], groupOf);
    expect(Math.abs((routes.across?.label?.x ?? 370) - 370)).toBeGreaterThan(30);
    expect(Math.abs((routes.down?.label?.y ?? 22) - 22)).toBeGreaterThan(11);
  });

  it('is in the middle where nothing is in the way', () => {
    expect(route(placement, [across], groupOf).across?.label?.x).toBeCloseTo(370, 0);
  });

  it('is drawn for what is used even where all is taken', () => {
    const near = { ...placement, nodes: { west: box(0, 0), east: box(150, 0) } };
    const drawn = (rank: number) => route(near, [{ ...across, rank }], groupOf).across?.label;
    expect(drawn(1)).toBeDefined();
    expect(drawn(0)).toBeUndefined();
  });
});
