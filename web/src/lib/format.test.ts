// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { ago, bytes, duration, partyId, percent, plural, short } from './format';

it.each([
  [0, '0'],
  [999, '999'],
  [1200, '1.2k'],
  [18_320, '18.3k'],
  [2_000_000, '2M'],
])('shortens %d to %s', (n, text) => expect(short(n)).toBe(text));

it.each([
  [12, '12 s'],
  [600, '10 min'],
  [11_100, '3 h 5 min'],
  [7200, '2 h'],
  [864_000, '10 d'],
])('says %d s as %s', (n, text) => expect(duration(n)).toBe(text));

it.each([
  [0, '0 %'],
  [0.5, '50.0 %'],
  [0.9994, '99.9 %'],
  [0.99999, '100 %'],
])('never rounds %d up to all', (n, text) => expect(percent(n)).toBe(text));

it('reads bytes, ages and counts', () => {
  expect(bytes(512)).toBe('512 B');
  expect(bytes(1536)).toBe('1.5 KiB');
  const now = Date.parse('2026-01-01T00:01:00Z');
  expect(ago('2026-01-01T00:00:00Z', now)).toBe('60 s ago');
  expect(ago(undefined, now)).toBe('never');
  expect(plural(1, 'edge')).toBe('1 edge');
  expect(plural(1234, 'policy', 'policies')).toBe('1,234 policies');
});

it.each([
  [
    { kind: 'workload', namespace: 'shop', workloadKind: 'Deployment', name: 'web' } as const,
    'workload:shop/Deployment/web',
  ],
  [{ kind: 'node', name: 'n1' } as const, 'node:n1'],
  [{ kind: 'outside', ip: '2001:db8::1' } as const, 'outside:2001:db8::1'],
  [{ kind: 'outside', ip: '192.0.2.1', dns: 'a.example' } as const, 'outside:a.example'],
])('names the node of %o', (party, id) => expect(partyId(party)).toBe(id));
