// SPDX-License-Identifier: Apache-2.0
import { expect, it, vi } from 'vitest';
import { evidence, graph } from '../fixture/data';
import { unitOf } from './Chart';

vi.mock('uplot', () => ({ default: class {} }));

const series = (seconds: number[]) => {
  const edge = graph.edges.find((e) => e.state === 'allowed');
  const window = evidence(edge?.id ?? '')?.series[0];
  if (!window) throw new Error('the fixture has no window');
  return seconds.map((s) => ({
    ...window,
    end: new Date(Date.parse(window.start) + s * 1000).toISOString(),
  }));
};

it('names the unit by the usual length of a window', () => {
  expect(unitOf(series([10, 10, 3]))).toBe('connections per window of 10 s');
  expect(unitOf(series([120]))).toBe('connections per window of 2 min');
});
it('names no length where there is none', () => {
  expect(unitOf(series([0]))).toBe('connections per window');
});
