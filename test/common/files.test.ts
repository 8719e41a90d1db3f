/** The home folder and temporary files: never the working directory, and words where there is no place. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { cacheDirectory, hashOf, temporaryFolder } from '../../src/common/files.js';
import { homeDirectory } from '../../src/common/machine.js';
import { root, start } from '../support/program.js';

const before = process.env;
afterEach(() => {
  process.env = before;
});
const work = mkdtempSync(path.join(tmpdir(), 'bn-train-files-'));
afterAll(() => rm(work, { recursive: true }));

describe('the home folder', () => {
  it.each([undefined, '', 'relative', '.'])('is that of the user database with HOME=%s', (HOME) => {
    process.env = { ...before, HOME, XDG_CACHE_HOME: undefined };
    expect(homeDirectory()).toBe(userInfo().homedir);
    expect(cacheDirectory()).toBe(path.join(userInfo().homedir, '.cache/bn-train'));
  });

  it('is $HOME where that is a whole path', () => {
    process.env = { ...before, HOME: '/somewhere', XDG_CACHE_HOME: '' };
    expect(cacheDirectory()).toBe('/somewhere/.cache/bn-train');
  });

  it('of a user whom nobody knows is asked for', async () => {
    const script = `
import { cacheDirectory } from './dist/common/files.js';
process.setuid(54321);
try { console.log(cacheDirectory()); } catch ({ message, hint }) { console.log(message + '|' + hint); }`;
    const env = { HOME: '', XDG_CACHE_HOME: undefined };
    const { stdout } = await start(process.execPath, ['--input-type=module', '-e', script], { cwd: root, env }).result;
    expect(stdout).toMatch(
      /^Cannot find your home folder: expected HOME to name a folder, or an entry in the user database, got HOME=, and .*ENOENT.*\|set HOME, or XDG_CACHE_HOME for the cache\n$/,
    );
  });
});

it.each([
  ['/nowhere', 'no such file or folder'],
  ['/proc', 'no such file or folder'],
])('a temporary folder in TMPDIR=%s cannot be made, in words', (TMPDIR, got) => {
  // Node asks the system for this one.
  const own = before['TMPDIR'];
  before['TMPDIR'] = TMPDIR;
  try {
    expect(temporaryFolder).toThrow(
      expect.objectContaining({
        message: `Cannot make a temporary folder: expected a folder that can be written, ${TMPDIR}, got ${got}`,
        hint: 'set TMPDIR to another folder',
        exitCode: 1,
      }),
    );
  } finally {
    if (own === undefined) delete before['TMPDIR'];
    else before['TMPDIR'] = own;
  }
});

it('a hash is that of the content, and ends with the signal', async () => {
  const file = path.join(work, 'large');
  writeFileSync(file, 'abc');
  expect(await hashOf(file)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await truncate(file, 2 ** 36);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await expect(hashOf(file, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
});
