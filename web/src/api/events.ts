// SPDX-License-Identifier: Apache-2.0
// One stream of server-sent events for the whole page.
import { useSyncExternalStore } from 'react';
import { address } from './client';
import type { Alert, ViewEvent } from './types';

export interface Live {
  /** The newest version that the server spoke of; 0 before the first. */
  version: number;
  /** Grows with every alert that began, changed or ended. */
  decided: number;
  connected: boolean;
  /** Since when the stream is broken, in ms of the epoch. */
  lostSince: number | undefined;
  /** Those that began lately and that somebody is to be told about. */
  alerts: Alert[];
}

let live: Live = { version: 0, decided: 0, connected: false, lostSince: undefined, alerts: [] };
const listeners = new Set<() => void>();
let source: EventSource | undefined;

function set(change: Partial<Live>) {
  live = { ...live, ...change };
  for (const listener of listeners) listener();
}

function connect() {
  if (source || typeof EventSource === 'undefined') return;
  source = new EventSource(address('events'));
  source.onopen = () => set({ connected: true, lostSince: undefined });
  source.onerror = () => {
    set({ connected: false, lostSince: live.lostSince ?? Date.now() });
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(() => listeners.size > 0 && connect(), 3000);
    }
  };
  source.addEventListener('view', (event) => {
    const { version } = JSON.parse((event as MessageEvent<string>).data) as ViewEvent;
    set({ version, connected: true, lostSince: undefined });
  });
  source.addEventListener('alert', (event) => {
    const alert = JSON.parse((event as MessageEvent<string>).data) as Alert;
    const others = live.alerts.filter((a) => a.id !== alert.id);
    const told = alert.status === 'firing' && !alert.held;
    set({ alerts: told ? [alert, ...others].slice(0, 5) : others, decided: live.decided + 1 });
  });
}

export function dismissAlert(id: string) {
  set({ alerts: live.alerts.filter((a) => a.id !== id) });
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  connect();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    source?.close();
    source = undefined;
  };
}

export const useLive = (): Live => useSyncExternalStore(subscribe, () => live);
