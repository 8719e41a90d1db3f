import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonVersion } from '../../src/runtime/loadAddon.js';
import { thisPlatform } from '../../src/runtime/install/pins.js';
import { markFinished } from '../../src/runtime/install/finished.js';
import { makePayload, writeFiles } from '../data/payload.js';
import { ALL } from '../support/amount.js';
import { root, start } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-pack-'));
afterAll(() => rm(work, { recursive: true }));

const script = (name: string, ...args: string[]) =>
  start('bash', [path.join(root, 'bench', name), ...args], { cwd: work });
const split = (...args: string[]) => script('split.sh', ...args).result;
const pack = (...args: string[]) => script('pack.sh', ...args).result;
/** The unpack.sh that was packed. */
const unpack = (parts: string, ...args: string[]) =>
  start('bash', [path.join(work, parts, 'unpack.sh'), ...args], { cwd: work }).result;

const folder = path.join(work, 'folder');
beforeAll(() => {
  mkdirSync(path.join(folder, 'with space'), { recursive: true });
  writeFileSync(path.join(folder, 'with space/run'), 'x'.repeat(2000));
  chmodSync(path.join(folder, 'with space/run'), 0o755);
  writeFileSync(path.join(folder, 'empty'), '');
});

describe('split.sh and unpack.sh', () => {
  it.each(['xz', 'gzip', 'none'])('a folder comes back as it was, compressed with %s', async (compression) => {
    const [parts, back] = [`parts-${compression}`, `back-${compression}`];
    const made = await split('--size', '1K', '--compress', compression, folder, parts);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringMatching(/^\S+: \d+ parts, \d+ bytes\n$/) as string });
    const sizes = readdirSync(path.join(work, parts), { withFileTypes: true })
      .filter(({ name }) => name.startsWith('part-'))
      .map(({ name }) => statSync(path.join(work, parts, name)).size);
    expect(sizes.slice(0, -1).every((size) => size === 1024)).toBe(true);
    expect(sizes.at(-1)).toBeLessThanOrEqual(1024);
    expect(await unpack(parts, back)).toMatchObject({ code: 0, stdout: `unpacked: ${path.join(work, back)}\n` });
    expect(readdirSync(path.join(work, back), { recursive: true }).sort()).toEqual(
      ['empty', 'with space', 'with space/run'].sort(),
    );
    expect(readFileSync(path.join(work, back, 'with space/run'), 'utf8')).toBe('x'.repeat(2000));
    expect(statSync(path.join(work, back, 'with space/run')).mode & 0o777).toBe(0o755);
  });

  it('every part that is missing or damaged is named, and nothing is unpacked', async () => {
    await split('--size', '1K', '--compress', 'none', folder, 'broken');
    const file = (name: string) => path.join(work, 'broken', name);
    rmSync(file('part-0001'));
    writeFileSync(file('part-0002'), readFileSync(file('part-0002')).fill(1, 7, 8));
    writeFileSync(file('part-0003'), readFileSync(file('part-0003')).subarray(1));
    const { code, stderr } = await unpack('broken');
    expect(stderr).toMatch(
      /^Cannot unpack: expected all \d+ parts whole in \S+broken, got part-0001 missing, part-0002 damaged, part-0003 damaged\nhint: carry those again, then: bash unpack\.sh\n$/,
    );
    expect(code).toBe(1);
    expect(readdirSync(work).filter((name) => name.startsWith('bn-train'))).toEqual([]);
  });

  it('a MANIFEST that is cut or missing is not taken for a smaller one', async () => {
    await split('--size', '1K', '--compress', 'none', folder, 'cut');
    const manifest = path.join(work, 'cut/MANIFEST');
    writeFileSync(manifest, readFileSync(manifest).subarray(0, -10));
    expect(await unpack('cut')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^Cannot unpack: expected a whole MANIFEST, got (\d+) of \d+ parts in it\nhint: carry it again\n$/,
      ) as string,
    });
    rmSync(manifest);
    expect(await unpack('cut')).toMatchObject({
      code: 1,
      stderr: `Cannot unpack: expected a MANIFEST beside unpack.sh, got none\nhint: carry all that split.sh wrote into ${path.join(work, 'cut')}\n`,
    });
  });

  it('what was packed damaged is not left half unpacked', async () => {
    await split('--compress', 'none', folder, 'bad');
    const manifest = path.join(work, 'bad/MANIFEST');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('compression: none', 'compression: gzip'));
    const { code, stderr } = await unpack('bad', 'bad-back');
    expect(stderr).toMatch(
      /Cannot unpack: expected room for what is in the parts, got the error above\nhint: free some space, or unpack elsewhere: bash unpack\.sh FOLDER\n$/,
    );
    expect(code).toBe(1);
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('compression: gzip', 'compression: brotli'));
    expect((await unpack('bad', 'bad-back')).stderr).toBe(
      'Cannot unpack: expected parts compressed with xz, zstd, gzip or none, got brotli\nhint: carry MANIFEST again\n',
    );
    expect(readdirSync(work).filter((name) => name.startsWith('bad-back'))).toEqual([]);
  });

  it('an existing folder stays as it is', async () => {
    await split('--compress', 'none', folder, 'taken');
    expect(await split(folder, 'taken')).toMatchObject({
      code: 1,
      stderr: 'Cannot split: expected no taken yet, got one\n',
    });
    expect(await unpack('taken', 'folder')).toMatchObject({
      code: 1,
      stderr: `Cannot unpack: expected no ${folder} yet, got one\nhint: name another folder: bash unpack.sh FOLDER\n`,
    });
  });

  it('what a machine lacks is named', async () => {
    await split('--compress', 'xz', folder, 'as-xz');
    const bin = path.join(work, 'bin');
    mkdirSync(bin);
    const few = ['bash', 'cat', 'cut', 'dirname', 'grep', 'sed', 'sha256sum'];
    for (const name of few)
      symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), path.join(bin, name));
    const bare = (...args: string[]) => start('bash', args, { cwd: work, env: { PATH: bin } }).result;
    const unpacking = path.join(work, 'as-xz/unpack.sh');
    expect((await bare(unpacking)).stderr).toBe(
      'Cannot unpack: expected xz or python3 on the PATH, got neither\nhint: apt-get install xz-utils, or pack with --compress gzip\n',
    );
    const manifest = path.join(work, 'as-xz/MANIFEST');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('compression: xz', 'compression: zstd'));
    expect((await bare(unpacking)).stderr).toBe(
      'Cannot unpack: expected zstd on the PATH, got none\nhint: install it, or pack with --compress gzip\n',
    );
    expect(await bare(path.join(root, 'bench/split.sh'), '--compress', 'zstd', folder, 'as-zstd')).toMatchObject({
      code: 1,
      stderr: 'Cannot split: expected zstd on the PATH, got none\n',
    });
  });

  it.each([
    { args: ['folder'], words: 'expected FOLDER OUT_DIR, got 1 names' },
    { args: ['--fast', 'folder', 'out'], words: 'expected FOLDER OUT_DIR, got --fast' },
    { args: ['--size', '0', 'folder', 'out'], words: 'expected a --size such as 60M, got 0' },
    { args: ['folder', 'out', '--size'], words: 'expected a --size such as 60M, got nothing' },
    { args: ['nowhere', 'out'], words: 'expected a folder to split, got nowhere' },
    { args: ['--compress', 'rar', 'folder', 'out'], words: 'expected --compress xz, zstd, gzip or none, got rar' },
  ])('split.sh $args is wrong usage', async ({ args, words }) => {
    expect(await split(...args)).toMatchObject({
      code: 2,
      stderr: `Cannot split: ${words}\nhint: bench/split.sh --size 60M FOLDER OUT_DIR\n`,
    });
  });

  it.each(['-x', ''])('unpack.sh %j is wrong usage', async (name) => {
    expect(await script('unpack.sh', name).result).toMatchObject({
      code: 2,
      stderr: `Cannot unpack: expected a folder to make, got ${name || 'nothing'}\nhint: bash unpack.sh bn-train\n`,
    });
  });
});

