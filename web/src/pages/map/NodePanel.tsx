// SPDX-License-Identifier: Apache-2.0
import type { GraphEdge, GraphNode, WorkloadList } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link, ReadyChip, Sign } from '../../components/bits';
import { KindIcon } from '../../components/KindIcon';
import { percent, plural, portText, refText, short } from '../../lib/format';
import { lookOf } from '../../lib/graph';
import { useScope } from '../../lib/router';
import { select, setOpen, setPods } from './useMapState';

function EdgeRows({
  title,
  edges,
  other,
  names,
}: {
  title: string;
  edges: GraphEdge[];
  other: 'source' | 'target';
  names: (id: string) => string;
}) {
  if (edges.length === 0) return null;
  return (
    <section>
      <h3>
        {title} <span className="quiet">{edges.length}</span>
      </h3>
      <ul className="rows">
        {edges.map((e) => (
          <li key={e.id}>
            <button
              type="button"
              className="row"
              onClick={() =>
                select(
                  e.state === 'unused' || e.count > 1 || e.change
                    ? { kind: 'bundle', id: `${e.source}|${e.target}|${lookOf(e)}` }
                    : { kind: 'edge', id: e.edge ?? e.id },
                )
              }
            >
              <Sign state={e.state} denied={e.denied} />
              <span className="row-main">{names(e[other])}</span>
              <code>{portText(e.protocol, e.port, e.portText)}</code>
              <span className="quiet number">
                {e.state === 'unused' ? '–' : short(e.connections)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function About({ node }: { node: GraphNode }) {
  const scope = useScope();
  const list = useResource<WorkloadList>(node.kind === 'workload' ? 'workloads' : undefined, scope);
  const w = list.data?.items.find((item) => item.id === node.id);
  if (!w) return null;
  const open = !w.isolatedIngress && !w.isolatedEgress;
  return (
    <>
      <p className="actions">
        {w.readiness && <ReadyChip state={w.readiness.state} />}
        {w.readiness && w.readiness.sightings > 0 && (
          <span className="quiet" title="Good–Turing estimate over the time observed">
            {percent(w.readiness.coverage)} of what it does is likely known
          </span>
        )}
      </p>
      {w.hostNetwork && (
        <p className="note">Its pods use the host network: policies do not apply to them.</p>
      )}
      {open && !w.hostNetwork && (
        <p className="note">
          No policy selects it: everything may reach it, and it may reach everything.
        </p>
      )}
      {w.labels && Object.keys(w.labels).length > 0 && (
        <p className="labels">
          {Object.entries(w.labels).map(([k, v]) => (
            <code key={k}>
              {k}={v}
            </code>
          ))}
        </p>
      )}
      {w.policies.length > 0 && (
        <section>
          <h3>Policies that select it</h3>
          <ul className="plain">
            {w.policies.map((p) => (
              <li key={refText(p)}>
                <Link to="/policies" change={{ policy: refText(p) }}>
                  {refText(p)}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
      {w.lastSeen && (
        <p className="quiet">
          Last traffic <Age time={w.lastSeen} />
        </p>
      )}
    </>
  );
}

/** Opens what is folded and folds what is open. */
function Steps({ node, level }: { node: GraphNode; level: string }) {
  const step = (text: string, act: () => void, name: string) => (
    <button type="button" className="button" onClick={act} data-testid={name}>
      {text}
    </button>
  );
  return (
    <p className="actions">
      {node.kind === 'namespace' &&
        step(`Open ${node.label} to its workloads`, () => setOpen(node.label, level, true), 'open')}
      {node.kind === 'nodes' && step('Show each node', () => setOpen(node.id, level, true), 'open')}
      {node.kind === 'workload' &&
        step('Open to its pods', () => setPods(node.id, true), 'open-pods')}
      {node.kind === 'pod' &&
        node.workload &&
        step('Fold its pods', () => setPods(node.workload ?? '', false), 'fold-pods')}
      {(node.kind === 'workload' || node.kind === 'pod') &&
        node.namespace &&
        step(`Fold ${node.namespace}`, () => setOpen(node.namespace ?? '', level, false), 'fold')}
    </p>
  );
}

function Elsewhere({ node }: { node: GraphNode }) {
  const [cluster = '', ...rest] = (node.elsewhere ?? '').split('/');
  return (
    <p className="callout">
      It runs in the cluster <b>{cluster}</b> as <code>{rest.join('/')}</code>. To policies of this
      cluster it is an outside address.{' '}
      <Link to="/map" change={{ cluster, namespace: undefined, q: rest.join('/') }}>
        Its own map
      </Link>
    </p>
  );
}

const order = { unseen: 0, denied: 1, allowed: 2, unused: 3 };
const sorted = (edges: GraphEdge[]) =>
  edges.toSorted((a, b) => order[a.state] - order[b.state] || b.connections - a.connections);

export function NodePanel({
  node,
  level,
  edges,
  names,
}: {
  node: GraphNode;
  level: string;
  edges: GraphEdge[];
  names: (id: string) => string;
}) {
  const kind = node.party?.workloadKind ?? node.kind;
  return (
    <div data-testid="node-panel">
      <h2 className="panel-title">
        <span className="with-icon">
          <KindIcon kind={kind} size={18} /> {node.label}
        </span>
        <small>
          {node.kind === 'pod' ? 'pod of ' : ''}
          {node.namespace && node.kind !== 'namespace' ? `${kind} in ${node.namespace}` : kind}
          {node.kind === 'workload' && node.members > 0 && ` · ${plural(node.members, 'pod')}`}
        </small>
      </h2>
      <About node={node} />
      {node.elsewhere && <Elsewhere node={node} />}
      {node.kind === 'pod' && node.members === 0 && (
        <p className="note">
          It is kept for some time only which pods talked. These connections are known by their
          workload alone.
        </p>
      )}
      {node.node && (
        <p className="quiet">
          On node <code>{node.node}</code>
        </p>
      )}
      {node.within && (
        <p className="quiet">
          {plural(node.within.edges, 'edge')} and {plural(node.within.connections, 'connection')}{' '}
          inside it{node.denied ? `, ${node.denied} denied` : ''}
          {node.unseen ? `, ${node.unseen} unseen` : ''}
          {node.risky ? `, ${node.risky} risky` : ''}.
        </p>
      )}
      <Steps node={node} level={level} />
      {node.addresses && node.addresses.length > 0 && (
        <p className="quiet">
          <code>{node.addresses.join(', ')}</code>
        </p>
      )}
      <EdgeRows
        title="Reached by"
        edges={sorted(edges.filter((e) => e.target === node.id))}
        other="source"
        names={names}
      />
      <EdgeRows
        title="Reaches"
        edges={sorted(edges.filter((e) => e.source === node.id))}
        other="target"
        names={names}
      />
      {node.namespace && node.kind === 'workload' && (
        <p className="actions">
          <Link to="/recommendations" change={{ namespace: node.namespace }} className="button">
            Recommendations for {node.namespace}
          </Link>
        </p>
      )}
    </div>
  );
}
