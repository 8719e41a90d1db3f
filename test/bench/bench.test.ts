import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ALL } from '../support/amount.js';
import { root, runProgram, start } from '../support/program.js';
import { fakePeer } from './fake.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-bench-'));
afterAll(() => rm(work, { recursive: true }));

interface Report {
  machine: object;
  programs: { program: string; versions: Record<string, string>; contestants: string[] }[];
  speeds: { program: string; name: string; examplesPerSecond: { median: number; min: number; max: number } }[];
  ratios: object[];
  fresh?: { program: string; name: string; peakMemory: { median: number } }[];
}

const bench = (...args: string[]) => runProgram(['bench', ...args]);

describe('bn-train bench', () => {
  it('measures its own contestants in one process', async () => {
    const { code, stdout, stderr } = await bench('--steps', '2', '--turns', '2', '--json');
    const { programs, speeds, ratios, fresh } = JSON.parse(stdout) as Report;
    expect(programs[0]?.versions).toHaveProperty('tensorflow');
    expect(speeds.map(({ name }) => name)).toEqual(programs[0]?.contestants);
    expect(speeds.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['scratch/eager', 'builtin/eager', 'none/eager']),
    );
    for (const {
      examplesPerSecond: { median, min, max },
    } of speeds) {
      expect(min).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(min);
      expect(max).toBeGreaterThanOrEqual(median);
    }
    expect(ratios.length).toBeGreaterThan(0);
    expect(fresh).toBeUndefined();
    expect(stderr).toBe('warm-up\nturn 1/2\nturn 2/2\n');
    expect(code).toBe(0);
  });

  it.runIf(ALL)('measures another program beside itself, starts both anew, and prints a table', async () => {
    const light = ['--steps', '1', '--turns', '1', '--batch-size', '3000', '--norms', 'none', '--modes', 'graph'];
    const { stdout, stderr, code } = await bench(...light, '--peer', fakePeer, '--starts', '1');
    expect(stdout).toMatch(/^bn-train: bn-train .*, node .*, tensorflow .*, \d+ threads$/m);
    expect(stdout).toMatch(/^fake: arguments --data-dir \S+ --batch-size 3000 --norms none, 1 threads$/m);
    expect(stdout).toMatch(/^median \[range\] of 1 turns, each 1 steps of 3000 examples$/m);
    expect(stdout).toMatch(/^fake none eager +25,600 +\[25,600–25,600\] +10\.0 +\[10\.0–10\.0\]$/m);
    expect(stdout).toMatch(/^bn-train none graph \/ fake none eager +[\d.]+ +\[[\d.]+–[\d.]+\]$/m);
    expect(stdout).toMatch(/^fake none eager +50 +\[50–50\] +\d+\.\d +\[.*\] +2\.300 +0\.100$/m);
    expect(stdout).toMatch(
      /^bn-train none --epochs 1 --seed 1 --batch-size 3000, evaluation included: peak memory [\d.]+ [MG]B$/m,
    );
    expect(stderr).toBe('warm-up\nturn 1/1\nfresh start 1/1\n');
    expect(code).toBe(0);
  });

  it.each([
    { args: ['--steps', '0'], words: 'Expected a whole number from 1, got 0.' },
    { args: ['--norms', 'scratch,batch'], words: 'Expected some of scratch,builtin,none, got scratch,batch.' },
    { args: ['--norms', 'none,none'], words: 'Expected some of scratch,builtin,none, got none,none.' },
    { args: ['--modes', 'fast'], words: 'Expected some of fused,graph,eager,loop,xla,loop+xla, got fast.' },
    {
      args: ['--modes', 'graph', '--backend', 'js'],
      words:
        'Cannot measure the mode graph: expected eager on this backend, got graph\nhint: --backend native has them all\n',
    },
    { args: ['--batch-size', '1'], words: 'got a batch size of 1' },
  ])('$args is wrong usage', async ({ args, words }) => {
    const { code, stderr } = await bench(...args);
    expect(stderr).toMatch(words);
    expect(code).toBe(2);
  });

  it('measures without fused kernels where they cannot be had, unless they are asked for by name', async () => {
    const light = ['bench', '--norms', 'none', '--steps', '1', '--turns', '1', '--batch-size', '3000'];
    const env = { PATH: mkdtempSync(path.join(work, 'empty-')), CXX: undefined };
    const why = 'there is no C++ compiler (apt-get install g++)';
    const { code, stdout, stderr } = await runProgram([...light, '--json'], { env });
    expect(stderr).toContain(`measuring without fused kernels: ${why}\n`);
    expect((JSON.parse(stdout) as Report).programs[0]?.contestants).toEqual(['none/graph', 'none/eager']);
    expect(code).toBe(0);
    const asked = await runProgram([...light, '--modes', 'fused'], { env });
    expect(asked.stderr).toBe(
      `warm-up\nCannot measure the mode fused: expected fused kernels, got ${why}\nhint: --modes graph,eager\n`,
    );
    expect(asked.code).toBe(1);
  });

  it('says when a peer cannot be measured', async () => {
    const { code, stderr } = await bench('--norms', 'none', '--peer', 'false');
    expect(stderr).toBe(
      'Cannot measure false: expected a line of JSON, got its end (exit status 1)\nhint: what it said itself stands above\n',
    );
    expect(code).toBe(1);
  });
});

describe('bench/compare.sh', () => {
  const compare = (args: string[], env = {}) => start('bash', ['bench/compare.sh', ...args], { cwd: root, env }).result;

  it.each([
    { args: ['--peers', 'pytorch2'], got: 'pytorch2' },
    { args: ['--peers'], got: 'nothing' },
    { args: ['--turns', '1', '--peers='], got: 'nothing' },
  ])('$args is wrong usage', async ({ args, got }) => {
    expect(await compare(args)).toMatchObject({
      code: 2,
      stderr: `Cannot compare: expected --peers out of pytorch,jax,tensorflow, got ${got}\nhint: npm run -s bench:compare -- --peers pytorch,jax\n`,
    });
  });

  it('says what environment it could not make, and leaves no half of it', async () => {
    const { code, stderr } = await compare(['--peers', 'jax'], { PYTHON: 'false', XDG_CACHE_HOME: work });
    expect(stderr).toMatch(
      /^jax: making an environment with (jax==\S+ .*) in .*\nCannot compare with jax: expected an environment with \1, got the error above\nhint: they need Python 3\.11 or 3\.12 with venv, which PYTHON=… may name; or compare with others: --peers\n$/,
    );
    expect(readdirSync(path.join(work, 'bn-train/peers'))).toEqual([]);
    expect(code).toBe(1);
  });

  it('the peers are Python', async () => {
    const folder = path.join(root, 'bench/peers');
    const files = readdirSync(folder).filter((name) => name.endsWith('.py'));
    expect(files).toHaveLength(5);
    const check = ['-m', 'py_compile', ...files.map((name) => path.join(folder, name))];
    const { code, stderr } = await start('python3', check, { env: { PYTHONPYCACHEPREFIX: work } }).result;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
