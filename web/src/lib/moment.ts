// SPDX-License-Identifier: Apache-2.0
// Moments as the address and the API write them.

/** A moment, in s of the epoch, as RFC 3339. */
export const rfc = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** The moment that a parameter means, in s of the epoch: RFC 3339, or -24h back from now. */
export function momentOf(text: string | null | undefined, now: number): number | undefined {
  if (!text) return undefined;
  const back = /^-(\d+)([smhd])$/.exec(text);
  if (back) return now - Number(back[1]) * (units[back[2] ?? ''] ?? 1);
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time / 1000;
}
