// SPDX-License-Identifier: Apache-2.0
// The same page on recorded flows: no root, no agent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { byId, lines, open } from './browser.mjs';
import { manifests, start } from './programs.mjs';

let served;
let tab;

before(async () => {
  served = await start(
    'netcinch',
    ...['serve', '-f', manifests, '--flows', 'deploy/demo/sample/flows.jsonl'],
    ...['--listen', '127.0.0.1:0', '--learning', '35s'],
  );
  tab = await open(served.link);
});

after(async () => {
  await tab?.close();
  await served?.stop();
});

test('recorded flows draw the map', async () => {
  await lines(tab.page, 'allowed', 8);
  await lines(tab.page, 'denied');
});

test('and carry findings and recommendations', async () => {
  await tab.page.goto(new URL('/findings', served.link).href);
  await byId(tab.page, 'finding-unused').first().waitFor();
  await tab.page.goto(new URL('/recommendations', served.link).href);
  await byId(tab.page, 'recommendation-cart').click();
  assert.equal(await byId(tab.page, 'proof').getAttribute('data-holds'), 'true');
});

test('the page kept quiet and the program ends well', async () => {
  tab.assertQuiet();
  const { code } = await served.stop();
  assert.equal(code, 0, served.lines.join('\n'));
});
