// SPDX-License-Identifier: Apache-2.0
// Starts and ends the programs under test. Nothing goes through a shell.
//
// NETCINCH_BIN names the folder of netcinch, netcinch-agent and netcinch-demo
// (default: bin); CHROMIUM the browser (default: chromium in PATH). Pictures
// for the eye go to web/test-results.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

export const root = resolve(import.meta.dirname, '../..');
export const binaries = resolve(root, process.env.NETCINCH_BIN ?? 'bin');
export const results = join(root, 'web/test-results');
export const manifests = 'deploy/demo/manifests';

const run = promisify(execFile);

/** Runs one of ours to its end; gives exit status and output, also of a failure. */
export async function call(program, ...args) {
  try {
    const { stdout, stderr } = await run(join(binaries, program), args, { cwd: root });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

/** Starts a program that prints a link with a token, and waits for it. */
export async function start(program, ...args) {
  await mkdir(results, { recursive: true });
  const child = spawn(join(binaries, program), args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = [];
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const link = new Promise((found, failed) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        const match = /https?:\/\/\S+#token=\S+/.exec(line);
        if (match) found(match[0]);
      });
    }
    child.on('error', failed);
    ended.then((end) =>
      failed(new Error(`${program} ended (${JSON.stringify(end)}):\n${lines.join('\n')}`)),
    );
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
    return ended;
  };
  try {
    return { link: await link, lines, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
