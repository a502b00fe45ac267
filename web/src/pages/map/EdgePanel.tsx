// SPDX-License-Identifier: Apache-2.0
// Evidence for one edge, or for the lines of a bundle.
import type { Edge, EdgeEvidence, GraphEdge, Status } from '../../api/types';
import { type Resource, useResource } from '../../api/useResource';
import { Age, Link, Sign, StateChip } from '../../components/bits';
import { Chart } from '../../components/Chart';
import { Excerpts } from '../../components/Excerpts';
import { Loaded } from '../../components/State';
import { Why } from '../../components/Why';
import { bytes, count, partyText, plural, portText, refText } from '../../lib/format';
import { type Bundle, stateWords } from '../../lib/graph';
import { useScope } from '../../lib/router';
import { select } from './useMapState';

const stateOf = (e: Edge) =>
  e.unseen ? 'unseen' : e.verdict.state === 'denied' ? 'denied' : 'allowed';

const outcomeWords = {
  established: 'established',
  refused: 'refused',
  unanswered: 'not answered',
  dropped: 'dropped by the kernel',
};

function Facts({ edge }: { edge: Edge }) {
  const outcomes = (Object.keys(outcomeWords) as (keyof typeof outcomeWords)[]).filter(
    (o) => edge.outcomes[o] > 0,
  );
  const rows: [string, React.ReactNode][] = [
    [
      'Connections',
      <>
        {count(edge.counters.connections)}
        {outcomes.length > 0 && (
          <span className="quiet">
            {' '}
            · {outcomes.map((o) => `${count(edge.outcomes[o])} ${outcomeWords[o]}`).join(', ')}
          </span>
        )}
      </>,
    ],
    [
      'Traffic',
      `${bytes(edge.counters.bytesSent)} sent, ${bytes(edge.counters.bytesReceived)} received`,
    ],
    ['First seen', <Age key="f" time={edge.firstSeen} />],
    ['Last seen', <Age key="l" time={edge.lastSeen} />],
  ];
  if (edge.server.dns || edge.client.dns)
    rows.push(['DNS name', <code key="d">{edge.server.dns ?? edge.client.dns}</code>]);
  if (edge.addresses.length)
    rows.push(['Address', <code key="a">{edge.addresses.join(', ')}</code>]);
  if (edge.services.length) rows.push(['Dialled', <code key="s">{edge.services.join(', ')}</code>]);
  if (edge.processes.length)
    rows.push(['Process', <code key="p">{edge.processes.join(', ')}</code>]);
  if (edge.reasons.length) rows.push(['Reason', edge.reasons.join(', ')]);
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function EvidenceBody({ body }: { body: EdgeEvidence }) {
  const { edge } = body;
  return (
    <>
      {edge.unseen && (
        <p className="callout" data-state="unseen">
          <b>Never seen while its workloads were learnt.</b> It teaches nothing: no recommendation
          allows it.
          {edge.risky && ` Risky: ${edge.risky}.`}
        </p>
      )}
      <section>
        <h3>Connections over time</h3>
        <Chart series={body.series} />
        <Facts edge={edge} />
      </section>
      <section>
        <h3>Why</h3>
        <Why edge={edge} />
      </section>
      {body.excerpts.length > 0 && (
        <section>
          <h3>The lines that decide</h3>
          <Excerpts items={body.excerpts} />
        </section>
      )}
      {edge.guessed && (
        <p className="note">Which end is the client was guessed from the port numbers.</p>
      )}
      {edge.conflict && <p className="note">The two ends disagree: {edge.conflict}.</p>}
    </>
  );
}

function Title({ from, to, port }: { from: string; to: string; port: string }) {
  return (
    <h2 className="panel-title">
      <span>{from}</span>
      <span>
        <i aria-hidden="true">→</i>
        <span className="hidden">to</span> {to} <code>{port}</code>
      </span>
    </h2>
  );
}

export function EdgePanel({ id }: { id: string }) {
  const scope = useScope();
  const evidence: Resource<EdgeEvidence> = useResource(`edges/${encodeURIComponent(id)}`, {
    from: scope.from,
    to: scope.to,
  });
  return (
    <Loaded from={evidence} what="evidence">
      {(body) => (
        <div data-testid="evidence">
          <Title
            from={partyText(body.edge.client)}
            to={partyText(body.edge.server)}
            port={portText(body.edge.protocol, body.edge.port)}
          />
          <StateChip
            state={stateOf(body.edge)}
            denied={body.edge.verdict.state === 'denied'}
            risky={body.edge.risky !== ''}
          />
          <EvidenceBody body={body} />
        </div>
      )}
    </Loaded>
  );
}

export function UnusedPanel({
  edge,
  from,
  to,
  status,
}: {
  edge: GraphEdge;
  from: string;
  to: string;
  status: Status | undefined;
}) {
  return (
    <div data-testid="evidence">
      <Title from={from} to={to} port={portText(edge.protocol, edge.port, edge.portText)} />
      <StateChip state="unused" />
      <p className="callout" data-state="unused">
        <b>Allowed, and nobody used it</b> in the time looked at.
        {status?.kept?.from && (
          <>
            {' '}
            Watched since <Age time={status.kept.from} />.
          </>
        )}
      </p>
      <section>
        <h3>What allows it</h3>
        <p>{edge.text}</p>
        {edge.policy && (
          <p className="actions">
            <Link
              to="/policies"
              change={{ policy: refText(edge.policy), usage: edge.usage }}
              className="button"
            >
              Show in the manifest
            </Link>
            <Link
              to="/recommendations"
              change={{ policy: refText(edge.policy) }}
              className="button"
            >
              Tightened manifest
            </Link>
          </p>
        )}
      </section>
    </div>
  );
}

/** The edges of a line; a line of one is shown at once. */
export function BundlePanel({
  bundle,
  names,
  status,
}: {
  bundle: Bundle;
  names: (id: string) => string;
  status: Status | undefined;
}) {
  const only = bundle.edges[0];
  if (bundle.edges.length === 1 && only) {
    if (only.state !== 'unused')
      return only.count > 1 ? <Folded edge={only} names={names} /> : <EdgePanel id={only.id} />;
    return (
      <UnusedPanel edge={only} from={names(only.source)} to={names(only.target)} status={status} />
    );
  }
  return (
    <div data-testid="bundle">
      <Title from={names(bundle.source)} to={names(bundle.target)} port={bundle.label} />
      <StateChip state={bundle.state} denied={bundle.denied} risky={bundle.risky} />
      <section>
        <h3>{plural(bundle.edges.length, 'edge')}</h3>
        <ul className="rows">
          {bundle.edges.map((e) =>
            e.state === 'unused' ? (
              <li key={e.id} className="row">
                <Sign state={e.state} />
                <div>
                  <code>{portText(e.protocol, e.port, e.portText)}</code>
                  <div className="quiet">{e.text}</div>
                </div>
              </li>
            ) : (
              <li key={e.id}>
                <button
                  type="button"
                  className="row"
                  onClick={() => select({ kind: 'edge', id: e.id })}
                >
                  <Sign state={e.state} denied={e.denied} />
                  <code>{portText(e.protocol, e.port, e.portText)}</code>
                  <span className="quiet">{plural(e.connections, 'connection')}</span>
                </button>
              </li>
            ),
          )}
        </ul>
      </section>
    </div>
  );
}

function Folded({ edge, names }: { edge: GraphEdge; names: (id: string) => string }) {
  return (
    <div data-testid="evidence">
      <Title from={names(edge.source)} to={names(edge.target)} port={plural(edge.count, 'edge')} />
      <StateChip state={edge.state} denied={edge.denied} risky={edge.risky} />
      <p className="callout">
        {stateWords[edge.state].help}. {plural(edge.connections, 'connection')} of{' '}
        {plural(edge.count, 'edge')} are drawn as one line; open the namespaces to see each.
      </p>
    </div>
  );
}
