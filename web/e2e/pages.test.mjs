// SPDX-License-Identifier: Apache-2.0
// Every page but the map, on recorded flows: what it shows, each of its states,
// by keyboard, for eyes that see no colour, on small and on large screens.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { load } from 'js-yaml';
import { faults } from './axe.mjs';
import { byId, open } from './browser.mjs';
import { manifests, start } from './programs.mjs';

/** Where each page is, and what shows that it is there. */
const pages = [
  { name: 'alerts', path: '/alerts?show=all', shows: '.list h1' },
  { name: 'findings', path: '/findings', shows: '.finding' },
  {
    name: 'policies',
    path: '/policies?policy=projectcalico.org/v3/NetworkPolicy/data/cache',
    shows: '[data-testid=suggested-added]',
  },
  { name: 'recommendations', path: '/recommendations', shows: '.diff .cm-content' },
  {
    name: 'what-if',
    path: '/what-if?remove=networking.k8s.io/v1/NetworkPolicy/data/database',
    shows: '[data-testid=replay-exact]',
  },
  { name: 'coverage', path: '/coverage', shows: '.tile' },
];

let served;
let folder;

const at = (path) => new URL(path, served.link).href;

async function visit(options) {
  const tab = await open(served.link, options);
  await tab.page.locator('.top nav a').first().waitFor();
  return tab;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netcinch-pages-'));
  served = await start(
    'netcinch',
    ...['serve', '-f', manifests, '--flows', 'deploy/demo/sample/flows.jsonl'],
    ...['--listen', '127.0.0.1:0', '--learning', '35s'],
  );
});
after(async () => {
  await served?.stop();
  await rm(folder, { recursive: true });
});

for (const colorScheme of ['light', 'dark']) {
  test(`every page is there and accessible, ${colorScheme}`, async () => {
    const tab = await visit({ colorScheme });
    try {
      for (const { name, path, shows } of pages) {
        await tab.page.goto(at(path));
        await tab.page.locator(shows).first().waitFor();
        await tab.shot(`${name}-${colorScheme}`);
        assert.deepEqual(await faults(tab.page), [], name);
      }
      tab.assertQuiet();
    } finally {
      await tab.close();
    }
  });
}

for (const [width, height] of [
  [400, 800],
  [1280, 800],
  [3840, 2160],
]) {
  test(`nothing is pushed off a screen of ${width} × ${height}`, async () => {
    const tab = await visit({ viewport: { width, height } });
    try {
      for (const { name, path, shows } of pages) {
        await tab.page.goto(at(path));
        await tab.page.locator(shows).first().waitFor();
        await tab.shot(`${name}-${width}`);
        const over = await tab.page.evaluate(
          () => document.documentElement.scrollWidth - window.innerWidth,
        );
        assert.ok(over <= 0, `${name} is ${over} px too wide`);
        const cut = await tab.page.evaluate(() =>
          [...document.querySelectorAll('.top-aside > *, .top nav a')]
            .filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1)
            .filter((e) => getComputedStyle(e.parentElement).overflowX !== 'auto')
            .map((e) => e.textContent),
        );
        assert.deepEqual(cut, [], `${name}: the head does not fit`);
      }
    } finally {
      await tab.close();
    }
  });
}

/** What a page asks first; its answer decides the state that the page is in. */
const asks = {
  alerts: 'alerts',
  findings: 'findings',
  policies: 'policies',
  recommendations: 'recommendations',
  'what-if': 'replay',
  coverage: 'coverage',
};

const problem = (status, detail) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ title: 'Problem', status, detail }),
});

for (const { name, path } of pages) {
  test(`${name}: loading, failing, forbidden and starting are told apart`, async () => {
    const tab = await visit();
    const { page } = tab;
    const route = new RegExp(`/api/v1/${asks[name]}(\\?|/|$)`);
    let answer;
    await page.route(route, (r) => {
      if (answer === 'wait') return;
      return answer ? r.fulfill(answer) : r.continue();
    });
    try {
      answer = 'wait';
      await page.goto(at(path));
      await page.locator('.spinner').first().waitFor();
      await tab.shot(`${name}-loading`);

      answer = problem(500, 'the disk is full');
      await page.goto(at(path));
      await byId(page, 'error').getByText('the disk is full').waitFor();
      await tab.shot(`${name}-error`);
      assert.deepEqual(await faults(page), [], 'error');

      answer = problem(403, 'namespace data is not yours');
      await page.goto(at(path));
      await byId(page, 'forbidden').getByText('namespace data is not yours').waitFor();
      await tab.shot(`${name}-forbidden`);
      assert.deepEqual(await faults(page), [], 'forbidden');

      answer = problem(503, 'the first view is being computed');
      await page.goto(at(path));
      await byId(page, 'starting').waitFor();
      answer = undefined; // and it comes by itself
      await byId(page, 'starting').waitFor({ state: 'detached' });
    } finally {
      await tab.close();
    }
  });
}

