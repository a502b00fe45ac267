// SPDX-License-Identifier: Apache-2.0
// What if, downloads, long lists, and what one is told where there is nothing.
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { App } from '../app';
import { findings, policies, recommendations, replay, status } from '../fixture/data';
import { type Answers, fixtures, go, serve } from '../test/serve';

vi.mock('../components/Diff', () => ({ Diff: () => <pre data-testid="diff" /> }));

const show = (path: string, answers: Answers = fixtures) => {
  const asked = serve(answers);
  go(path);
  render(<App />);
  return asked;
};

describe('What if', () => {
  it('replays what was pasted, and says who is hit', async () => {
    const asked = show('/what-if?from=-24h');
    await userEvent.type(await screen.findByLabelText('Policies as YAML'), 'kind: NetworkPolicy');
    await userEvent.click(screen.getByTestId('replay'));
    const verdict = await screen.findByTestId('replay-verdict');
    expect(verdict.textContent).toContain('Would have denied 1,244 of 91,234 connections in 3 h');
    expect(verdict.textContent).toContain('12 connections that were denied would pass');
    expect(screen.getByTestId('replay-hit').textContent).toContain('shop/checkout');
    expect(screen.getByTestId('change-denied').getAttribute('aria-label')).toBe(
      'shop/checkout to data/database, TCP 5432: 1,244 connections would be denied',
    );
    expect(screen.getByTestId('change-allowed').getAttribute('href')).toContain(
      '/map?from=-24h&edge=',
    );
    expect(screen.getByTestId('replay-exact').textContent).toContain('10.20.0.0/16');
    expect(asked).toContain('/api/v1/replay?from=-24h');
  });

  it('says when the text is not what was replayed', async () => {
    show('/what-if?remove=p2');
    await screen.findByTestId('replay-verdict');
    await userEvent.type(screen.getByLabelText('Policies as YAML'), 'x');
    expect(screen.getByTestId('what-if-result').dataset).toHaveProperty('stale');
    expect(screen.getByText(/changed since/)).toBeTruthy();
  });

  it('begins with a recommendation that the address names', async () => {
    sessionStorage.clear();
    show('/what-if?recommendation=r-database');
    await screen.findByTestId('replay-verdict');
    const text = (screen.getByLabelText('Policies as YAML') as HTMLTextAreaElement).value;
    expect(text).toBe(recommendations.items[0]?.after);
  });

  it('names the line that is wrong', async () => {
    const body = 'There is no policy in it that is understood: line 3: unknown field.';
    show('/what-if?remove=p2', { ...fixtures, replay: { status: 400, body } });
    expect((await screen.findByTestId('error')).textContent).toContain('line 3');
  });
});

describe('recommendations', () => {
  it('say in a sentence what the past says of them', async () => {
    const harmless = { ...replay, denied: [], deniedConnections: 0, connections: 1_234_567 };
    show('/recommendations?id=r-database', { ...fixtures, replay: { body: harmless } });
    await waitFor(() =>
      expect(screen.getByTestId('replayed').textContent).toContain(
        'would have denied 0 of 1.2 million connections in 3 h',
      ),
    );
    expect(screen.getByTestId('replayed').dataset['tone']).toBe('good');
  });

  it('are asked for, and downloaded, in the format that is chosen', async () => {
    const asked = show('/recommendations?format=calico&namespace=data&from=-7d');
    const link = await screen.findByTestId('download-all');
    expect(link.getAttribute('href')).toBe(
      '/api/v1/recommendations/download?from=-7d&format=calico&namespace=data',
    );
    expect(asked).toContain(
      '/api/v1/recommendations?namespace=data&from=-7d&brief=true&format=calico',
    );
    await userEvent.click(screen.getByRole('button', { name: 'Other ways to take all' }));
    const items = await screen.findAllByRole('menuitem');
    expect(items.map((i) => i.getAttribute('href')?.replace(/.*as=/, ''))).toEqual([
      'yaml',
      'zip',
      'kustomize',
      undefined,
    ]);
  });
});

