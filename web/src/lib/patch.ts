// SPDX-License-Identifier: Apache-2.0
// What a unified diff does to a text, by its lines.

export interface Patch {
  /** Lines of the old text that go, from 1. */
  gone: Set<number>;
  /** What comes after a line of the old text; 0 for its beginning. */
  after: Map<number, string[]>;
}

const head = /^@@ -(\d+)(?:,(\d+))? \+/;

/**
 * Reads a unified diff. Its line numbers are those of the file; first is the
 * line of the file at which the text begins, so that the patch is in the text's.
 */
export function readPatch(diff: string, first: number): Patch {
  const patch: Patch = { gone: new Set(), after: new Map() };
  let line: number | undefined; // the last line of the old text that was passed
  for (const text of diff.split('\n')) {
    const hunk = head.exec(text);
    if (hunk) line = Number(hunk[1]) - first + (hunk[2] === '0' ? 1 : 0);
    else if (line !== undefined) line = step(patch, line, text);
  }
  return patch;
}

/** Takes in one line of a hunk; gives the line of the old text that is passed then. */
function step(patch: Patch, line: number, text: string): number {
  switch (text[0]) {
    case '-':
      patch.gone.add(line + 1);
      return line + 1;
    case '+':
      patch.after.set(line, [...(patch.after.get(line) ?? []), text.slice(1)]);
      return line;
    case ' ':
      return line + 1;
    default:
      return line; // no newline at the end of the file
  }
}
