// SPDX-License-Identifier: Apache-2.0
// The map by keyboard. Tab walks the boxes in reading order, each followed by
// the lines that leave it; arrows go to the nearest box; Enter opens the
// evidence; Escape closes it, and then leaves the map.
import type { FocusEvent, KeyboardEvent } from 'react';
import type { Drawn } from './drawn';
import { type Selection, select } from './useMapState';

export interface Stop {
  kind: 'node' | 'bundle';
  id: string;
}

/** The boxes and lines in the order in which Tab walks them. */
export function stopsOf(drawn: Drawn): Stop[] {
  const boxes = drawn.nodes.filter((n) => n.type === 'box');
  const groups = drawn.nodes.filter((n) => n.type === 'area');
  const home = (n: (typeof boxes)[number]) =>
    groups.find(
      (g) =>
        n.position.x >= g.position.x &&
        n.position.x < g.position.x + (g.width ?? 0) &&
        n.position.y >= g.position.y &&
        n.position.y < g.position.y + (g.height ?? 0),
    )?.position ?? n.position;
  const row = (y: number) => Math.round(y / 60);
  const sorted = boxes
    .map((n) => ({ n, home: home(n) }))
    .sort(
      (a, b) =>
        row(a.home.y) - row(b.home.y) ||
        a.home.x - b.home.x ||
        row(a.n.position.y) - row(b.n.position.y) ||
        a.n.position.x - b.n.position.x,
    );
  return sorted.flatMap(({ n }) => [
    { kind: 'node' as const, id: n.id },
    ...drawn.edges
      .filter((e) => e.source === n.id)
      .map((e) => ({ kind: 'bundle' as const, id: e.id })),
  ]);
}

const arrows: Record<string, { x: number; y: number }> = {
  ArrowRight: { x: 1, y: 0 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowDown: { x: 0, y: 1 },
  ArrowUp: { x: 0, y: -1 },
};

/** The nearest box in a direction, what lies straight ahead first. */
export function neighbour(drawn: Drawn, from: string, key: string): string | undefined {
  const way = arrows[key];
  const boxes = drawn.nodes.filter((n) => n.type === 'box');
  const here = boxes.find((n) => n.id === from);
  if (!way || !here) return undefined;
  const middle = (n: typeof here) => ({
    x: n.position.x + (n.width ?? 0) / 2,
    y: n.position.y + (n.height ?? 0) / 2,
  });
  const at = middle(here);
  let best: { id: string; cost: number } | undefined;
  for (const n of boxes) {
    if (n.id === from) continue;
    const to = middle(n);
    const ahead = (to.x - at.x) * way.x + (to.y - at.y) * way.y;
    const aside = Math.abs((to.x - at.x) * way.y) + Math.abs((to.y - at.y) * way.x);
    if (ahead <= 4) continue;
    const cost = ahead + 2.2 * aside;
    if (!best || cost < best.cost) best = { id: n.id, cost };
  }
  return best?.id;
}

const find = (root: HTMLElement, stop: Stop) =>
  root.querySelector<HTMLElement>(
    `.react-flow__${stop.kind === 'node' ? 'node' : 'edge'}[data-id="${CSS.escape(stop.id)}"]`,
  );

function stopAt(target: EventTarget, stops: Stop[]): number {
  const element = (target as HTMLElement).closest<HTMLElement>(
    '.react-flow__node, .react-flow__edge',
  );
  const kind = element?.classList.contains('react-flow__node') ? 'node' : 'bundle';
  return stops.findIndex((s) => s.kind === kind && s.id === element?.dataset.id);
}

/** Out of the map: to its buttons, or back to the toolbar. */
function leave(root: HTMLElement, back: boolean) {
  const to = back
    ? document.querySelector<HTMLElement>('[data-testid="table-toggle"]')
    : root.querySelector<HTMLElement>('.react-flow__controls button');
  to?.focus();
}

/** Whoever comes by Tab begins with the first box, wherever that is in the document. */
export function enter(event: FocusEvent<HTMLElement>, drawn: Drawn) {
  const root = event.currentTarget;
  const from = event.relatedTarget as HTMLElement | null;
  const line = (event.target as HTMLElement).closest('.react-flow__edge');
  if (!line || !from || root.contains(from) || !line.matches(':focus-visible')) return;
  const [first] = stopsOf(drawn);
  if (first) find(root, first)?.focus({ preventScroll: true });
}

/** What a key does on the map; reveal brings a stop into the picture. */
export function press(
  event: KeyboardEvent<HTMLElement>,
  drawn: Drawn,
  selection: Selection | undefined,
  reveal: (stop: Stop) => void,
) {
  const root = event.currentTarget;
  const stops = stopsOf(drawn);
  const at = stopAt(event.target, stops);
  const here = stops[at];
  const go = (stop: Stop | undefined) => {
    const element = stop && find(root, stop);
    if (!stop || !element) return;
    event.preventDefault();
    event.stopPropagation();
    element.focus({ preventScroll: true });
    reveal(stop);
  };
  if (event.key === 'Escape') {
    event.stopPropagation();
    if (selection) return select(undefined);
    return leave(root, true);
  }
  if (!here) return;
  if (event.key === 'Tab') {
    const next = stops[at + (event.shiftKey ? -1 : 1)];
    if (next) return go(next);
    event.preventDefault();
    return leave(root, event.shiftKey);
  }
  if (event.key === 'Enter' || event.key === ' ') {
    event.preventDefault();
    event.stopPropagation();
    return select(here);
  }
  if (here.kind === 'node' && arrows[event.key]) {
    const id = neighbour(drawn, here.id, event.key);
    event.preventDefault();
    event.stopPropagation();
    if (id) go({ kind: 'node', id });
  }
}
