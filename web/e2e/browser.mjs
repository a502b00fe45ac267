// SPDX-License-Identifier: Apache-2.0
// Opens Debian's Chromium and watches what a page does behind the picture.
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import { results } from './programs.mjs';

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'chromium');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  throw new Error('no chromium in PATH: apt-get install chromium, or name one with CHROMIUM=');
}

/** How long one thing may take to show: the demo's own minute, and a slow machine. */
export const patience = 120_000;

export async function open(link, options = {}) {
  const browser = await chromium.launch({
    executablePath: executable(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    acceptDownloads: true,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const faults = [];
  const origin = new URL(link).origin;
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !/^(data|blob):/.test(url)) faults.push(`outside: ${url}`);
  });
  await page.goto(link);
  return {
    page,
    /** A picture for the eye, by name and colour scheme. */
    shot: (name) => page.screenshot({ path: join(results, `${name}.png`) }),
    /** Nothing failed but what the test made fail, and nothing was asked of anybody else. */
    assertQuiet: (but = []) =>
      assert.deepEqual(
        faults.filter((f) => !but.some((b) => b.test(f))),
        [],
      ),
    close: () => browser.close(),
  };
}

/** Waits until the map is drawn and has at least so many lines of a state. */
export async function lines(page, state, least = 1) {
  await page.locator('[data-testid=map][data-ready=true]').waitFor();
  await page
    .locator(`.line[data-state=${state}]`)
    .nth(least - 1)
    .waitFor({ state: 'attached' });
}

export const byId = (page, id) => page.locator(`[data-testid="${id}"]`);