test('what is shown stays when it cannot be renewed, and says that it is old', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    let version = 1;
    await page.route('**/api/v1/events*', (r) =>
      r.fulfill({
        contentType: 'text/event-stream',
        body: `retry: 300\nid: x-${version}\nevent: view\ndata: {"version":${version++},"edges":0,"findings":0,"recommendations":0}\n\n`,
      }),
    );
    await page.goto(at('/findings'));
    await page.locator('.finding').first().waitFor();
    await page.route(/\/api\/v1\/findings/, (r) => r.fulfill(problem(500, 'the disk is full')));
    await byId(page, 'stale').getByText('the disk is full').waitFor();
    assert.ok((await page.locator('.finding').count()) > 0, 'the findings are still there');
    await tab.shot('findings-stale');
    assert.deepEqual(await faults(page), []);
  } finally {
    await tab.close();
  }
});

test('an empty cluster says on every page what happens next', async () => {
  await writeFile(
    join(folder, 'ns.yaml'),
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n',
  );
  await writeFile(join(folder, 'flows.jsonl'), '');
  const empty = await start(
    'netcinch',
    ...['serve', '-f', join(folder, 'ns.yaml'), '--flows', join(folder, 'flows.jsonl')],
    ...['--listen', '127.0.0.1:0'],
  );
  const tab = await open(empty.link);
  try {
    for (const path of ['/findings', '/recommendations', '/alerts']) {
      await tab.page.goto(new URL(path, empty.link).href);
      await byId(tab.page, 'next-steps').waitFor();
      await tab.shot(`empty${path.replace('/', '-')}`);
      assert.deepEqual(await faults(tab.page), [], path);
    }
    await tab.page.goto(new URL('/policies', empty.link).href);
    await byId(tab.page, 'empty').getByText('No policy is in force').waitFor();
    tab.assertQuiet();
  } finally {
    await tab.close();
    await empty.stop();
  }
});

/** Presses Tab until the focus is on what is looked for. */
async function tabTo(page, selector, most = 80) {
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const there = await page.evaluate((s) => document.activeElement?.matches(s) ?? false, selector);
    if (there) return;
  }
  assert.fail(`the keyboard does not reach ${selector}`);
}

test('everything is reached by keyboard alone', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    await page.goto(at('/findings'));
    await page.locator('.finding').first().waitFor();
    await tabTo(page, '.skip');
    await tabTo(page, '.top nav a[href^="/policies"]');
    await page.keyboard.press('Enter');
    await byId(page, 'policy').waitFor();
    await tabTo(page, '[data-testid=policy-database]');
    await page.keyboard.press('Enter');
    await page.locator('h2', { hasText: 'NetworkPolicy data/database' }).waitFor();

    await page.goto(at('/recommendations'));
    await byId(page, 'diff').waitFor();
    await tabTo(page, '[data-testid=format]');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/format=calico/);
    await byId(page, 'diff').waitFor();
    await tabTo(page, '[data-testid=download-menu]');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.keyboard.press('Enter'),
    ]);
    assert.match(download.suggestedFilename(), /\.zip$/);

    await page.goto(at('/what-if'));
    await tabTo(page, 'textarea');
    await page.keyboard.insertText(closed);
    await tabTo(page, '[data-testid=replay]');
    await page.keyboard.press('Enter');
    await byId(page, 'replay-denied').waitFor();
    await tabTo(page, '[data-testid=change-denied]');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/map\?.*edge=/);
  } finally {
    await tab.close();
  }
});

const closed = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cart, namespace: shop}
spec:
  podSelector: {matchLabels: {app: cart}}
  policyTypes: [Ingress]
