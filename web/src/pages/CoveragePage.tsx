// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from 'react';
import type { Coverage, Losses, Status } from '../api/types';
import { useResource } from '../api/useResource';
import { Age, PageHead } from '../components/bits';
import { More, useShown } from '../components/More';
import { NextSteps } from '../components/NextSteps';
import { Empty, Loaded } from '../components/State';
import { count, duration, percent, plural } from '../lib/format';
import { useScope } from '../lib/router';

const lossWords: Record<keyof Losses, string> = {
  mapFull: 'packets of flows that found no room in the kernel map',
  ringFull: 'events that found no room',
  unattributed: 'edges whose local end is no known pod',
  unparsed: 'packets whose headers could not be read',
  detached: 'interfaces that could not be watched',
  spoolOverflow: 'batches thrown away because the spool was full',
  refused: 'edges that the recommender would not take',
};

const lossKeys = Object.keys(lossWords) as (keyof Losses)[];
const lost = (l: Losses) => lossKeys.reduce((sum, k) => sum + l[k], 0);

function Tile({
  name,
  value,
  children,
  tone,
}: {
  name: string;
  value: ReactNode;
  children?: ReactNode;
  tone?: string;
}) {
  return (
    <div className="tile" data-tone={tone}>
      <div className="tile-name">{name}</div>
      <div className="tile-value">{value}</div>
      <div className="tile-detail">{children}</div>
    </div>
  );
}

function Behind({ data, now }: { data: Coverage; now: string | undefined }) {
  const lags = data.nodes.map((n) => lagOf(n, now)).filter((l) => l !== undefined);
  if (lags.length === 0) return null;
  const most = Math.max(...lags);
  return (
    <Tile name="Behind by" value={duration(most)} tone={most > late ? 'warn' : 'good'}>
      {lags.length > 1 ? 'at the slowest node' : 'since its last batch'}
    </Tile>
  );
}

function Tiles({ data, status }: { data: Coverage; status: Status | undefined }) {
  const agents = data.nodes.filter((n) => n.agent).length;
  const total = lost(data.losses);
  const learning = status?.learning;
  return (
    <div className="tiles">
      {data.nodes.length > 0 && (
        <>
          <Tile
            name="Watched"
            value={percent(data.share)}
            tone={data.share < 0.95 ? 'warn' : 'good'}
          >
            of pods, nodes and time
          </Tile>
          <Tile
            name="Agents"
            value={`${agents} of ${data.nodes.length}`}
            tone={agents < data.nodes.length ? 'warn' : 'good'}
          >
            {agents === 1 && data.nodes.length === 1 ? 'the one node reports' : 'nodes report'}
          </Tile>
          <Behind data={data} now={status?.now} />
          <Tile name="Lost" value={count(total)} tone={total > 0 ? 'warn' : 'good'}>
            {total > 0 ? 'counted below, by cause' : 'nothing was dropped on the way'}
          </Tile>
        </>
      )}
      {learning && (
        <Tile name="Learning" value={learning.active ? 'on' : 'over'}>
          {learning.until ? (
            <>
              {learning.active ? 'until ' : 'ended '}
              <Age time={learning.until} />, {duration(learning.seconds)} a workload
            </>
          ) : (
            `${duration(learning.seconds)} for each workload`
          )}
        </Tile>
      )}
    </div>
  );
}

type Node = Coverage['nodes'][number];

/** How far what is known of a node is behind, in seconds. */
const lagOf = (n: Node, now: string | undefined) =>
  n.lastSeen && now ? (Date.parse(now) - Date.parse(n.lastSeen)) / 1000 : undefined;

/** Two minutes without a batch: an agent sends one every few seconds. */
const late = 120;

/** The share of the time looked at in which a node was watched. */
function covered(n: Node, { meta }: Coverage): number | undefined {
  const { from, to } = meta.window;
  if (!from || !to) return undefined;
  const whole = (Date.parse(to) - Date.parse(from)) / 1000;
  return whole > 0 ? Math.min(1, n.coveredSeconds / whole) : undefined;
}

function Lag({ node, now }: { node: Node; now: string | undefined }) {
  const lag = lagOf(node, now);
  if (lag === undefined) return <>never</>;
  return (
    <span
      className={lag > late ? 'chip' : undefined}
      data-ready={lag > late ? 'learning' : undefined}
    >
      {lag > late && <b aria-hidden="true">▲</b>} {duration(lag)}
    </span>
  );
}

function Lost({ losses }: { losses: Losses }) {
  const total = lost(losses);
  if (total === 0) return <>0</>;
  return (
    <details>
      <summary>{count(total)}</summary>
      <ul className="note">
        {lossKeys
          .filter((k) => losses[k] > 0)
          .map((k) => (
            <li key={k}>
              {count(losses[k])} {lossWords[k]}
            </li>
          ))}
      </ul>
    </details>
  );
}

