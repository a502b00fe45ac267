// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import type { EdgeState } from '../../api/types';
import { type Filter, states } from '../../lib/graph';
import { setParams, useLocation } from '../../lib/router';

export interface Selection {
  kind: 'bundle' | 'edge' | 'node';
  id: string;
}

/** What the map shows and what is selected, both kept in the address. */
export function useMapState() {
  const { params } = useLocation();
  const text = params.get('q') ?? '';
  const hide = params.get('hide') ?? '';
  const noise = params.get('infra') === 'shown';
  const panel = params.get('panel');
  const edge = params.get('edge');
  const bundle = params.get('line');
  const node = params.get('node');

  const filter: Filter = useMemo(() => {
    const hidden = new Set(hide.split(','));
    return { text, noise, states: new Set(states.filter((s) => !hidden.has(s))) };
  }, [text, hide, noise]);

  const selection: Selection | undefined = useMemo(() => {
    if (edge) return { kind: 'edge', id: edge };
    if (bundle) return { kind: 'bundle', id: bundle };
    return node ? { kind: 'node', id: node } : undefined;
  }, [edge, bundle, node]);

  return { filter, selection, panel };
}

export const setText = (text: string) => setParams({ q: text }, true);
export const setNoise = (shown: boolean) => setParams({ infra: shown ? 'shown' : undefined });
export const setStates = (shown: ReadonlySet<EdgeState>) =>
  setParams({ hide: states.filter((s) => !shown.has(s)).join(',') });
export const select = (s: Selection | undefined) =>
  setParams({
    edge: s?.kind === 'edge' ? s.id : undefined,
    line: s?.kind === 'bundle' ? s.id : undefined,
    node: s?.kind === 'node' ? s.id : undefined,
  });
export const setPanel = (value: string | undefined) => setParams({ panel: value });
