/** A run's page in a headless Chromium: nothing is wrong in any width, scheme and language, and what can be moved moves. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LANGUAGES } from '../../src/report/page/texts/index.js';
import { pageOf } from '../../src/report/page/writePage.js';
import { faultsOf, NO_BROWSER, openBrowser, openPage, VIEWS } from '../support/browser.js';
import { runProgram } from '../support/program.js';
import { writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-run-page-'));
const file = (name: string) => path.join(work, `${name}.html`);

describe.skipIf(NO_BROWSER)('in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    const { args, env } = await writeSmallData(path.join(work, 'data'), 600, 300);
    const train = (norm: string) =>
      runProgram([norm, '--eager', '--epochs', '3', '--seed', '1', '--run-dir', norm, ...args], { cwd: work, env });
    for (const norm of ['scratch', 'none']) expect((await train(norm)).code).toBe(0);
    const [scratch, none] = [path.join(work, 'scratch'), path.join(work, 'none')];
    for (const language of LANGUAGES) {
      writeFileSync(file(`scratch-${language}`), await pageOf([scratch], language));
      writeFileSync(file(`several-${language}`), await pageOf([none, scratch, scratch], language));
    }
    writeFileSync(file('none-en'), await pageOf([none], 'en'));
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await rm(work, { recursive: true });
  });

  const pages = [...LANGUAGES.flatMap((language) => [`scratch-${language}`, `several-${language}`]), 'none-en'];

  it.each(pages.flatMap((name) => VIEWS.map((view) => ({ name, ...view }))))(
    'nothing is wrong with $name at $width pixels, opened $scheme',
    async ({ name, ...view }) => {
      const opened = await openPage(browser, file(name), view);
      expect(await faultsOf(opened)).toEqual([]);
      await opened.page.close();
    },
  );

  /** The heights of the bars of a panel. */
  const barsOf = (page: Page, panel: number) =>
    page.$$eval(`#steps-${panel} .canvas svg path`, (paths) => paths.map((each) => each.getAttribute('d')).join(' '));
  const summaries = (page: Page) =>
    page.$$eval('#steps .summary', (each) => each.map(({ textContent }) => textContent));

  it('sliders move the histograms by keyboard, and buttons set the statistics', async () => {
    const { page, faults } = await openPage(browser, file('scratch-en'), { width: 1280, scheme: 'light' });
    const [x, , third = ''] = await summaries(page);
    expect((await summaries(page))[1]).toBe('mean 0, deviation 1');
    const before = await Promise.all([1, 3].map((panel) => barsOf(page, panel)));
    await page.locator('#steps input[name=beta]').focus();
    for (let press = 0; press < 3; press++) await page.keyboard.press('ArrowRight');
    expect(await summaries(page)).not.toContain(third);
    expect((await summaries(page))[0]).toBe(x);
    const after = await Promise.all([1, 3].map((panel) => barsOf(page, panel)));
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, false]);
    await page.locator('#steps button[value=moving]').press('Enter');
    const lagging = await summaries(page);
    expect(lagging[1]).not.toBe('mean 0, deviation 1');
    await page.locator('#steps button[value=batch]').press('Enter');
    expect((await summaries(page))[1]).toBe('mean 0, deviation 1');
    await page.locator('#steps select').selectOption({ index: 8 });
    expect((await summaries(page))[0]).not.toBe(x);
    expect((await summaries(page))[1]).toMatch(/^mean 0, deviation (1|0\.99)$/);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('a button changes light to dark and back, whatever the system has', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const { page } = await openPage(browser, file('none-en'), { width: 768, scheme });
      const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const first = await paper();
      await page.locator('#theme').press('Enter');
      const second = await paper();
      await page.locator('#theme').press('Enter');
      expect([await paper(), new Set([first, second])]).toEqual([
        first,
        new Set(['rgb(255, 255, 255)', 'rgb(13, 17, 23)']),
      ]);
      await page.close();
    }
  });

  it('a button copies the command', async () => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    await page.goto(`file://${file('scratch-en')}`);
    await page.locator('#provenance button.copy').press('Enter');
    await expect.poll(() => page.locator('#provenance button.copy').textContent()).toBe('Copied');
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(
      /^bn-train scratch --epochs 3 --seed 1 --eager/,
    );
    await context.close();
  });

  it('without its script the page is as complete', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`file://${file('scratch-zh')}`);
    expect(await page.locator('figure.chart .wide svg').count()).toBeGreaterThan(15);
    expect(await page.locator('#steps .controls').isVisible()).toBe(false);
    await context.close();
  });
});
