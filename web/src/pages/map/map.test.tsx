// SPDX-License-Identifier: Apache-2.0
// The parts of the map that need no browser.
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import type { Graph, GraphEdge, Timeline } from '../../api/types';
import { graph, status } from '../../fixture/data';
import { changeLooks, type Filter, stateLooks, viewOf } from '../../lib/graph';
import { answer } from '../../lib/layout';
import { momentOf } from '../../lib/moment';
import { pack } from '../../lib/pack';
import { straight } from '../../lib/straight';
import { svgOf } from '../../lib/svg';
import { fixtures, go, serve } from '../../test/serve';
import { BundlePanel, endOf } from './BundlePanel';
import { earlier } from './Compare';
import { drawnOf } from './drawn';
import { dataOf } from './Export';
import { neighbour, stopsOf } from './keys';
import { Matrix } from './Matrix';
import { SearchBox, termOf, withTerm } from './SearchBox';
import { TimeBar } from './TimeBar';

vi.mock('../../components/Chart', () => ({ Chart: () => <div data-testid="chart" /> }));

const all: Filter = { shown: new Set([...stateLooks, ...changeLooks]), noise: true };
const view = viewOf(graph, all);
const layout = answer({
  nodes: view.nodes.map((n) => ({ id: n.id, group: n.namespace ?? '~x', width: 140, height: 44 })),
  pairs: view.bundles.map((b) => [b.source, b.target] as const),
  edges: view.bundles.map((b) => ({
    id: b.id,
    source: b.source,
    target: b.target,
    label: 40,
    rank: 1,
  })),
  room: { width: 1200, height: 700 },
  keep: undefined,
});
const hours = (n: number) => `2026-11-22T${String(n).padStart(2, '0')}:00:00Z`;
const timeline: Timeline = {
  meta: graph.meta,
  items: Array.from({ length: 10 }, (_, i) => ({
    ...{ start: hours(i), end: hours(i + 1) },
    ...{ connections: 10 * i, failed: i === 4 ? 3 : 0, new: i === 7 ? 2 : 0 },
  })),
};

describe('the search', () => {
  it('reads and writes terms without touching the rest', () => {
    expect(termOf('cart port:80 to:data', 'port')).toBe('80');
    expect(withTerm('cart port:80', 'port', '443')).toBe('cart port:443');
    expect(withTerm('cart port:80', 'port', '')).toBe('cart');
    expect(withTerm('cart', 'to', 'data')).toBe('cart to:data');
  });

  it('asks after a pause, and takes the way back', async () => {
    go('/map?q=cart');
    render(<SearchBox problem={undefined} />);
    const field = screen.getByRole('searchbox');
    expect(field).toHaveProperty('value', 'cart');
    await userEvent.type(field, ' port:80');
    await waitFor(() => expect(window.location.search).toBe('?q=cart+port%3A80'));
  });

  it('says what is wrong', () => {
    render(<SearchBox problem="port:http is neither a port nor a range." />);
    expect(screen.getByRole('alert').textContent).toContain('port:http');
  });
});

describe('time', () => {
  it('reads moments as the address has them', () => {
    expect(momentOf('-2h', 10_000)).toBe(2800);
    expect(momentOf('1970-01-01T01:00:00Z', 0)).toBe(3600);
    expect(momentOf('', 5)).toBeUndefined();
    expect(momentOf('yesterday', 5)).toBeUndefined();
  });

  it('goes back by keyboard, and to now by a button', async () => {
    serve({ ...fixtures, timeline: { body: timeline } });
    go('/map');
    render(<TimeBar graph={graph} status={status} />);
    const [, end] = await screen.findAllByRole('slider');
    end?.focus();
    await userEvent.keyboard('{ArrowLeft}{ArrowLeft}');
    expect(window.location.search).toContain('to=2026-11-22T09%3A30%3A00Z');
    await userEvent.click(screen.getByTestId('go-live'));
    expect(window.location.search).toBe('');
  });

  it('offers only earlier windows of which something is kept', async () => {
    serve({ ...fixtures, timeline: { body: timeline } });
    go('/map?from=2026-11-22T08:00:00Z');
    render(<TimeBar graph={graph} status={status} />);
    await userEvent.click(await screen.findByTestId('compare'));
    expect(screen.getByTestId('compare-week')).toHaveProperty('disabled', true);
    await userEvent.click(screen.getByTestId('compare-before'));
    expect(window.location.search).toContain('beforeFrom=2026-11-22T06%3A00%3A00Z');
    expect(window.location.search).toContain('beforeTo=2026-11-22T08%3A00%3A00Z');
  });

  it('says what it compares with', async () => {
    serve({ ...fixtures, timeline: { body: timeline } });
    const before = {
      window: { from: hours(0), to: hours(5) },
      counts: { new: 3, gone: 2, changed: 1, same: 9 },
    };
    render(<TimeBar graph={{ ...graph, before }} status={status} />);
    const counts = await screen.findByTestId('compare-counts');
    expect(counts.textContent).toContain('3 new, 2 gone, 1 changed');
  });

  it('puts the windows where they belong', () => {
    expect(earlier(1000, 1600).map((w) => w.window)).toEqual([
      [400, 1000],
      [1000 - 86400, 1600 - 86400],
      [1000 - 7 * 86400, 1600 - 7 * 86400],
    ]);
  });
});

