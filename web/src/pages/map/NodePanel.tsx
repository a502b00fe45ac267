// SPDX-License-Identifier: Apache-2.0
import type { GraphEdge, GraphNode, WorkloadList } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Age, Link, ReadyChip, Sign } from '../../components/bits';
import { KindIcon } from '../../components/KindIcon';
import { percent, plural, portText, refText, short } from '../../lib/format';
import { setParams, useScope } from '../../lib/router';
import { select } from './useMapState';

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
                  e.state === 'unused'
                    ? { kind: 'bundle', id: `${e.source}|${e.target}|unused` }
                    : { kind: 'edge', id: e.id },
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

const order = { unseen: 0, denied: 1, allowed: 2, unused: 3 };
const sorted = (edges: GraphEdge[]) =>
  edges.toSorted((a, b) => order[a.state] - order[b.state] || b.connections - a.connections);

export function NodePanel({
  node,
  edges,
  names,
}: {
  node: GraphNode;
  edges: GraphEdge[];
  names: (id: string) => string;
}) {
  const kind = node.party?.workloadKind ?? node.kind;
  const toggle = (name: string) => setParams({ open: name, node: undefined });
  return (
    <div data-testid="node-panel">
      <h2 className="panel-title">
        <span className="with-icon">
          <KindIcon kind={kind} size={18} /> {node.label}
        </span>
        <small>
          {node.namespace ? `${kind} in ${node.namespace}` : kind}
          {node.kind === 'workload' && node.members > 0 && ` · ${plural(node.members, 'pod')}`}
        </small>
      </h2>
      <About node={node} />
      {node.kind === 'namespace' && (
        <p className="actions">
          <button type="button" className="button" onClick={() => toggle(node.label)}>
            Open {node.label} to its workloads
          </button>
        </p>
      )}
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
