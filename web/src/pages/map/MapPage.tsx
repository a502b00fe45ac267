// SPDX-License-Identifier: Apache-2.0
import { useCallback, useDeferredValue, useMemo, useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import type { Graph, GraphNode, Status } from '../../api/types';
import { type Resource, useResource } from '../../api/useResource';
import { Link } from '../../components/bits';
import { Empty, Loaded } from '../../components/State';
import { plural } from '../../lib/format';
import { type View, viewOf } from '../../lib/graph';
import { useScope } from '../../lib/router';
import { Canvas, type Picture } from './Canvas';
import { Export } from './Export';
import { Matrix } from './Matrix';
import { Side } from './Side';
import { TimeBar } from './TimeBar';
import { Toolbar } from './Toolbar';
import { setPanel, setText, useMapState, useQuestion } from './useMapState';

const wide = () => window.innerWidth >= 1560;

const nameOf = (n: GraphNode) =>
  n.namespace && (n.kind === 'workload' || n.kind === 'pod')
    ? `${n.namespace}/${n.label}`
    : (n.elsewhere ?? n.label);

function useNames(graph: Graph) {
  return useMemo(() => {
    const names = new Map(graph.nodes.map((n) => [n.id, nameOf(n)]));
    return (id: string) => names.get(id) ?? id;
  }, [graph]);
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

function NothingFound({ text }: { text: string }) {
  return (
    <Empty title={`Nothing matches “${text}”`}>
      <p>
        The search looks at names, namespaces, ports, addresses and processes, in the time and
        namespace that are chosen above.
      </p>
      <Button className="button" onPress={() => setText('')}>
        Clear the search
      </Button>
    </Empty>
  );
}

/** What is not drawn, in words; nothing is left out silently. */
function Notes({ graph, view, status }: { graph: Graph; view: View; status: Status | undefined }) {
  const { hidden } = graph;
  const within = graph.nodes.reduce((n, one) => n + (one.within?.edges ?? 0), 0);
  const notes = [
    hidden.filteredEdges > 0 && `${plural(hidden.filteredEdges, 'edge')} do not match the search.`,
    hidden.unusedAllowances > 0 &&
      `${plural(hidden.unusedAllowances, 'unused allowance')} (${plural(hidden.unusedEdges, 'line')}) would bury the map: they are listed under Policies.`,
    within > 0 &&
      `${plural(within, 'edge')} run inside what is folded: open it by a double click, or search.`,
    view.comparing && 'Unused allowances are not drawn while two times are compared.',
    graph.edges.length === 0 &&
      status?.mode === 'live' &&
      'No flow yet. Lines appear a few seconds after workloads talk.',
  ].filter((n): n is string => typeof n === 'string');
  return (
    <p className="map-note" role="status" data-testid="map-note" title={notes.join(' ')}>
      {notes.join(' ')}
    </p>
  );
}

function Drawn({
  graph,
  status,
  problem,
  renewing,
}: {
  graph: Graph;
  status: Status | undefined;
  problem: string | undefined;
  renewing: boolean;
}) {
  const { filter, selection, panel, text, matrix } = useMapState();
  const slow = useDeferredValue(filter);
  const view = useMemo(() => viewOf(graph, slow, text !== ''), [graph, slow, text]);
  const names = useNames(graph);
  const picture = useRef<Picture>(undefined);
  const [failure, setFailure] = useState<string>();
  const open = selection !== undefined || (panel === null ? wide() : panel !== 'closed');
  const toggle = useCallback(() => setPanel(open ? 'closed' : 'open'), [open]);
  if (graph.nodes.length === 0 && !text && !problem) return <NothingYet status={status} />;
  return (
    <div className="map" data-panel={open || undefined} aria-busy={renewing}>
      <Toolbar
        filter={filter}
        view={view}
        graph={graph}
        matrix={matrix}
        problem={problem ?? failure}
        notes={<Notes graph={graph} view={view} status={status} />}
      >
        <Export graph={graph} view={view} picture={picture} failed={setFailure} />
        <Button className="button small" onPress={toggle} data-testid="table-toggle">
          {open ? 'Hide table' : 'Table'}
        </Button>
      </Toolbar>
      <div className="map-body">
        {view.nodes.length === 0 && <NothingFound text={text} />}
        {view.nodes.length > 0 && matrix && <Matrix view={view} names={names} />}
        {view.nodes.length > 0 && !matrix && (
          <Canvas view={view} level={graph.level} selection={selection} picture={picture} />
        )}
        {renewing && <div className="renewing" role="status" aria-label="Asking for the map" />}
        {open && (
          <Side graph={graph} view={view} selection={selection} status={status} names={names} />
        )}
      </div>
      <TimeBar graph={graph} status={status} />
    </div>
  );
}

/** The last map stays while the next one is asked for, and while what one types is not a query yet. */
function useLast(now: Resource<Graph>): Resource<Graph> {
  const last = useRef<Graph>(undefined);
  if (now.data) last.current = now.data;
  const keep = now.loading || now.error?.parameter === 'q';
  return keep && last.current ? { ...now, data: last.current, loading: false } : now;
}

export function MapPage({ status }: { status: Status | undefined }) {
  const scope = useScope();
  const question = useQuestion();
  const asked = useResource<Graph>('graph', { ...scope, ...question });
  const graph = useLast(asked);
  const problem = asked.error?.parameter === 'q' ? asked.error.message : undefined;
  return (
    <Loaded from={graph} what="the map">
      {(data) => <Drawn graph={data} status={status} problem={problem} renewing={asked.loading} />}
    </Loaded>
  );
}
