// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useRef, useState } from 'react';
import type { GraphNode } from '../../api/types';
import { type Bundle, callersOf, groupOf, type Look, type View } from '../../lib/graph';
import type { LayoutAnswer, LayoutQuestion } from '../../lib/layout';
import type { Pair, PlaceNode } from '../../lib/place';
import type { RouteEdge } from '../../lib/route';
import { detail } from './elements';

const nodeHeight = 44;
const chrome = 46; // icon, gaps and padding of a box
/** Wide enough for name and detail, as measured in the page's own font. */
const nodeWidth = (n: GraphNode, badges: number) => {
  const needed = Math.max(n.label.length * 7.9, detail(n).length * 6.5 + badges);
  return Math.round(Math.min(260, Math.max(n.kind === 'namespace' ? 108 : 132, chrome + needed)));
};
const badgeWidth = (kinds: Iterable<string>) =>
  [...kinds].reduce((sum, k) => sum + 30 + 7 * k.length, 0);
const labelWidth = (b: Bundle) => Math.round(22 + b.label.length * 6.8);
/** What is used has its label in any case; what nobody uses where there is room. */
const ranks: Record<Look, number> = {
  ...{ unseen: 5, risky: 4, denied: 3, allowed: 1, unused: 0 },
  ...{ new: 5, changed: 3, gone: 2, same: 1 },
};

const quiet = (look: Look) => look === 'allowed' || look === 'same';

/** Port labels of what is simply allowed are left out where they would be many. */
const manyLabels = 60;

/**
 * What pulls nodes together: the traffic. What was never there before must not
 * move what one has learnt to find; what nobody uses places only those that
 * nothing else does.
 */
function pairsOf(bundles: Bundle[]): Pair[] {
  const pairs = new Map<string, Pair>();
  const placed = new Set<string>();
  const add = (b: Bundle) => {
    pairs.set(`${b.source}|${b.target}`, [b.source, b.target]);
    placed.add(b.source).add(b.target);
  };
  for (const b of bundles) if (b.state === 'allowed' || b.state === 'denied') add(b);
  for (const state of ['unused', 'unseen']) {
    const loose = bundles.filter(
      (b) => b.state === state && !(placed.has(b.source) && placed.has(b.target)),
    );
    for (const b of loose) add(b);
  }
  return [...pairs.values()].sort();
}

function questionOf(
  { nodes, bundles, badges }: View,
  room: { width: number; height: number },
): LayoutQuestion {
  const callers = callersOf(bundles);
  const placeNodes: PlaceNode[] = nodes.map((n) => ({
    id: n.id,
    group: groupOf(n, callers),
    width: nodeWidth(n, badgeWidth(badges.get(n.id)?.keys() ?? [])),
    height: nodeHeight,
  }));
  const pairs = pairsOf(bundles);
  const edges: RouteEdge[] = bundles.map((b) => ({
    id: b.id,
    source: b.source,
    target: b.target,
    rank: ranks[b.look],
    label: quiet(b.look) && bundles.length > manyLabels ? 0 : labelWidth(b),
  }));
  return { nodes: placeNodes, pairs: pairs, edges, room, keep: undefined };
}

const shapeOf = (q: LayoutQuestion) =>
  JSON.stringify([q.nodes.map((n) => [n.id, n.width, n.group]).sort(), q.pairs]);

/**
 * Lays the map out in a worker. While nodes and the pairs that talk stay the
 * same every box stays where it is; lines are drawn anew each time.
 */
export function useLayout(
  view: View,
  room: { width: number; height: number },
): LayoutAnswer | undefined {
  const worker = useRef<Worker>(undefined);
  const turn = useRef(0);
  const last = useRef<{ shape: string; wide: boolean; answer: LayoutAnswer }>(undefined);
  const [answer, setAnswer] = useState<LayoutAnswer>();
  const question = useMemo(() => questionOf(view, room), [view, room]);

  useEffect(() => {
    worker.current = new Worker(new URL('../../lib/layout.worker.ts', import.meta.url), {
      type: 'module',
    });
    return () => worker.current?.terminate();
  }, []);

  useEffect(() => {
    if (!worker.current || room.width === 0) return;
    const shape = shapeOf(question);
    // The panel that opens beside the map is no reason to move everything.
    const wide = window.innerWidth > 1.9 * window.innerHeight;
    const same = last.current?.shape === shape && last.current.wide === wide;
    const mine = ++turn.current;
    worker.current.onmessage = (event: MessageEvent<{ turn: number; answer: LayoutAnswer }>) => {
      if (event.data.turn !== turn.current) return;
      last.current = { shape, wide, answer: event.data.answer };
      setAnswer(event.data.answer);
    };
    const keep = same ? last.current?.answer.placement : undefined;
    worker.current.postMessage({ turn: mine, question: { ...question, keep } });
  }, [question, room]);

  return answer;
}
