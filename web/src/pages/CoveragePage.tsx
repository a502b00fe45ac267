// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from 'react';
import type { Coverage, Losses, Status } from '../api/types';
import { useResource } from '../api/useResource';
import { Age, PageHead } from '../components/bits';
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

function Nodes({ data }: { data: Coverage }) {
  return (
    <section className="card">
      <h2>Nodes</h2>
      <table className="plain-table" data-testid="nodes">
        <thead>
          <tr>
            <th>Node</th>
            <th>Agent</th>
            <th className="number">Pods watched</th>
            <th className="number">Batches</th>
            <th>Attached</th>
            <th className="number">Lost</th>
            <th>Last batch</th>
          </tr>
        </thead>
        <tbody>
          {data.nodes.map((n) => (
            <tr key={n.node}>
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
              <td className="number">{count(n.batches)}</td>
              <td>
                {n.attachMode ? <code>{n.attachMode}</code> : '–'}
                {n.missing.length > 0 && (
                  <span className="note"> without {n.missing.join(', ')}</span>
                )}
              </td>
              <td className="number">{count(lost(n.losses))}</td>
              <td>{n.lastSeen ? <Age time={n.lastSeen} /> : 'never'}</td>
            </tr>
          ))}
        </tbody>
      </table>
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
  const scope = useScope();
  const coverage = useResource<Coverage>('coverage', { from: scope.from, to: scope.to });
  return (
    <Loaded from={coverage} what="coverage">
      {(data) => (
        <div className="page">
          <PageHead title="Coverage">
            What was watched, what was lost, and so how far everything else can be trusted.
          </PageHead>
          <Tiles data={data} status={status} />
          {data.nodes.length > 0 ? (
            <Nodes data={data} />
          ) : (
            <Empty
              title={status?.mode === 'files' ? 'Read from a flow file' : 'No agent reports yet'}
            >
              <p>
                {status?.mode === 'files'
                  ? 'Its author knows what was watched; the file does not say.'
                  : 'Start an agent on each node; it appears here with its first batch.'}
              </p>
            </Empty>
          )}
          <Lists data={data} status={status} />
        </div>
      )}
    </Loaded>
  );
}
