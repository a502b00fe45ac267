// SPDX-License-Identifier: Apache-2.0
// What a recommendation is proved to keep, and what it ends.
import type { Recommendation } from '../api/types';
import { Link } from '../components/bits';
import { partyText, plural, portText } from '../lib/format';

type Proved = Recommendation['proof'];

/** An older recommender does not tell them. */
const heldOf = (proof: Proved): Proved['held'] => proof.held ?? [];

/** Says first what would be cut although it was seen. */
export function Cuts({ proof, offered }: { proof: Proved; offered: boolean }) {
  const held = heldOf(proof);
  if (held.length === 0) return null;
  return (
    <section className="callout cuts" data-state="unseen" data-testid="held">
      <p>
        <b className="cuts-title">
          {offered ? 'Cuts' : 'Would cut'} {plural(held.length, 'connection')} that{' '}
          {held.length === 1 ? 'is held as unseen and was' : 'are held as unseen and were'} not
          accepted:
        </b>
      </p>
      <ul>
        {held.map((h) => (
          <li key={h.edge}>
            {partyText(h.client)} → {partyText(h.server)}{' '}
            <code>{portText(h.protocol, h.port)}</code>, {plural(h.connections, 'connection')}{' '}
            <Link to="/map" change={{ edge: h.edge }}>
              Evidence on the map
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Closed({ proof }: { proof: Proved }) {
  const held = heldOf(proof).length;
  return (
    <details>
      <summary>
        What is no longer allowed{' '}
        <span className="quiet">
          {plural(proof.closedTotal, 'set')} of connections;{' '}
          {held > 0
            ? `${plural(held, 'connection')} held as unseen ${held === 1 ? 'is' : 'are'} among them`
            : 'none of them was used by traffic that was learnt'}
        </span>
      </summary>
      <table className="plain-table">
        <thead>
          <tr>
            <th>From</th>
            <th>To</th>
            <th>Ports</th>
          </tr>
        </thead>
        <tbody>
          {proof.closed.map((c) => (
            <tr key={`${c.from} ${c.to} ${c.protocol} ${c.ports}`}>
              <td>{c.from}</td>
              <td>{c.to}</td>
              <td>
                <code>
                  {c.protocol} {c.ports}
                </code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {proof.closedTotal > proof.closed.length && (
        <p className="quiet">and {proof.closedTotal - proof.closed.length} more</p>
      )}
    </details>
  );
}

export function Proof({ proof }: { proof: Proved }) {
  return (
    <section className="proof" data-holds={proof.holds} data-testid="proof">
      <h3>{proof.holds ? 'Proved, exactly' : 'The proof fails'}</h3>
      <ul>
        {proof.statements.map((s) => (
          <li key={s.name} data-holds={s.holds}>
            <b aria-hidden="true">{s.holds ? '✓' : '✕'}</b>
            <span>
              <span className="hidden">{s.holds ? 'holds: ' : 'fails: '}</span>
              {s.text}
            </span>
          </li>
        ))}
      </ul>
      {proof.closed.length > 0 && <Closed proof={proof} />}
    </section>
  );
}
