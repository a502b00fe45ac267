// SPDX-License-Identifier: Apache-2.0
// The plain lines of a large map on one canvas: it moves with the picture and
// is drawn anew when the picture comes to rest.
import { useOnViewportChange, useStoreApi, ViewportPortal } from '@xyflow/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Look } from '../../lib/graph';
import { useTheme } from '../../lib/theme';
import type { Drawn } from './drawn';

type Plain = Drawn['plain'];

interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
  zoom: number;
}

/** How much is drawn beyond what is seen, so that moving shows no edge. */
const margin = 0.6;
const mostPixels = 4096;

const strokes: Record<Look, { width: number; dash: number[] }> = {
  allowed: { width: 1.2, dash: [] },
  same: { width: 1.1, dash: [] },
  unused: { width: 1.1, dash: [7, 5] },
  denied: { width: 1.9, dash: [1, 5] },
  gone: { width: 1.5, dash: [3, 4] },
  changed: { width: 2.2, dash: [12, 3, 2, 3] },
  risky: { width: 2.6, dash: [14, 3] },
  unseen: { width: 3.2, dash: [] },
  new: { width: 3, dash: [] },
};

function paint(canvas: HTMLCanvasElement, plain: Plain, region: Region) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const scale = Math.min(
    region.zoom * ratio,
    mostPixels / region.width,
    mostPixels / region.height,
  );
  canvas.width = Math.max(1, Math.round(region.width * scale));
  canvas.height = Math.max(1, Math.round(region.height * scale));
  const context = canvas.getContext('2d');
  if (!context) return;
  const style = getComputedStyle(canvas);
  const colours = new Map<Look, string>();
  const probe = document.createElement('i');
  canvas.parentElement?.append(probe);
  for (const look of new Set(plain.map((p) => p.bundle.look))) {
    probe.style.color = `var(--look-${look})`;
    colours.set(look, getComputedStyle(probe).color || style.color);
  }
  probe.remove();
  context.setTransform(scale, 0, 0, scale, -region.x * scale, -region.y * scale);
  const faint = plain.length > 600 ? 0.4 : 0.65;
  for (const { bundle, d, chosen, dim } of plain) {
    const { width, dash } = strokes[bundle.look];
    context.globalAlpha = dim ? 0.08 : chosen ? 1 : faint;
    context.lineWidth = (chosen ? width + 1 : width) / Math.max(0.5, Math.min(1, region.zoom));
    context.setLineDash(dash);
    context.strokeStyle = colours.get(bundle.look) ?? 'gray';
    context.stroke(new Path2D(d));
  }
}

/** The line at a point of the picture; undefined where there is none near. */
export function lineAt(plain: Plain, x: number, y: number, zoom: number): string | undefined {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return undefined;
  context.lineWidth = 12 / zoom;
  return plain.findLast((p) => context.isPointInStroke(new Path2D(p.d), x, y))?.bundle.id;
}

export function CanvasLines({ plain }: { plain: Plain }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  const { dark } = useTheme();
  const [region, setRegion] = useState<Region>();
  const see = useCallback(() => {
    const { transform, width, height } = store.getState();
    const [tx, ty, zoom] = transform;
    const [w, h] = [width / zoom, height / zoom];
    setRegion({
      x: -tx / zoom - w * margin,
      y: -ty / zoom - h * margin,
      width: w * (1 + 2 * margin),
      height: h * (1 + 2 * margin),
      zoom,
    });
  }, [store]);
  useOnViewportChange({ onEnd: see });
  useEffect(() => {
    const frame = requestAnimationFrame(see);
    return () => cancelAnimationFrame(frame);
  }, [see]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: dark changes the colours that are read
  useEffect(() => {
    if (ref.current && region && region.width > 0) paint(ref.current, plain, region);
  }, [plain, region, dark]);
  if (!region) return null;
  return (
    <ViewportPortal>
      <canvas
        ref={ref}
        className="lines-canvas"
        data-testid="lines-canvas"
        data-lines={plain.length}
        style={{
          transform: `translate(${region.x}px, ${region.y}px)`,
          width: region.width,
          height: region.height,
        }}
      />
    </ViewportPortal>
  );
}