describe('a policy', () => {
  it('has the suggested narrowing in place, until it is switched off', async () => {
    show('/policies?policy=p2');
    const gone = await screen.findAllByTestId('suggested-gone');
    expect(gone.map((l) => l.textContent?.trim())).toHaveLength(3);
    expect(gone[0]?.textContent).toContain('port: 8008');
    const added = screen.getAllByTestId('suggested-added');
    expect(added.map((l) => l.textContent).join()).toContain('values: [catalogue, checkout]');
    await userEvent.click(screen.getByRole('button', { name: /Suggested narrowing/ }));
    expect(screen.queryByTestId('suggested-gone')).toBeNull();
    expect(window.location.search).toContain('marks=use');
  });

  it('says who may talk by it, and what of its lines selects nothing', async () => {
    const items = policies.items.map((p) => ({
      ...p,
      notes: [
        {
          kind: 'selects-nothing' as const,
          text: 'No pod is like that',
          finding: 'f',
          manifestLine: 15,
        },
      ],
      allowances: p.allowances.map((a, i) => ({
        ...a,
        reach: ['shop/catalogue', 'shop/frontend'],
        reachTotal: 2,
        reachAnyone: i === 2,
      })),
    }));
    show('/policies?policy=p2', { ...fixtures, policies: { body: { ...policies, items } } });
    const rows = within(await screen.findByTestId('reach'))
      .getAllByRole('row')
      .slice(1);
    const told = rows.map((r) => r.textContent);
    expect(told.some((t) => t?.startsWith('shop/catalogue') && t.includes('yes'))).toBe(true);
    expect(told.some((t) => t?.startsWith('shop/frontend') && t.includes('never'))).toBe(true);
    expect(told.some((t) => t?.startsWith('anyone'))).toBe(true);
    const note = screen.getByTestId('note-selects-nothing');
    expect(note.closest('.manifest-line')?.textContent).toContain('15');
  });
});

it('long lists say how much of them is shown, and give the rest', async () => {
  const one = findings.items[0] as (typeof findings.items)[number];
  const many = Array.from({ length: 250 }, (_, i) => ({ ...one, id: `f${i}` }));
  const answers: Answers = {
    ...fixtures,
    findings: { body: { ...findings, items: many.slice(0, 100), total: 250 } },
  };
  const asked = show('/findings', answers);
  const more = await screen.findByTestId('more');
  expect(more.textContent).toContain('100 of 250 findings are shown');
  answers['findings'] = { body: { ...findings, items: many.slice(0, 200), total: 250 } };
  await userEvent.click(within(more).getByRole('button', { name: 'Show 100 more' }));
  await waitFor(() => expect(screen.getAllByTestId('finding-unseen')).toHaveLength(200));
  expect(asked).toContain('/api/v1/findings?limit=200');
});

describe('a state', () => {
  it('without rights says so, and offers what one may see', async () => {
    show('/findings?namespace=data', { ...fixtures, findings: { status: 403, body: 'not yours' } });
    const box = await screen.findByTestId('forbidden');
    expect(box.textContent).toContain('You may not see this');
    await userEvent.click(within(box).getByRole('button', { name: 'Show all namespaces' }));
    expect(window.location.search).toBe('');
  });

  it('of a cluster where nothing was seen says what comes next', async () => {
    const nothing = {
      ...status,
      totals: { ...status.totals, edges: 0, agents: 0, recommendations: 0 },
    };
    show('/recommendations', {
      ...fixtures,
      status: { body: nothing },
      recommendations: { body: { ...recommendations, items: [], total: 0 } },
    });
    const steps = within(await screen.findByTestId('next-steps')).getAllByRole('listitem');
    expect(steps.map((s) => s.textContent?.match(/\((done|now|later)\)/)?.[1])).toEqual([
      'done',
      'now',
      'later',
      'later',
      'later',
    ]);
  });
});

it('leads old addresses to where the pages are now', async () => {
  show('/advice?id=r-database&unknown=1');
  expect(await screen.findByTestId('recommendation')).toBeTruthy();
  expect(window.location.pathname).toBe('/recommendations');
});
