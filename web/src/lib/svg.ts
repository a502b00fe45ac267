// SPDX-License-Identifier: Apache-2.0
// The map as an SVG that stands alone: colours and styles in it, text as text.
import { partyText } from './format';
import {
  alone,
  type Bundle,
  groupTitle,
  type Look,
  lookWeights,
  lookWords,
  type View,
} from './graph';
import type { LayoutAnswer } from './layout';

export interface Style {
  title: string;
  /** CSS colours by the names of the style sheet, looks as look-denied. */
  colours: Record<string, string>;
}

const strokes: Record<Look, { width: number; dash?: string; cap?: string }> = {
  allowed: { width: 1.6 },
  same: { width: 1.4 },
  unused: { width: 1.4, dash: '7 5' },
  denied: { width: 2.4, dash: '0.1 5', cap: 'round' },
  gone: { width: 2, dash: '3 4' },
  changed: { width: 2.6, dash: '12 3 2 3' },
  risky: { width: 4.5 },
  unseen: { width: 4 },
  new: { width: 3.6 },
};

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const safe = (text: string) => text.replace(/[&<>"]/g, (c) => escapes[c] ?? c);
const font = 'font-family="Inter, system-ui, sans-serif"';
const pad = 28;
const head = 64;

function cut(text: string, width: number): string {
  const most = Math.max(3, Math.floor(width / 7.4));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function line(b: Bundle, d: string, c: Style['colours']): string {
  const { width, dash, cap } = strokes[b.look];
  const colour = c[`look-${b.look}`] ?? 'gray';
  const more = `${dash ? ` stroke-dasharray="${dash}"` : ''}${cap ? ` stroke-linecap="${cap}"` : ''}`;
  const title = safe(`${b.source} → ${b.target}: ${lookWords[b.look].name}, ${b.label}`);
  const core =
    b.look === 'risky'
      ? `<path d="${d}" fill="none" stroke="${c.ground}" stroke-width="1.6"/>`
      : '';
  return `<g><title>${title}</title><path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}"${more} marker-end="url(#head-${b.look})"/>${core}</g>`;
}

function label(b: Bundle, at: { x: number; y: number }, c: Style['colours']): string {
  const sign = b.look === 'allowed' || b.look === 'same' ? '' : `${lookWords[b.look].sign} `;
  const text = `${sign}${b.label}`;
  const width = text.length * 6.9 + 12;
  const colour = c[`look-${b.look}`] ?? 'gray';
  return (
    `<rect x="${at.x - width / 2}" y="${at.y - 10}" width="${width}" height="20" rx="6" fill="${c.ground}" stroke="${colour}" stroke-width="0.8"/>` +
    `<text x="${at.x}" y="${at.y + 4}" text-anchor="middle" font-size="12" font-weight="560" fill="${c.text}">${safe(text)}</text>`
  );
}

function boxes({ view, layout }: Drawn, c: Style['colours']): string {
  const out: string[] = [];
  for (const n of view.nodes) {
    const box = layout.placement.nodes[n.id];
    if (!box) continue;
    const fill = n.kind === 'outside' || n.kind === 'node' ? c.sunken : c.raised;
    const kind = n.party?.workloadKind ?? n.kind;
    out.push(
      `<g><title>${safe(n.party ? partyText(n.party) : n.label)}</title>` +
        `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="${n.kind === 'outside' ? box.height / 2 : 8}" fill="${fill}" stroke="${c['line-strong']}"/>` +
        `<text x="${box.x + 14}" y="${box.y + 19}" font-size="13.5" font-weight="600" fill="${c.text}">${safe(cut(n.label, box.width - 28))}</text>` +
        `<text x="${box.x + 14}" y="${box.y + 35}" font-size="12" fill="${c['text-3']}">${safe(kind)}</text></g>`,
    );
  }
  return out.join('\n');
}

function groups({ layout }: Drawn, c: Style['colours']): string {
  return Object.entries(layout.placement.groups)
    .filter(([id]) => !alone(id))
    .map(
      ([id, g]) =>
        `<rect x="${g.x}" y="${g.y}" width="${g.width}" height="${g.height}" rx="12" fill="${c.group}" stroke="${c['group-line']}"${id.startsWith('~') ? ' stroke-dasharray="5 4"' : ''}/>` +
        `<text x="${g.x + 14}" y="${g.y + 21}" font-size="13" font-weight="640" fill="${c['text-2']}">${safe(groupTitle(id))}</text>`,
    )
    .join('\n');
}

function legend(looks: Look[], x: number, y: number, c: Style['colours']): string {
  let at = x;
  return looks
    .map((look) => {
      const { width, dash, cap } = strokes[look];
      const text = `${lookWords[look].sign} ${lookWords[look].name}`;
      const more = `${dash ? ` stroke-dasharray="${dash}"` : ''}${cap ? ` stroke-linecap="${cap}"` : ''}`;
      const out =
        `<path d="M${at} ${y}h30" stroke="${c[`look-${look}`]}" stroke-width="${width}"${more}/>` +
        (look === 'risky'
          ? `<path d="M${at} ${y}h30" stroke="${c.ground}" stroke-width="1.6"/>`
          : '') +
        `<text x="${at + 37}" y="${y + 4}" font-size="12.5" fill="${c['text-2']}">${safe(text)}</text>`;
      at += 60 + text.length * 7;
      return out;
    })
    .join('\n');
}

interface Drawn {
  view: View;
  layout: LayoutAnswer;
}

/** The picture with title and legend; width and height in px. */
export function svgOf(
  drawn: Drawn,
  { title, colours: c }: Style,
): { text: string; width: number; height: number } {
  const { view, layout } = drawn;
  const all = [...Object.values(layout.placement.nodes), ...Object.values(layout.placement.groups)];
  const left = Math.min(0, ...all.map((b) => b.x));
  const top = Math.min(0, ...all.map((b) => b.y));
  const looks = [...new Set(view.bundles.map((b) => b.look))].sort(
    (a, b) => lookWeights[a] - lookWeights[b],
  );
  const width = Math.max(
    Math.max(0, ...all.map((b) => b.x + b.width)) - left + 2 * pad,
    160 * looks.length + 2 * pad,
  );
  const height = Math.max(0, ...all.map((b) => b.y + b.height)) - top + 2 * pad + head;
  const lines = view.bundles
    .filter((b) => layout.routes[b.id])
    .sort((a, b) => lookWeights[a.look] - lookWeights[b.look]);
  const heads = looks.map(
    (l) =>
      `<marker id="head-${l}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" markerHeight="11" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1L10 5L0 9z" fill="${c[`look-${l}`]}"/></marker>`,
  );
  const text = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${font} role="img">`,
    `<title>${safe(`Netcinch: ${title}`)}</title>`,
    `<defs>${heads.join('')}</defs>`,
    `<rect width="${width}" height="${height}" fill="${c.ground}"/>`,
    `<text x="${pad}" y="30" font-size="16" font-weight="640" fill="${c.text}">${safe(title)}</text>`,
    legend(looks, pad, 52, c),
    `<g transform="translate(${pad - left} ${pad + head - top})">`,
    groups(drawn, c),
    ...lines.map((b) => line(b, layout.routes[b.id]?.d ?? '', c)),
    boxes(drawn, c),
    ...lines.flatMap((b) => {
      const at = layout.routes[b.id]?.label;
      return at ? [label(b, at, c)] : [];
    }),
    '</g>',
    '</svg>',
  ].join('\n');
  return { text, width, height };
}
