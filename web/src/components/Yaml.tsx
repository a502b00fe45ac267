// SPDX-License-Identifier: Apache-2.0
// YAML with quiet colours, line by line; enough for manifests.
import type { ReactNode } from 'react';

const token =
  /(#.*$)|("(?:[^"\\]|\\.)*"|'[^']*')|([\w./-]+)(?=:(?:\s|$|[{[]))|(\b\d+(?:\.\d+)?\b)|([-{}[\],:]+)/g;
const kinds = ['comment', 'string', 'key', 'number', 'mark'] as const;

export function YamlLine({ text }: { text: string }) {
  const out: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(token)) {
    const kind = kinds[match.slice(1).findIndex((group) => group !== undefined)];
    if (match.index > end) out.push(text.slice(end, match.index));
    out.push(
      <span key={match.index} className={`yaml-${kind}`}>
        {match[0]}
      </span>,
    );
    end = match.index + match[0].length;
  }
  out.push(text.slice(end));
  return <>{out}</>;
}
