// SPDX-License-Identifier: Apache-2.0
// Where policies are pasted, dropped or opened: a plain text field with numbers
// at its lines, since errors name them.
import { type DragEvent, useRef, useState } from 'react';
import { Button, FileTrigger } from 'react-aria-components';

/** What a browser may send at once is bounded by the server, too. */
const maxBytes = 4 << 20;

/** The texts of files as one, each as documents of its own. */
async function textOf(files: File[]): Promise<string> {
  const large = files.find((f) => f.size > maxBytes);
  if (large) throw new Error(`${large.name} is larger than 4 MiB`);
  const texts = await Promise.all(files.map((f) => f.text()));
  return texts.map((t, i) => `# ${files[i]?.name}\n${t.trimEnd()}\n`).join('---\n');
}

export function Editor({ text, change }: { text: string; change: (text: string) => void }) {
  const numbers = useRef<HTMLPreElement>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState('');
  const add = (files: File[]) => {
    if (files.length === 0) return;
    textOf(files).then(
      (more) => {
        setProblem('');
        change(text.trim() ? `${text.trimEnd()}\n---\n${more}` : more);
      },
      (error: Error) => setProblem(`Not opened: ${error.message}.`),
    );
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files]);
  };
  const lines = text.split('\n').length;
  return (
    <section
      className="editor"
      aria-label="Policies to try"
      data-over={over || undefined}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className="editor-bar">
        <FileTrigger
          acceptedFileTypes={['.yaml', '.yml', '.json']}
          allowsMultiple
          onSelect={(list) => add([...(list ?? [])])}
        >
          <Button className="button small">↑ Open files</Button>
        </FileTrigger>
        <span className="quiet">or drop them here</span>
        {text && (
          <Button className="button small" onPress={() => change('')}>
            Clear
          </Button>
        )}
      </div>
      <div className="editor-text">
        <pre ref={numbers} aria-hidden="true">
          {Array.from({ length: lines }, (_, i) => i + 1).join('\n')}
        </pre>
        <textarea
          aria-label="Policies as YAML"
          placeholder={
            'Paste policies here:\nof Kubernetes, of Calico, cluster-wide.\n\nThose of the same name are replaced,\nthe others stay.'
          }
          spellCheck={false}
          wrap="off"
          value={text}
          onChange={(e) => change(e.target.value)}
          onScroll={(e) => {
            if (numbers.current) numbers.current.scrollTop = e.currentTarget.scrollTop;
          }}
        />
      </div>
      {problem && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}
