// SPDX-License-Identifier: Apache-2.0
// History below the map: how much was seen when, and a slider with two ends
// that says what time the map shows. At the right end it is live.
import { useEffect, useMemo, useState } from 'react';
import { Button, Label, Slider, SliderThumb, SliderTrack } from 'react-aria-components';
import type { Graph, Status, Timeline } from '../../api/types';
import { useResource } from '../../api/useResource';
import { duration, plural } from '../../lib/format';
import { momentOf, rfc } from '../../lib/moment';
import { setParams, useLocation, useScope } from '../../lib/router';
import { clockIn, minuteIn, useZone } from '../../lib/zone';
import { Compare } from './Compare';

type Tick = Timeline['items'][number];

const at = (time: string) => Date.parse(time) / 1000;

function Bars({ ticks, range }: { ticks: Tick[]; range: [number, number] }) {
  const most = Math.max(1, ...ticks.map((t) => t.connections));
  const width = range[1] - range[0] || 1;
  const x = (time: string) => ((at(time) - range[0]) / width) * 1000;
  return (
    <svg className="bars" viewBox="0 0 1000 34" preserveAspectRatio="none" aria-hidden="true">
      {ticks.map((t) => {
        const w = Math.max(0.5, x(t.end) - x(t.start) - 0.8);
        const high = (t.connections / most) * 30;
        const bad = (t.failed / most) * 30;
        return (
          <g key={t.start}>
            <rect x={x(t.start)} y={33 - high} width={w} height={high} />
            {bad > 0 && <rect className="bad" x={x(t.start)} y={33 - bad} width={w} height={bad} />}
            {t.new > 0 && <rect className="fresh" x={x(t.start)} y={0} width={w} height={2.5} />}
          </g>
        );
      })}
    </svg>
  );
}

/** Earlier window and window looked at, as shades over the bars. */
function Shade({
  range,
  window,
  kind,
}: {
  range: [number, number];
  window: [number, number];
  kind: string;
}) {
  const share = (t: number) =>
    Math.min(100, Math.max(0, ((t - range[0]) / (range[1] - range[0] || 1)) * 100));
  const left = share(window[0]);
  return (
    <i
      className="shade"
      data-kind={kind}
      style={{ left: `${left}%`, width: `${share(window[1]) - left}%` }}
    />
  );
}

/** Up to which length, in s, times are told to the second. */
const brief = 1800;

function Range({ ticks, graph }: { ticks: Tick[]; graph: Graph }) {
  const { params } = useLocation();
  const z = useZone();
  const first = at(ticks[0]?.start ?? '');
  const last = at(ticks.at(-1)?.end ?? '');
  const range: [number, number] = [first, last];
  const step = Math.max(1, Math.round((at(ticks[0]?.end ?? '') - first) / 4));
  const from = momentOf(params.get('from'), last) ?? first;
  const to = momentOf(params.get('to'), last) ?? last;
  const within = (t: number) => Math.min(last, Math.max(first, t));
  const [value, setValue] = useState<[number, number]>([within(from), within(to)]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address and new history move the ends
  useEffect(() => setValue([within(from), within(to)]), [from, to, first, last]);
  const choose = ([a, b]: [number, number]) =>
    setParams({
      from: a <= first ? undefined : rfc(a),
      to: b >= last - step / 2 ? undefined : rfc(Math.max(b, a + step)),
    });
  // Of a short history minutes would all be the same.
  const text = (t: number) => (last - first < brief ? clockIn : minuteIn)(rfc(t), z);
  const before = graph.before?.window;
  return (
    <Slider
      className="range"
      minValue={first}
      maxValue={last}
      step={step}
      value={value}
      onChange={(v) => setValue(v as [number, number])}
      onChangeEnd={(v) => choose(v as [number, number])}
    >
      <Label className="hidden">Time looked at</Label>
      <SliderTrack className="range-track" data-testid="time-slider">
        <Bars ticks={ticks} range={range} />
        <Shade range={range} window={value} kind="now" />
        {before?.from && before.to && (
          <Shade range={range} window={[at(before.from), at(before.to)]} kind="before" />
        )}
        <SliderThumb className="thumb" index={0} aria-label={`From ${text(value[0])}`} />
        <SliderThumb className="thumb" index={1} aria-label={`To ${text(value[1])}`} />
      </SliderTrack>
      <div className="range-ends">
        <span>{text(first)}</span>
        <b data-testid="time-chosen">
          {text(value[0])} – {text(value[1])} ({duration(value[1] - value[0])})
        </b>
        <span>{text(last)}</span>
      </div>
    </Slider>
  );
}

export function TimeBar({ graph, status }: { graph: Graph; status: Status | undefined }) {
  const { cluster, namespace } = useScope();
  const timeline = useResource<Timeline>('timeline', { cluster, namespace });
  const { params } = useLocation();
  const ticks = useMemo(() => timeline.data?.items ?? [], [timeline.data]);
  const past = params.get('to') !== null;
  const fresh = ticks.reduce((n, t) => n + t.new, 0);
  if (ticks.length < 2) return null;
  return (
    <section className="timebar" aria-label="History" data-testid="timebar">
      <Button
        className="button small live"
        aria-pressed={!past}
        data-testid="go-live"
        onPress={() => setParams({ to: undefined })}
      >
        <i aria-hidden="true" />{' '}
        {status?.mode === 'files'
          ? past
            ? 'To the end'
            : 'At the end'
          : past
            ? 'Go live'
            : 'Live'}
      </Button>
      <Range ticks={ticks} graph={graph} />
      <Compare graph={graph} ticks={ticks} />
      <p className="hidden">
        {plural(ticks.length, 'bar')} of history, {plural(fresh, 'edge')} first seen in it.
      </p>
    </section>
  );
}