describe('the keyboard', () => {
  const drawn = drawnOf(view, layout, undefined, 'workload');
  const stops = stopsOf(drawn);

  it('reaches every box once, and each line after the box that it leaves', () => {
    const boxes = stops.filter((s) => s.kind === 'node').map((s) => s.id);
    expect(new Set(boxes)).toEqual(new Set(view.nodes.map((n) => n.id)));
    expect(boxes).toHaveLength(view.nodes.length);
    let box = '';
    for (const s of stops) {
      if (s.kind === 'node') box = s.id;
      else expect(drawn.edges.find((e) => e.id === s.id)?.source).toBe(box);
    }
    expect(stops.filter((s) => s.kind === 'bundle')).toHaveLength(drawn.edges.length);
  });

  it('goes to a box on the side of the arrow', () => {
    const [first] = Object.entries(layout.placement.nodes).sort(([, a], [, b]) => a.x - b.x);
    const id = neighbour(drawn, first?.[0] ?? '', 'ArrowRight') ?? '';
    expect(layout.placement.nodes[id]?.x).toBeGreaterThan(first?.[1].x ?? 0);
    expect(neighbour(drawn, first?.[0] ?? '', 'ArrowLeft')).toBeUndefined();
  });

  it('names both ends of a line, its port and its look', () => {
    const line = drawn.edges.find((e) => e.data?.bundle.look === 'denied');
    expect(line?.ariaLabel).toMatch(/^\S+ to \S+, \d+: denied, \d/);
  });
});

describe('a large map', () => {
  const many = Array.from({ length: 120 }, (_, i) => ({
    id: `n${i}`,
    width: 100 + (i % 3) * 20,
    height: 44,
  }));
  many.push({ id: 'big', width: 700, height: 500 });
  const pairs = many.map((m, i) => [m.id, `n${(i * 7) % 120}`] as const);
  const { at, size } = pack(many, pairs, { width: 1400, height: 700 });

  it('places every box, none on another', () => {
    for (const a of many)
      for (const b of many) {
        if (a.id >= b.id) continue;
        const [p, q] = [at[a.id], at[b.id]];
        if (!p || !q) throw new Error(`${a.id} or ${b.id} is not placed`);
        const apart =
          p.x + a.width <= q.x ||
          q.x + b.width <= p.x ||
          p.y + a.height <= q.y ||
          q.y + b.height <= p.y;
        expect(apart, `${a.id} and ${b.id}`).toBe(true);
      }
  });

  it('keeps the proportions of the room, and is the same every time', () => {
    expect(size.x / size.y).toBeGreaterThan(1);
    expect(size.x / size.y).toBeLessThan(4);
    expect(pack(many, pairs, { width: 1400, height: 700 }).at).toEqual(at);
  });

  it('draws lines from border to border, both directions apart', () => {
    const nodes = {
      a: { x: 0, y: 0, width: 100, height: 40 },
      b: { x: 300, y: 0, width: 100, height: 40 },
    };
    const edge = { label: 40, rank: 5 };
    const out = straight(nodes, [
      { id: 'ab', source: 'a', target: 'b', ...edge },
      { id: 'ba', source: 'b', target: 'a', ...edge },
      { id: 'gone', source: 'a', target: 'x', ...edge },
    ]);
    expect(out.ab?.label?.y).not.toBe(out.ba?.label?.y);
    expect(out.gone).toBeUndefined();
  });

  it('draws plain lines on the canvas and what stands out as elements', () => {
    const edges = Array.from({ length: 300 }, (_, i): GraphEdge => {
      const { source, target } = graph.edges[i % graph.edges.length] as GraphEdge;
      const ports = { port: 1000 + i, source, target: i < 20 ? target : `x${i}`, id: `e${i}` };
      return { ...(graph.edges[0] as GraphEdge), ...ports, state: i < 20 ? 'denied' : 'allowed' };
    });
    const crowd = viewOf({ ...graph, edges }, all);
    const routes = Object.fromEntries(
      crowd.bundles.map((b) => [b.id, { d: 'M0 0L1 1', label: undefined }]),
    );
    const drawn = drawnOf(crowd, { ...layout, routes }, undefined, 'workload');
    expect(new Set(drawn.edges.map((e) => e.data?.bundle.look))).toEqual(new Set(['denied']));
    expect(drawn.edges.length + drawn.plain.length).toBe(crowd.bundles.length);
  });
});

