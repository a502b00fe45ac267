// SPDX-License-Identifier: Apache-2.0
// What one line of the map stands for.
import type { EdgeList, Graph, GraphEdge, Status } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Sign } from '../../components/bits';
import { Loaded } from '../../components/State';
import { count, partyText, plural, portText } from '../../lib/format';
import { type Bundle, lookWords } from '../../lib/graph';
import { useScope } from '../../lib/router';
import { EdgePanel, LookChip, Title, UnusedPanel } from './EdgePanel';
import { select } from './useMapState';

type Names = (id: string) => string;

/** How many edges of a folded line are listed. */
const most = 100;

/** A node's id as from: and to: name it; undefined for what they cannot. */
export function endOf(id: string): string | undefined {
  const [kind = '', rest = ''] = [id.slice(0, id.indexOf(':')), id.slice(id.indexOf(':') + 1)];
  switch (kind) {
    case 'namespace':
      return `${rest}/*`;
    case 'workload': {
      const [namespace, , name] = rest.split('/');
      return `${namespace}/${name}`;
    }
    case 'outside':
    case 'node':
      return rest;
    default:
      return undefined;
  }
}

const verdictOf = (b: Bundle) =>
  b.look === 'risky' ? 'verdict:risky' : b.edges[0]?.change ? '' : `verdict:${b.state}`;

/** The edges that are folded into a line, asked for by its ends. */
function Members({ bundle }: { bundle: Bundle }) {
  const scope = useScope();
  const [from, to] = [endOf(bundle.source), endOf(bundle.target)];
  const q = [from && `from:${from}`, to && `to:${to}`, verdictOf(bundle)].filter(Boolean).join(' ');
  const list = useResource<EdgeList>('edges', { ...scope, q, limit: String(most) });
  return (
    <Loaded from={list} what="the edges">
      {(body) => (
        <section data-testid="members">
          <h3>
            {plural(body.total, 'edge')}
            {body.total > body.items.length && (
              <span className="quiet">
                {' '}
                · the {count(body.items.length)} with most connections; search for {q} to see all
              </span>
            )}
          </h3>
          <ul className="rows">
            {body.items.map((e) => (
              <li key={e.id}>
                <button
                  type="button"
                  className="row"
                  onClick={() => select({ kind: 'edge', id: e.id })}
                >
                  <Sign
                    state={
                      e.unseen ? 'unseen' : e.verdict.state === 'denied' ? 'denied' : 'allowed'
                    }
                  />
                  <span className="row-main">
                    {partyText(e.client)} → {partyText(e.server)}
                  </span>
                  <code>{portText(e.protocol, e.port)}</code>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Loaded>
  );
}

/** What changed on a line between two windows. */
function Change({ bundle }: { bundle: Bundle }) {
  const before = bundle.edges.reduce((n, e) => n + (e.connectionsBefore ?? 0), 0);
  if (!bundle.edges.some((e) => e.change)) return null;
  return (
    <p className="callout" data-testid="change">
      <b>{lookWords[bundle.look].name}:</b> {plural(bundle.connections, 'connection')} now,{' '}
      {count(before)} in the earlier window.
    </p>
  );
}

function Row({ edge }: { edge: GraphEdge }) {
  const port = <code>{portText(edge.protocol, edge.port, edge.portText)}</code>;
  if (edge.state === 'unused') {
    return (
      <div className="row">
        <Sign state={edge.state} />
        <div>
          {port}
          <div className="quiet">{edge.text}</div>
        </div>
      </div>
    );
  }
  return (
    <button
      type="button"
      className="row"
      onClick={() => select({ kind: 'edge', id: edge.edge ?? edge.id })}
    >
      <Sign state={edge.state} denied={edge.denied} />
      {port}
      <span className="quiet">{plural(edge.connections, 'connection')}</span>
    </button>
  );
}

/** The edges of a line; a line of one is shown at once. */
export function BundlePanel({
  bundle,
  graph,
  names,
  status,
}: {
  bundle: Bundle;
  graph: Graph;
  names: Names;
  status: Status | undefined;
}) {
  const only = bundle.edges.length === 1 ? bundle.edges[0] : undefined;
  if (only && only.count === 1 && !graph.before) {
    if (only.state !== 'unused') return <EdgePanel id={only.edge ?? only.id} />;
    return (
      <UnusedPanel edge={only} from={names(only.source)} to={names(only.target)} status={status} />
    );
  }
  const folded = bundle.count > bundle.edges.length;
  return (
    <div data-testid="bundle">
      <Title from={names(bundle.source)} to={names(bundle.target)} port={bundle.label} />
      <LookChip bundle={bundle} />
      <Change bundle={bundle} />
      {folded && bundle.state !== 'unused' && <Members bundle={bundle} />}
      {!folded && (
        <section>
          <h3>{plural(bundle.edges.length, 'edge')}</h3>
          <ul className="rows">
            {bundle.edges.map((e) => (
              <li key={e.id}>
                <Row edge={e} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
