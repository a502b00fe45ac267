// SPDX-License-Identifier: Apache-2.0
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';
import { App } from '../app';
import { graph, recommendations } from '../fixture/data';
import { parties } from '../fixture/world';
import { type Answers, fixtures, go, serve } from '../test/serve';

vi.mock('../components/Diff', () => ({
  Diff: ({ before, after }: { before: string; after: string }) => (
    <pre data-testid="diff">{`${before}=>${after}`}</pre>
  ),
}));
vi.mock('../components/Chart', () => ({ Chart: () => <div data-testid="chart" /> }));
vi.stubGlobal(
  'Worker',
  class {
    postMessage() {}
    terminate() {}
  },
);

const show = (path: string, answers: Answers = fixtures) => {
  const asked = serve(answers);
  go(path);
  render(<App />);
  return asked;
};
const pages = ['/map', '/alerts', '/findings', '/policies', '/recommendations', '/coverage'];
const route: Record<string, string> = { '/map': 'graph' };
const routeOf = (path: string) => route[path] ?? path.slice(1);

describe.each(pages)('%s', (path) => {
  it('says that it is loading', async () => {
    serve(fixtures);
    vi.stubGlobal('fetch', () => new Promise(() => undefined));
    go(path);
    render(<App />);
    expect(await screen.findByTestId('loading')).toBeTruthy();
  });

  it('says what failed, and tries again', async () => {
    const answers: Answers = {
      ...fixtures,
      [routeOf(path)]: { status: 500, body: 'the disk is full' },
    };
    show(path, answers);
    const box = await screen.findByTestId('error');
    expect(box.textContent).toContain('the disk is full');
    Object.assign(answers, fixtures);
    await userEvent.click(within(box).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(screen.queryByTestId('error')).toBeNull());
  });

  it('has no serious accessibility fault', async () => {
    show(path);
    await waitFor(
      () => expect(screen.queryByTestId('loading') ?? screen.queryByText(/the layout/)).toBeNull(),
      { timeout: 3000 },
    ).catch(() => undefined);
    const result = await axe.run(document.body, { rules: { region: { enabled: false } } });
    const serious = result.violations.filter(
      (v) => v.impact === 'serious' || v.impact === 'critical',
    );
    expect(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`)).toEqual([]);
  });
});

it('asks for the token where there is no session', async () => {
  show('/map', { ...fixtures, status: { status: 401, body: 'open the link' } });
  expect(await screen.findByTestId('signin')).toBeTruthy();
});

it('explains an empty cluster', async () => {
  show('/map', { ...fixtures, graph: { body: { ...graph, nodes: [], edges: [] } } });
  const empty = await screen.findByTestId('empty');
  expect(empty.textContent).toContain('Waiting for the first flows');
  expect(empty.textContent).toContain('https://127.0.0.1:8443');
});

describe('the map', () => {
  it('lists the same edges in a table, and opens the evidence by keyboard', async () => {
    show('/map?panel=open');
    const table = await screen.findByTestId('edge-table');
    const rows = within(table).getAllByRole('row').slice(1);
    expect(rows[0]?.textContent).toContain('198.51.100.77');
    await userEvent.tab();
    rows[0]?.focus();
    await userEvent.keyboard('{Enter}');
    expect(await screen.findByTestId('evidence')).toBeTruthy();
    expect(window.location.search).toContain('edge=');
  });

  it('shows why an edge is allowed, with the line that decides', async () => {
    const edge = graph.edges.find((e) => e.source.endsWith('catalogue') && e.port === 5432);
    show(`/map?edge=${edge?.id}`);
    const evidence = await screen.findByTestId('evidence');
    expect(evidence.textContent).toContain('Ingress, at the server');
    expect(evidence.textContent).toContain('NetworkPolicy data/database ingress rule 1');
    const marked = evidence.querySelector('[data-marked]');
    expect(marked?.textContent).toContain('port: 5432');
  });

  it('counts what the infrastructure switch hides, and keeps it in the address', async () => {
    show('/map');
    expect((await screen.findByTestId('infra-count')).textContent).toContain('10 hidden');
    await userEvent.click(screen.getByRole('switch'));
    expect(window.location.search).toContain('infra=shown');
  });

  it('filters by state here, and asks the server for what one searches', async () => {
    const asked = show('/map?panel=open');
    await screen.findByTestId('edge-table');
    await userEvent.click(screen.getByRole('button', { name: /^Unused/ }));
    await waitFor(() => expect(screen.queryByText('16379')).toBeNull());
    expect(window.location.search).toContain('hide=unused');
    await userEvent.type(screen.getByRole('searchbox'), 'to:data port:5432');
    await waitFor(() => expect(asked.at(-1)).toContain('q=to%3Adata+port%3A5432'));
    expect(window.location.search).toContain('q=to%3Adata+port%3A5432');
  });
});

describe('recommendations', () => {
  it('shows the diff, the proof in words and a download', async () => {
    show('/recommendations?id=r-database');
    const page = await screen.findByTestId('recommendation');
    expect((await within(page).findByTestId('diff')).textContent).toContain('port: 8008');
    expect(within(page).getByTestId('proof').textContent).toContain('stay allowed');
    expect(within(page).getByTestId('download').getAttribute('href')).toBe(
      '/api/v1/recommendations/download?id=r-database',
    );
  });

  it('says of what is closed no more than is known', async () => {
    show('/recommendations?id=r-database');
    const proof = await screen.findByTestId('proof');
    expect(proof.textContent).toContain('none of them was used by traffic that was learnt');
    expect(screen.queryByTestId('held')).toBeNull();
  });

  it('says first what it cuts that was seen but not learnt', async () => {
    const held = {
      edge: 'e-unseen',
      client: parties.frontend,
      server: parties.database,
      protocol: 'TCP',
      port: 5432,
      connections: 34,
    };
    const items = recommendations.items.map((r) =>
      r.id === 'r-database' ? { ...r, proof: { ...r.proof, held: [held] } } : r,
    );
    show('/recommendations?id=r-database', {
      ...fixtures,
      recommendations: { body: { ...recommendations, items } },
    });
    const told = await screen.findByTestId('held');
    expect(told.textContent).toContain(
      'Cuts 1 connection that is held as unseen and was not accepted:',
    );
    expect(told.textContent).toContain('shop/frontend → data/database TCP 5432, 34 connections');
    expect(told.dataset['state']).toBe('unseen');
    expect(within(told).getByRole('link').getAttribute('href')).toBe('/map?edge=e-unseen');
    expect(screen.getByTestId('proof').textContent).not.toMatch(/none of them/);
  });

  it('calls one that is withheld nothing but that', async () => {
    show('/recommendations?id=r-node');
    const item = await screen.findByTestId('recommendation-node-proxy');
    expect(item.textContent).toBe('node-proxyWithheld');
  });

  it('says in words how far what was watched can be trusted', async () => {
    show('/recommendations?id=r-database');
    expect((await screen.findByTestId('recommendation')).textContent).toContain(
      'watched for 2 h 59 min; new kinds of connection are unlikely: 99.8 % coverage estimated',
    );
  });

  it('says why one is withheld, and offers no download', async () => {
    show('/recommendations?id=r-node');
    const page = await screen.findByTestId('recommendation');
    expect(within(page).getByTestId('withheld').textContent).toContain('host network');
    expect(within(page).queryByTestId('download')).toBeNull();
  });

  it('counts only what is offered', async () => {
    show('/recommendations');
    const all = await screen.findByTestId('download-all');
    const offered = recommendations.items.filter((r) => !r.withheld).length;
    expect(all.textContent).toContain(`all ${offered} as YAML`);
  });
});

it('marks the use of each allowance on its line', async () => {
  show('/policies?policy=NetworkPolicy+data%2Fdatabase');
  const manifest = await screen.findByTestId('manifest');
  const unused = [...manifest.querySelectorAll('.manifest-line[data-usage="unused"]')].map(
    (l) => l.textContent,
  );
  expect(unused).toHaveLength(2);
  expect(unused[0]).toContain('port: 8008');
});

it('filters findings by kind and leads to their evidence', async () => {
  show('/findings');
  await userEvent.click(await screen.findByRole('button', { name: /Unseen before/ }));
  await waitFor(() => expect(screen.queryByTestId('finding-unused')).toBeNull());
  const finding = screen.getByTestId('finding-unseen');
  await userEvent.click(within(finding).getByRole('link', { name: 'Evidence on the map' }));
  expect(await screen.findByTestId('evidence')).toBeTruthy();
});

it('names what was left out of the input', async () => {
  show('/coverage');
  expect((await screen.findByTestId('problems')).textContent).toContain(
    'manifests/shop/old.yaml:7',
  );
});
