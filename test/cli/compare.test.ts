/** `compare` as a user runs it: the same as its runs one by one, interrupted and killed, wide and narrow, on other backends. */
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program, runProgram, start, startProgram } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';
import { onTerminal } from '../support/terminal.js';
import { timeless } from '../support/timeless.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-compare-'));
afterAll(() => rm(work, { recursive: true }));
const inWork = (name: string) => path.join(work, name);
const RECIPE = ['--batch-size', '64', '--epochs', '2'];

let data: SmallData;
const compare = (...args: string[]) =>
  runProgram(['compare', ...data.args, '--turns', '0', ...args], { env: data.env, cwd: work });
const begin = (folder: string, ...args: string[]) => compare('--run-dir', folder, ...RECIPE, ...args);

interface Shown {
  runs: { norm: string; seed: number; folder: string; final: object }[];
  config: object;
}
/** What a comparison found, without what no two share. */
function found(stdout: string) {
  const { runs, ...rest } = timeless(JSON.parse(stdout)) as Shown & Record<string, unknown>;
  const comparable = runs.map((run) => ({ ...run, wallSeconds: 0 }));
  return { ...rest, runs: comparable, figures: undefined, directory: '', config: { ...rest.config, started: '' } };
}
const weights = (folder: string) => readFileSync(path.join(work, folder, 'model/weights.bin'));

let whole: string;
beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 300, 100);
  whole = (await begin('whole', '--seeds', '2', '--json')).stdout;
});

describe('compare', () => {
  it('finds what each run finds alone, and keeps each as a run folder', async () => {
    const { runs } = JSON.parse(whole) as Shown;
    expect(runs.map(({ folder }) => folder)).toEqual([
      ...['none-seed-1', 'scratch-seed-1', 'builtin-seed-1', 'scratch-seed-2', 'builtin-seed-2', 'none-seed-2'],
    ]);
    const alone = ['scratch', '--seed', '2', ...RECIPE, '--run-dir', 'alone', '--json', ...data.args];
    const { stdout } = await runProgram(alone, { env: data.env, cwd: work });
    const own = runs.find(({ folder }) => folder === 'scratch-seed-2');
    expect(timeless(own?.final)).toEqual(timeless((JSON.parse(stdout) as { final: object }).final));
    expect(weights('whole/scratch-seed-2').equals(weights('alone'))).toBe(true);
    const kept = JSON.parse(readFileSync(inWork('whole/comparison.json'), 'utf8')) as object;
    expect(JSON.parse(whole)).toMatchObject({ ...kept, backend: 'native', device: 'cpu', fallback: null });
  });

  it('killed and interrupted, goes on where it was, and finds the same', async () => {
    const first = ['compare', ...data.args, '--turns', '0', '--run-dir', 'again', ...RECIPE, '--seeds', '2'];
    const killed = startProgram(first, { env: data.env, cwd: work });
    await until(() => killed.stderr().includes('2/6 scratch, seed 1'));
    killed.child.kill('SIGKILL');
    expect((await killed.result).signal).toBe('SIGKILL');
    const changed = statSync(inWork('again/none-seed-1/config.json')).mtimeMs;

    const second = startProgram(['compare', ...data.args, '--turns', '0', '--resume', 'again'], {
      env: data.env,
      cwd: work,
    });
    await until(() => second.stderr().includes('4/6 scratch, seed 2'));
    second.child.kill('SIGINT');
    const interrupted = await second.result;
    expect(interrupted).toMatchObject({ code: 130, stdout: '' });
    expect(interrupted.stderr).toContain("kept in again; to go on: bn-train compare --resume 'again'");

    const { code, stdout, stderr } = await compare('--resume', 'again', '--json');
    expect({ code, found: found(stdout) }).toEqual({ code: 0, found: found(whole) });
    expect(`${interrupted.stderr}${stderr}`).not.toContain('1/6 none');
    expect(stderr).not.toContain('4/6 scratch');
    expect(statSync(inWork('again/none-seed-1/config.json')).mtimeMs).toBe(changed);
    for (const folder of ['builtin-seed-1', 'scratch-seed-2', 'builtin-seed-2', 'none-seed-2'])
      expect(weights(`again/${folder}`).equals(weights(`whole/${folder}`))).toBe(true);
  });

  it('is refused with other options than it began with, without a comparison, and where one is', async () => {
    const said = async (...args: string[]) => {
      const { code, stdout, stderr } = await compare(...args);
      expect(stdout).toBe('');
      return { code, stderr };
    };
    const contradicted = (expected: string, got: string, flag: string) => ({
      code: 2,
      stderr: `Cannot resume whole: expected ${expected}, with which it began, got ${got}\nhint: leave out ${flag}\n`,
    });
    expect(await said('--resume', 'whole', '--lr', '2')).toEqual(contradicted('--lr 1', '--lr 2', '--lr'));
    expect(await said('--resume', 'whole', '--seeds', '1')).toEqual(
      contradicted('--seeds 2 or more', '--seeds 1', '--seeds'),
    );
    expect(await said('--resume', 'whole', '--epochs', '3')).toEqual(
      contradicted('--epochs 2', '--epochs 3', '--epochs'),
    );
    expect(await said('--resume', 'whole', '--seed', '2')).toEqual(contradicted('--seed 1', '--seed 2', '--seed'));
    expect(await said('--resume', 'nowhere')).toEqual({
      code: 1,
      stderr:
        'Cannot read the comparison nowhere: expected a folder with a comparison.json, got none\n' +
        'hint: name a folder below ./runs, or begin one: bn-train compare\n',
    });
    expect(existsSync(inWork('nowhere'))).toBe(false);
    expect(await said('--run-dir', 'whole')).toEqual({
      code: 2,
      stderr:
        'Cannot use the run folder whole: expected a new or empty folder, got one that holds builtin-seed-1, builtin-seed-2, comparison.json\n' +
        "hint: name another one with --run-dir, or continue that comparison with --resume 'whole'\n",
    });
    await cp(inWork('whole'), inWork('damaged'), { recursive: true });
    writeFileSync(inWork('damaged/comparison.json'), readFileSync(inWork('whole/comparison.json')).subarray(0, 500));
    expect((await said('--resume', 'damaged')).stderr).toMatch(/^Cannot read damaged\/comparison.json: /);
    expect((await said('--batch-size', '1')).code).toBe(2);
    expect((await said('--eager', '--xla')).code).toBe(2);
  });
});

