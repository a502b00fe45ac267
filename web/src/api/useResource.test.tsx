// SPDX-License-Identifier: Apache-2.0
import { act, renderHook, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { serve } from '../test/serve';
import { useResource } from './useResource';

it('loads, keeps what it has where nothing changed, and says when it is stale', async () => {
  const answers = { findings: { body: { items: [1] }, etag: 'W/"1"' } } as Parameters<
    typeof serve
  >[0];
  serve(answers);
  const { result } = renderHook(() => useResource<{ items: number[] }>('findings'));
  expect(result.current.loading).toBe(true);
  await waitFor(() => expect(result.current.data).toEqual({ items: [1] }));

  act(() => result.current.reload());
  await waitFor(() => expect(result.current.loading).toBe(false));
  expect(result.current.data).toEqual({ items: [1] });
  expect(result.current.stale).toBe(false);

  answers.findings = { status: 500, body: 'the store is full' };
  act(() => result.current.reload());
  await waitFor(() => expect(result.current.stale).toBe(true));
  expect(result.current.data).toEqual({ items: [1] });
  expect(result.current.error?.message).toBe('the store is full');
});

it('asks with the parameters, and leaves out empty ones', async () => {
  const asked = serve({ edges: { body: { items: [] } } });
  const { result } = renderHook(() =>
    useResource('edges', { namespace: 'shop', from: undefined, open: ['a', 'b'] }),
  );
  await waitFor(() => expect(result.current.data).toBeDefined());
  expect(asked).toEqual(['/api/v1/edges?namespace=shop&open=a&open=b']);
});
