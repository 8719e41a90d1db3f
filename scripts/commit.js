/**
 * Writes dist/commit.json, from which runs and studies know what they were computed by: `node scripts/commit.js`. Built
 * outside a checkout of this repository there is no such file.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const target = path.join(root, 'dist/commit.json');
/** All that decides what is built, and what an installed package runs. */
const SOURCES = ['bin', 'data', 'package.json', 'package-lock.json', 'scripts', 'src', 'tsconfig.json'];

/** What git prints; undefined where there is no git or nothing to tell. */
function git(...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

// Of a folder inside another repository, the commit would be that one's.
const isOwn = git('rev-parse', '--show-prefix') === '\n';
const commit = isOwn ? git('rev-parse', '--short=12', 'HEAD')?.trim() : undefined;
if (commit === undefined) rmSync(target, { force: true });
else {
  const changes = git('status', '--porcelain', '--', ...SOURCES) === '' ? '' : '+changes';
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, `${JSON.stringify(commit + changes)}\n`);
}
