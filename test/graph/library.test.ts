/** Libraries of generated code: made once, kept, and done without wherever compiler, disk or cache do not do their part. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { buildLibrary, KEPT, type Library } from '../../src/graph/fuse/library.js';
import { type Result, root, start } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-library-'));
const before = process.env;
afterAll(async () => {
  process.env = before;
  await rm(work, { recursive: true });
});

let number = 0;
let cache: string;
beforeEach(() => {
  cache = path.join(work, `${number++}`);
  process.env = { ...before, XDG_CACHE_HOME: cache, CXX: 'g++' };
});

const kernels = () => path.join(cache, 'bn-train/kernels');
const unit = (value: number) => `extern "C" int value() { return ${value}; }`;

async function built(sources: string[]): Promise<Library> {
  const made = await buildLibrary(sources);
  if ('reason' in made) throw new Error(made.reason);
  return made;
}

/** Takes a compiler's place; what it makes is the last of its arguments, and each call is a line in `calls`. */
function fakeCompiler(does: string, version = 'echo fake 1.0'): string {
  const file = path.join(work, `c++-${number}`);
  const last = 'for output; do :; done';
  writeFileSync(
    file,
    `#!/bin/bash\nif [ "$1" = --version ]; then ${version}; exit; fi\n${last}\necho "$output" >>"$0.calls"\n${does}\n`,
  );
  chmodSync(file, 0o755);
  return (process.env['CXX'] = file);
}
const calls = (compiler: string) =>
  readFileSync(`${compiler}.calls`, 'utf8')
    .trim()
    .split('\n')
    .map((name) => path.basename(name));
const real = 'exec g++ "$@"';

it('is compiled once, each unit by itself, and found again by all it was made from', async () => {
  const compiler = fakeCompiler(real);
  const first = await built([unit(1), '// nothing']);
  expect(first).toEqual({
    library: path.join(kernels(), first.hash, 'library.so'),
    hash: first.hash,
    compiler: 'fake 1.0',
  });
  expect(calls(compiler).sort()).toEqual(['0.o', '1.o', 'library.so']);
  expect(await built([unit(1), '// nothing'])).toEqual(first);
  expect(calls(compiler)).toHaveLength(3);
  expect((await built([unit(2), '// nothing'])).hash).not.toBe(first.hash);
  const other = fakeCompiler(real, 'echo fake 1.1');
  expect(await built([unit(1), '// nothing'])).toMatchObject({ compiler: 'fake 1.1' });
  expect(other).toBe(compiler);
  expect(new Set(readdirSync(kernels())).size).toBe(3);
  expect(readdirSync(path.join(kernels(), first.hash)).sort()).toEqual([
    '0.cc',
    '1.cc',
    'library.sha256',
    'library.so',
  ]);
});

it('is compiled on all cores at once', async () => {
  // Each waits for the other to begin.
  fakeCompiler(`case $output in *.o)
    touch "$output.begun"
    other=$(dirname "$output")/$((1 - $(basename "$output" .o))).o
    for i in $(seq 100); do if [ -e "$other.begun" ]; then ${real}; fi; sleep 0.1; done
    echo "error: alone" >&2; exit 1;;
  esac
  ${real}`);
  await built([unit(1), '// nothing']);
});

it.each<{ what: string; does: string; reason: string; timeout?: number }>([
  {
    what: 'fails',
    does: 'echo "0.cc:1:1: error: no such thing" >&2; echo more >&2; exit 1',
    reason: 'CXX does not compile: 0.cc:1:1: error: no such thing',
  },
  { what: 'fails without a word', does: 'exit 3', reason: 'CXX does not compile: no word why' },
  { what: 'hangs', does: 'sleep 1000', timeout: 500, reason: 'CXX took longer than 0.5 s to compile' },
  {
    what: 'has no room',
    does: 'echo "fatal error: error writing to 0.o: No space left on device" >&2; exit 1',
    reason: 'no space left on the device for CACHE/bn-train/kernels',
  },
  { what: 'makes nothing', does: 'exit 0', reason: 'what the compiler made does not open: ' },
  { what: 'makes junk', does: 'echo junk >"$output"', reason: 'what the compiler made does not open: ' },
  { what: 'talks without end', does: 'yes >&2', timeout: 500, reason: 'CXX took longer than 0.5 s to compile' },
])('a compiler that $what is a reason, and leaves nothing behind', async ({ does, reason, timeout }) => {
  const compiler = fakeCompiler(does);
  const made = await buildLibrary([unit(1), unit(2)], timeout === undefined ? {} : { timeout });
  const expected = reason.replace('CXX', compiler).replace('CACHE', cache);
  expect('reason' in made && made.reason.slice(0, expected.length)).toBe(expected);
  expect(readdirSync(kernels())).toEqual([]);
});

it('a library that is no longer what was made is a reason', async () => {
  fakeCompiler(
    `case $output in *.so) g++ "$@"; mv "$output" "$output.moved"; ln -s "$output.moved" "$output";; *) ${real};; esac`,
  );
  expect(await buildLibrary([unit(1)])).toEqual({
    reason: expect.stringMatching(/kernels\/[0-9a-f]{16} was changed while it was made$/) as string,
  });
});

