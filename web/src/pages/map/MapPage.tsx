// SPDX-License-Identifier: Apache-2.0
import { useCallback, useDeferredValue, useMemo } from 'react';
import { Button } from 'react-aria-components';
import type { Graph, GraphNode, Status } from '../../api/types';
import { useResource } from '../../api/useResource';
import { Link } from '../../components/bits';
import { Empty, Loaded } from '../../components/State';
import { plural } from '../../lib/format';
import { type View, viewOf } from '../../lib/graph';
import { useLocation, useScope } from '../../lib/router';
import { Canvas } from './Canvas';
import { BundlePanel, EdgePanel } from './EdgePanel';
import { EdgeTable } from './EdgeTable';
import { NodePanel } from './NodePanel';
import { Toolbar } from './Toolbar';
import { type Selection, select, setPanel, useMapState } from './useMapState';

const wide = () => window.innerWidth >= 1560;

const nameOf = (n: GraphNode) =>
  n.namespace && n.kind === 'workload' ? `${n.namespace}/${n.label}` : n.label;

function useNames(graph: Graph) {
  return useMemo(() => {
    const names = new Map(graph.nodes.map((n) => [n.id, nameOf(n)]));
    return (id: string) => names.get(id) ?? id;
  }, [graph]);
}

function Selected({
  graph,
  view,
  selection,
  status,
}: {
  graph: Graph;
  view: View;
  selection: Selection;
  status: Status | undefined;
}) {
  const names = useNames(graph);
  if (selection.kind === 'edge') return <EdgePanel id={selection.id} />;
  if (selection.kind === 'node') {
    const node = graph.nodes.find((n) => n.id === selection.id);
    if (node)
      return (
        <NodePanel
          node={node}
          edges={graph.edges.filter((e) => e.source === node.id || e.target === node.id)}
          names={names}
        />
      );
  }
  const bundle = view.bundles.find((b) => b.id === selection.id);
  if (bundle) return <BundlePanel bundle={bundle} names={names} status={status} />;
  return (
    <p className="quiet">
      What the address names is not on the map: it may be filtered out, or outside the time looked
      at.
    </p>
  );
}

function Side({
  graph,
  view,
  selection,
  status,
}: {
  graph: Graph;
  view: View;
  selection: Selection | undefined;
  status: Status | undefined;
}) {
  const names = useNames(graph);
  return (
    <aside className="panel" aria-label={selection ? 'Evidence' : 'Edges'} data-testid="panel">
      <div className="panel-bar">
        {selection ? (
          <Button className="button small" onPress={() => select(undefined)}>
            ← All edges
          </Button>
        ) : (
          <h2>
            {plural(
              view.bundles.reduce((n, b) => n + b.edges.length, 0),
              'edge',
            )}
          </h2>
        )}
        <Button
          className="button small icon"
          aria-label="Close the panel"
          onPress={() => {
            select(undefined);
            setPanel('closed');
          }}
        >
          ✕
        </Button>
      </div>
      <div className="panel-body">
        {selection ? (
          <Selected graph={graph} view={view} selection={selection} status={status} />
        ) : (
          <EdgeTable bundles={view.bundles} names={names} />
        )}
      </div>
    </aside>
  );
}

function NothingYet({ status }: { status: Status | undefined }) {
  if (status?.mode === 'files') {
    return (
      <Empty title="Nothing to draw">
        <p>
          The manifests have no workload, and the flow file no edge. Check what was read on the
          coverage page.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="Waiting for the first flows" icon="⟲">
      <p>
        Once an agent reports, workloads appear here and what they talk to is drawn between them, a
        few seconds after it happens.
      </p>
      <p>
        Agents send to <code>{status?.ingest ?? 'the ingest port'}</code>.{' '}
        <Link to="/coverage">Coverage</Link> says which nodes report.
      </p>
    </Empty>
  );
}

function Drawn({ graph, status }: { graph: Graph; status: Status | undefined }) {
  const { filter, selection, panel } = useMapState();
  const slow = useDeferredValue(filter);
  const view = useMemo(() => viewOf(graph, slow), [graph, slow]);
  const open = selection !== undefined || (panel === null ? wide() : panel !== 'closed');
  const toggle = useCallback(() => setPanel(open ? 'closed' : 'open'), [open]);
  if (graph.nodes.length === 0) return <NothingYet status={status} />;
  return (
    <div className="map" data-panel={open || undefined}>
      <Toolbar filter={filter} view={view}>
        <Button className="button small" onPress={toggle} data-testid="table-toggle">
          {open ? 'Hide table' : 'Table'}
        </Button>
      </Toolbar>
      <div className="map-body">
        {view.nodes.length === 0 ? (
          <Empty title={`Nothing matches “${filter.text}”`}>
            <p>The search looks at names, namespaces, kinds, ports, addresses and processes.</p>
          </Empty>
        ) : (
          <Canvas view={view} selection={selection} />
        )}
        {graph.hidden.unusedEdges > 0 && (
          <p className="map-note">
            {plural(graph.hidden.unusedEdges, 'unused allowance')} would bury the map and are listed
            under Policies only.
          </p>
        )}
        {graph.edges.length === 0 && status?.mode === 'live' && (
          <p className="map-note" role="status">
            No flow yet. Lines appear a few seconds after workloads talk.
          </p>
        )}
        {open && <Side graph={graph} view={view} selection={selection} status={status} />}
      </div>
    </div>
  );
}

export function MapPage({ status }: { status: Status | undefined }) {
  const scope = useScope();
  const { params } = useLocation();
  const graph = useResource<Graph>('graph', {
    ...scope,
    open: params.getAll('open'),
    level: params.get('level') ?? undefined,
  });
  return (
    <Loaded from={graph} what="the map">
      {(data) => <Drawn graph={data} status={status} />}
    </Loaded>
  );
}
