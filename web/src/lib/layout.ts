// SPDX-License-Identifier: Apache-2.0
import { type Pair, type Placement, type PlaceNode, place } from './place';
import { type Route, type RouteEdge, route } from './route';

export interface LayoutQuestion {
  nodes: PlaceNode[];
  /** What pulls nodes together; may be less than what is drawn. */
  pairs: Pair[];
  edges: RouteEdge[];
  room: { width: number; height: number };
  /** A placement to keep; only the lines are drawn anew. */
  keep: Placement | undefined;
}
export interface LayoutAnswer {
  placement: Placement;
  routes: Record<string, Route>;
}

export function answer(q: LayoutQuestion): LayoutAnswer {
  const placement = q.keep ?? place(q.nodes, q.pairs, q.room);
  const groupOf = Object.fromEntries(q.nodes.map((n) => [n.id, n.group]));
  return { placement, routes: route(placement, q.edges, groupOf) };
}
