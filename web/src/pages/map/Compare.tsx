// SPDX-License-Identifier: Apache-2.0
// The earlier window that the map is held against: the time before, a day or a
// week earlier, or any.
import { useState } from 'react';
import { Button, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import type { Graph, Timeline } from '../../api/types';
import { count } from '../../lib/format';
import { momentOf, rfc } from '../../lib/moment';
import { setParams, useLocation } from '../../lib/router';
import { fieldOf, minuteIn, timeOf, useZone, zoneName } from '../../lib/zone';

const day = 86400;

/** The windows that are offered, as from and to in s of the epoch. */
export function earlier(
  from: number,
  to: number,
): { id: string; name: string; window: [number, number] }[] {
  const length = to - from;
  return [
    { id: 'before', name: 'the time just before', window: [from - length, from] },
    { id: 'day', name: 'the same time a day earlier', window: [from - day, to - day] },
    { id: 'week', name: 'the same time a week earlier', window: [from - 7 * day, to - 7 * day] },
  ];
}

export const stop = () =>
  setParams({ beforeFrom: undefined, beforeTo: undefined, hide: undefined });
const hold = (from: string, to: string) =>
  setParams({ beforeFrom: from, beforeTo: to, hide: undefined, line: undefined });

function Any({ done }: { done: () => void }) {
  const { params } = useLocation();
  const z = useZone();
  const [from, setFrom] = useState(fieldOf(params.get('beforeFrom') ?? '', z));
  const [to, setTo] = useState(fieldOf(params.get('beforeTo') ?? '', z));
  const [start, end] = [timeOf(from, z), timeOf(to, z)];
  const good = start !== undefined && end !== undefined && start < end;
  return (
    <form
      className="time-custom"
      onSubmit={(event) => {
        event.preventDefault();
        if (!good) return;
        hold(start, end);
        done();
      }}
    >
      <label>
        From
        <input
          type="datetime-local"
          value={from}
          onChange={(e) => setFrom(e.target.value)}
          data-testid="before-from"
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          value={to}
          onChange={(e) => setTo(e.target.value)}
          data-testid="before-to"
        />
      </label>
      <p className="quiet">Times are in {zoneName(z)}.</p>
      <Button type="submit" className="button small primary" isDisabled={!good}>
        Compare with this time
      </Button>
    </form>
  );
}

/** What is looked at, in s of the epoch: all that is kept becomes its later half. */
function lookedAt(params: URLSearchParams, ticks: Timeline['items']) {
  const first = Date.parse(ticks[0]?.start ?? '') / 1000;
  const last = Date.parse(ticks.at(-1)?.end ?? '') / 1000;
  const to = momentOf(params.get('to'), last) ?? last;
  const from = momentOf(params.get('from'), last);
  return {
    first,
    from: from ?? Math.round(first + (to - first) / 2),
    to,
    whole: from === undefined,
  };
}

export function Compare({ graph, ticks }: { graph: Graph; ticks: Timeline['items'] }) {
  const { params } = useLocation();
  const z = useZone();
  const { first, from, to, whole } = lookedAt(params, ticks);
  const before = graph.before;
  if (before) {
    const { window, counts } = before;
    return (
      <div className="compare" data-testid="comparing">
        <p>
          Compared with{' '}
          <b>
            {window.from ? minuteIn(window.from, z) : '…'} –{' '}
            {window.to ? minuteIn(window.to, z) : '…'}
          </b>
          <span className="quiet" data-testid="compare-counts">
            {' '}
            {count(counts.new)} new, {count(counts.gone)} gone, {count(counts.changed)} changed
          </span>
        </p>
        <Button className="button small" onPress={stop}>
          Stop comparing
        </Button>
      </div>
    );
  }
  return (
    <DialogTrigger>
      <Button className="button small" data-testid="compare">
        Compare…
      </Button>
      <Popover className="popover">
        <Dialog className="time" aria-label="Compare with an earlier time">
          {({ close }) => (
            <>
              <div className="time-usual">
                <p className="quiet">
                  {whole ? 'The later half of what is kept' : 'What the map shows'}, with
                </p>
                {earlier(from, to).map((w) => (
                  <Button
                    key={w.id}
                    className="option"
                    isDisabled={w.window[1] <= first}
                    data-testid={`compare-${w.id}`}
                    onPress={() => {
                      if (whole) setParams({ from: rfc(from) });
                      hold(rfc(w.window[0]), rfc(w.window[1]));
                      close();
                    }}
                  >
                    {w.name}
                    {w.window[1] <= first && ' (nothing is kept of it)'}
                  </Button>
                ))}
              </div>
              <Any done={close} />
            </>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