describe('what is saved', () => {
  it('is an SVG with every box, line and sign, and nothing unescaped', () => {
    const nodes = view.nodes.map((n, i) => (i === 0 ? { ...n, label: 'a<b>&"c"' } : n));
    const { text } = svgOf(
      { view: { ...view, nodes }, layout },
      { title: 'prod & more', colours: {} },
    );
    const doc = new DOMParser().parseFromString(text, 'image/svg+xml');
    expect(doc.querySelector('parsererror')).toBeNull();
    expect(doc.querySelectorAll('[marker-end]')).toHaveLength(
      view.bundles.filter((b) => layout.routes[b.id]).length,
    );
    expect(text).toContain('✕');
    expect(text).toContain('a&lt;b&gt;&amp;&quot;c&quot;');
  });

  it('is the data that is drawn, with its time and link', () => {
    go('/map?hide=allowed');
    const some = viewOf(graph, { ...all, shown: new Set(['denied'] as const) });
    const data = dataOf(graph, some);
    expect(new Set(data.edges.map((e) => e.state))).toEqual(new Set(['denied']));
    expect(data.link).toBe('/map?hide=allowed');
    expect(data.meta).toEqual(graph.meta);
  });
});

describe('panels', () => {
  const names = (id: string) => id;

  it('asks for the edges behind a folded line', async () => {
    const asked = serve(fixtures);
    const edge: GraphEdge = {
      ...(graph.edges[0] as GraphEdge),
      ...{
        id: 'folded',
        source: 'namespace:shop',
        target: 'namespace:data',
        count: 5,
        state: 'allowed',
      },
    };
    const folded: Graph = { ...graph, edges: [edge] };
    const bundle = viewOf(folded, all).bundles[0];
    if (!bundle) throw new Error('no line');
    render(<BundlePanel bundle={bundle} graph={folded} names={names} status={status} />);
    await screen.findByTestId('members');
    const url = decodeURIComponent(asked.find((a) => a.includes('/edges')) ?? '');
    expect(url).toContain('from:shop/*+to:data/*+verdict:allowed');
  });

  it.each([
    ['workload:shop/Deployment/cart', 'shop/cart'],
    ['outside:203.0.113.0/24', '203.0.113.0/24'],
    ['node:worker-1', 'worker-1'],
    ['nodes:workers', undefined],
  ])('names %s in a search', (id, name) => {
    expect(endOf(id)).toBe(name);
  });

  it('shows the whole as a matrix that leads to the evidence', async () => {
    go('/map?as=matrix');
    render(<Matrix view={view} names={names} />);
    const cells = within(screen.getByTestId('matrix')).getAllByRole('button');
    const pairs = new Set(view.bundles.map((b) => `${b.source}|${b.target}`));
    expect(cells).toHaveLength(pairs.size);
    await userEvent.click(cells[0] as HTMLElement);
    expect(window.location.search).toContain('line=');
  });
});
