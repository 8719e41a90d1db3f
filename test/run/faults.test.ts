/** What the real program says of a run folder that cannot be written, that another process has, or that is damaged or done. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program, runProgram, start, startProgram } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';
import { timeless } from '../support/timeless.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-faults-'));
afterAll(() => rm(work, { recursive: true }));
const inWork = (name: string) => path.join(work, name);
const BEGIN = ['--batch-size', '64', '--seed', '1', '--json'];

let data: SmallData;
const train = (...args: string[]) => runProgram(['scratch', ...data.args, ...args], { env: data.env });
const resume = (folder: string, ...args: string[]) => train('--resume', folder, '--json', ...args);

const weights = (folder: string) => readFileSync(path.join(folder, 'model/weights.bin'));
const checkpoints = (folder: string) => readdirSync(path.join(folder, 'checkpoint')).sort();
const resultOf = (stdout: string) => timeless({ ...(JSON.parse(stdout) as object), runDirectory: '' });

/** Runs of 3 and of 5 epochs that nothing disturbed. */
let three: string;
let five: string;
beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 500, 100);
  three = (await train(...BEGIN, '--epochs', '3', '--run-dir', inWork('three'))).stdout;
  five = (await train(...BEGIN, '--epochs', '5', '--run-dir', inWork('five'))).stdout;
});

describe('a disk', () => {
  it('that is full or read-only is an error with words, and the run goes on from where it was', async () => {
    const disk = inWork('disk');
    await mkdir(disk);
    const again = `'${process.execPath}' '${program}' scratch ${data.args.join(' ')}`;
    // Room for one epoch's files but not for the next one's; the file system is gone with the script.
    const script = `
      mount -t tmpfs -o size=2m tmpfs '${disk}' && head -c 1400k /dev/zero > '${disk}/filler'
      ${again} ${BEGIN.join(' ')} --epochs 3 --run-dir '${disk}/run'; echo "exit $?" >&2
      cp -r '${disk}/run' '${work}/full'
      mount -o remount,ro '${disk}'
      ${again} --resume '${disk}/run'; echo "exit $?" >&2
      mount -o remount,rw '${disk}' && rm '${disk}/filler'
      ${again} --resume '${disk}/run' --json; echo "exit $?" >&2
      cp -r '${disk}/run' '${work}/mended'`;
    const { stdout, stderr } = await start('unshare', ['-rm', 'sh', '-c', script], { env: data.env }).result;
    const [full = '', readOnly = '', mended = ''] = stderr.split(/^exit /m);
    const hint = `hint: free some space or give permission, then go on with --resume '${disk}/run'\n`;
    const cannot = `Cannot write the run folder ${disk}/run: expected room and permission, got`;
    expect(full).toContain(`${cannot} no space left on the device\n${hint}`);
    expect(readOnly).toBe(`1\n${cannot} a read-only file system\n${hint}`);
    expect(mended).toMatch(/^1\ngoing on with epoch [23] of 3\n/);
    expect(stderr).toMatch(/exit 0\n$/);
    const left = readdirSync(inWork('full'), { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.endsWith('.tmp') || name === 'run.lock')).toEqual([]);
    expect(resultOf(stdout)).toEqual(resultOf(three));
    expect(weights(inWork('mended')).equals(weights(inWork('three')))).toBe(true);
  });
});

describe('a folder below one in which nobody can make any', () => {
  it.each([
    {
      args: ['none', '--run-dir', '/proc/no/run'],
      env: {},
      words:
        'Cannot use the run folder /proc/no/run: expected a folder that can be written, /proc/no/run, got no such file or folder\nhint: choose another folder\n',
    },
    {
      args: ['data'],
      env: { XDG_CACHE_HOME: '/proc/no' },
      words:
        'Cannot keep Fashion-MNIST in /proc/no/bn-train/fashion-mnist: expected room and permission, got no such file or folder\nhint: free some space, or choose another cache with XDG_CACHE_HOME\n',
    },
    {
      args: ['setup'],
      env: { XDG_CACHE_HOME: '/proc/no' },
      words:
        'Cannot install TensorFlow: expected room and permission in /proc/no/bn-train, got no such file or folder\nhint: free some space, or choose another cache with XDG_CACHE_HOME\n',
    },
  ])('is refused at once: $args $env', async ({ args, env, words }) => {
    const begun = performance.now();
    expect(await runProgram(args, { env })).toMatchObject({ code: 1, stdout: '', stderr: words });
    expect(performance.now() - begun).toBeLessThan(30_000);
  });
});

