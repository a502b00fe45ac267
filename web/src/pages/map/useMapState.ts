// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'react';
import { changeLooks, type Filter, type Look, stateLooks } from '../../lib/graph';
import { navigate, setParams, useLocation } from '../../lib/router';

export interface Selection {
  kind: 'bundle' | 'edge' | 'node';
  id: string;
}

const looks = [...stateLooks, ...changeLooks];

/** What the map shows and what is selected, all of it kept in the address. */
export function useMapState() {
  const { params } = useLocation();
  const hide = params.get('hide') ?? '';
  const noise = params.get('infra') === 'shown';
  const edge = params.get('edge');
  const bundle = params.get('line');
  const node = params.get('node');

  const filter: Filter = useMemo(() => {
    const hidden = new Set(hide.split(','));
    return { noise, shown: new Set(looks.filter((s) => !hidden.has(s))) };
  }, [hide, noise]);

  const selection: Selection | undefined = useMemo(() => {
    if (edge) return { kind: 'edge', id: edge };
    if (bundle) return { kind: 'bundle', id: bundle };
    return node ? { kind: 'node', id: node } : undefined;
  }, [edge, bundle, node]);

  return {
    filter,
    selection,
    text: params.get('q') ?? '',
    panel: params.get('panel'),
    matrix: params.get('as') === 'matrix',
    level: params.get('level') ?? undefined,
  };
}

/** What one asks the server for, beside the scope that all pages share. */
export function useQuestion() {
  const { params } = useLocation();
  return {
    q: params.get('q') ?? undefined,
    level: params.get('level') ?? undefined,
    open: params.getAll('open'),
    fold: params.getAll('fold'),
    pods: params.getAll('pods'),
    beforeFrom: params.get('beforeFrom') ?? undefined,
    beforeTo: params.get('beforeTo') ?? undefined,
  };
}

/** Puts a value into a list of the address, or takes it out; select drops what was selected. */
function toggleIn(name: 'open' | 'fold' | 'pods', value: string, on: boolean) {
  const query = new URLSearchParams(window.location.search);
  const values = query.getAll(name).filter((v) => v !== value);
  query.delete(name);
  for (const v of on ? [...values, value] : values) query.append(name, v);
  for (const selected of ['node', 'edge', 'line']) query.delete(selected);
  navigate(`${window.location.pathname}?${query}`);
}

/** Opens a namespace or a group of nodes to what is in it, or folds it; level is the map's. */
export function setOpen(name: string, level: string, open: boolean) {
  if (level === 'namespace' || name.startsWith('nodes:')) toggleIn('open', name, open);
  else toggleIn('fold', name, !open);
}
export const setPods = (workload: string, open: boolean) => toggleIn('pods', workload, open);

export const setText = (text: string) => setParams({ q: text }, true);
export const setNoise = (shown: boolean) => setParams({ infra: shown ? 'shown' : undefined });
export const setShown = (shown: ReadonlySet<Look>) =>
  setParams({ hide: looks.filter((s) => !shown.has(s)).join(',') });
export const setLevel = (level: string | undefined) => {
  const query = new URLSearchParams(window.location.search);
  for (const name of ['level', 'open', 'fold', 'node', 'line']) query.delete(name);
  if (level) query.set('level', level);
  navigate(`${window.location.pathname}?${query}`);
};
export const setMatrix = (on: boolean) => setParams({ as: on ? 'matrix' : undefined });
export const select = (s: Selection | undefined) =>
  setParams({
    edge: s?.kind === 'edge' ? s.id : undefined,
    line: s?.kind === 'bundle' ? s.id : undefined,
    node: s?.kind === 'node' ? s.id : undefined,
  });
export const setPanel = (value: string | undefined) => setParams({ panel: value });
