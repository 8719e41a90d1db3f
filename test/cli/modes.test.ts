/** How a run's steps are run is fixed when it begins: fused, as a graph or op by op; config.json, JSON and a resume tell. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunConfig } from '../../src/run/config.js';
import { runProgram } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-modes-'));
afterAll(() => rm(work, { recursive: true }));

let data: SmallData;
beforeAll(async () => {
  data = await writeSmallData(path.join(work, 'data'), 300, 100);
  await mkdir(path.join(work, 'empty'));
});

const withoutCompiler = { PATH: path.join(work, 'empty'), CXX: undefined };

async function train(folder: string, flags: string[], env: Record<string, string | undefined> = {}) {
  const args = ['none', '--epochs', '1', '--seed', '1', '--json', ...data.args, ...flags];
  const result = await runProgram([...args, '--run-dir', path.join(work, folder)], { env: { ...data.env, ...env } });
  const { mode, final } = JSON.parse(result.stdout) as { mode: string; final: { loss: number } };
  return { mode, loss: final.loss, stderr: result.stderr, config: configOf(folder) };
}

const configOf = (folder: string) =>
  JSON.parse(readFileSync(path.join(work, folder, 'config.json'), 'utf8')) as RunConfig;
const resume = (folder: string, flags: string[], env: Record<string, string | undefined> = {}) =>
  runProgram(['none', '--resume', path.join(work, folder), ...data.args, ...flags], { env: { ...data.env, ...env } });

const HASH = /^[0-9a-f]{16}$/;
const WITHOUT = 'training without fused kernels, which is slower: there is no C++ compiler (apt-get install g++)\n';

it('a run is fused where there is a compiler, with the kernels in its config.json, and has the same bits every time', async () => {
  const { mode, loss, config, stderr } = await train('fused', []);
  expect(mode).toBe('fused');
  expect(config.mode).toBe('fused');
  expect(config.kernels).toEqual({
    hash: expect.stringMatching(HASH) as string,
    compiler: expect.stringMatching(/./) as string,
  });
  expect(stderr).not.toContain('without fused');
  expect(await train('again', [])).toMatchObject({ loss, config: { kernels: config.kernels } });
});

it('a run without a compiler is a graph, which a line tells even to who wants no news', async () => {
  const { mode, config, stderr } = await train('graph', ['--quiet'], withoutCompiler);
  expect([mode, config.mode, config.kernels]).toEqual(['graph', 'graph', undefined]);
  expect(stderr).toBe(WITHOUT);
});

it.each([
  [['--no-fuse'], 'graph'],
  [['--eager'], 'eager'],
])('a run with %s is of mode %s, without a word', async (flags, expected) => {
  const { mode, config, stderr } = await train(flags.join(), [...flags, '--quiet']);
  expect([mode, config.mode, config.kernels, stderr]).toEqual([expected, expected, undefined, '']);
});

it('a run that goes on keeps its mode, whatever there is by then', async () => {
  expect((await resume('graph', ['--epochs', '2', '--quiet'])).stderr).toBe('');
  expect(configOf('graph')).toMatchObject({ mode: 'graph', epochs: 2 });
  expect(configOf('graph')).not.toHaveProperty('resumed');
  expect(await resume('fused', ['--no-fuse'])).toMatchObject({
    code: 2,
    stderr: `Cannot resume ${path.join(work, 'fused')}: expected no --no-fuse, without which it began, got --no-fuse\nhint: leave out --no-fuse\n`,
  });
});

it('a fused run whose kernels are not to be had goes on as a graph, and is told that its last bits may differ', async () => {
  const { kernels } = configOf('fused');
  const { code, stderr } = await resume('fused', ['--epochs', '2'], withoutCompiler);
  expect(code).toBe(0);
  expect(stderr).toContain(WITHOUT);
  expect(stderr).toContain(
    `kernels ${kernels?.hash ?? ''} (${kernels?.compiler ?? ''}) then, none now: its last bits may differ from those of a run that was never stopped\n`,
  );
  expect(configOf('fused')).toMatchObject({ mode: 'fused', kernels, resumed: [{ device: 'cpu' }] });
  // With a compiler again it is fused again, and that is told too.
  expect((await resume('fused', ['--epochs', '3'])).stderr).toContain(`kernels none then, ${kernels?.hash ?? ''}`);
  expect(configOf('fused').resumed?.map((place) => place.kernels)).toEqual([undefined, kernels]);
});

it('setup makes the very kernels that a run takes, whatever its batches and images; without a compiler it says so', async () => {
  const { code, stdout } = await runProgram(['setup']);
  expect(code).toBe(0);
  const { hash, compiler } = configOf('fused').kernels ?? {};
  expect(stdout).toContain(`the fused kernels of none are ready: ${hash ?? ''}, compiled by ${compiler ?? ''}\n`);
  expect(stdout.match(/^the fused kernels of (scratch|builtin|none) are ready: [0-9a-f]{16}, /gm)).toHaveLength(3);
  expect((await train('other', ['--batch-size', '77'])).config.kernels?.hash).toBe(hash);
  const without = await runProgram(['setup'], { env: withoutCompiler });
  expect(without).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^TensorFlow \S+ is ready: \S+\n$/) as string,
    stderr: 'training will be without fused kernels, which is slower: there is no C++ compiler (apt-get install g++)\n',
  });
});

it('the doctor says where kernels are kept and what compiles them, or why there are none', async () => {
  const { stdout } = await runProgram(['doctor']);
  expect(stdout).toMatch(/^fused kernels +\S+bn-train\/kernels, compiled by \S/m);
  expect(stdout).not.toContain('missing');
  const without = await runProgram(['doctor'], { env: withoutCompiler });
  expect(without.stdout).toMatch(
    /^fused kernels +none, which is slower: there is no C\+\+ compiler \(apt-get install g\+\+\)$/m,
  );
  expect(without.stdout).toContain('missing: a C++ compiler\nhint: apt-get install g++\n');
});
