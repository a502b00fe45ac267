// SPDX-License-Identifier: Apache-2.0
// Evidence for one edge, or for the lines of a bundle.
import type { Edge, EdgeEvidence, GraphEdge, Status } from '../../api/types';
import { type Resource, useResource } from '../../api/useResource';
import { Age, Link, StateChip } from '../../components/bits';
import { Chart } from '../../components/Chart';
import { Excerpts } from '../../components/Excerpts';
import { Loaded } from '../../components/State';
import { Why } from '../../components/Why';
import { bytes, count, partyText, plural, portText, refText } from '../../lib/format';
import { type Bundle, lookWords } from '../../lib/graph';
import { useScope } from '../../lib/router';

const stateOf = (e: Edge) =>
  e.unseen ? 'unseen' : e.verdict.state === 'denied' ? 'denied' : 'allowed';

const outcomeWords = {
  established: 'established',
  refused: 'refused',
  unanswered: 'not answered',
  dropped: 'dropped by the kernel',
};

type Detail = EdgeEvidence['detail'];

/** Names as code, the rest told as a number. */
const listed = (items: string[], total = items.length) => (
  <>
    <code>{items.join(', ')}</code>
    {total > items.length && <span className="quiet"> and {count(total - items.length)} more</span>}
  </>
);

function Facts({ edge, detail }: { edge: Edge; detail: Detail }) {
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
  if (detail.names.length) rows.push(['DNS names', listed(detail.names)]);
  if (detail.addresses.length)
    rows.push(['Addresses', listed(detail.addresses, detail.addressesTotal)]);
  if (edge.services.length) rows.push(['Dialled', listed(edge.services)]);
  rows.push([
    'Process',
    detail.clientProcesses.length > 0 ? (
      listed(detail.clientProcesses)
    ) : (
      <span key="p" className="quiet">
        not known at the client
      </span>
    ),
  ]);
  if (detail.serverProcesses.length) rows.push(['Served by', listed(detail.serverProcesses)]);
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

/** Which pods talked, where that is kept. */
function Pods({ detail }: { detail: Detail }) {
  const known = detail.pods.filter((p) => p.client || p.server);
  if (known.length === 0) return null;
  return (
    <section data-testid="evidence-pods">
      <h3>
        Pods <span className="quiet">{plural(detail.podsTotal, 'pair')}</span>
      </h3>
      <ul className="rows">
        {known.map((p) => (
          <li key={`${p.client}|${p.server}`} className="row">
            <span className="row-main">
              {p.client ?? 'the client'} → {p.server ?? 'the server'}
            </span>
            {p.failed > 0 && <span className="quiet">{count(p.failed)} failed</span>}
            <span className="quiet number">{count(p.counters.connections)}</span>
          </li>
        ))}
      </ul>
      {detail.podsTotal > detail.pods.length && (
        <p className="quiet">
          Those {count(detail.pods.length)} with most connections of {count(detail.podsTotal)}.
        </p>
      )}
    </section>
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
        </p>
      )}
      {edge.risky && (
        <p className="callout" data-state="risky">
          <b>Risky:</b> it leads to {edge.risky}.
        </p>
      )}
      <section>
        <h3>Connections over time</h3>
        <Chart series={body.series} />
        <Facts edge={edge} detail={body.detail} />
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
      <Pods detail={body.detail} />
      {edge.guessed && (
        <p className="note">Which end is the client was guessed from the port numbers.</p>
      )}
      {edge.conflict && <p className="note">The two ends disagree: {edge.conflict}.</p>}
    </>
  );
}

export function LookChip({ bundle }: { bundle: Bundle }) {
  const { sign, name, help } = lookWords[bundle.look];
  return (
    <span className="chip" data-state={bundle.look} title={help}>
      <b aria-hidden="true">{sign}</b> {name}
      {bundle.denied && bundle.look !== 'denied' && ', denied'}
      {bundle.risky && bundle.look !== 'risky' && ', risky'}
    </span>
  );
}

export function Title({ from, to, port }: { from: string; to: string; port: string }) {
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
    cluster: scope.cluster,
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