it.each([
  ['8k', /^CACHE\/bn-train\/kernels cannot be used: no space left on the device$/],
  ['44k', /^no space left on the device for CACHE\/bn-train\/kernels$/],
])('a disk of %s is a reason, and nothing is left on it', async (size, reason) => {
  mkdirSync(cache);
  const script = `import { buildLibrary } from './dist/graph/fuse/library.js';
    import { readdirSync } from 'node:fs';
    const made = await buildLibrary(['// ' + 'x'.repeat(20_000) + '\\nint all[' + 30_000 + '] = {1};']);
    console.log(JSON.stringify({ ...made, left: readdirSync('${cache}/bn-train/kernels') }));`;
  const mount = `mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`;
  const words = ['-rm', 'sh', '-c', mount, cache, process.execPath, '--input-type=module', '-e', script];
  const { stdout, stderr } = await start('unshare', words, { cwd: root }).result;
  expect(stderr).toBe('');
  const made = JSON.parse(stdout) as { reason?: string; left: string[] };
  expect(made.reason?.replace(cache, 'CACHE')).toMatch(reason);
  expect(made.left).toEqual([]);
});

it('no compiler is a reason', async () => {
  process.env = { XDG_CACHE_HOME: cache, PATH: '/nowhere' };
  expect(await buildLibrary([])).toEqual({ reason: 'there is no C++ compiler (apt-get install g++)' });
});

it('a compiler whose version is junk serves as well', async () => {
  fakeCompiler(real, "head -c 300 /dev/urandom | tr -d '\\n'; printf '\\r\\u2028 \\0\\n\\n'");
  const made = await built([unit(1)]);
  expect(await built([unit(2)])).toHaveProperty('compiler');
  expect(existsSync(made.library)).toBe(true);
});

it('an interruption ends the compiler and leaves nothing behind', async () => {
  const compiler = fakeCompiler('sleep 1000');
  const interrupt = new AbortController();
  const making = buildLibrary([unit(1)], { signal: interrupt.signal });
  while (!existsSync(`${compiler}.calls`)) await new Promise((resolve) => setTimeout(resolve, 20));
  interrupt.abort();
  await expect(making).rejects.toThrow('aborted');
  expect(readdirSync(kernels())).toEqual([]);
});

it.each<[string, string, RegExp]>([
  ['that no folder can be made in', '/proc', / cannot be used: no such file or folder$/],
  ['that is a file', path.join(root, 'package.json'), / cannot be used: a file where a folder belongs$/],
])('a cache %s is a reason', async (_, place, reason) => {
  process.env['XDG_CACHE_HOME'] = place;
  expect(await buildLibrary([unit(1)])).toEqual({ reason: expect.stringMatching(reason) as string });
});

it('nothing is made or loaded where others may write', async () => {
  const made = await built([unit(1)]);
  for (const place of [path.join(cache, 'bn-train'), kernels(), path.dirname(made.library), made.library]) {
    chmodSync(place, 0o777);
    expect(await buildLibrary([unit(1)])).toEqual({
      reason: `Cannot use compiled kernels: expected only you and root to be able to change ${place}, got one that everyone may write to`,
    });
    chmodSync(place, 0o755);
  }
  const compiler = fakeCompiler(real);
  chmodSync(kernels(), 0o777);
  expect(await buildLibrary([unit(2)])).toHaveProperty('reason');
  expect(existsSync(`${compiler}.calls`)).toBe(false);
});

it.each<[string, (file: string) => void]>([
  ['library', (file) => writeFileSync(file, readFileSync(file).fill(1, 99, 100))],
  ['library', (file) => writeFileSync(file, '')],
  ['marker', (file) => writeFileSync(file.replace('.so', '.sha256'), '{}')],
])('a damaged %s counts as none, and is made anew', async (_, damage) => {
  const made = await built([unit(1)]);
  const whole = readFileSync(made.library);
  damage(made.library);
  expect(await built([unit(1)])).toEqual(made);
  expect(readFileSync(made.library)).toEqual(whole);
});

it('two processes at once make it once', async () => {
  const compiler = fakeCompiler(`sleep 0.5; ${real}`);
  const script = `import { buildLibrary } from './dist/graph/fuse/library.js';
    console.log(JSON.stringify(await buildLibrary(['int x;'])));`;
  const one = (): Promise<Result> =>
    start(process.execPath, ['--input-type=module', '-e', script], { cwd: root }).result;
  const [first, second] = await Promise.all([one(), one()]);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toHaveProperty('hash');
  expect(second).toEqual(first);
  expect(calls(compiler)).toEqual(['0.o', 'library.so']);
});

it('of many those are kept that were used last', async () => {
  const copied = (await built([unit(1)])).library;
  const compiler = fakeCompiler(`if [[ $output == *.so ]]; then cp ${copied} "$output"; else : >"$output"; fi`);
  const early = await built(['// early']);
  const unused = await built(['// unused']);
  for (const [{ library }, age] of [
    [early, 100],
    [unused, 50],
  ] as const) {
    const time = Date.now() / 1000 - age;
    utimesSync(library.replace('.so', '.sha256'), time, time);
  }
  mkdirSync(path.join(kernels(), 'not a library'));
  const make = async (count: number) => {
    for (let i = 0; i < count; i++) await built([`// ${i}`]);
  };
  await make(KEPT - 5);
  await built(['// early']);
  await make(KEPT - 2);
  expect(readdirSync(kernels())).toHaveLength(KEPT + 1);
  expect([early, unused].map(({ library }) => existsSync(library))).toEqual([true, false]);
  expect(existsSync(`${compiler}.calls`)).toBe(true);
});