describe('pack.sh', () => {
  const cache = path.join(work, 'cache/bn-train');
  const name = `tensorflow-cpu-2.18.1-${thisPlatform()}-${addonVersion()}`;
  const manifest = path.join(work, 'manifest.json');
  const env = { XDG_CACHE_HOME: path.dirname(cache), BN_TRAIN_DATA_MANIFEST: manifest };
  const packCpu = (args: string[], more = {}) =>
    start('bash', [path.join(root, 'bench/pack.sh'), '--device', 'cpu', ...args], {
      cwd: work,
      env: { ...env, ...more },
    }).result;

  beforeAll(async () => {
    await writeRuntime(path.join(cache, 'runtime', name), ['cublas/lib/libcublas.so.12', 'nccl/lib/libnccl.so.2']);
    const payload = makePayload(2, 1);
    mkdirSync(path.join(cache, 'fashion-mnist'));
    writeFiles(path.join(cache, 'fashion-mnist'), payload);
    writeFileSync(manifest, JSON.stringify(payload.manifest([])));
  });

  it('packs a program that finds its Node, runtime and data set by itself, whatever the machine has', async () => {
    const made = await packCpu(['--compress', 'none', '--without', 'nvidia/nccl', 'packed']);
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/packed: [3-9] parts, \d+ bytes\n$/) as string,
    });
    expect(await unpack('packed', 'unpacked')).toMatchObject({ code: 0 });

    const program = path.join(work, 'unpacked');
    const bare = ['-i', 'PATH=/usr/bin:/bin', `BN_TRAIN_DATA_MANIFEST=${manifest}`, path.join(program, 'bn-train')];
    const { code, stdout } = await start('env', [...bare, 'doctor', '--json'], { cwd: '/' }).result;
    const { facts } = JSON.parse(stdout) as { facts: { label: string; value: string }[] };
    const runtime = path.join(program, 'cache/bn-train/runtime', name);
    expect(facts).toContainEqual({ label: 'libraries', value: path.join(runtime, 'tensorflow') });
    expect(facts).toContainEqual({ label: 'data set', value: path.join(program, 'cache/bn-train/fashion-mnist') });
    expect(readdirSync(path.join(runtime, 'nvidia'))).toEqual(['cublas']);
    expect(nvidiaOf(runtime)).toEqual(['cublas/lib/libcublas.so.12']);
    expect(nvidiaOf(path.join(cache, 'runtime', name))).toHaveLength(2);
    expect(readdirSync(path.join(program, 'node_modules'))).not.toContain('vitest');
    // What bench/gpu.sh has the packed Node do there.
    const main = path.join(program, 'bench/dist/main.js');
    const asked = await start('env', ['-i', path.join(program, 'node/bin/node'), main, folder, 'data']).result;
    expect(asked).toMatchObject({ code: 0, stdout: '\n', stderr: '' });
    expect(readdirSync(work).filter((entry) => entry.includes('packing'))).toEqual([]);
    expect(code).toBe(0);
  });

  it.runIf(ALL)('does not pack a runtime that the program would not take', async () => {
    const damaged = path.join(work, 'damaged/bn-train/runtime', name);
    await writeRuntime(damaged);
    writeFileSync(path.join(damaged, 'tfjs_binding.node'), 'cut');
    const more = { XDG_CACHE_HOME: path.join(work, 'damaged') };
    const { code, stderr } = await packCpu(['--without', 'node,data', 'none'], more);
    expect(stderr).toMatch(
      /Cannot pack: expected bn-train to find the packed runtime by itself, got the above\nhint: bn-train setup\n$/,
    );
    expect(code).toBe(1);
    expect(readdirSync(work).filter((entry) => entry.startsWith('none'))).toEqual([]);
  });

  const fakeLdd = () => {
    const bin = path.join(work, 'with-libnode');
    mkdirSync(bin);
    writeFileSync(path.join(bin, 'ldd'), '#!/bin/sh\necho libnode.so.108\n', { mode: 0o755 });
    return { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  };
  it.each([
    {
      lacks: 'the runtime',
      more: () => ({ XDG_CACHE_HOME: path.join(work, 'nothing') }),
      words: `the pinned tensorflow-cpu in ${work}/nothing/bn-train/runtime, got none\nhint: bn-train setup, in an environment without a TensorFlow of Python's`,
    },
    {
      lacks: 'the data set',
      more: () => {
        const other = path.join(work, 'other.json');
        writeFileSync(
          other,
          JSON.stringify({ ...makePayload(1, 1).manifest([]), folders: [] }).replaceAll('-images', '-other'),
        );
        return { BN_TRAIN_DATA_MANIFEST: other };
      },
      words: 'Fashion-MNIST, got none\nhint: bn-train data',
    },
    {
      lacks: 'a Node in one file',
      more: fakeLdd,
      words: `a Node in one file, got ${process.execPath} and libnode\nhint: pack with another Node on the PATH`,
    },
  ])('says that it lacks $lacks', async ({ more, words }) => {
    expect(await packCpu(['none'], more())).toMatchObject({ code: 1, stderr: `Cannot pack: expected ${words}\n` });
  });

  it.each([
    { args: [], words: 'expected OUT_DIR, got nothing' },
    { args: ['a', 'b'], words: 'expected one OUT_DIR, got a and b' },
    { args: ['--fast', 'a'], words: 'expected OUT_DIR, got --fast' },
    { args: ['--device', 'tpu', 'a'], words: 'expected --device cuda or cpu, got tpu' },
    { args: ['folder'], words: `expected no ${folder} yet, got one` },
    { args: ['--without', 'node,all', 'a'], words: 'expected --without some of node,data,nvidia,nvidia/NAME, got all' },
  ])('$args is wrong usage', async ({ args, words }) => {
    expect(await pack(...args)).toMatchObject({
      code: 2,
      stderr: `Cannot pack: ${words}\nhint: bench/pack.sh --device cuda OUT_DIR\n`,
    });
  });
});

/** NVIDIA's files that the marker of a runtime names. */
function nvidiaOf(folder: string): string[] {
  const marker = readFileSync(path.join(folder, 'runtime.json'), 'utf8');
  const names = Object.keys((JSON.parse(marker) as { files: object }).files);
  return names.filter((name) => name.startsWith('$ORIGIN/nvidia/')).map((name) => name.slice('$ORIGIN/nvidia/'.length));
}

/** A runtime that looks finished: only who loads it would see that it is none. */
async function writeRuntime(target: string, nvidia: string[] = []): Promise<void> {
  const own = ['tfjs_binding.node', 'tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'];
  for (const name of [...own, ...nvidia.map((each) => `nvidia/${each}`)]) {
    mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    writeFileSync(path.join(target, name), 'not a library');
  }
  const facts = { source: 'wheel', tensorflow: '2.18.1', compiler: 'none', tfjs: '4.22.0' } as const;
  const cuda = { toolkit: '12.5', cudnn: '9.3', missing: [] };
  await markFinished(target, { ...facts, libraries: '$ORIGIN/tensorflow', ...(nvidia.length > 0 && { cuda }) });
}