/** Silent ones first, then those that lost something. */
const worstFirst = (a: Node, b: Node) =>
  Number(a.agent) - Number(b.agent) ||
  Number(lost(b.losses) > 0) - Number(lost(a.losses) > 0) ||
  a.node.localeCompare(b.node);

function Row({ node: n, data, now }: { node: Node; data: Coverage; now: string | undefined }) {
  const share = covered(n, data);
  return (
    <tr>
      <td>
        <b>{n.node}</b>
      </td>
      <td>
        {n.agent ? (
          <span className="chip" data-ready="ready">
            <b aria-hidden="true">●</b> Reports
          </span>
        ) : (
          <span className="chip" data-ready="silent">
            <b aria-hidden="true">○</b> Silent
          </span>
        )}
      </td>
      <td className="number">{n.agent ? `${n.podsWatched} of ${n.podsKnown}` : '–'}</td>
      <td className="number">{n.agent && share !== undefined ? percent(share) : '–'}</td>
      <td className="number">{count(n.batches)}</td>
      <td>
        {n.attachMode ? <code>{n.attachMode}</code> : '–'}
        {n.missing.length > 0 && <span className="note"> without {n.missing.join(', ')}</span>}
      </td>
      <td className="number">
        <Lost losses={n.losses} />
      </td>
      <td>
        <Lag node={n} now={now} />
      </td>
    </tr>
  );
}

function Nodes({ data, now }: { data: Coverage; now: string | undefined }) {
  const { shown, more } = useShown('nodes', 50);
  const nodes = data.nodes.toSorted(worstFirst);
  return (
    <section className="card">
      <h2>Nodes</h2>
      <div className="scroll">
        <table className="plain-table" data-testid="nodes">
          <thead>
            <tr>
              <th>Node</th>
              <th>Agent</th>
              <th className="number">Pods watched</th>
              <th className="number">Of the time</th>
              <th className="number">Batches</th>
              <th>Attached</th>
              <th className="number">Lost</th>
              <th title="How far what is known is behind">Behind by</th>
            </tr>
          </thead>
          <tbody>
            {nodes.slice(0, shown).map((n) => (
              <Row key={n.node} node={n} data={data} now={now} />
            ))}
          </tbody>
        </table>
      </div>
      <More shown={Math.min(shown, nodes.length)} total={nodes.length} more={more} what="nodes" />
    </section>
  );
}

function Lists({ data, status }: { data: Coverage; status: Status | undefined }) {
  const losses = lossKeys.filter((k) => data.losses[k] > 0);
  return (
    <div className="two">
      <section className="card">
        <h2>What the advice cannot know</h2>
        <ul className="evidence">
          {data.limits.map((text) => (
            <li key={text}>{text}</li>
          ))}
          {losses.map((k) => (
            <li key={k}>
              {count(data.losses[k])} {lossWords[k]}
            </li>
          ))}
        </ul>
      </section>
      <section className="card">
        <h2>What was read</h2>
        <ul className="evidence">
          {status?.sources.map((text) => (
            <li key={text}>
              <code>{text}</code>
            </li>
          ))}
          {status && (
            <li>
              {plural(status.totals.namespaces, 'namespace')},{' '}
              {plural(status.totals.workloads, 'workload')}, {plural(status.totals.pods, 'pod')},{' '}
              {plural(status.totals.policies, 'policy', 'policies')}
            </li>
          )}
        </ul>
        {data.problems.length > 0 && (
          <>
            <h3>Left out, because it is not understood</h3>
            <ul className="problems" data-testid="problems">
              {data.problems.map((p) => (
                <li key={`${p.file}:${p.line} ${p.message}`}>
                  {p.file && <code>{p.line ? `${p.file}:${p.line}` : p.file}</code>}{' '}
                  {p.object && <b>{p.object}</b>} {p.field && <code>{p.field}</code>} {p.message}
                </li>
              ))}
            </ul>
          </>
        )}
      </section>
    </div>
  );
}

export function CoveragePage({ status }: { status: Status | undefined }) {
  const { cluster, from, to } = useScope();
  const coverage = useResource<Coverage>('coverage', { cluster, from, to });
  return (
    <Loaded from={coverage} what="coverage">
      {(data) => (
        <div className="page">
          <PageHead title="Coverage">
            What was watched, what was lost, and so how far everything else can be trusted.
          </PageHead>
          <Tiles data={data} status={status} />
          {data.nodes.length > 0 ? (
            <Nodes data={data} now={status?.now} />
          ) : (
            <Empty
              title={status?.mode === 'files' ? 'Read from a flow file' : 'No agent reports yet'}
            >
              <p>
                {status?.mode === 'files'
                  ? 'Its author knows what was watched; the file does not say.'
                  : 'Start an agent on each node; it appears here with its first batch.'}
              </p>
              {status?.mode !== 'files' && <NextSteps status={status} />}
            </Empty>
          )}
          <Lists data={data} status={status} />
        </div>
      )}
    </Loaded>
  );
}
