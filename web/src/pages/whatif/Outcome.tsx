// SPDX-License-Identifier: Apache-2.0
// What a replay found: in one sentence, as a picture, and one by one.
import type { Replay, Replayed } from '../../api/types';
import { Age, Link } from '../../components/bits';
import { More, useShown } from '../../components/More';
import { count, partyText, plural, portText, refText, spoken } from '../../lib/format';
import { replayedSpan } from '../Replayed';
import { Picture } from './Picture';

function Sentence({ replay }: { replay: Replay }) {
  const { connections, deniedConnections, allowedConnections } = replay;
  const quiet = deniedConnections === 0 && allowedConnections === 0;
  const tone = connections === 0 ? 'wait' : deniedConnections > 0 ? 'bad' : 'good';
  const sign = { wait: '?', bad: '✕', good: '✓' }[tone];
  return (
    <section
      className="card verdict"
      data-tone={tone}
      data-testid="replay-verdict"
      aria-live="polite"
    >
      <b className="verdict-sign" aria-hidden="true">
        {sign}
      </b>
      <div>
        <h2>
          {connections === 0
            ? 'Nothing was recorded in this time, so nothing can be said'
            : `Would have denied ${spoken(deniedConnections)} of ${spoken(connections)} connections in ${replayedSpan(replay)}`}
        </h2>
        <p>
          {allowedConnections > 0 && (
            <>
              {plural(allowedConnections, 'connection')} that{' '}
              {allowedConnections === 1 ? 'was' : 'were'} denied would pass.{' '}
            </>
          )}
          {quiet && connections > 0 && 'Nothing that was seen would have met another answer. '}
          {plural(replay.edges, 'kind')} of connection {replay.edges === 1 ? 'was' : 'were'} held
          against the policies, both ends each.
        </p>
        <ul className="effects">
          {replay.policies.map((p) => (
            <li key={`${p.effect} ${refText(p.ref)}`} className="chip" data-effect={p.effect}>
              <b aria-hidden="true">{{ adds: '+', replaces: '⇄', removes: '−' }[p.effect]}</b>{' '}
              {p.effect} {refText(p.ref)}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function Problems({ replay }: { replay: Replay }) {
  const { problems, notes } = replay;
  if (problems.length + notes.length === 0) return null;
  return (
    <section className="card" data-testid="replay-problems">
      {problems.length > 0 && (
        <>
          <h3>Left out, because it is not understood</h3>
          <ul className="problems">
            {problems.map((p) => (
              <li key={`${p.line} ${p.field} ${p.message}`}>
                {p.line ? <code>line {p.line}</code> : null} {p.object && <b>{p.object}</b>}{' '}
                {p.field && <code>{p.field}</code>} {p.message}
              </li>
            ))}
          </ul>
        </>
      )}
      {notes.length > 0 && (
        <>
          <h3>What could not be judged</h3>
          <ul className="evidence">
            {notes.map((n) => (
              <li key={n}>{n}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Hit({ replay }: { replay: Replay }) {
  const hit = replay.hit ?? [];
  const { shown, more } = useShown('hit', 10);
  if (hit.length === 0) return null;
  return (
    <section className="card" data-testid="replay-hit">
      <h3>Who is hit</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th>Who asks</th>
            <th className="number">Connections cut</th>
            <th className="number">Kinds</th>
          </tr>
        </thead>
        <tbody>
          {hit.slice(0, shown).map((h) => (
            <tr key={h.who}>
              <td>
                <b>{h.who}</b>
              </td>
              <td className="number">{count(h.connections)}</td>
              <td className="number">{count(h.edges)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <More shown={shown} total={hit.length} more={more} what="clients" />
    </section>
  );
}

/** Why an edge would be answered so: the reason of the side that decides. */
function why(e: Replayed): string {
  const { egress, ingress } = e.after;
  const side = egress.allowed ? ingress : egress;
  return side.why.map((s) => s.text).join('; ');
}

function Edges({ title, items, testId }: { title: string; items: Replayed[]; testId: string }) {
  const { shown, more } = useShown(title, 20);
  if (items.length === 0) return null;
  return (
    <section className="card" data-testid={testId}>
      <h3>
        {title} <span className="quiet">{count(items.length)}</span>
      </h3>
      <div className="scroll">
        <table className="plain-table">
          <thead>
            <tr>
              <th>From</th>
              <th>To</th>
              <th>Port</th>
              <th className="number">Connections</th>
              <th>Last seen</th>
              <th>Why</th>
              <th>
                <span className="hidden">Evidence</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {items.slice(0, shown).map((e) => (
              <tr key={e.edge}>
                <td>
                  {partyText(e.client)}
                  {e.processes.length > 0 && <span className="note"> {e.processes[0]}</span>}
                </td>
                <td>{partyText(e.server)}</td>
                <td>
                  <code>{portText(e.protocol, e.port)}</code>
                </td>
                <td className="number">{count(e.connections)}</td>
                <td>
                  <Age time={e.lastSeen} />
                </td>
                <td className="quiet">{why(e)}</td>
                <td>
                  <Link to="/map" change={{ edge: e.edge }}>
                    On the map
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More shown={shown} total={items.length} more={more} what="connections" />
    </section>
  );
}

type Change = NonNullable<Replay['exact']>['added'][number];

function Sets({ title, items, total }: { title: string; items: Change[]; total: number }) {
  const { shown, more } = useShown(title, 12);
  return (
    <div>
      <h4>
        {title} <span className="quiet">{count(total)}</span>
      </h4>
      {total === 0 && <p className="quiet">Nothing.</p>}
      <ul className="sets">
        {items.slice(0, shown).map((c) => (
          <li key={`${c.from} ${c.to} ${c.ports}`}>
            {c.from} → {c.to} <code>{c.ports}</code>
          </li>
        ))}
      </ul>
      <More shown={Math.min(shown, items.length)} total={items.length} more={more} what="sets" />
      {total > items.length && shown >= items.length && (
        <p className="quiet">
          and {count(total - items.length)} more; netcinch diff lists them all
        </p>
      )}
    </div>
  );
}

function Exact({ exact }: { exact: NonNullable<Replay['exact']> }) {
  return (
    <section className="card" data-testid="replay-exact">
      <h3>Beyond what was seen</h3>
      <p className="quiet">
        What the policies allow, compared exactly for every pod, port and address, used or not.
      </p>
      <div className="two">
        <Sets title="Allowed, and was not" items={exact.added} total={exact.addedTotal} />
        <Sets title="No longer allowed" items={exact.removed} total={exact.removedTotal} />
      </div>
    </section>
  );
}

export function Outcome({ replay }: { replay: Replay }) {
  return (
    <>
      <Sentence replay={replay} />
      <Problems replay={replay} />
      <Picture replay={replay} />
      <Hit replay={replay} />
      <Edges title="Would be denied" items={replay.denied} testId="replay-denied" />
      <Edges title="Would newly pass" items={replay.allowed} testId="replay-allowed" />
      {replay.exact && <Exact exact={replay.exact} />}
    </>
  );
}
