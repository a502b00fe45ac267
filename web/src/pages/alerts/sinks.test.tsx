// SPDX-License-Identifier: Apache-2.0
import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it } from 'vitest';
import type { SinkList, Status } from '../../api/types';
import { App } from '../../app';
import { type Answers, fixtures, go, serve } from '../../test/serve';

const sinks: SinkList = {
  configured: true,
  file: 'alerts.yaml',
  read: '2026-03-01T00:00:00Z',
  sinks: [
    {
      name: 'chat',
      type: 'slack',
      target: 'https://hooks.example.org',
      state: 'up',
      waiting: 0,
      limit: 100,
      delivered: 7,
      overflowed: 0,
      refused: 0,
    },
    {
      name: 'log',
      type: 'syslog',
      target: 'tcp://log.example.org:514',
      state: 'dead',
      problem: 'connection refused',
      failingSince: '2026-03-01T00:00:00Z',
      waiting: 5,
      limit: 5,
      delivered: 1,
      overflowed: 3,
      refused: 1,
    },
  ],
};

const show = (answers: Answers) => {
  serve({ ...fixtures, ...answers });
  go('/alerts?show=sinks');
  render(<App />);
};

it('says of each sink whether alerts arrive, and what was lost', async () => {
  show({ sinks: { body: sinks } });
  const log = await screen.findByTestId('sink-log');
  expect(log.textContent).toContain('has taken no alerts for long');
  expect(log.textContent).toContain('connection refused');
  expect(log.textContent).toContain('5 of at most 5 waiting');
  expect(log.textContent).toContain('4 lost');
  expect(screen.getByTestId('sink-chat').textContent).not.toContain('lost');
});

it('tries a sink, and says how it went', async () => {
  show({
    sinks: { body: sinks },
    'sinks/chat/test': {
      body: { sink: 'chat', type: 'slack', target: '', ok: true, tookMilliseconds: 3 },
    },
    'sinks/log/test': {
      body: {
        sink: 'log',
        type: 'syslog',
        target: '',
        ok: false,
        problem: 'refused by log',
        tookMilliseconds: 3,
      },
    },
  });
  for (const [name, want] of [
    ['chat', 'It took the test alert.'],
    ['log', 'refused by log'],
  ] as const) {
    const sink = await screen.findByTestId(`sink-${name}`);
    await userEvent.click(within(sink).getByRole('button', { name: 'Send a test alert' }));
    expect(await within(sink).findByText(new RegExp(want))).toBeTruthy();
  }
});

it('says why a sink could not be tried', async () => {
  show({
    sinks: { body: sinks },
    'sinks/chat/test': { status: 403, body: 'You may not.' },
  });
  const sink = await screen.findByTestId('sink-chat');
  await userEvent.click(within(sink).getByRole('button', { name: 'Send a test alert' }));
  expect(await within(sink).findByText(/You may not\./)).toBeTruthy();
});

it('says how to tell alerts to somebody where nobody is told', async () => {
  show({ sinks: { body: { configured: false, file: '', sinks: [] } } });
  expect(await screen.findByText('Alerts are told to nobody')).toBeTruthy();
});

it('names the file, line and field that are wrong', async () => {
  show({ sinks: { body: { ...sinks, problem: 'alerts.yaml:3: sinks[0].url: wrong' } } });
  expect(await screen.findByText(/alerts.yaml:3: sinks\[0\].url: wrong/)).toBeTruthy();
});

it('says on the alerts that they do not arrive', async () => {
  const status = fixtures['status']?.body as Status;
  const delivery = { sinks: 2, failing: [], dead: ['log'], dropped: 0 };
  serve({ ...fixtures, status: { body: { ...status, delivery } } });
  go('/alerts');
  render(<App />);
  expect((await screen.findByTestId('undelivered')).textContent).toContain('do not arrive at log');
});
