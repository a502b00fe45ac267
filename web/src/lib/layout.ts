// SPDX-License-Identifier: Apache-2.0
import { type Pair, type Placement, type PlaceNode, place } from './place';
import { type Route, type RouteEdge, route } from './route';
import { manyLines, straight } from './straight';

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
  /** In which group each node stands. */
  groupOf: Record<string, string>;
}

export function answer(q: LayoutQuestion): LayoutAnswer {
  const placement = q.keep ?? place(q.nodes, q.pairs, q.room);
  const groupOf = Object.fromEntries(q.nodes.map((n) => [n.id, n.group]));
  const routes =
    q.edges.length > manyLines
      ? straight(placement.nodes, q.edges)
      : route(placement, q.edges, groupOf);
  return { placement, routes, groupOf };
}
