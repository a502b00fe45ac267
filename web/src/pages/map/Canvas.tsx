// SPDX-License-Identifier: Apache-2.0
import {
  Background,
  BackgroundVariant,
  Controls,
  MiniMap,
  type OnMove,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { GraphNode } from '../../api/types';
import { Loading } from '../../components/State';
import type { View } from '../../lib/graph';
import type { LayoutAnswer } from '../../lib/layout';
import { CanvasLines, lineAt } from './CanvasLines';
import { drawnOf } from './drawn';
import { Box, type BoxNode, Group, Line } from './elements';
import { enter, press, type Stop } from './keys';
import { useLayout } from './useLayout';
import { type Selection, select, setOpen, setPods } from './useMapState';

const nodeTypes = { box: Box, area: Group };
const edgeTypes = { line: Line };

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

/** A wall screen is read from afar: there the picture may grow. */
const largest = (width: number) => (width > 2400 ? 2 : 1.15);

/** From how many boxes on an overview helps more than it hides. */
const manyBoxes = 150;

const descriptions = {
  'node.a11yDescription.default': 'Enter opens its evidence, arrow keys go to the nearest box.',
  'edge.a11yDescription.default': 'Enter opens its evidence.',
};

/** One level down: a namespace to its workloads, a workload to its pods. */
function openUp(n: GraphNode, level: string) {
  if (n.kind === 'namespace') setOpen(n.label, level, true);
  if (n.kind === 'nodes') setOpen(n.id, level, true);
  if (n.kind === 'workload') setPods(n.id, true);
}

export interface Picture {
  view: View;
  layout: LayoutAnswer;
}

interface Props {
  view: View;
  level: string;
  selection: Selection | undefined;
  /** Where what is drawn is left for the export. */
  picture: RefObject<Picture | undefined>;
}

function Drawing({ view, level, selection, picture }: Props) {
  const { ref, room } = useRoom();
  const layout = useLayout(view, room);
  const flow = useReactFlow();
  const moved = useRef(false);
  const drawn = useMemo(
    () => (layout ? drawnOf(view, layout, selection, level) : undefined),
    [view, layout, selection, level],
  );
  const placement = layout?.placement;
  useEffect(() => {
    picture.current = layout && { view, layout };
  }, [picture, view, layout]);

  // Whoever moved the picture keeps it where it is; else it fits the room.
  const fit = useMemo(() => ({ padding: 0.03, maxZoom: largest(room.width) }), [room.width]);
  useEffect(() => {
    if (!placement || moved.current || room.width === 0) return;
    const frame = requestAnimationFrame(() => void flow.fitView({ ...fit, duration: 250 }));
    return () => cancelAnimationFrame(frame);
  }, [placement, room, flow, fit]);

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

  /** Brings what has the focus into the picture. */
  const reveal = useCallback(
    (stop: Stop) => {
      const bundle = view.bundles.find((b) => b.id === stop.id);
      const box = placement?.nodes[stop.kind === 'node' ? stop.id : (bundle?.source ?? '')];
      if (!box) return;
      const { x, y, zoom } = flow.getViewport();
      const [left, top] = [box.x * zoom + x, box.y * zoom + y];
      const away =
        left < 0 || top < 0 || left + box.width * zoom > room.width || top + 50 > room.height;
      if (away)
        void flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom, duration: 150 });
    },
    [flow, placement, room, view],
  );

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the boxes and lines in it, which have the focus
    <div
      className="canvas"
      ref={ref}
      data-testid="map"
      data-ready={drawn ? 'true' : 'false'}
      onFocus={(event) => drawn && enter(event, drawn)}
      onKeyDownCapture={(event) => drawn && press(event, drawn, selection, reveal)}
    >
      {!drawn && <Loading what="the layout" />}
      {drawn && (
        <ReactFlow
          nodes={drawn.nodes}
          edges={drawn.edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          onNodeClick={(event, n) => {
            if (n.type !== 'box') return;
            if (event.detail === 2) openUp(n.data.node, level);
            else select({ kind: 'node', id: n.id });
          }}
          onEdgeClick={(_, e) => select({ kind: 'bundle', id: e.id })}
          onPaneClick={(event) => {
            const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
            const line = lineAt(drawn.plain, at.x, at.y, flow.getZoom());
            select(line ? { kind: 'bundle', id: line } : undefined);
          }}
          onMoveStart={onMove}
          zoomOnDoubleClick={false}
          nodesDraggable={false}
          nodesConnectable={false}
          edgesFocusable
          elementsSelectable={false}
          selectNodesOnDrag={false}
          multiSelectionKeyCode={null}
          deleteKeyCode={null}
          minZoom={0.05}
          maxZoom={2.5}
          fitView
          fitViewOptions={fit}
          ariaLabelConfig={descriptions}
          proOptions={{ hideAttribution: true }}
          aria-label={`Map of ${level === 'namespace' ? 'namespaces' : 'workloads'} and what they talk to. Tab walks the boxes and the lines that leave them, arrow keys go to the nearest box, Enter opens the evidence, Escape closes it. The table lists the same edges.`}
        >
          {drawn.plain.length > 0 && <CanvasLines plain={drawn.plain} />}
          <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
          <Controls
            showInteractive={false}
            onFitView={() => {
              moved.current = false;
            }}
            fitViewOptions={{ ...fit, duration: 250 }}
          />
          {view.nodes.length > manyBoxes && <MiniMap pannable zoomable ariaLabel="Overview" />}
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
