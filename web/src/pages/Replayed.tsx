// SPDX-License-Identifier: Apache-2.0
// One sentence: what the past says of a policy.
import type { Params } from '../api/client';
import type { Recommendation, Replay } from '../api/types';
import { useReplay } from '../api/useReplay';
import { Link } from '../components/bits';
import { duration, plural, spoken } from '../lib/format';

/** How long the time is that a replay held the policies against. */
export function replayedSpan({ meta }: Replay): string {
  const { from, to } = meta.window;
  return from && to ? duration((Date.parse(to) - Date.parse(from)) / 1000) : 'the time kept';
}

/** would have denied 0 of 1.2 million connections in 14 d */
export function replayWords(r: Replay): string {
  if (r.connections === 0) return 'met no connection: nothing was recorded in this time';
  return `would have denied ${spoken(r.deniedConnections)} of ${spoken(r.connections)} ${r.connections === 1 ? 'connection' : 'connections'} in ${replayedSpan(r)}`;
}

export function Replayed({ item, params }: { item: Recommendation; params: Params }) {
  const { cluster, from, to } = params;
  const replay = useReplay(
    item.after && !item.trial ? { policies: item.after, exact: false } : undefined,
    { cluster, from, to },
  );
  const { data, error, busy } = replay;
  if (item.trial) {
    return (
      <p className="replayed" data-tone="wait" data-testid="replayed">
        <b aria-hidden="true">◐</b>
        <span>A trial: it enforces nothing, and Calico tells what it would have denied.</span>
      </p>
    );
  }
  const held = item.proof.held?.length ?? 0;
  const tone =
    !data || data.connections === 0 ? 'wait' : data.deniedConnections > 0 ? 'bad' : 'good';
  return (
    <p className="replayed" data-tone={tone} data-testid="replayed" aria-live="polite">
      <b aria-hidden="true">{tone === 'good' ? '✓' : tone === 'bad' ? '✕' : '↻'}</b>
      {busy && <span>Replaying it on what was seen…</span>}
      {error && <span>It could not be replayed: {error.message}</span>}
      {data && (
        <span>
          Replayed on history, it <strong>{replayWords(data)}</strong>
          {data.deniedConnections > 0 &&
            held > 0 &&
            `; ${plural(held, 'connection')} held as unseen, named below`}
          .{' '}
          <Link to="/what-if" change={{ recommendation: item.id, format: params.format as string }}>
            Who and what, in What if
          </Link>
        </span>
      )}
    </p>
  );
}
