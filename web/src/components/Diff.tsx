// SPDX-License-Identifier: Apache-2.0
// Side-by-side YAML. Loaded only where a diff is looked at.
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { diff, MergeView } from '@codemirror/merge';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--yaml-key)' },
  { tag: [tags.string, tags.content], color: 'var(--yaml-string)' },
  { tag: tags.comment, color: 'var(--yaml-comment)', fontStyle: 'italic' },
  {
    tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace],
    color: 'var(--yaml-mark)',
  },
]);

/** Set by the server for each page; a strict policy lets only such styles in. */
const nonce = () =>
  document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

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

/** The ranges of the old text that differ, each with what stands there in the new one. */
const changed = (old: string, text: string) =>
  diff(old, text, { scanLimit: 1000 }).map((c) => ({
    from: c.fromA,
    to: c.toA,
    insert: text.slice(c.fromB, c.toB),
  }));

/** Puts a new text where the old one was; what is folded and where one reads stay. */
function replaceText(view: EditorView, text: string) {
  const old = view.state.doc.toString();
  if (old !== text) view.dispatch({ changes: changed(old, text) });
}

function open(parent: HTMLElement, before: string, after: string) {
  if (!before) {
    const only = new EditorView({ parent, doc: after, extensions: extensions('Recommended') });
    return {
      update: (_: string, text: string) => replaceText(only, text),
      destroy: () => only.destroy(),
    };
  }
  const merge = new MergeView({
    parent,
    a: { doc: before, extensions: extensions('In force') },
    b: { doc: after, extensions: extensions('Recommended') },
    collapseUnchanged: { margin: 4, minSize: 8 },
    gutter: true,
  });
  const update = (a: string, b: string) => {
    replaceText(merge.a, a);
    replaceText(merge.b, b);
  };
  return { update, destroy: () => merge.destroy() };
}

export function Diff({ before, after }: { before: string; after: string }) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<ReturnType<typeof open>>(undefined);
  const sided = before !== '';
  // biome-ignore lint/correctness/useExhaustiveDependencies: the texts are updated in place below
  useEffect(() => {
    if (!box.current) return;
    view.current = open(box.current, before, after);
    return () => view.current?.destroy();
  }, [sided]);
  useEffect(() => view.current?.update(before, after), [before, after]);
  return (
    <div className="diff" data-testid="diff">
      <div className="diff-heads" data-two={sided || undefined}>
        {sided && <span>In force</span>}
        <span>{sided ? 'Recommended' : 'New'}</span>
      </div>
      <div ref={box} />
    </div>
  );
}
