// SPDX-License-Identifier: Apache-2.0
// Kinds and statuses of alerts as people read them.
import type { Alert, AlertKind, AlertStatus, Decision } from '../../api/types';

export const kinds: Record<AlertKind, { name: string; sign: string; tone: string }> = {
  'unseen-inside': { name: 'New inside the cluster', sign: '!', tone: 'unseen' },
  'unseen-outside': { name: 'New outside address', sign: '!', tone: 'unseen' },
  'unseen-name': { name: 'New outside name', sign: '!', tone: 'unseen' },
  'policy-gap': { name: 'Through a gap in a policy', sign: '◌', tone: 'partly' },
  'denied-burst': { name: 'Denied, many at once', sign: '✕', tone: 'denied' },
  'denied-slow': { name: 'Denied, again and again', sign: '✕', tone: 'denied' },
  'risky-destination': { name: 'Risky destination', sign: '▲', tone: 'unseen' },
  'api-server': { name: 'First use of the Kubernetes API', sign: '▲', tone: 'unseen' },
  'port-scan': { name: 'Port scan', sign: '▲', tone: 'denied' },
  'fan-out': { name: 'Tries many servers', sign: '▲', tone: 'denied' },
  'new-process': { name: 'New program', sign: '⚙', tone: 'partly' },
  shell: { name: 'Shell or download tool', sign: '▲', tone: 'denied' },
  'dns-volume': { name: 'Much over name resolution', sign: '▲', tone: 'partly' },
  'unknown-image': { name: 'Unknown image', sign: '?', tone: 'partly' },
  'capture-gap': { name: 'Not watched', sign: '∅', tone: 'unused' },
  'readiness-lost': { name: 'No longer ready', sign: '◔', tone: 'unused' },
};

/** Also of a kind that this page is too old to know. */
export const kindOf = (kind: AlertKind) => kinds[kind] ?? { name: kind, sign: '!', tone: 'partly' };

export const statuses: Record<AlertStatus, { name: string; sign: string }> = {
  firing: { name: 'Open', sign: '●' },
  silenced: { name: 'Silenced', sign: '◗' },
  rejected: { name: 'Rejected', sign: '✕' },
  accepted: { name: 'Accepted', sign: '✓' },
  resolved: { name: 'No longer seen', sign: '○' },
};

export const verdictWords: Record<Decision['verdict'], string> = {
  accepted: 'accepted',
  rejected: 'rejected',
  reopened: 'reopened',
  silenced: 'silenced',
};

/** Whether somebody can still decide on an alert about connections. */
export const open = (a: Alert) =>
  a.status === 'firing' || a.status === 'silenced' || a.status === 'resolved';
