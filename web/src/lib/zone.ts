// SPDX-License-Identifier: Apache-2.0
// Times as the reader wants them: in the zone of this machine, or in UTC as
// logs have them.
import { useSyncExternalStore } from 'react';

export type Zone = 'local' | 'utc';
const key = 'netcinch.zone';
const listeners = new Set<() => void>();

export const zone = (): Zone => (localStorage.getItem(key) === 'utc' ? 'utc' : 'local');

export function setZone(to: Zone) {
  if (to === 'utc') localStorage.setItem(key, to);
  else localStorage.removeItem(key);
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};
export const useZone = (): Zone => useSyncExternalStore(subscribe, zone);

/** The zone's name for people: Europe/Berlin, UTC. */
export const zoneName = (z: Zone): string =>
  z === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone;

const named = (z: Zone) => (z === 'utc' ? { timeZone: 'UTC' } : {});

/** Date and time with the zone: 22 Nov 2026, 18:00:05 CET. */
export const exactIn = (time: string, z: Zone) =>
  new Date(time).toLocaleString('en-GB', {
    ...{ day: 'numeric', month: 'short', year: 'numeric' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
    ...named(z),
  });

/** Hours, minutes and seconds. */
export const clockIn = (time: string, z: Zone) =>
  new Date(time).toLocaleTimeString('en-GB', named(z));

/** Day and minute, for a narrow place: 22 Nov, 18:00. */
export const minuteIn = (time: string, z: Zone) =>
  new Date(time).toLocaleString('en-GB', {
    ...{ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
    ...named(z),
  });

const two = (n: number) => String(n).padStart(2, '0');

/** The value of a datetime-local field for a time. */
export function fieldOf(time: string, z: Zone): string {
  const t = new Date(time);
  if (Number.isNaN(t.getTime())) return '';
  if (z === 'utc') return t.toISOString().slice(0, 16);
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}T${two(t.getHours())}:${two(t.getMinutes())}`;
}

/** The time that a datetime-local field means, in RFC 3339; undefined for none. */
export function timeOf(field: string, z: Zone): string | undefined {
  const t = new Date(z === 'utc' ? `${field}Z` : field);
  return Number.isNaN(t.getTime()) ? undefined : `${t.toISOString().slice(0, 19)}Z`;
}