describe('two processes', () => {
  it('on one run: the second is refused and changes nothing; after a kill the lock is taken over', async () => {
    const folder = inWork('shared');
    const first = startProgram(['scratch', ...data.args, ...BEGIN, '--epochs', '1000', '--run-dir', folder], {
      env: data.env,
    });
    while (!first.stderr().includes('epoch    2/')) await new Promise((resolve) => setTimeout(resolve, 20));
    const pid = first.child.pid ?? 0;
    const words = `Cannot use the run folder ${folder}: expected no other process at work on it, got process ${pid}\nhint: wait for it to end, or stop it: kill ${pid}\n`;
    expect(await resume(folder)).toMatchObject({ code: 1, stdout: '', stderr: words });
    expect((await train('--run-dir', folder)).stderr).toContain('expected a new or empty folder');
    first.child.kill('SIGKILL');
    expect((await first.result).signal).toBe('SIGKILL');
    expect(existsSync(path.join(folder, 'run.lock'))).toBe(true);
    // The run has 1000 epochs; stop it as soon as it goes on.
    const second = startProgram(['scratch', ...data.args, '--resume', folder], { env: data.env });
    while (!/^epoch/m.test(second.stderr())) await new Promise((resolve) => setTimeout(resolve, 20));
    second.child.kill('SIGINT');
    const { code, stderr } = await second.result;
    expect(stderr).toMatch(/^going on with epoch \d+ of 1000\n/);
    expect(code).toBe(130);
    expect(existsSync(path.join(folder, 'run.lock'))).toBe(false);
  });
});

describe('a run whose newest checkpoint is damaged', () => {
  it('goes on from the one before it, saying so, to the same bits', async () => {
    const folder = inWork('damaged');
    await cp(inWork('three'), folder, { recursive: true });
    expect(checkpoints(folder)).toEqual(['epoch-3-batch-0.ckpt', 'epoch-4-batch-0.ckpt']);
    const newest = path.join(folder, 'checkpoint/epoch-4-batch-0.ckpt');
    writeFileSync(newest, readFileSync(newest).subarray(0, 100_000));
    const { stdout, stderr } = await resume(folder);
    expect(stderr).toContain(`passing over a damaged checkpoint (Cannot read ${newest}: expected content with SHA-256`);
    expect(stderr).toContain('going on with epoch 3 of 3\n');
    expect(resultOf(stdout)).toEqual(resultOf(three));
    expect(weights(folder).equals(weights(inWork('three')))).toBe(true);
  });
});

describe('a finished run', () => {
  it('is measured again and trained no further; with more epochs it is the longer run, bit for bit', async () => {
    const folder = inWork('longer');
    await cp(inWork('three'), folder, { recursive: true });
    const again = await resume(folder);
    expect(again.stderr).toContain(
      `all 3 epochs of ${folder} are trained; its result is measured again. To train on: bn-train scratch --resume '${folder}' --epochs 6\n`,
    );
    expect(again.stderr).not.toMatch(/^epoch \d/m);
    expect(resultOf(again.stdout)).toEqual(resultOf(three));
    expect(weights(folder).equals(weights(inWork('three')))).toBe(true);
    const { stdout } = await resume(folder, '--epochs', '5');
    expect(resultOf(stdout)).toEqual(resultOf(five));
    expect(weights(folder).equals(weights(inWork('five')))).toBe(true);
  });
});
