// SPDX-License-Identifier: Apache-2.0
// Values as people read them.
import type { Party, Ref } from '../api/types';
import { clockIn, exactIn, zone } from './zone';

const whole = new Intl.NumberFormat('en');

export const count = (n: number) => whole.format(n);

/** 1.2k, 3.4M: three digits at most. */
export function short(n: number): string {
  const steps: [number, string][] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  for (const [size, sign] of steps) {
    if (n >= size)
      return `${(n / size).toFixed(n >= 100 * size ? 0 : 1).replace(/\.0$/, '')}${sign}`;
  }
  return String(n);
}

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = n;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value >= 100 ? 0 : 1)} ${units[unit]}`;
}

export const plural = (n: number, one: string, many = `${one}s`) =>
  `${count(n)} ${n === 1 ? one : many}`;

export function percent(share: number): string {
  const value = share * 100;
  if (value > 99.95 || value === 0) return `${Math.round(value)} %`;
  return `${Math.min(value, 99.9).toFixed(1)} %`;
}

/** 1,234; 1.2 million: as it is said in a sentence. */
export function spoken(n: number): string {
  const steps: [number, string][] = [
    [1e9, 'billion'],
    [1e6, 'million'],
  ];
  for (const [size, word] of steps) {
    if (n >= size) return `${(n / size).toFixed(1).replace(/\.0$/, '')} ${word}`;
  }
  return count(n);
}

/** 45 s, 12 min, 3 h 5 min, 6 d. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 2 * 86400) {
    const minutes = Math.round((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ''}`;
  }
  return `${Math.round(s / 86400)} d`;
}

export function ago(time: string | undefined, now: number): string {
  if (!time) return 'never';
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 5 ? 'just now' : `${duration(seconds)} ago`;
}

/** Date and time with its zone, in the zone that the reader chose. */
export const exact = (time: string) => exactIn(time, zone());

export const clock = (time: string) => clockIn(time, zone());

export const refText = (r: Ref) =>
  `${r.apiVersion.includes('calico') ? 'Calico ' : ''}${r.kind} ${r.namespace ? `${r.namespace}/` : ''}${r.name}`;

/** The id that the API gives a policy. */
export const policyId = (r: Ref) => [r.apiVersion, r.kind, r.namespace ?? '', r.name].join('/');

/** namespace/name of a workload, the name or address of the rest. */
export function partyText(p: Party): string {
  if (p.kind === 'workload') return `${p.namespace}/${p.name}`;
  return p.dns ?? p.name ?? p.ip ?? 'unknown';
}

/** The id of the party's node in the graph. */
export function partyId(p: Party): string {
  if (p.kind === 'workload') return `workload:${p.namespace}/${p.workloadKind}/${p.name}`;
  return p.kind === 'node' ? `node:${p.name}` : `outside:${p.dns ?? p.ip}`;
}

export const portText = (protocol: string, port: number, text?: string) =>
  text ?? (port ? `${protocol} ${port}` : protocol);
