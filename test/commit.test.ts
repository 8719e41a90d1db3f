/** Which commit a build says that it is of. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageVersions } from '../src/common/machine.js';
import { root } from './support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-commit-'));
afterAll(() => rm(work, { recursive: true }));

const outer = path.join(work, 'outer');
const checkout = path.join(outer, 'checkout');
mkdirSync(path.join(checkout, 'src'), { recursive: true });
cpSync(path.join(root, 'scripts/commit.js'), path.join(checkout, 'scripts/commit.js'));
writeFileSync(path.join(checkout, '.gitignore'), 'dist\n');

const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: folder, encoding: 'utf8' });

/** What a build would find in its dist. */
function stamped(): unknown {
  const file = path.join(checkout, 'dist/commit.json');
  execFileSync(process.execPath, [path.join(checkout, 'scripts/commit.js')]);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

it('is the own one, marked where a source differs from it, and none elsewhere', () => {
  git(outer, 'init', '-q');
  git(outer, 'commit', '-q', '--allow-empty', '-m', 'outer');
  expect(stamped()).toBeUndefined();
  git(checkout, 'init', '-q');
  expect(stamped()).toBeUndefined();
  git(checkout, 'add', '.');
  git(checkout, 'commit', '-q', '-m', 'one');
  const commit = git(checkout, 'rev-parse', '--short=12', 'HEAD').trim();
  expect(stamped()).toBe(commit);
  writeFileSync(path.join(checkout, 'notes.md'), 'no source');
  expect(stamped()).toBe(commit);
  writeFileSync(path.join(checkout, 'src/a.ts'), '');
  expect(stamped()).toBe(`${commit}+changes`);
  writeFileSync(path.join(checkout, '.git/HEAD'), 'damaged');
  expect(stamped()).toBeUndefined();
});

it('is told beside the version by what was built, and nothing where it is not known', () => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  expect(packageVersions()).toEqual({ 'bn-train': version });
  const file = path.join(root, 'dist/commit.json');
  const commit = existsSync(file) ? { commit: JSON.parse(readFileSync(file, 'utf8')) as string } : {};
  const built = `import { packageVersions } from '${path.join(root, 'dist/common/machine.js')}'; console.log(JSON.stringify(packageVersions()))`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', built], { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual({ 'bn-train': version, ...commit });
  const isCheckout = existsSync(path.join(root, '.git'));
  expect(Object.keys(commit)).toEqual(isCheckout ? ['commit'] : []);
});
