// SPDX-License-Identifier: Apache-2.0
// One alert: why it matters, what it is about, what can be done, who decided.
import type { Alert, AlertAnswer, Decision } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link } from '../../components/bits';
import { Loaded } from '../../components/State';
import { count, exact, partyText, policyId, portText, refText } from '../../lib/format';
import { useScope } from '../../lib/router';
import { Decide, Edit } from './Decide';
import { kindOf, open, statuses, verdictWords } from './words';

function Actions({ alert, done }: { alert: Alert; done: () => void }) {
  const { cluster } = useScope();
  const edges = alert.edges.length > 0;
  const about = { alert, cluster, done };
  return (
    <div className="actions">
      {open(alert) ? (
        <>
          {edges && <Decide {...about} verdict="accept" />}
          {edges && <Decide {...about} verdict="reject" />}
          {alert.status === 'firing' && <Decide {...about} verdict="silence" />}
        </>
      ) : (
        <Decide {...about} verdict="reopen" />
      )}
    </div>
  );
}

function Edges({ alert }: { alert: Alert }) {
  if (alert.edges.length === 0) return null;
  return (
    <section className="card">
      <h3>
        Connections <span className="quiet">{count(alert.edgeCount)}</span>
      </h3>
      <div className="scroll">
        <table className="plain-table" data-testid="alert-edges">
          <thead>
            <tr>
              <th>From</th>
              <th>To</th>
              <th>Port</th>
              <th className="number">Connections</th>
              <th>Last seen</th>
              <th>Evidence</th>
            </tr>
          </thead>
          <tbody>
            {alert.edges.map((e) => (
              <tr key={e.id}>
                <td>
                  {partyText(e.client)}
                  {e.processes.length > 0 && (
                    <span className="note"> {e.processes.join(', ')}</span>
                  )}
                </td>
                <td>{partyText(e.server)}</td>
                <td>
                  <code>{portText(e.protocol, e.port)}</code>
                </td>
                <td className="number">{count(e.connections)}</td>
                <td>
                  <Age time={e.lastSeen} />
                </td>
                <td>
                  <Link to="/map" change={{ edge: e.id }}>
                    On the map
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {alert.edgeCount > alert.edges.length && (
        <p className="quiet">and {count(alert.edgeCount - alert.edges.length)} more kinds of it</p>
      )}
    </section>
  );
}

function Through({ alert }: { alert: Alert }) {
  if (alert.denied || (alert.allowances.length === 0 && !alert.open)) return null;
  return (
    <section className="card">
      <h3>What let it through</h3>
      {alert.open && <p>No policy isolates either end: everything may pass.</p>}
      <ul className="evidence">
        {alert.allowances.map((a) => (
          <li key={`${refText(a.policy)} ${a.text}`}>
            <Link to="/policies" change={{ policy: policyId(a.policy) }}>
              {refText(a.policy)}
            </Link>{' '}
            {a.text}
            {a.file && (
              <>
                {' '}
                <code>
                  {a.file}
                  {a.line ? `:${a.line}` : ''}
                </code>
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Entry({ entry, name }: { entry: Decision; name?: string | undefined }) {
  return (
    <li className="trail-entry" data-verdict={entry.verdict}>
      <p>
        <b>{entry.by}</b> {verdictWords[entry.verdict] ?? entry.verdict} {name ?? 'it'}{' '}
        <Age time={entry.at} />
        {entry.until && <span className="quiet">, until {exact(entry.until)}</span>}
      </p>
      <p className="trail-reason">{entry.reason}</p>
    </li>
  );
}

function Body({ answer, done }: { answer: AlertAnswer; done: () => void }) {
  const { alert, info, trail } = answer;
  const kind = kindOf(alert.kind);
  return (
    <article className="detail" data-testid="alert" data-status={alert.status}>
      <header className="detail-head">
        <div>
          <h2>{alert.title}</h2>
          <div className="finding-meta">
            <span className="chip" data-severity={alert.severity}>
              {alert.severity}
            </span>
            <span className="chip" data-status={alert.status}>
              <b aria-hidden="true">{statuses[alert.status].sign}</b> {statuses[alert.status].name}
            </span>
            <span>{kind.name}</span>
            <span>
              first seen <Age time={alert.firstSeen} />, last <Age time={alert.lastSeen} />
            </span>
            {alert.returns > 0 && <span>came again {count(alert.returns)} ×</span>}
          </div>
        </div>
        <Actions alert={alert} done={done} />
      </header>
      {alert.decision && (
        <p className="callout" data-testid="decision">
          <b>
            {statuses[alert.status].name} by {alert.decision.by}
          </b>{' '}
          <Age time={alert.decision.at} />
          {alert.decision.until && <>, until {exact(alert.decision.until)}</>}:{' '}
          {alert.decision.reason}
        </p>
      )}
      {alert.held && (
        <p className="callout" data-state="unused">
          <b>Nobody is woken for it:</b> {alert.held}
          {alert.with && (
            <>
              {' '}
              <Link to={`/alerts/${alert.with}`}>The alert that is told</Link>
            </>
          )}
        </p>
      )}
      <section className="card">
        <p>{alert.text || `${info.meaning} ${info.does}`}</p>
        <ul className="evidence">
          {alert.evidence.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      </section>
      <Edges alert={alert} />
      <Through alert={alert} />
      {alert.narrowing && <Edit edit={alert.narrowing} title="What would cut it" />}
      {alert.accept?.after && open(alert) && (
        <Edit edit={alert.accept} title="What goes with accepting it" />
      )}
      {trail.length > 0 && (
        <section className="card" data-testid="alert-trail">
          <h3>Decided about it</h3>
          <ol className="trail">
            {trail.toReversed().map((entry) => (
              <Entry key={entry.id} entry={entry} />
            ))}
          </ol>
        </section>
      )}
    </article>
  );
}

export function Detail({ id, done }: { id: string; done: () => void }) {
  const { cluster } = useScope();
  const one = useResource<AlertAnswer>(`alerts/${encodeURIComponent(id)}`, { cluster });
  const decided = () => {
    one.reload();
    done();
  };
  return (
    <Loaded from={one} what="the alert">
      {(answer) => <Body answer={answer} done={decided} />}
    </Loaded>
  );
}
