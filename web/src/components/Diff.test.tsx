// SPDX-License-Identifier: Apache-2.0
import { render } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Diff } from './Diff';

const lines = (name: string) => Array.from({ length: 20 }, (_, i) => `${name}-${i}: same`);
const before = [...lines('head'), 'ports: old', ...lines('middle'), ...lines('tail')].join('\n');
const after = (first: number, second: number) =>
  [
    ...lines('head'),
    `ports: new # ${first} connections`,
    ...lines('middle'),
    `peer: added # ${second} connections`,
    ...lines('tail'),
  ].join('\n');

const folds = (side: string) =>
  [...document.querySelectorAll(`.cm-merge-${side} .cm-collapsedLines`)].map((f) => f.textContent);
const text = (side: string) =>
  document.querySelector(`.cm-merge-${side} .cm-content`)?.textContent ?? '';

it('keeps what is folded on both sides when counts change on both sides of a fold', () => {
  const { rerender } = render(<Diff before={before} after={after(7, 9)} />);
  const was = folds('a');
  expect(was).toHaveLength(3);
  expect(folds('b')).toEqual(was);
  rerender(<Diff before={before} after={after(812, 1204)} />);
  expect(text('b')).toContain('# 812 connections');
  expect(text('b')).toContain('# 1204 connections');
  expect(folds('b')).toEqual(was);
  expect(folds('a')).toEqual(was);
});

it('opens the same fold on both sides when something changes inside it', () => {
  const { rerender } = render(<Diff before={before} after={after(7, 9)} />);
  const next = after(7, 9).replace('middle-9: same', 'middle-9: other');
  rerender(<Diff before={before} after={next} />);
  expect(text('b')).toContain('middle-9: other');
  expect(folds('a')).toHaveLength(2);
  expect(folds('b')).toEqual(folds('a'));
});

it('shows the new text of a policy that is not there yet', () => {
  const { rerender } = render(<Diff before="" after="a: 1" />);
  rerender(<Diff before="" after="a: 2" />);
  expect(document.querySelector('.cm-content')?.textContent).toBe('a: 2');
});
