// SPDX-License-Identifier: Apache-2.0
// A generated cluster of 2,000 workloads and 8,000 edges, served as any other.
// What is measured is printed and kept in test-results/scale.json; nothing
// fails because a machine is slow.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { faults } from './axe.mjs';
import { byId, open } from './browser.mjs';
import { build, learning } from './city.mjs';
import { results, start } from './programs.mjs';

let served;
let folder;
let city;
let tab;
const figures = {};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netcinch-city-'));
  city = await build(folder);
  served = await start(
    'netcinch',
    ...['serve', '-f', city.manifests, '--flows', city.flows],
    ...['--listen', '127.0.0.1:0', '--learning', learning],
  );
  tab = await open(served.link);
  await drawn(); // the recommender computes its first view
});
after(async () => {
  await tab?.close();
  await served?.stop();
  await writeFile(join(results, 'scale.json'), `${JSON.stringify(figures, null, 2)}\n`);
  await rm(folder, { recursive: true });
});

const at = (path) => new URL(path, served.link).href;
const drawn = () => tab.page.locator('[data-testid=map][data-ready=true]').waitFor();

/** Until the map is drawn and painted, in ms since the address was asked for. */
async function firstPicture(path) {
  await tab.page.goto(at(path), { waitUntil: 'commit' });
  await drawn();
  return Math.round(
    await tab.page.evaluate(
      () =>
        new Promise((done) =>
          requestAnimationFrame(() => setTimeout(() => done(performance.now()))),
        ),
    ),
  );
}

/** Drags the picture about; gives the times between frames in ms. */
async function pan() {
  const { page } = tab;
  const box = await byId(page, 'map').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + 40];
  await page.evaluate(() => {
    window.frames = [];
    let last = performance.now();
    const tick = (now) => {
      window.frames.push(now - last);
      last = now;
      window.panning = requestAnimationFrame(tick);
    };
    window.panning = requestAnimationFrame(tick);
  });
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let i = 0; i < 90; i++)
    await page.mouse.move(x + 160 * Math.sin(i / 9), y + 60 * Math.sin(i / 14));
  await page.mouse.up();
  const frames = await page.evaluate(() => {
    cancelAnimationFrame(window.panning);
    return window.frames.slice(2);
  });
  const sorted = frames.sort((a, b) => a - b);
  const share = (p) => Math.round(10 * (sorted[Math.floor(p * (sorted.length - 1))] ?? 0)) / 10;
  return { frames: frames.length, median: share(0.5), p95: share(0.95), worst: share(1) };
}

const told = async (name, value) => {
  figures[name] = value;
  process.stdout.write(`# ${name}: ${JSON.stringify(value)}\n`);
};

test('the first picture shows every namespace, and says what it folds', async () => {
  await told('first picture, namespaces (ms)', await firstPicture('/map'));
  const { page } = tab;
  const boxes = await page.locator('.box[data-kind=namespace]').count();
  assert.equal(boxes, 102);
  assert.match(await byId(page, 'map-note').textContent(), /edges run inside what is folded/);
  assert.match(await byId(page, 'infra-count').textContent(), /4,\d\d\d hidden/);
  await tab.shot('city-light');
  assert.deepEqual(await faults(page), []);
});

test('no edge is lost on the way to the picture', async () => {
  const sums = await tab.page.evaluate(async () => {
    const graph = await (await fetch('/api/v1/graph')).json();
    const inside = graph.nodes.reduce((n, one) => n + (one.within?.edges ?? 0), 0);
    const lines = graph.edges.filter((e) => e.state !== 'unused');
    return inside + lines.reduce((n, e) => n + e.count, 0);
  });
  const status = await tab.page.evaluate(async () => (await fetch('/api/v1/status')).json());
  assert.equal(sums, status.totals.edges);
});

test('panning the whole', async () => {
  await told('panning, namespaces (ms a frame)', await pan());
});

test('a namespace opens among the others', async () => {
  const { page } = tab;
  await told(
    'first picture, two open (ms)',
    await firstPicture('/map?open=ledger-001&open=search-002'),
  );
  assert.equal(await page.locator('.box[data-kind=workload]').count(), 40);
  await tab.shot('city-open');
});

test('all workloads at once are drawn, if one asks for them', async () => {
  await told('first picture, workloads (ms)', await firstPicture('/map?level=workload'));
  await told('panning, workloads (ms a frame)', await pan());
  const { page } = tab;
  assert.ok((await page.locator('.box').count()) >= 2002);
  await tab.shot('city-workloads');
});

test('a search finds what is folded away', async () => {
  const { page } = tab;
  await told(
    'first picture, one searched (ms)',
    await firstPicture('/map?q=workload:ledger-001/db'),
  );
  await byId(page, 'group-ledger-001').waitFor();
  await byId(page, 'node-db').waitFor();
  await tab.shot('city-search');
});

test('the matrix has a row for each that asks', async () => {
  const { page } = tab;
  await page.goto(at('/map?as=matrix'));
  await byId(page, 'matrix').waitFor();
  assert.ok((await page.locator('.matrix tbody tr').count()) >= 100);
  await tab.shot('city-matrix');
});

test('the page kept quiet', () => tab.assertQuiet([/status of 503/]));
