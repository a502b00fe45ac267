// SPDX-License-Identifier: Apache-2.0
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { App } from '../../app';
import { alerts, answer, open, slow } from '../../fixture/alerts';
import { type Answers, fixtures, go, serve } from '../../test/serve';

const show = (path: string, answers: Answers = fixtures) => {
  const asked = serve(answers);
  go(path);
  render(<App />);
  return asked;
};

it('groups alerts by kind, and shows the first with what would cut it', async () => {
  const asked = show('/alerts');
  const detail = await screen.findByTestId('alert');
  expect(detail.textContent).toContain('198.51.100.77');
  expect(within(detail).getByTestId('alert-edges').textContent).toContain('/bin/sh');
  expect(within(detail).getByTestId('alert-edit').textContent).toContain('+kind: NetworkPolicy');
  expect(screen.getByRole('heading', { name: /Denied, again and again/ })).toBeTruthy();
  expect(asked).toContain('/api/v1/alerts?status=firing&limit=100');
  expect(screen.getByText('1 of at most 20 told today')).toBeTruthy();
});

it('says why nobody is woken for an alert', async () => {
  show(`/alerts/${slow.id}`);
  const detail = await screen.findByTestId('alert');
  expect(detail.textContent).toContain('Nobody is woken for it: the budget of today is spent');
});

/** Answers as usual, and keeps what is sent. */
function keeping(): { url: string; body: Record<string, unknown> }[] {
  const sent: { url: string; body: Record<string, unknown> }[] = [];
  const usual = globalThis.fetch;
  vi.stubGlobal('fetch', (input: string, init?: RequestInit) => {
    if (init?.method === 'POST') sent.push({ url: input, body: JSON.parse(String(init.body)) });
    return usual(input, init);
  });
  return sent;
}

it('accepts with a reason, and not without one', async () => {
  const accepted = {
    ...open,
    status: 'accepted' as const,
    decision: { id: 'd9', by: 'token', at: open.lastSeen, reason: 'The new exporter' },
  };
  const answers: Answers = {
    ...fixtures,
    [`alerts/${open.id}/accept`]: { body: answer(accepted) },
  };
  show('/alerts', answers);
  const sent = keeping();
  await userEvent.click(await screen.findByTestId('ask-accept'));
  const decide = await screen.findByTestId('decide');
  expect(decide.hasAttribute('disabled')).toBe(true);
  await userEvent.type(screen.getByTestId('reason'), 'The new exporter');
  answers[`alerts/${open.id}`] = { body: answer(accepted) };
  answers['alerts'] = { body: { ...alerts, items: [slow], total: 1 } };
  await userEvent.click(decide);
  await waitFor(() =>
    expect(sent).toEqual([
      { url: `/api/v1/alerts/${open.id}/accept`, body: { reason: 'The new exporter' } },
    ]),
  );
  await waitFor(() => expect(screen.queryByTestId('reason')).toBeNull());
});

it('silences one alert for a while', async () => {
  show('/alerts', { ...fixtures, silences: { body: {} } });
  const sent = keeping();
  await userEvent.click(await screen.findByTestId('ask-silence'));
  await userEvent.type(await screen.findByTestId('reason'), 'A drill');
  await userEvent.click(screen.getByTestId('decide'));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toMatchObject({
    url: '/api/v1/silences',
    body: { alert: open.id, reason: 'A drill' },
  });
  expect(Date.parse(String(sent[0]?.body['until']))).toBeGreaterThan(Date.now());
});

it('says who may not decide', async () => {
  show('/alerts', {
    ...fixtures,
    [`alerts/${open.id}/reject`]: { status: 403, body: 'it takes the right to update policies.' },
  });
  await userEvent.click(await screen.findByTestId('ask-reject'));
  await userEvent.type(await screen.findByTestId('reason'), 'Nobody knows it');
  await userEvent.click(screen.getByTestId('decide'));
  const said = await screen.findByText(/You may not decide this/);
  expect(said.textContent).toContain('the right to update policies');
});

it('keeps who decided what, when and why', async () => {
  show('/alerts?show=trail');
  const trail = await screen.findByTestId('trail');
  expect(trail.textContent).toContain('ann@example.org reopened an alert');
  expect(trail.textContent).toContain('Accepted by mistake');
  expect(within(trail).getByRole('link').getAttribute('href')).toBe(`/alerts/${open.id}`);
});

it('lists the silences that hold, and ends one', async () => {
  show('/alerts?show=silences', { ...fixtures, 'silences/s1/end': { body: {} } });
  const list = await screen.findByTestId('silences');
  expect(list.textContent).toContain('namespace shop');
  const sent = keeping();
  await userEvent.click(within(list).getByRole('button', { name: 'End it now' }));
  await waitFor(() => expect(sent[0]?.url).toBe('/api/v1/silences/s1/end'));
});

it('says when nothing needs anybody', async () => {
  const none = { ...alerts, items: [], total: 0, counts: {} };
  show('/alerts', { ...fixtures, alerts: { body: none } });
  expect((await screen.findByTestId('empty')).textContent).toContain('Nothing needs you');
});
