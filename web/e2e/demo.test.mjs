// SPDX-License-Identifier: Apache-2.0
// The demo as a person sees it: from an empty map to a tightened policy in hand.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { load } from 'js-yaml';
import { byId, lines, open } from './browser.mjs';
import { call, manifests, start } from './programs.mjs';

const skip = process.getuid() === 0 ? false : 'needs root to build network namespaces';
let demo;
let tab;
let folder;
let clean;

/** Everything of a demo's on the machine, by name. */
async function listing() {
  const found = [];
  for (const place of ['/run', '/run/netns', '/sys/class/net', tmpdir()]) {
    for (const name of await readdir(place).catch(() => []))
      if (/^(ncd|netcinch-demo)/.test(name)) found.push(`${place}/${name}`);
  }
  return found;
}

before(async () => {
  if (skip) return;
  clean = await listing();
  folder = await mkdtemp(join(tmpdir(), 'netcinch-e2e-'));
  demo = await start('netcinch-demo', '--listen', '127.0.0.1:0', '--manifests', manifests);
  tab = await open(demo.link, { colorScheme: 'light' });
});

after(async () => {
  await tab?.close();
  await demo?.stop();
  if (folder) await rm(folder, { recursive: true });
});

test('the map fills with real edges', { skip }, async () => {
  await lines(tab.page, 'allowed', 8);
  for (const name of ['frontend', 'cart', 'catalogue', 'database', 'payment', 'search']) {
    await byId(tab.page, `node-${name}`).waitFor();
  }
});

test('the denied attempt is on the map', { skip }, async () => {
  await lines(tab.page, 'denied');
});

test('an edge shows its evidence', { skip }, async () => {
  await tab.page
    .locator('[data-testid=line-allowed][data-line*=frontend][data-line*=cart]')
    .first()
    .click();
  const panel = byId(tab.page, 'evidence');
  await panel.waitFor();
  const text = await panel.textContent();
  assert.match(text, /frontend[\s\S]*cart/);
  assert.match(text, /8080/, 'the port on the server itself, not the Service');
  assert.match(text, /Connections/);
  assert.match(text, /NetworkPolicy/, 'the policy that lets it through');
  assert.match(text, /shop\/cart:80|cart:http/, 'the Service that was dialled');
  await byId(panel, 'chart').waitFor();
  await tab.shot('evidence-light');
});

test('unused allowances are found', { skip }, async () => {
  await tab.page.goto(new URL('/findings', demo.link).href);
  const unused = byId(tab.page, 'finding-unused');
  await unused.first().waitFor();
  await tab.page.getByText(/8443/).first().waitFor();
  await tab.page
    .getByText(/search/)
    .first()
    .waitFor();
});

test('the connection that was never there before is told', { skip }, async () => {
  const unseen = byId(tab.page, 'finding-unseen').filter({ hasText: 'database' });
  await unseen.first().waitFor();
  assert.match(await unseen.first().textContent(), /frontend/);
  await tab.shot('findings-light');
  await unseen.first().getByText('Evidence on the map').click();
  const panel = byId(tab.page, 'evidence');
  await panel.waitFor();
  assert.match(await panel.textContent(), /Never seen/);
  await lines(tab.page, 'unseen');
  await tab.shot('map-light');
});

test('a tightened policy is downloaded and does what it says', { skip }, async () => {
  await tab.page.goto(new URL('/recommendations', demo.link).href);
  await byId(tab.page, 'recommendation-cart').click();
  await byId(tab.page, 'diff').waitFor();
  assert.equal(await byId(tab.page, 'proof').getAttribute('data-holds'), 'true');
  await tab.shot('recommendation-light');
  const [download] = await Promise.all([
    tab.page.waitForEvent('download'),
    byId(tab.page, 'download').click(),
  ]);
  const file = join(folder, 'cart.yaml');
  await download.saveAs(file);
  const policy = load(await readFile(file, 'utf8'));
  assert.equal(policy.kind, 'NetworkPolicy');
  assert.deepEqual([policy.metadata.namespace, policy.metadata.name], ['shop', 'cart']);
  const peers = policy.spec.ingress.flatMap((rule) => rule.from ?? []);
  const apps = peers.map((peer) => peer.podSelector?.matchLabels?.app).sort();
  assert.deepEqual(apps, ['checkout', 'frontend']);

  const world = ['00-cluster', 'shop', 'data', 'payments', 'kube-system'].flatMap((name) => [
    '-f',
    `${manifests}/${name}.yaml`,
  ]);
  for (const [from, allowed] of [
    ['shop/frontend', true],
    ['shop/checkout', true],
    ['shop/search', false],
  ]) {
    const answer = await call(
      'netcinch',
      ...['check', ...world, '-f', file, '-o', 'json'],
      ...['--from', from, '--to', 'shop/cart', '--port', '8080'],
    );
    assert.equal(answer.code, 0, answer.stderr);
    assert.equal(JSON.parse(answer.stdout).allowed, allowed, from);
  }
});

test('everything can be downloaded at once', { skip }, async () => {
  const [download] = await Promise.all([
    tab.page.waitForEvent('download'),
    byId(tab.page, 'download-all').click(),
  ]);
  const file = join(folder, 'all.yaml');
  await download.saveAs(file);
  const answer = await call(
    'netcinch',
    ...['check', '-f', `${manifests}/shop.yaml`, '-f', file, '--strict', '-o', 'json'],
    ...['--from', 'shop/frontend', '--to', 'shop/cart', '--port', '8080'],
  );
  assert.equal(answer.code, 0, answer.stderr);
});

test('it is as good in the dark', { skip }, async () => {
  const dark = await open(demo.link, { colorScheme: 'dark' });
  try {
    await lines(dark.page, 'unseen');
    await dark.shot('map-dark');
    await dark.page.goto(new URL('/recommendations', demo.link).href);
    await byId(dark.page, 'diff').waitFor();
    await dark.shot('recommendation-dark');
    dark.assertQuiet();
  } finally {
    await dark.close();
  }
});

test('the page kept quiet', { skip }, () => tab.assertQuiet());

test('the end leaves nothing behind', { skip }, async () => {
  const { code } = await demo.stop();
  assert.equal(code, 0, demo.lines.join('\n'));
  assert.deepEqual(await listing(), clean);
});
