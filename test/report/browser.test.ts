/** Charts in a headless Chromium: they go live in every width, scheme and by keyboard, and neither browser nor axe complains. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chartStyles } from '../../src/report/page/chartStyles.js';
import { renderChart } from '../../src/report/page/figure.js';
import { liveScript } from '../../src/report/page/liveScript.js';
import { studyPage } from '../../src/report/page/study/studyPage.js';
import { type Language, LANGUAGES, TEXTS as WORDS } from '../../src/report/page/texts/index.js';
import { faultsOf, NO_BROWSER, openBrowser, openPage, VIEWS } from '../support/browser.js';
import { CHARTS, TEXTS } from '../support/charts.js';
import { madeUpStudy } from '../support/madeUpStudy.js';

const page = (body: string, script: string) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Charts</title>
<style>${chartStyles} body{background:var(--paper);color:var(--ink)}</style></head>
<body><main><h1>Charts</h1>${body}</main><script type="module">${script}</script></body></html>`;

describe.skipIf(NO_BROWSER)('in Chromium', () => {
  let browser: Browser;
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'page-')), 'page.html');
  beforeAll(async () => {
    const figures = Object.entries(CHARTS).map(([id, spec]) => renderChart(spec, { id, title: id, texts: TEXTS }));
    writeFileSync(file, page(figures.join('\n'), await liveScript()));
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it.each(VIEWS)('nothing is wrong at $width pixels, opened $scheme', async (view) => {
    const opened = await openPage(browser, file, view);
    expect(await faultsOf(opened)).toEqual([]);
    await opened.page.close();
  });

  it('a legend is a row of buttons that the keyboard presses, and its series go and come back', async () => {
    const { page } = await openPage(browser, file, { width: 768, scheme: 'light' });
    const button = page.locator('#rates .legend button').first();
    const lines = () => page.locator('#rates .canvas svg path[stroke="var(--tone-1)"][fill="none"]').count();
    expect(await lines()).toBe(1);
    await button.focus();
    await page.keyboard.press('Enter');
    expect(await button.getAttribute('aria-pressed')).toBe('false');
    expect(await lines()).toBe(0);
    await page.keyboard.press('Space');
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    expect(await lines()).toBe(1);
    await page.close();
  });

  it.each([
    ['curves', /step 1\n.*batch normalization: 2\.\d+ nats\n.*none <b>: 2\.\d+ nats$/s],
    ['rates', /learning rate 0\.1\n.*none: 0\.2\n.*batch normalization: 0\.7$/s],
    ['seeds', /each at its best learning rate\n2\.4$/],
    ['histogram', /-2\.75\n/],
    ['grid', /none, 0\.1\n0\.1$/],
  ])('arrows walk along the values of %s, and Escape ends it', async (id, said) => {
    const { page, faults } = await openPage(browser, file, { width: 768, scheme: 'dark' });
    const chart = page.locator(`#${id} .drawing`);
    const tip = page.locator(`#${id} .canvas > div`).last();
    await chart.focus();
    for (const key of ['ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    expect(await tip.innerText()).toMatch(said);
    await page.keyboard.press('Escape');
    await expect.poll(() => tip.isVisible()).toBe(false);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('a phone breaks the names of rows between words', async () => {
    const { page } = await openPage(browser, file, { width: 340, scheme: 'light' });
    const said = await page.locator('#grid .canvas svg text').allTextContents();
    expect(said.map((text) => text.trim())).toEqual(expect.arrayContaining(['none', 'batch', 'normalization']));
    await page.close();
  });

  describe('the page of a study', () => {
    const { study, records } = madeUpStudy(true);
    const written = (language: Language) => path.join(path.dirname(file), `study-${language}.html`);
    beforeAll(async () => {
      const script = await liveScript();
      for (const language of LANGUAGES)
        writeFileSync(written(language), studyPage(study, records, WORDS[language], script));
    });

    it.each(VIEWS.flatMap((view) => LANGUAGES.map((language) => ({ ...view, language }))))(
      'has nothing wrong at $width pixels, opened $scheme, in $language',
      async ({ language, ...view }) => {
        const opened = await openPage(browser, written(language), view);
        expect(await faultsOf(opened)).toEqual([]);
        await opened.page.close();
      },
    );

    it('shows the whole grid on a phone, without scrolling', async () => {
      const { page } = await openPage(browser, written('en'), { width: 360, scheme: 'light' });
      const hidden = await page.locator('.explorer').evaluate((grid) => grid.scrollWidth - grid.clientWidth);
      expect(hidden).toBe(0);
      await page.close();
    });

    it('has a grid whose cells the keyboard picks, and whose curves follow', async () => {
      const { page } = await openPage(browser, written('en'), { width: 768, scheme: 'light' });
      const cell = page.locator('.explorer button').first();
      const caption = page.locator('#explorer-curves figcaption');
      const stroke = () => page.locator('#explorer-curves .canvas svg path[stroke="var(--tone-1)"]').count();
      expect(await stroke()).toBe(0);
      await cell.focus();
      await page.keyboard.press('Enter');
      expect(await cell.getAttribute('aria-pressed')).toBe('true');
      expect(await page.locator('.explorer button[aria-pressed=true]').count()).toBe(1);
      expect(await caption.innerText()).toBe('Training loss: without normalization, learning rate 0.1');
      expect(await stroke()).toBeGreaterThan(0);
      await page.close();
    });
  });

  it('what is wrong is found', async () => {
    const broken = path.join(path.dirname(file), 'broken.html');
    const body = `<figure class="chart" id="dead"><svg><text x="-5" y="20">aa</text><text x="-4" y="22">bb</text></svg></figure><img src="https://example.invalid/a.png"><p style="width:2000px">wide</p><p class="pale">pale</p><style>.pale{color:#ddd;background:#eee} @media (prefers-color-scheme:dark){.pale{color:#222;background:#111}}</style>`;
    writeFileSync(broken, page(body, 'console.log("said"); throw new Error("thrown")'));
    const faults = await faultsOf(await openPage(browser, broken, { width: 360, scheme: 'light' }));
    for (const fault of [
      'console: said',
      'error: thrown',
      'request: https://',
      'not drawn: dead',
      'cut off: dead: aa',
      'on another text: dead: bb',
      '2008 pixels',
      'axe, light: image-alt',
      'axe, light: color-contrast',
      'axe, dark: color-contrast',
    ])
      expect(faults.join('\n')).toContain(fault);
  });
});
