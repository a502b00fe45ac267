// SPDX-License-Identifier: Apache-2.0
// Lines between placed nodes: where they leave and arrive, their bends, and a
// free spot for each label.
import { type Cubic, centre, pathOf, pieces, round } from './curve';
import { around, obstacles } from './detour';
import { clearest, type End, type Sides, sides, spread } from './ends';
import { Lines, labelSpot } from './label';
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
      out.set(
        e.id,
        way.map((p) => (flatWay ? { x: p.x, y: p.y + offset } : { x: p.x + offset, y: p.y })),
      );
    });
  }
  return out;
}

interface Chosen {
  sides: Map<string, Sides>;
  ends: Map<string, Point>;
}

/** The sides and points at which every line leaves and arrives. */
function chooseEnds(
  placement: Placement,
  drawn: RouteEdge[],
  ways: Map<string, Point[]>,
  groupOf: Record<string, string>,
): Chosen {
  const ends: End[] = [];
  const chosen = new Map<string, Sides>();
  for (const e of drawn) {
    const a = placement.nodes[e.source] as Box;
    const b = placement.nodes[e.target] as Box;
    const via = ways.get(e.id) ?? [];
    const inner = groupOf[e.source] === groupOf[e.target];
    const usual = sides(a, b, via, inner ? placement.horizontal.inner : placement.horizontal.outer);
    const pair = via.length > 0 ? usual : clearest(a, b, usual, obstacles(e, placement, groupOf));
    chosen.set(e.id, pair);
    ends.push({ edge: e.id, node: e.source, side: pair[0], toward: via[0] ?? centre(b) });
    ends.push({ edge: e.id, node: e.target, side: pair[1], toward: via.at(-1) ?? centre(a) });
  }
  return { sides: chosen, ends: spread(ends, placement.nodes) };
}

/** Where no label may be: boxes, and the titles of their groups. */
function titlesAndBoxes(placement: Placement): Box[] {
  const titles = Object.values(placement.groups).map((g) => ({
    x: g.x,
    y: g.y,
    width: g.width,
    height: 26,
  }));
  return [...Object.values(placement.nodes), ...titles];
}

const weightiestFirst = (a: RouteEdge, b: RouteEdge) => b.rank - a.rank || (a.id < b.id ? -1 : 1);

/** Draws every edge whose ends are placed. */
export function route(
  placement: Placement,
  edges: RouteEdge[],
  groupOf: Record<string, string>,
): Record<string, Route> {
  const boxes = placement.nodes;
  const drawn = edges.filter((e) => boxes[e.source] && boxes[e.target] && e.source !== e.target);
  const ways = fan(placement, drawn);
  const chosen = chooseEnds(placement, drawn, ways, groupOf);
  const curves = new Map<string, Cubic[]>();
  for (const e of drawn) {
    const [from, to] = chosen.sides.get(e.id) as Sides;
    const p = chosen.ends.get(`${e.id}|${e.source}`) as Point;
    const q = chosen.ends.get(`${e.id}|${e.target}`) as Point;
    const straight = pieces(p, from, q, to, ways.get(e.id) ?? []);
    const bent = ways.has(e.id) || from === to;
    curves.set(e.id, bent ? straight : around(straight, e, placement, groupOf, from, to));
  }
  const taken = titlesAndBoxes(placement);
  const lines = new Lines(curves);
  const out: Record<string, Route> = {};
  for (const e of drawn.toSorted(weightiestFirst)) {
    const cubics = curves.get(e.id) as Cubic[];
    const wanted = { edge: e.id, cubics, width: e.label, always: e.rank > 0 };
    out[e.id] = {
      d: pathOf(cubics),
      label: e.label ? labelSpot(wanted, taken, lines) : undefined,
    };
  }
  return out;
}