`;

test('what if: who is hit, what changes, and a link into the map', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    await page.goto(at('/what-if'));
    await page.getByLabel('Policies as YAML').fill(closed);
    await byId(page, 'replay').click();
    const said = await byId(page, 'replay-verdict').textContent();
    assert.match(said, /Would have denied [1-9][\d,]* of [\d,.]+( million)? connections in/);
    assert.match(said, /replaces NetworkPolicy shop\/cart/);
    assert.match(await byId(page, 'replay-hit').textContent(), /shop\/frontend/);
    await byId(page, 'change-map').waitFor();
    await tab.shot('what-if-denied-light');
    assert.deepEqual(await faults(page), []);

    await page.getByLabel('Policies as YAML').fill('kind: [');
    await byId(page, 'replay').click();
    await byId(page, 'error')
      .getByText(/line \d/)
      .waitFor();

    // An uploaded file is as good as pasted text, and outlives a reload.
    const file = join(folder, 'open.yaml');
    await writeFile(file, closed.replace('policyTypes: [Ingress]', 'ingress: [{}]'));
    await page.getByRole('button', { name: 'Clear' }).click();
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Open files' }).click(),
    ]);
    await chooser.setFiles(file);
    await page.waitForFunction(() =>
      document.querySelector('textarea').value.includes('open.yaml'),
    );
    await page.reload();
    await byId(page, 'replay').click();
    assert.match(
      await byId(page, 'replay-verdict').textContent(),
      /Would have denied 0 of/,
      'a policy that allows all denies nothing',
    );
    assert.match(await byId(page, 'replay-exact').textContent(), /Allowed, and was not [1-9]/);
    tab.assertQuiet([/400/]);
  } finally {
    await tab.close();
  }
});

test('a recommendation opens in What if, and denies nothing', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    await page.goto(at('/recommendations'));
    await byId(page, 'recommendation-cart').click();
    const replayed = byId(page, 'replayed');
    await replayed.getByText(/would have denied 0 of [\d,.]+ connections in/).waitFor();
    await replayed.getByRole('link').click();
    await byId(page, 'replay-verdict')
      .getByText(/Would have denied 0 of/)
      .waitFor();
    assert.match(await page.getByLabel('Policies as YAML').inputValue(), /name: cart/);
  } finally {
    await tab.close();
  }
});

/** Decides on the alert that is shown, with a reason. */
async function decide(page, verdict, reason) {
  await byId(page, `ask-${verdict}`).click();
  await byId(page, 'reason').fill(reason);
  assert.deepEqual(await faults(page), [], verdict);
  await byId(page, 'decide').click();
  await byId(page, 'reason').waitFor({ state: 'detached' });
}

test('an alert is rejected, reopened, silenced and accepted, and all of it is kept', async () => {
  const tab = await visit();
  const { page } = tab;
  const stands = (status) => page.locator(`[data-testid=alert][data-status=${status}]`).waitFor();
  try {
    await page.goto(at('/alerts'));
    const item = page.locator('[data-testid=alert-unseen-inside]').filter({ hasText: 'frontend' });
    await item.click();
    await page.waitForURL(/\/alerts\/[0-9a-f]{16}/);
    await stands('firing');
    await byId(page, 'alert-edges').getByText('data/database').waitFor();
    await decide(page, 'reject', 'Nobody asked for it');
    await stands('rejected');
    await tab.shot('alert-rejected');
    await decide(page, 'reopen', 'It was asked for after all');
    await stands('firing');
    await decide(page, 'silence', 'The team looks at it');
    await stands('silenced');
    await decide(page, 'accept', 'The new report reads it');
    await stands('accepted');
    assert.match(await byId(page, 'decision').textContent(), /The new report reads it/);
    assert.equal(await page.locator('[data-testid=alert-trail] li').count(), 3);

    await page.goto(at('/alerts?show=trail'));
    await byId(page, 'trail').getByText('Nobody asked for it').first().waitFor();
    await tab.shot('alert-trail');
    assert.deepEqual(await faults(page), []);
    tab.assertQuiet();
  } finally {
    await tab.close();
  }
});

test('each format and each packing is downloaded', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    for (const format of ['kubernetes', 'calico', 'calico-staged', 'cluster']) {
      await page.goto(at(`/recommendations${format === 'kubernetes' ? '' : `?format=${format}`}`));
      const [yaml] = await Promise.all([
        page.waitForEvent('download'),
        byId(page, 'download-all').click(),
      ]);
      const file = join(folder, `${format}.yaml`);
      await yaml.saveAs(file);
      const kinds = new Set(
        (await readFile(file, 'utf8'))
          .split('\n---\n')
          .map((text) => load(text)?.kind)
          .filter(Boolean),
      );
      const wanted = {
        kubernetes: 'NetworkPolicy',
        calico: 'NetworkPolicy',
        'calico-staged': 'StagedNetworkPolicy',
        cluster: 'ClusterNetworkPolicy',
      };
      assert.ok(kinds.has(wanted[format]), `${format} has ${[...kinds]}`);
    }
    await page.goto(at('/recommendations'));
    for (const [way, ending] of [
      ['Zip archive', /^netcinch\.zip$/],
      ['Kustomize directory', /^netcinch-kustomize\.zip$/],
    ]) {
      await page.getByRole('button', { name: 'Other ways to take all' }).click();
      const [archive] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: way }).click(),
      ]);
      assert.match(archive.suggestedFilename(), ending);
    }
    tab.assertQuiet();
  } finally {
    await tab.close();
  }
});

test('the kubectl command is copied', async () => {
  const tab = await visit({ permissions: ['clipboard-read', 'clipboard-write'] });
  const { page } = tab;
  try {
    await page.goto(at('/recommendations'));
    await byId(page, 'recommendation-cart').click();
    await byId(page, 'diff').waitFor();
    await page.getByRole('button', { name: 'Copy as kubectl command' }).click();
    await page.getByText('Copied ✓').waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(text, /^kubectl apply -f - <<'EOF'\n[\s\S]*name: cart[\s\S]*\nEOF$/);
  } finally {
    await tab.close();
  }
});

test('times are in the zone that the reader chose', async () => {
  const tab = await visit({ timezoneId: 'America/New_York' });
  const { page } = tab;
  try {
    await page.goto(at('/findings'));
    const time = page.locator('time').first();
    await time.waitFor();
    assert.match(await time.getAttribute('title'), /(EST|EDT|GMT-[45])$/);
    await page.getByRole('button', { name: /Time looked at/ }).click();
    await byId(page, 'time-from').fill('2026-11-01T01:30');
    await byId(page, 'time-to').fill('2026-11-01T03:30');
    await page.getByRole('button', { name: 'Look at this time' }).click();
    // The clocks went back in this night: three hours lie between the two.
    await page.waitForURL(/from=2026-11-01T05%3A30%3A00Z&to=2026-11-01T08%3A30%3A00Z/);
    await page.goto(at('/findings'));
    await page.getByRole('button', { name: /Settings/ }).click();
    await page.getByLabel('UTC').check();
    await page.keyboard.press('Escape');
    assert.match(await time.getAttribute('title'), /UTC$/);
  } finally {
    await tab.close();
  }
});

test('bookmarks survive upgrades', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    for (const [old, now, shows] of [
      ['/advice', /\/recommendations$/, '[data-testid=recommendation]'],
      ['/whatif/', /\/what-if$/, '.editor'],
      ['/policies?policy=NetworkPolicy%20data%2Fdatabase', /\/policies/, '[data-testid=policy]'],
      ['/findings?kind=of-a-later-version&colour=red', /\/findings/, '.finding'],
      [
        '/recommendations?format=nothing&id=gone',
        /\/recommendations/,
        '[data-testid=recommendation]',
      ],
      ['/alerts?show=odd&kind=odd', /\/alerts/, '.list h1'],
    ]) {
      await page.goto(at(old));
      await page.locator(shows).first().waitFor();
      assert.match(page.url(), now, old);
    }
    await page.goto(at('/findings?namespace=renamed'));
    await byId(page, 'error').waitFor();
    await page.getByRole('button', { name: 'Show all namespaces' }).click();
    await page.locator('.finding').first().waitFor();
    await page.goto(at('/no-such-page'));
    await page.getByText('There is no such page').waitFor();
  } finally {
    await tab.close();
  }
});

test('a first visit loads little, under a strict policy, from here alone', async () => {
  const tab = await visit();
  const { page } = tab;
  try {
    const fresh = await page.context().newPage();
    const wire = await page.context().newCDPSession(fresh);
    await wire.send('Network.enable');
    const assets = new Set();
    let bytes = 0;
    wire.on('Network.responseReceived', (r) => {
      if (!r.response.url.includes('/api/')) assets.add(r.requestId);
    });
    wire.on('Network.loadingFinished', (r) => {
      if (assets.has(r.requestId)) bytes += r.encodedDataLength;
    });
    await wire.send('Network.setCacheDisabled', { cacheDisabled: true });
    const response = await fresh.goto(at('/map'));
    await fresh.locator('[data-testid=map][data-ready=true]').waitFor();
    assert.ok(bytes > 100_000 && bytes < 500_000, `${bytes} bytes`);
    const policy = response.headers()['content-security-policy'];
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    tab.assertQuiet();
  } finally {
    await tab.close();
  }
});
