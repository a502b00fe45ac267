// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { columns } from './Chart';

const counters = {
  connections: 2,
  bytesSent: 0,
  bytesReceived: 0,
  packetsSent: 0,
  packetsReceived: 0,
};
const at = (second: number) => new Date(second * 1000).toISOString();
const window = (start: number, failed = 0) => ({
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
    expect(columns([window(100, 1)])).toEqual([
      [100, 105],
      [2, 2],
      [1, 1],
    ]);
  });
  it('falls to zero in a gap', () => {
    expect(columns([window(100), window(120)])).toEqual([
      [100, 105, 115, 120, 125],
      [2, 0, 0, 2, 2],
      [0, 0, 0, 0, 0],
    ]);
  });
});
