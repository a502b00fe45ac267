// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useState } from 'react';
import { type ApiError, address, get, type Params } from './client';
import { useLive } from './events';

export interface Resource<T> {
  data: T | undefined;
  error: ApiError | undefined;
  /** Nothing to show yet. */
  loading: boolean;
  /** What is shown could not be refreshed: error says why. */
  stale: boolean;
  reload: () => void;
}

interface Kept {
  url: string;
  body: unknown;
  etag: string | undefined;
}
const kept = new Map<string, Kept>();

/** Forgets everything that was fetched; tests begin with it. */
export const forgetResources = () => kept.clear();

/**
 * The body of a route, fetched again when the server says that something
 * changed. What was last fetched for the same address is shown at once.
 */
export function useResource<T>(route: string | undefined, params: Params = {}): Resource<T> {
  const url = route === undefined ? undefined : address(route, params);
  const { version } = useLive();
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ url?: string; data?: T; error?: ApiError }>({});

  // biome-ignore lint/correctness/useExhaustiveDependencies: version and turn are what asks for a fetch
  useEffect(() => {
    if (!url) return;
    const abort = new AbortController();
    const before = kept.get(url);
    get<T>(url, abort.signal, before?.etag)
      .then(({ body, etag }) => {
        const data = (body ?? before?.body) as T;
        kept.set(url, { url, body: data, etag });
        if (kept.size > 40) kept.delete(kept.keys().next().value as string);
        setState({ url, data });
      })
      .catch((error: Error) => {
        if (error.name !== 'AbortError') setState({ url, error: error as ApiError });
      });
    return () => abort.abort();
  }, [url, version, turn]);

  const current = state.url === url ? state : {};
  const data = current.data ?? (url ? (kept.get(url)?.body as T | undefined) : undefined);
  return {
    data,
    error: current.error,
    loading: url !== undefined && data === undefined && current.error === undefined,
    stale: data !== undefined && current.error !== undefined,
    reload: useCallback(() => setTurn((n) => n + 1), []),
  };
}
