// SPDX-License-Identifier: Apache-2.0
import {
  Background,
  BackgroundVariant,
  Controls,
  MarkerType,
  MiniMap,
  type OnMove,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { EdgeState } from '../../api/types';
import { Loading } from '../../components/State';
import { type Bundle, groupTitle, type View } from '../../lib/graph';
import type { LayoutAnswer } from '../../lib/layout';
import { Box, type BoxNode, Group, type GroupNode, Line, type LineEdge } from './elements';
import { useLayout } from './useLayout';
import { type Selection, select } from './useMapState';

const nodeTypes = { box: Box, area: Group };
const edgeTypes = { line: Line };

const weights: Record<EdgeState, number> = { allowed: 0, unused: 1, denied: 2, unseen: 3 };

/** The bundles and nodes that the selection lights up; undefined for all. */
function litBy(selection: Selection | undefined, bundles: Bundle[]) {
  if (!selection) return undefined;
  const chosen = bundles.filter((b) => {
    if (selection.kind === 'node') return b.source === selection.id || b.target === selection.id;
    return selection.kind === 'bundle'
      ? b.id === selection.id
      : b.edges.some((e) => e.id === selection.id);
  });
  const nodes = new Set(chosen.flatMap((b) => [b.source, b.target]));
  if (selection.kind === 'node') nodes.add(selection.id);
  return chosen.length === 0 && selection.kind !== 'node'
    ? undefined
    : { bundles: new Set(chosen.map((b) => b.id)), nodes };
}

function alarms(bundles: Bundle[]) {
  const out = new Map<string, string>();
  for (const b of bundles) if (b.state === 'unseen') out.set(b.source, 'unseen');
  return out;
}

/**
 * Sizes and handles as the layout has them. Without, each refresh would have
 * every box measured again, and its lines gone until then.
 */
function fixed({ width, height }: Extent) {
  const at = { y: height / 2, width: 1, height: 1 };
  return {
    measured: { width, height },
    handles: [
      { type: 'target' as const, position: Position.Left, x: 0, ...at },
      { type: 'source' as const, position: Position.Right, x: width, ...at },
    ],
  };
}

function elements(view: View, layout: LayoutAnswer, selection: Selection | undefined) {
  const lit = litBy(selection, view.bundles);
  const alarm = alarms(view.bundles);
  const { placement, routes } = layout;
  const groups: GroupNode[] = Object.entries(placement.groups).map(([id, box]) => ({
    id: `group:${id}`,
    type: 'area',
    position: { x: box.x, y: box.y },
    width: box.width,
    height: box.height,
    ...fixed(box),
    zIndex: 0,
    selectable: false,
    focusable: false,
    data: {
      title: groupTitle(id),
      count: view.nodes.filter((n) => placement.nodes[n.id] && inside(placement.nodes[n.id], box))
        .length,
      pseudo: id.startsWith('~'),
      dim: false,
    },
  }));
  const boxes = view.nodes.flatMap((node): BoxNode[] => {
    const box = placement.nodes[node.id];
    if (!box) return [];
    return [
      {
        id: node.id,
        type: 'box',
        position: { x: box.x, y: box.y },
        width: box.width,
        height: box.height,
        ...fixed(box),
        zIndex: 3,
        ariaLabel: `${node.namespace ? `${node.namespace}/` : ''}${node.label}, ${node.kind}`,
        data: {
          node,
          badges: [...(view.badges.get(node.id) ?? [])],
          alarm: alarm.get(node.id) ?? '',
          dim: lit !== undefined && !lit.nodes.has(node.id),
          chosen: selection?.kind === 'node' && selection.id === node.id,
        },
      },
    ];
  });
  const lines = view.bundles.flatMap((bundle): LineEdge[] => {
    const route = routes[bundle.id];
    if (!route) return [];
    const chosen = lit?.bundles.has(bundle.id) ?? false;
    return [
      {
        id: bundle.id,
        type: 'line',
        source: bundle.source,
        target: bundle.target,
        zIndex: chosen ? 2 : 1,
        markerEnd: {
          type: MarkerType.ArrowClosed,
          width: 13,
          height: 13,
          color: `var(--state-${bundle.state})`,
          markerUnits: 'userSpaceOnUse',
        },
        data: { bundle, route, chosen, dim: lit !== undefined && !chosen },
      },
    ];
  });
  lines.sort(
    (a, b) =>
      weights[a.data?.bundle.state ?? 'allowed'] - weights[b.data?.bundle.state ?? 'allowed'],
  );
  return { nodes: [...groups, ...boxes], edges: lines };
}

const inside = (
  p: { x: number; y: number } | undefined,
  box: { x: number; y: number; width: number; height: number },
) =>
  p !== undefined &&
  p.x >= box.x &&
  p.x < box.x + box.width &&
  p.y >= box.y &&
  p.y < box.y + box.height;

function useRoom() {
  const ref = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setRoom({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, room };
}

/** How far to move the picture so that what is lit stands clear of the panel. */
function clearance(nodes: BoxNode[], zoom: number, x: number, width: number): number {
  const lit = nodes.filter((n) => n.type === 'box' && !n.data.dim);
  if (lit.length === 0) return 0;
  const left = Math.min(...lit.map((n) => n.position.x)) * zoom + x;
  const right = Math.max(...lit.map((n) => n.position.x + (n.width ?? 0))) * zoom + x;
  const over = right - (width - 24);
  return over > 0 ? Math.min(over, Math.max(0, left - 24)) : 0;
}

const panelWidth = () => {
  const panel = document.querySelector('[data-testid="panel"]');
  return panel && getComputedStyle(panel).position === 'absolute' ? panel.clientWidth : 0;
};

interface Extent {
  width: number;
  height: number;
}

interface Props {
  view: View;
  selection: Selection | undefined;
}

function Drawing({ view, selection }: Props) {
  const { ref, room } = useRoom();
  const layout = useLayout(view, room);
  const flow = useReactFlow();
  const moved = useRef(false);
  const drawn = useMemo(
    () => (layout ? elements(view, layout, selection) : undefined),
    [view, layout, selection],
  );
  const placement = layout?.placement;

  // Whoever moved the picture keeps it where it is; else it fits the room.
  useEffect(() => {
    if (!placement || moved.current || room.width === 0) return;
    const frame = requestAnimationFrame(
      () => void flow.fitView({ padding: 0.03, maxZoom: 1.15, duration: 250 }),
    );
    return () => cancelAnimationFrame(frame);
  }, [placement, room, flow]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new selection asks for it, not each new drawing
  useEffect(() => {
    if (!drawn || !selection) return;
    const { x, y, zoom } = flow.getViewport();
    const boxes = drawn.nodes.filter((n): n is BoxNode => n.type === 'box');
    const shift = clearance(boxes, zoom, x, room.width - panelWidth());
    if (shift > 0) void flow.setViewport({ x: x - shift, y, zoom }, { duration: 250 });
  }, [selection?.id, drawn === undefined]);

  const onMove: OnMove = useCallback((event) => {
    if (event) moved.current = true;
  }, []);

  return (
    <div className="canvas" ref={ref} data-testid="map" data-ready={drawn ? 'true' : 'false'}>
      {!drawn && <Loading what="the layout" />}
      {drawn && (
        <ReactFlow
          nodes={drawn.nodes}
          edges={drawn.edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          onNodeClick={(_, n) => n.type === 'box' && select({ kind: 'node', id: n.id })}
          onEdgeClick={(_, e) => select({ kind: 'bundle', id: e.id })}
          onPaneClick={() => select(undefined)}
          onSelectionChange={({ nodes }) =>
            nodes[0]?.type === 'box' &&
            nodes[0].id !== selection?.id &&
            select({ kind: 'node', id: nodes[0].id })
          }
          onMoveStart={onMove}
          nodesDraggable={false}
          nodesConnectable={false}
          edgesFocusable={false}
          selectNodesOnDrag={false}
          multiSelectionKeyCode={null}
          deleteKeyCode={null}
          minZoom={0.15}
          maxZoom={2.5}
          fitView
          fitViewOptions={{ padding: 0.03, maxZoom: 1.15 }}
          proOptions={{ hideAttribution: true }}
          aria-label="Map of workloads and what they talk to. Tab walks the workloads; the table lists the same edges."
        >
          <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
          <Controls
            showInteractive={false}
            onFitView={() => {
              moved.current = false;
            }}
            fitViewOptions={{ padding: 0.03, maxZoom: 1.15, duration: 250 }}
          />
          {view.nodes.length > 60 && <MiniMap pannable zoomable ariaLabel="Overview" />}
        </ReactFlow>
      )}
    </div>
  );
}

export function Canvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Drawing {...props} />
    </ReactFlowProvider>
  );
}
