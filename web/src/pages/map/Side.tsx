// SPDX-License-Identifier: Apache-2.0
// Beside the map: the edges as a table, or the evidence for what is selected.
import { Button } from 'react-aria-components';
import type { Graph, Status } from '../../api/types';
import { plural } from '../../lib/format';
import type { View } from '../../lib/graph';
import { BundlePanel } from './BundlePanel';
import { EdgePanel } from './EdgePanel';
import { EdgeTable } from './EdgeTable';
import { NodePanel } from './NodePanel';
import { type Selection, select, setPanel } from './useMapState';

interface Props {
  graph: Graph;
  view: View;
  status: Status | undefined;
  names: (id: string) => string;
}

function Selected({ graph, view, selection, status, names }: Props & { selection: Selection }) {
  if (selection.kind === 'edge') return <EdgePanel id={selection.id} />;
  if (selection.kind === 'node') {
    const node = graph.nodes.find((n) => n.id === selection.id);
    if (node)
      return (
        <NodePanel
          node={node}
          level={graph.level}
          edges={graph.edges.filter((e) => e.source === node.id || e.target === node.id)}
          names={names}
        />
      );
  }
  const bundle = view.bundles.find((b) => b.id === selection.id);
  if (bundle) return <BundlePanel bundle={bundle} graph={graph} names={names} status={status} />;
  return (
    <p className="quiet">
      What the address names is not on the map: it may be filtered out, folded, or outside the time
      looked at.
    </p>
  );
}

export function Side({ selection, ...rest }: Props & { selection: Selection | undefined }) {
  const { view, names } = rest;
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
              view.bundles.reduce((n, b) => n + b.count, 0),
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
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Escape closes what is in it, wherever the focus is */}
      <div
        className="panel-body"
        onKeyDown={(event) => {
          if (event.key === 'Escape' && selection) select(undefined);
        }}
      >
        {selection ? (
          <Selected {...rest} selection={selection} />
        ) : (
          <EdgeTable bundles={view.bundles} names={names} />
        )}
      </div>
    </aside>
  );
}
