// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { readPatch } from './patch';
import { belowOf, placeOf } from './places';
import { exactIn, fieldOf, timeOf } from './zone';

it('writes times with their zone', () => {
  expect(exactIn('2026-07-01T22:30:05Z', 'utc')).toBe('1 Jul 2026, 22:30:05 UTC');
});

it('reads a field back as the time that it was written from', () => {
  for (const zone of ['utc', 'local'] as const) {
    for (const time of ['2026-03-29T00:59:00Z', '2026-03-29T01:00:00Z', '2026-12-31T23:59:00Z'])
      expect(timeOf(fieldOf(time, zone), zone)).toBe(time);
  }
  expect(timeOf('', 'utc')).toBeUndefined();
  expect(fieldOf('-24h', 'utc')).toBe('');
});

it('leads each address to a page, also an old one and one below it', () => {
  expect(placeOf('/alerts/0123456789abcdef')).toBe('/alerts');
  expect(belowOf('/alerts/0123456789abcdef')).toBe('0123456789abcdef');
  expect(placeOf('/policies/')).toBe('/policies');
  expect(placeOf('/Replay')).toBe('/what-if');
  expect(placeOf('/mapped')).toBeUndefined();
});

it('reads what a diff takes away and puts in, by the lines of the text', () => {
  const diff =
    '--- a/f\n+++ b/f\n@@ -11,3 +11,3 @@\n a\n-b\n+B\n+C\n c\n@@ -20,0 +21,1 @@\n+end\n\\ No newline at end of file\n';
  const patch = readPatch(diff, 10); // the text begins at line 10 of the file
  expect([...patch.gone]).toEqual([3]);
  expect([...patch.after]).toEqual([
    [3, ['B', 'C']],
    [11, ['end']],
  ]);
});
