// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { EdgeEvidence } from '../api/types';
import { duration, plural } from '../lib/format';
import { useTheme } from '../lib/theme';

type Series = EdgeEvidence['series'];

/** Windows to columns; a gap between windows becomes zeroes at its ends, not a bridge; the last
 *  window reaches to its end, so that one alone is drawn, too. */
export function columns(series: Series): [number[], number[], number[]] {
  const at: number[] = [];
  const all: number[] = [];
  const bad: number[] = [];
  let end = 0;
  for (const w of series) {
    const start = Date.parse(w.start) / 1000;
    const size = Date.parse(w.end) / 1000 - start;
    if (end > 0 && start - end > size) {
      at.push(end, start - size);
      all.push(0, 0);
      bad.push(0, 0);
    }
    at.push(start);
    all.push(w.counters.connections);
    bad.push(w.failed);
    end = start + size;
  }
  if (at.length > 0) {
    at.push(end);
    all.push(all[all.length - 1] ?? 0);
    bad.push(bad[bad.length - 1] ?? 0);
  }
  return [at, all, bad];
}

/** A colour of the style sheet as a canvas takes it: resolved for light or dark. */
function colour(name: string, at: HTMLElement): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  at.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function options(at: HTMLElement, failed: boolean): uPlot.Options {
  const width = at.clientWidth;
  const axis = {
    stroke: colour('--text-3', at),
    grid: { stroke: colour('--line', at), width: 1 },
    ticks: { show: false },
    font: '11px Inter Variable, sans-serif',
  };
  const step = uPlot.paths.stepped?.({ align: 1 });
  const paths = step ? { paths: step } : {};
  return {
    width,
    height: 132,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    scales: { y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      {
        ...axis,
        space: 76,
        size: 28,
        values: (_u, splits) => splits.map((s, i) => tick(s, splits[i - 1])),
      },
      {
        ...axis,
        size: 44,
        space: 28,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6],
      },
    ],
    series: [
      {},
      {
        label: 'connections',
        stroke: colour('--accent', at),
        fill: colour('--accent-soft', at),
        width: 1.5,
        points: { show: false },
        ...paths,
      },
      {
        label: 'failed',
        show: failed,
        stroke: colour('--state-denied', at),
        width: 2,
        dash: [2, 3],
        points: { show: false },
        ...paths,
      },
    ],
  };
}

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const second = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** A tick in local time: the day where it changed, else the time. */
function tick(at: number, before: number | undefined): string {
  const date = new Date(at * 1000);
  if (before !== undefined && day.format(date) !== day.format(before * 1000))
    return day.format(date);
  return (at % 60 === 0 ? minute : second).format(date);
}

/** What a bar counts: how long its window is, where most are as long. */
export function unitOf(series: Series): string {
  const lengths = series
    .map((w) => (Date.parse(w.end) - Date.parse(w.start)) / 1000)
    .sort((a, b) => a - b);
  const usual = lengths[Math.floor(lengths.length / 2)] ?? 0;
  return usual > 0 ? `connections per window of ${duration(usual)}` : 'connections per window';
}

/** Connections over time; the same numbers stand in its label for those who cannot see it. */
export function Chart({ series }: { series: Series }) {
  const box = useRef<HTMLDivElement>(null);
  const { dark } = useTheme();
  // biome-ignore lint/correctness/useExhaustiveDependencies: dark changes the colours that are read
  useEffect(() => {
    const element = box.current;
    if (!element || series.length === 0) return;
    const plot = new uPlot(
      options(
        element,
        series.some((w) => w.failed > 0),
      ),
      columns(series),
      element,
    );
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: element.clientWidth, height: 132 }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [series, dark]);
  const unit = unitOf(series);
  const total = series.reduce((sum, w) => sum + w.counters.connections, 0);
  if (series.length === 0) return <p className="quiet">No window of this edge is kept any more.</p>;
  return (
    <figure className="chart-figure">
      <figcaption className="quiet">{unit}</figcaption>
      <div
        ref={box}
        className="chart"
        role="img"
        data-testid="chart"
        aria-label={`${plural(total, 'connection')} in ${plural(series.length, 'window')}, as ${unit}`}
      />
    </figure>
  );
}
