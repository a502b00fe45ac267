// SPDX-License-Identifier: Apache-2.0
// The map as a file: a picture as one sees it, or its numbers.
import type { RefObject } from 'react';
import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import type { Graph } from '../../api/types';
import type { View } from '../../lib/graph';
import { svgOf } from '../../lib/svg';
import { minuteIn, zone } from '../../lib/zone';
import type { Picture } from './Canvas';

const names = [
  'ground',
  'raised',
  'sunken',
  'group',
  'group-line',
  'line',
  'line-strong',
  'text',
  'text-2',
  'text-3',
];
const looks = ['allowed', 'unseen', 'denied', 'unused', 'risky', 'new', 'gone', 'changed', 'same'];

/** The colours of the page as they are now, light or dark. */
function colours(): Record<string, string> {
  const probe = document.createElement('i');
  document.body.append(probe);
  const out: Record<string, string> = {};
  for (const name of [...names, ...looks.map((l) => `look-${l}`)]) {
    probe.style.color = `var(--${name})`;
    out[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return out;
}

function save(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function fileName(graph: Graph, ending: string) {
  const at = (graph.meta.window.to ?? graph.meta.computed).slice(0, 16).replace(/[:T]/g, '-');
  return `netcinch-${graph.meta.cluster}-${at}.${ending}`.replace(/[^\w.-]+/g, '-');
}

function svg(picture: Picture, graph: Graph) {
  const { from, to } = graph.meta.window;
  const z = zone();
  const time = from && to ? `${minuteIn(from, z)} – ${minuteIn(to, z)}` : '';
  return svgOf(picture, { title: `${graph.meta.cluster}  ${time}`, colours: colours() });
}

/** The largest side of a PNG in px: what browsers paint for sure. */
const mostPixels = 8000;

async function png(picture: Picture, graph: Graph): Promise<Blob> {
  const { text, width, height } = svg(picture, graph);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const scale = Math.min(2, mostPixels / width, mostPixels / height);
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('The picture is too large.'))),
      'image/png',
    ),
  );
}

/** The graph as it is drawn: what filters and switches hide is not in it. */
export function dataOf(graph: Graph, view: View) {
  return {
    ...graph,
    link: window.location.pathname + window.location.search,
    nodes: view.nodes,
    edges: view.bundles.flatMap((b) => b.edges),
  };
}

export function Export({
  graph,
  view,
  picture,
  failed,
}: {
  graph: Graph;
  view: View;
  picture: RefObject<Picture | undefined>;
  failed: (message: string) => void;
}) {
  const act = async (as: string) => {
    if (as === 'json') {
      const text = JSON.stringify(dataOf(graph, view), null, 2);
      return save(new Blob([text], { type: 'application/json' }), fileName(graph, 'json'));
    }
    const now = picture.current;
    if (!now) return failed('The map is not drawn yet; the matrix has no picture to save.');
    if (as === 'svg')
      return save(
        new Blob([svg(now, graph).text], { type: 'image/svg+xml' }),
        fileName(graph, 'svg'),
      );
    return save(await png(now, graph), fileName(graph, 'png'));
  };
  return (
    <MenuTrigger>
      <Button className="button small" data-testid="export">
        Export <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <Menu
          aria-label="Save the map as"
          onAction={(key) =>
            void act(String(key)).catch((e: Error) => failed(`Saving failed: ${e.message}`))
          }
        >
          <MenuItem id="svg" className="option">
            SVG, to edit or print
          </MenuItem>
          <MenuItem id="png" className="option">
            PNG, to paste
          </MenuItem>
          <MenuItem id="json" className="option">
            JSON, what is drawn
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
