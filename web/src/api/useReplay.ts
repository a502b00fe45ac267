// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useState } from 'react';
import { type ApiError, address, type Params, post } from './client';
import type { Replay, ReplayRequest } from './types';

export interface Replaying {
  data: Replay | undefined;
  error: ApiError | undefined;
  busy: boolean;
  again: () => void;
}

/** What past traffic would have met under other policies; undefined asks nothing. */
export function useReplay(request: ReplayRequest | undefined, params: Params): Replaying {
  const url = address('replay', params);
  const body = request ? JSON.stringify(request) : undefined;
  const key = body && `${url}\n${body}`;
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ key?: string; data?: Replay; error?: ApiError }>({});
  // biome-ignore lint/correctness/useExhaustiveDependencies: turn asks once more
  useEffect(() => {
    if (!body || !key) return;
    const abort = new AbortController();
    post<Replay>(url, JSON.parse(body), abort.signal)
      .then((data) => setState(data ? { key, data } : { key }))
      .catch((error: Error) => {
        if (error.name !== 'AbortError') setState({ key, error: error as ApiError });
      });
    return () => abort.abort();
  }, [url, body, key, turn]);
  const current = state.key === key ? state : {};
  return {
    data: current.data,
    error: current.error,
    busy: key !== undefined && !current.data && !current.error,
    again: useCallback(() => {
      setState({});
      setTurn((n) => n + 1);
    }, []),
  };
}
