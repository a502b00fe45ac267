// SPDX-License-Identifier: Apache-2.0
// Which time is looked at: one of the usual windows, or any from and to.
import { useState } from 'react';
import { Button, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import type { Status } from '../api/types';
import { setParams, useLocation } from '../lib/router';
import { fieldOf, minuteIn, timeOf, useZone, type Zone, zoneName } from '../lib/zone';

const usual = [
  { id: '', name: 'All that is kept' },
  { id: '-5m', name: 'Last 5 minutes' },
  { id: '-1h', name: 'Last hour' },
  { id: '-24h', name: 'Last 24 hours' },
  { id: '-7d', name: 'Last 7 days' },
  { id: '-14d', name: 'Last 14 days' },
  { id: '-30d', name: 'Last 30 days' },
];

const relative = (text: string) => text.startsWith('-');
const end = (text: string, z: Zone) =>
  relative(text) ? `${text.slice(1)} ago` : minuteIn(text, z);

/** What is looked at, in a few words. */
export function windowName(from: string, to: string, z: Zone): string {
  if (!to) {
    const known = usual.find((w) => w.id === from);
    if (known) return known.name;
    return relative(from) ? `Last ${from.slice(1)}` : `Since ${minuteIn(from, z)}`;
  }
  return from ? `${end(from, z)} – ${end(to, z)}` : `Until ${end(to, z)}`;
}

function Custom({
  from,
  to,
  status,
  done,
}: {
  from: string;
  to: string;
  status: Status | undefined;
  done: () => void;
}) {
  const z = useZone();
  const [start, setStart] = useState(fieldOf(from, z));
  const [finish, setFinish] = useState(fieldOf(to, z));
  const chosen = { from: timeOf(start, z), to: timeOf(finish, z) };
  const backwards = chosen.from && chosen.to && chosen.from >= chosen.to;
  const apply = (event: React.FormEvent) => {
    event.preventDefault();
    if (backwards || (!chosen.from && !chosen.to)) return;
    setParams(chosen);
    done();
  };
  return (
    <form onSubmit={apply} className="time-custom">
      <label>
        From
        <input
          type="datetime-local"
          value={start}
          onChange={(e) => setStart(e.target.value)}
          data-testid="time-from"
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          value={finish}
          onChange={(e) => setFinish(e.target.value)}
          data-testid="time-to"
        />
      </label>
      {backwards && (
        <p className="bad" role="alert">
          It ends before it begins.
        </p>
      )}
      <p className="quiet">
        Times are in {zoneName(z)}.
        {status?.kept?.from && ` Kept since ${minuteIn(status.kept.from, z)}.`}
      </p>
      <Button
        type="submit"
        className="button small primary"
        isDisabled={Boolean(backwards) || (!chosen.from && !chosen.to)}
      >
        Look at this time
      </Button>
    </form>
  );
}

export function TimePicker({ status }: { status: Status | undefined }) {
  const { params } = useLocation();
  const z = useZone();
  const from = params.get('from') ?? '';
  const to = params.get('to') ?? '';
  return (
    <DialogTrigger>
      <Button className="button small" aria-label={`Time looked at: ${windowName(from, to, z)}`}>
        <span className="time-name">{windowName(from, to, z)}</span>{' '}
        <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <Dialog className="time" aria-label="Time looked at">
          {({ close }) => (
            <>
              <div className="time-usual">
                {usual.map((w) => (
                  <Button
                    key={w.id}
                    className="option"
                    aria-pressed={!to && from === w.id}
                    onPress={() => {
                      setParams({ from: w.id || undefined, to: undefined });
                      close();
                    }}
                  >
                    {w.name}
                  </Button>
                ))}
              </div>
              <Custom from={from} to={to} status={status} done={close} />
            </>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
