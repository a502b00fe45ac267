// SPDX-License-Identifier: Apache-2.0
// The map on recorded flows: levels, filters, times, exports; by keyboard, for
// eyes that see no colour, on small and on large screens.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { faults } from './axe.mjs';
import { byId, lines, open } from './browser.mjs';
import { manifests, root, start } from './programs.mjs';

let served;
let folder;
const at = (path) => new URL(path, served.link).href;

/** The sample with pods, a risky dial and a peer of another cluster. */
async function flows() {
  const text = await readFile(join(root, 'deploy/demo/sample/flows.jsonl'), 'utf8');
  const records = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  records
    .filter((r) => r.server.workload?.name === 'database')
    .forEach((r, i) => {
      r.server.pod = `database-${i % 2}`;
    });
  const like = records.at(-1);
  const dial = (server, port, more = {}) => ({
    ...like,
    client: { namespace: 'shop', workload: { kind: 'Deployment', name: 'cart' } },
    ...{ server, port, protocol: 'TCP', outcome: 'established', connections: 3 },
    ...more,
  });
  records.push(dial({ node: 'demo-node' }, 10250));
  records.push(dial({ ip: '10.99.0.7', elsewhere: 'europe/ledger/api' }, 8080));
  return `${records.map((r) => JSON.stringify(r)).join('\n')}\n`;
}

async function visit(options) {
  const tab = await open(served.link, options);
  await tab.page.locator('[data-testid=map][data-ready=true]').waitFor();
  return tab;
}

/** One visit for one test; the page must have kept quiet. */
async function look(options, story) {
  const tab = await visit(options);
  try {
    await story(tab.page, tab);
    tab.assertQuiet();
  } finally {
    await tab.close();
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netcinch-map-'));
  const file = join(folder, 'flows.jsonl');
  await writeFile(file, await flows());
  served = await start(
    'netcinch',
    ...['serve', '-f', manifests, '--flows', file],
    ...['--listen', '127.0.0.1:0', '--learning', '35s'],
  );
});
after(async () => {
  await served?.stop();
  await rm(folder, { recursive: true });
});

for (const colorScheme of ['light', 'dark']) {
  test(`the map in all its states is accessible, ${colorScheme}`, async () => {
    await look({ colorScheme }, async (page, tab) => {
      const states = {
        whole: ['/map', '.line[data-look=risky]'],
        table: ['/map?panel=open', '[data-testid=edge-table]'],
        folded: ['/map?level=namespace', '[data-testid=node-shop]'],
        matrix: ['/map?as=matrix', '[data-testid=matrix] button'],
        workload: ['/map?node=workload:shop/Deployment/cart', '[data-testid=node-panel]'],
        compared: [
          '/map?from=2026-11-22T19:25:00Z&beforeTo=2026-11-22T19:25:00Z',
          '[data-testid=comparing]',
        ],
        nothing: ['/map?q=nobody', '[data-testid=empty]'],
        wrong: ['/map?q=port:http', '[data-testid=error], [data-testid=search-problem]'],
      };
      for (const [name, [path, shows]] of Object.entries(states)) {
        if (name === 'wrong') continue; // logs the refused request; a test of its own
        await page.goto(at(path));
        await page.locator(shows).first().waitFor();
        await page.locator('.renewing').waitFor({ state: 'detached' });
        await tab.shot(`map-${name}-${colorScheme}`);
        assert.deepEqual(await faults(page), [], name);
      }
    });
  });
}

for (const [width, height] of [
  [400, 800],
  [1280, 800],
  [3840, 2160],
]) {
  test(`the map fits a screen of ${width} × ${height}`, async () => {
    await look({ viewport: { width, height } }, async (page, tab) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wider <= width, `the page is ${wider} wide`);
      await lines(page, 'unseen');
      await tab.shot(`map-${width}`);
    });
  });
}

test('every look has its own line, told apart without colour', async () => {
  await look({}, async (page) => {
    const styles = new Set();
    const looks = ['allowed', 'risky', 'unseen', 'denied', 'unused'];
    for (const name of looks) {
      const line = page.locator(`.line[data-look=${name}] path.react-flow__edge-path`).first();
      await line.waitFor({ state: 'attached' });
      styles.add(
        await line.evaluate((e) => {
          const s = getComputedStyle(e);
          return `${s.strokeWidth} ${s.strokeDasharray}`;
        }),
      );
    }
    assert.equal(styles.size, looks.length, [...styles].join('; '));
  });
});

test('by keyboard alone: Tab to a box and a line, Enter opens, Escape closes', async () => {
  await look({}, async (page) => {
    const focus = () =>
      page.evaluate(() => {
        const e = document.activeElement;
        const kind = e?.closest('.react-flow__node')
          ? 'box'
          : e?.closest('.react-flow__edge')
            ? 'line'
            : '';
        return { kind, name: e?.getAttribute('aria-label') ?? '' };
      });
    await page.locator('.react-flow__node[tabindex="0"]').first().waitFor();
    await byId(page, 'table-toggle').focus();
    const seen = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const here = await focus();
      if (here.kind) seen.push(here);
      if (seen.some((s) => s.kind === 'line') && here.kind === 'line') break;
    }
    assert.ok(seen.some((s) => s.kind === 'box'));
    const line = seen.at(-1);
    assert.match(line.name, / to .*(allowed|unused|denied|risky|unseen)/);
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=evidence], [data-testid=bundle]').first().waitFor();
    assert.match(page.url(), /line=/);
    await page.keyboard.press('Escape');
    await page.locator('[data-testid=evidence]').waitFor({ state: 'detached' });
    assert.doesNotMatch(page.url(), /line=/);

    await page.locator('.react-flow__node[data-id="workload:shop/Deployment/frontend"]').focus();
    await page.keyboard.press('ArrowDown');
    const below = await focus();
    assert.equal(below.kind, 'box');
    assert.doesNotMatch(below.name, /frontend/);
    await page.keyboard.press('Enter');
    await byId(page, 'node-panel').waitFor();
    await page.keyboard.press('Escape');
    await byId(page, 'node-panel').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    assert.equal((await focus()).kind, '', 'Escape leaves the map');
  });
});

