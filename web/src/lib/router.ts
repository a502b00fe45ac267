// SPDX-License-Identifier: Apache-2.0
// The view lives in the address: a path for the page, the query for the rest.
import { useMemo, useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
const announce = () => {
  for (const listener of listeners) listener();
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
  };
}

const here = () => window.location.pathname + window.location.search;

/** Parameters that mean the same on each page and so survive a change of page. */
const shared = ['cluster', 'namespace', 'from', 'to'];

export type Change = Record<string, string | undefined>;

function merged(query: URLSearchParams, change: Change): string {
  for (const [name, value] of Object.entries(change)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}

/** The address of another page, with the shared parameters of this one. */
export function linkTo(path: string, change: Change = {}): string {
  const now = new URLSearchParams(window.location.search);
  const query = new URLSearchParams();
  for (const name of shared) {
    const value = now.get(name);
    if (value) query.set(name, value);
  }
  return path + merged(query, change);
}

export function navigate(to: string) {
  if (to === here()) return;
  window.history.pushState(null, '', to);
  announce();
}

/** Changes parameters of this page; replace keeps the history short while one types. */
export function setParams(change: Change, replace = false) {
  const to = window.location.pathname + merged(new URLSearchParams(window.location.search), change);
  if (to === here()) return;
  if (replace) window.history.replaceState(null, '', to);
  else window.history.pushState(null, '', to);
  announce();
}

export function useLocation() {
  const at = useSyncExternalStore(subscribe, here);
  return useMemo(() => {
    const url = new URL(at, 'http://page');
    return { path: url.pathname, params: url.searchParams };
  }, [at]);
}

/** Replaces the address without a step in the history, as a redirect does. */
export function redirect(to: string) {
  if (to === here()) return;
  window.history.replaceState(null, '', to);
  announce();
}

/** The parameters that go along with each request. */
export function useScope(): Change {
  const { params } = useLocation();
  const [cluster, namespace, from, to] = shared.map((name) => params.get(name) ?? undefined);
  return useMemo(() => ({ cluster, namespace, from, to }), [cluster, namespace, from, to]);
}
