/** A headless Chromium that opens pages of reports, and all that it finds wrong with one. */
import { accessSync, constants } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { ALL } from './amount.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function found(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const executablePath = found();

/** Nobody has to install a browser for `npm test`; CI and `npm run test:all` fail without one. */
export const NO_BROWSER = executablePath === undefined && !ALL;

export async function openBrowser(): Promise<Browser> {
  if (executablePath === undefined)
    throw new Error(`none of ${NAMES.join(', ')} is installed: apt-get install chromium`);
  // Chromium's sandbox refuses root, as containers have it.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

export interface View {
  width: number;
  scheme: 'light' | 'dark';
}

/** The widths of a phone, a tablet and a laptop, and the scheme in which a page is opened there. */
export const VIEWS: View[] = [
  { width: 360, scheme: 'light' },
  { width: 768, scheme: 'dark' },
  { width: 1280, scheme: 'light' },
];

export interface Opened {
  page: Page;
  /** Console messages, errors, requests of the network and what stands out of the window, so far. */
  faults: string[];
}

export async function openPage(browser: Browser, file: string, { width, scheme }: View): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: scheme });
  const faults: string[] = [];
  page.on('console', (message) => faults.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(file).href && !/^(data|blob):/.test(request.url()))
      faults.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  return { page, faults };
}

/** Texts of charts that stand out of their drawing or on each other. */
function illegible(page: Page): Promise<string[]> {
  return page.$$eval('figure.chart svg', (drawings) =>
    drawings.flatMap((drawing) => {
      const all = drawing.getBoundingClientRect();
      if (all.width === 0) return [];
      const texts = [...drawing.querySelectorAll('text')].map((text) => ({
        said: `${drawing.closest('figure')?.id ?? ''}: ${text.textContent}`,
        box: text.getBoundingClientRect(),
      }));
      const cut = texts.filter(
        ({ box }) =>
          box.left < all.left - 1 || box.right > all.right + 1 || box.top < all.top - 1 || box.bottom > all.bottom + 1,
      );
      const meet = (one: DOMRect, other: DOMRect) =>
        Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
        Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 3;
      const covered = texts.filter(({ box }, i) => texts.slice(0, i).some((other) => meet(box, other.box)));
      return [...cut.map(({ said }) => `cut off: ${said}`), ...covered.map(({ said }) => `on another text: ${said}`)];
    }),
  );
}

/**
 * Everything that a page must not have: what it said so far, charts that are not live or cannot be read, an overflow, and what
 * axe holds against it in either scheme, which changes colours alone.
 */
export async function faultsOf({ page, faults }: Opened): Promise<string[]> {
  const asleep = await page.$$eval('figure.chart', (figures) =>
    figures
      .filter((figure) => figure.querySelectorAll('.canvas svg path').length < 3)
      .map((figure) => `not drawn: ${figure.id}`),
  );
  const [shown, wide] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
  const overflow = wide > shown ? [`${wide} pixels wide in a window of ${shown}`] : [];
  await page.evaluate(axe.source);
  const violations: string[] = [];
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    violations.push(...(await violationsOf(page)).map((violation) => `axe, ${scheme}: ${violation}`));
  }
  return [...faults, ...asleep, ...(await illegible(page)), ...overflow, ...violations];
}

function violationsOf(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  });
}
