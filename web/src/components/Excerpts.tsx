// SPDX-License-Identifier: Apache-2.0
import type { Excerpt } from '../api/types';
import { refText } from '../lib/format';
import { YamlLine } from './Yaml';

/** The lines of the manifests that decided, with the one that did marked. */
export function Excerpts({ items }: { items: Excerpt[] }) {
  return items.map((item) => (
    <figure
      key={`${item.direction} ${refText(item.policy)} ${item.lines[0]?.line}`}
      className="excerpt"
    >
      <figcaption>
        {item.file ? <code>{item.file}</code> : refText(item.policy)}{' '}
        <span>{item.direction.toLowerCase()}</span>
      </figcaption>
      <pre>
        {item.lines.map((line) => (
          <div key={line.line} className="code-line" data-marked={line.marked || undefined}>
            <span className="code-number">{line.line}</span>
            <span className="code-text">
              <YamlLine text={line.text} />
            </span>
          </div>
        ))}
      </pre>
    </figure>
  ));
}
