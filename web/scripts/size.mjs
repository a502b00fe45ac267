// SPDX-License-Identifier: Apache-2.0
// Fails the build when what a first visit loads is more than it may be.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limit = 500_000;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
const files = new Set(['index.html']);

const visit = (key) => {
  const entry = manifest[key];
  if (!entry || files.has(entry.file)) return;
  files.add(entry.file);
  for (const css of entry.css ?? []) files.add(css);
  for (const asset of entry.assets ?? []) files.add(asset);
  for (const next of entry.imports ?? []) visit(next);
};
visit('index.html');

let total = 0;
for (const file of files) {
  const bytes = readFileSync(new URL(file, dist));
  total += file.endsWith('.woff2') ? bytes.length : gzipSync(bytes).length;
}
process.stdout.write(
  `first load: ${(total / 1000).toFixed(0)} kB compressed in ${files.size} files (at most ${limit / 1000} kB)\n`,
);
if (total > limit) process.exit(1);