describe('compare, too,', () => {
  it('measures which layer is faster, shows each seed, takes more seeds, and says what the reference is not held against', async () => {
    await cp(inWork('whole'), inWork('more'), { recursive: true });
    const args = ['compare', ...data.args, '--resume', 'more', '--seeds', '3', '--turns', '2', '--every-seed'];
    const { code, stdout, stderr } = await runProgram(args, { env: data.env, cwd: work });
    expect({ code, lines: stdout.split('\n').map((line) => line.replace(/ {2,}.*/, '')) }).toEqual({
      code: 0,
      lines: [
        'LeNet on Fashion-MNIST, 2 epochs: lr 1, batch size 64, seeds 1 to 3',
        'mean [range] over seeds',
        ...['loss', 'train acc', 'test acc (moving avg)', 'test acc (population)', 'examples/sec'],
        'the reference runs (10 epochs on Fashion-MNIST: lr 1, batch size 256) were trained otherwise, and are not held against these',
        '',
        expect.stringMatching(
          /^scratch trains \d\.\d\d \[.*–.*\] times as fast as builtin, .* of 2 turns of \d+ steps\)/,
        ),
        '',
        'each seed',
        ...['none', 'scratch', 'builtin'].flatMap((norm) => [1, 2, 3].map((seed) => `${norm}, seed ${seed}`)),
        '',
      ],
    });
    expect(stderr.match(/^\d\/9 /gm)).toEqual(['7/9 ', '8/9 ', '9/9 ']);
    expect(stderr).toContain('which layer is faster: both in turn\n');
  });

  it('takes a loss that is not finite for an outcome', async () => {
    const { code, stdout } = await begin('diverged', '--seeds', '1', '--lr', '1e38', '--json');
    expect({ code, figures: (JSON.parse(stdout) as { figures: object[] }).figures }).toMatchObject({
      code: 0,
      figures: ['none', 'scratch', 'builtin'].map((norm) => ({ norm, seeds: [], diverged: [1], loss: null })),
    });
  });

  it.each(['wasm', 'js'])('runs on the %s backend', async (backend) => {
    const tiny = await writeSmallData(inWork(`data-${backend}`), 64, 10);
    const args = ['compare', ...tiny.args, '--turns', '0', '--run-dir', backend, '--backend', backend, '--json'];
    const recipe = ['--seeds', '1', '--epochs', '1', '--batch-size', '32'];
    const { code, stdout } = await runProgram([...args, ...recipe], { env: tiny.env, cwd: work });
    const shown = JSON.parse(stdout) as Shown & { backend: string };
    expect({ code, backend: shown.backend, runs: shown.runs.length }).toEqual({ code: 0, backend, runs: 3 });
  });

  it.each([60, 80, 120])(
    'has a bar with the time that is left, and no line too long, in %i columns',
    async (columns) => {
      const args = ['compare', ...data.args, '--turns', '2', '--run-dir', `on-${columns}`, ...RECIPE, '--seeds', '2'];
      const { ended, lines, output } = await onTerminal([...args, '--every-seed'], [], {
        env: data.env,
        columns,
        cwd: work,
      });
      expect(ended).toEqual({ code: 0 });
      expect(lines.filter((line) => line.length > columns && !/^\s*(bn-train |\S*\/)/.test(line))).toEqual([]);
      expect(lines.filter((line) => /[░█]/.test(line))).toEqual([]);
      expect(output).toMatch(/\d\/6 \w+, seed \d (\[.*\] )?about \d+ s left/);
      // eslint-disable-next-line no-control-regex
      expect(output).not.toMatch(/\x1b\[3\dm/);
    },
  );

  it('says what is to be done where the disk is full', async () => {
    const script = `
      mkdir disk && mount -t tmpfs -o size=64k tmpfs disk
      '${process.execPath}' '${program}' compare ${data.args.join(' ')} ${RECIPE.join(' ')} --turns 0 --run-dir disk/c`;
    const { stderr, code } = await start('unshare', ['-rm', 'sh', '-c', script], { env: data.env, cwd: work }).result;
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot write the run folder disk\/c.*: expected room and permission, got no space/);
    // The comparison's, not that of the run that had no room.
    expect(stderr).toContain(`hint: free some space or give permission, then go on with --resume 'disk/c'\n`);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
