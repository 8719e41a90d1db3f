/** The pages under docs say what the sources say. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root, start } from './support/program.js';

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

const FROM_TFJS_NODE = path.join(root, 'docs/from-tfjs-node.md');

it('the program of docs/from-tfjs-node.md learns, saves, and says so', async () => {
  const [, code = ''] = /```js\n(.*?)```/s.exec(readFileSync(FROM_TFJS_NODE, 'utf8')) ?? [];
  const args = ['--input-type=module', '-e', `process.chdir(${JSON.stringify(work)});${code}`];
  const { stdout, stderr, code: status } = await start(process.execPath, args, { cwd: root }).result;
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const [device, ...lines] = stdout.trim().split('\n');
  expect(device).toMatch(/^cpu TensorFlow /);
  const [last = '', difference = '', shape] = lines.slice(-3);
  expect(lines).toHaveLength(6);
  expect(Number(last.split(' ')[2])).toBeGreaterThan(0.9);
  expect(Number(difference.split(' ').at(-1))).toBeLessThan(1e-5);
  expect(shape).toBe('[ 2, 2, 3 ]');
});

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** The second of one name gets a number. */
function anchorsIn(text: string): string[] {
  const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
  const before = (i: number) => anchors.slice(0, i).filter((anchor) => anchor === anchors[i]).length;
  const numbered = anchors.map((anchor, i) => (before(i) === 0 ? anchor : `${anchor}-${before(i)}`));
  return [...numbered, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)];
}

it('every link of a page leads to a file, and to a heading of it', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...Object.keys(pagesIn(path.join(root, 'docs'))).map((name) => `docs/${name}`),
  ];
  const links = pages.flatMap((page) => {
    const text = readFileSync(path.join(root, page), 'utf8');
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([link, to = '', anchor]) => {
      const target = to === '' ? page : path.join(path.dirname(page), to);
      return { page, link, target, anchor };
    });
  });
  const broken = links.filter(({ target, anchor }) => {
    if (!existsSync(path.join(root, target))) return true;
    return anchor !== undefined && !anchorsIn(readFileSync(path.join(root, target), 'utf8')).includes(anchor);
  });
  expect(links.length).toBeGreaterThan(50);
  expect(broken.map(({ page, link }) => `${page}: ${link}`)).toEqual([]);
});
