// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, vi } from 'vitest';
import { evidence, graph } from '../fixture/data';
import { columns, unitOf } from './Chart';

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

const counters = {
  connections: 2,
  bytesSent: 0,
  bytesReceived: 0,
  packetsSent: 0,
  packetsReceived: 0,
};
const at = (second: number) => new Date(second * 1000).toISOString();
const bin = (start: number, failed = 0) => ({
  start: at(start),
  end: at(start + 5),
  counters,
  failed,
});

describe('columns', () => {
  it('draws nothing of nothing', () => {
    expect(columns([])).toEqual([[], [], []]);
  });
  it('lets a single window reach to its end', () => {
    expect(columns([bin(100, 1)])).toEqual([
      [100, 105],
      [2, 2],
      [1, 1],
    ]);
  });
  it('falls to zero in a gap', () => {
    expect(columns([bin(100), bin(120)])).toEqual([
      [100, 105, 115, 120, 125],
      [2, 0, 0, 2, 2],
      [0, 0, 0, 0, 0],
    ]);
  });
});