test('namespaces open to workloads, and workloads to pods', async () => {
  await look({}, async (page, tab) => {
    await byId(page, 'level-namespace').click();
    await byId(page, 'node-shop').click();
    await byId(page, 'open').click();
    await byId(page, 'node-frontend').waitFor();
    await byId(page, 'node-data').waitFor();
    await page.getByRole('button', { name: 'Fold shop to one box' }).click();
    await byId(page, 'node-frontend').waitFor({ state: 'detached' });
    await byId(page, 'level-workload').click();
    await byId(page, 'node-database').click();
    await byId(page, 'open-pods').click();
    await byId(page, 'node-database-0').waitFor();
    await byId(page, 'node-database-1').waitFor();
    assert.match(page.url(), /pods=workload/);
    await tab.shot('map-pods');
    await byId(page, 'node-database-0').click();
    await byId(page, 'fold-pods').click();
    await byId(page, 'node-database').waitFor();
  });
});

test('a search narrows the map and stays in the address; a wrong one says why', async () => {
  const tab = await visit({});
  const { page } = tab;
  try {
    await byId(page, 'search').fill('to:data port:5432');
    await byId(page, 'node-payment').waitFor({ state: 'detached' });
    await byId(page, 'node-database').waitFor();
    assert.match(page.url(), /q=to%3Adata\+port%3A5432/);
    await page.reload();
    await byId(page, 'node-database').waitFor();
    assert.equal(await byId(page, 'node-payment').count(), 0);
    await byId(page, 'filters').click();
    assert.equal(await byId(page, 'filter-port').inputValue(), '5432');
    await byId(page, 'filter-port').fill('8080');
    await byId(page, 'filter-to').fill('shop');
    await byId(page, 'node-frontend').waitFor();
    await byId(page, 'node-database').waitFor({ state: 'detached' });
    await byId(page, 'filter-port').fill('http');
    await byId(page, 'search-problem').waitFor();
    assert.match(await byId(page, 'search-problem').textContent(), /port:http is neither/);
    await byId(page, 'node-frontend').waitFor(); // the last good picture stays
    tab.assertQuiet([/status of 400/]);
  } finally {
    await tab.close();
  }
});

test('the slider goes back in time, and compares two times', async () => {
  await look({}, async (page, tab) => {
    await lines(page, 'unseen');
    const end = byId(page, 'time-slider').getByRole('slider').nth(1);
    await end.focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press('PageDown');
    await page.waitForURL(/to=2026/);
    await page.locator('.line[data-state=unseen]').first().waitFor({ state: 'detached' });
    assert.equal(await byId(page, 'go-live').getAttribute('aria-pressed'), 'false');
    await byId(page, 'go-live').click();
    await lines(page, 'unseen');
    await byId(page, 'compare').click();
    await byId(page, 'compare-before').click();
    await page.locator('.line[data-look=new]').first().waitFor({ state: 'attached' });
    assert.match(await byId(page, 'compare-counts').textContent(), /[1-9]\d* new, \d+ gone/);
    await tab.shot('map-compare');
    await page.getByRole('button', { name: 'Stop comparing' }).click();
    await byId(page, 'comparing').waitFor({ state: 'detached' });
  });
});

test('the switch hides infrastructure and says how much', async () => {
  await look({}, async (page) => {
    const count = byId(page, 'infra-count');
    const hidden = Number.parseInt(await count.textContent(), 10);
    assert.ok(hidden > 0);
    const before = await page.locator('.line').count();
    await byId(page, 'infra-switch').click();
    await page.getByText(`${hidden} shown`).waitFor();
    await page.waitForFunction((n) => document.querySelectorAll('.line').length > n, before);
    assert.match(page.url(), /infra=shown/);
  });
});

test('peers of other clusters and what is risky stand apart', async () => {
  await look({}, async (page) => {
    await byId(page, 'group-Cluster europe').waitFor();
    await byId(page, 'node-ledger/api').click();
    assert.match(await byId(page, 'node-panel').textContent(), /runs in the cluster europe/);
    await page.keyboard.press('Escape'); // what is selected dims the rest
    await page.locator('[data-testid^=line-][data-look=risky]').first().click();
    await byId(page, 'evidence').waitFor();
    assert.match(await byId(page, 'evidence').textContent(), /Risky: it leads to the kubelet/);
  });
});

test('the map is saved as SVG, PNG and JSON', async () => {
  await look({}, async (page) => {
    const save = async (as) => {
      await byId(page, 'export').click();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: new RegExp(`^${as}`) }).click(),
      ]);
      const file = join(folder, download.suggestedFilename());
      await download.saveAs(file);
      return readFile(file);
    };
    const svg = (await save('SVG')).toString();
    assert.match(svg, /^<svg xmlns/);
    for (const text of ['frontend', 'database', '5432', 'stroke-dasharray'])
      assert.ok(svg.includes(text), text);
    const valid = await page.evaluate(
      (text) =>
        new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror') ===
        null,
      svg,
    );
    assert.ok(valid, 'the SVG is not well-formed');
    const png = await save('PNG');
    assert.deepEqual([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
    assert.ok(png.length > 20_000, `a picture of ${png.length} bytes is empty`);
    const data = JSON.parse((await save('JSON')).toString());
    assert.ok(data.edges.some((e) => e.state === 'denied'));
    assert.ok(data.meta.window.from);
  });
});
