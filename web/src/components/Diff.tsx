// SPDX-License-Identifier: Apache-2.0
// Side-by-side YAML. Loaded only where a diff is looked at.
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { MergeView } from '@codemirror/merge';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--yaml-key)' },
  { tag: [tags.string, tags.content], color: 'var(--yaml-string)' },
  { tag: tags.comment, color: 'var(--yaml-comment)', fontStyle: 'italic' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: 'var(--yaml-mark)' },
]);

/** Set by the server for each page; a strict policy lets only such styles in. */
const nonce = () => document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

const extensions = (label: string): Extension[] => [
  EditorView.cspNonce.of(nonce()),
  EditorView.contentAttributes.of({ 'aria-label': label }),
  EditorState.readOnly.of(true),
  EditorView.editable.of(false),
  EditorView.lineWrapping,
  lineNumbers(),
  yaml(),
  syntaxHighlighting(colours),
];

export function Diff({ before, after }: { before: string; after: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = box.current;
    if (!parent) return;
    const view = before
      ? new MergeView({
          parent,
          a: { doc: before, extensions: extensions('In force') },
          b: { doc: after, extensions: extensions('Recommended') },
          collapseUnchanged: { margin: 4, minSize: 8 },
          gutter: true,
        })
      : new EditorView({ parent, doc: after, extensions: extensions('Recommended') });
    return () => view.destroy();
  }, [before, after]);
  return (
    <div className="diff" data-testid="diff">
      <div className="diff-heads" data-two={before !== '' || undefined}>
        {before && <span>In force</span>}
        <span>{before ? 'Recommended' : 'New'}</span>
      </div>
      <div ref={box} />
    </div>
  );
}
