/** The pages under docs say what the sources say. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from './support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-documentation-'));
afterAll(() => rm(work, { recursive: true }));

/** From each page's name to its text. */
const pagesIn = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]),
  );

it('docs/api is what `npm run docs` makes of the comments, and no exported name is left out', () => {
  const made = path.join(work, 'api');
  execFileSync(process.execPath, [path.join(root, 'scripts/api.js'), made], { stdio: 'pipe' });
  expect(pagesIn(made)).toEqual(pagesIn(path.join(root, 'docs/api')));
});
