/** Whatever ends a command in a real terminal: it ends, says why on lines of its own, and leaves the terminal as it was. */
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePayload } from '../data/payload.js';
import { freshMachine, startIndex } from '../runtime/index.js';
import { program, root, start } from '../support/program.js';
import { type Server, startServer } from '../support/server.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';
import { onTerminal, type Shown, type Step } from '../support/terminal.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-terminal-'));
const inWork = (name: string) => path.join(work, name);
const servers: Server[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(work, { recursive: true });
});

let data: SmallData;
/** A machine on which nothing is installed, whose package index is `index`. */
let machine: Record<string, string | undefined>;
beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 500, 100);
  machine = { ...(await freshMachine('http://127.0.0.1:1')), PIP_RETRIES: '0', XDG_CACHE_HOME: inWork('cache') };
});

let runs = 0;
const train = (norm: string, ...args: string[]) => {
  const folder = inWork(`run-${++runs}`);
  return { folder, args: [norm, '--run-dir', folder, ...data.args, '--batch-size', '64', ...args] };
};
const ENDLESS = ['--epochs', '100000'];
const CTRL_C = '\u0003';
const STOPPING = 'stopping after this step; again to stop now';

/** The terminal as it was: settings, no mode changed (`onTerminal` knows no sequence for it), and the prompt begins a line. */
function expectGone(shown: Shown, code: number): void {
  const { ended, left, same, lines, output } = shown;
  expect({ ended, left, same }, output).toEqual({ ended: { code }, left: [], same: true });
  expect(lines.at(-1)).toBe('');
  // A bar stands in no line that is left, unless the job was stopped there.
  expect(lines.filter((line) => /[░█]/.test(line) && !line.endsWith('^Z'))).toEqual([]);
}

describe('an error', () => {
  it('of what was typed is broken between words', async () => {
    const { lines } = await onTerminal(['scratch', '--epochs', '0'], [], { columns: 60 });
    expect(lines).toEqual([
      "error: option '--epochs <n>' argument '0' is invalid.",
      '  Expected a whole number from 1, got 0.',
      '',
    ]);
  });

  it.each(['scratch', 'builtin', 'none'])('of a run that diverges: %s', async (norm) => {
    const shown = await onTerminal(train(norm, '--lr', '1e38', ...ENDLESS).args, [], { env: data.env });
    expectGone(shown, 1);
    expect(shown.output).toContain('░');
    expect(shown.lines.at(-3)).toMatch(
      /^Cannot go on training: expected a finite loss, got .* in batch \d+ of epoch 1$/,
    );
    expect(shown.lines.at(-2)).toBe('hint: use a smaller --lr');
  });

  it('of a disk that is full at an epoch', async () => {
    const disk = inWork('disk');
    await mkdir(disk);
    const folder = path.join(disk, 'run');
    const args = ['none', '--run-dir', folder, ...data.args, ...ENDLESS];
    // Room for config.json, but not for a checkpoint.
    const script = `mount -t tmpfs -o size=100k tmpfs '${disk}' && exec "$0" "$@"`;
    const command = ['unshare', '-rm', 'sh', '-c', script, process.execPath, program];
    const shown = await onTerminal(args, [], { env: data.env, command });
    expectGone(shown, 1);
    expect(shown.output).toContain('█');
    expect(shown.lines.slice(-3, -1)).toEqual([
      `Cannot write the run folder ${folder}: expected room and permission, got no space left on the device`,
      `hint: free some space or give permission, then go on with --resume '${folder}'`,
    ]);
  });

  it.each([
    { args: ['setup'] },
    { args: ['none', '--backend', 'native', '--run-dir', inWork('uninstalled')] },
    { args: ['verify', '--backend', 'native'] },
    { args: ['bench', '--backend', 'native'] },
  ])('of an install that fails: $args', async ({ args }) => {
    const shown = await onTerminal(args, [], { env: machine });
    expectGone(shown, 1);
    expect(shown.lines).toContainEqual(
      expect.stringMatching(/^Cannot install TensorFlow: expected tensorflow-cpu 2\.18\.1 in the package index, got /),
    );
    expect(existsSync(inWork('uninstalled'))).toBe(false);
  });

  it('of a download that fails', async () => {
    const shown = await onTerminal(['data'], [], { env: await fetching((body) => ({ body, cutAfter: 1000 })) });
    expectGone(shown, 1);
    expect(shown.lines).toContainEqual(
      expect.stringMatching(/^Cannot get Fashion-MNIST: expected one source to work, got /),
    );
  });

  it.each([['inspect-gamma'], ['evaluate']])('of %s without a run', async (command) => {
    const shown = await onTerminal([command], [], { cwd: work });
    expectGone(shown, 1);
    expect(shown.lines[0]).toMatch(/^Cannot find a run: /);
  });
});

/** An environment in which the data set comes from a loopback server that answers as `fault` says. */
async function fetching(fault: (body: Buffer) => object): Promise<Record<string, string | undefined>> {
  const payload = makePayload();
  const server = await startServer(({ path }) => {
    const body = payload.packed.get(path);
    return body ? fault(body) : { status: 404 };
  });
  servers.push(server);
  const folder = mkdtempSync(inWork('fetching-'));
  const manifest = path.join(folder, 'manifest.json');
  writeFileSync(manifest, JSON.stringify(payload.manifest([{ kind: 'http', url: `${server.url}/` }])));
  return { BN_TRAIN_DATA_MANIFEST: manifest, XDG_CACHE_HOME: folder };
}

/** Ends within a second of the step, or of the one call into TensorFlow that was under way; the machine may be slow. */
const SOON = 5;

describe('Ctrl-C', () => {
  it.each(['scratch', 'builtin', 'none'])('says that it stops after the step, and keeps the run: %s', async (norm) => {
    const { folder, args } = train(norm, ...ENDLESS);
    const shown = await onTerminal(args, [{ until: '\\[█', type: CTRL_C }], { env: data.env });
    expectGone(shown, 130);
    expect(shown.lines).toContain(STOPPING);
    expect(shown.lines.at(-2)).toBe(`kept in ${folder}; to go on: bn-train ${norm} --resume '${folder}'`);
    expect(readdirSync(path.join(folder, 'checkpoint'))).not.toEqual([]);
    expect(shown.seconds).toBeLessThan(SOON);
  });

  it('stops at once the second time, whatever is still being saved', async () => {
    const { folder, args } = train('none', ...ENDLESS);
    const hook = path.join(root, 'test/support/slowCheckpoints.js');
    const shown = await onTerminal(
      args,
      [
        { until: '\\[█', type: CTRL_C },
        { until: STOPPING, after: 1, type: CTRL_C },
      ],
      { env: data.env, command: [process.execPath, '--import', hook, program] },
    );
    expectGone(shown, 130);
    expect(shown.seconds).toBeLessThan(SOON);
    expect(shown.output).not.toContain('kept in');
    expect(existsSync(path.join(folder, 'checkpoint')) && readdirSync(path.join(folder, 'checkpoint'))).toEqual([]);
  });

  it('counts before anything is loaded, and leaves no folder', async () => {
    const { folder, args } = train('none');
    const hook = path.join(root, 'test/support/sayWhenCaught.js');
    const command = [process.execPath, '--import', hook, program];
    const shown = await onTerminal(args, [{ until: 'caught', type: CTRL_C }], { env: data.env, command });
    expectGone(shown, 130);
    expect(shown.seconds).toBeLessThan(SOON);
    expect(existsSync(folder)).toBe(false);
  });

  it('counts while the data set is fetched, by every command that needs it', async () => {
    const env = await fetching((body) => ({ body, stallAfter: 100 }));
    const folder = inWork('fetched');
    for (const args of [['data'], ['none', '--run-dir', folder], ['bench']]) {
      const shown = await onTerminal(args, [{ until: 'etching|░', after: 0.5, type: CTRL_C }], {
        env: { ...env, BN_TRAIN_RUNTIME_DIR: undefined, XDG_CACHE_HOME: env['XDG_CACHE_HOME'] },
      });
      expectGone(shown, 130);
      expect(shown.seconds).toBeLessThan(SOON);
    }
    expect(existsSync(folder)).toBe(false);
  });

  it('counts while pip runs, and while another process installs', async () => {
    const wheel = 'tensorflow_cpu-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
    const index = await startIndex(wheel, () => ({ body: Buffer.alloc(2 ** 20), stallAfter: 2 ** 19 }));
    servers.push(index);
    const env = { ...(await freshMachine(index.url)), XDG_CACHE_HOME: inWork('installing') };
    const other = start(process.execPath, [program, 'setup'], { env });
    while (!other.stderr().includes('with pip')) await new Promise((resolve) => setTimeout(resolve, 50));
    const waiting = await onTerminal(['setup'], [{ until: 'waiting for process', type: CTRL_C }], { env });
    other.child.kill('SIGINT');
    expect((await other.result).code).toBe(130);
    const shown = await onTerminal(['setup'], [{ until: 'with pip', after: 1, type: CTRL_C }], { env });
    for (const ended of [waiting, shown]) {
      expectGone(ended, 130);
      expect(ended.seconds).toBeLessThan(SOON);
    }
  });

  it.each<{ args: string[]; until: string }>([
    { args: ['verify', '--backend', 'js'], until: 'pass' },
    { args: ['bench', '--norms', 'none', '--turns', '10000', '--steps', '2'], until: 'turn 2/' },
  ])('ends $args', async ({ args, until }) => {
    const shown = await onTerminal(args, [{ until, type: CTRL_C }]);
    expectGone(shown, 130);
    expect(shown.seconds).toBeLessThan(SOON);
  });

  it('ends evaluate, and the doctor whose questions are not answered', async () => {
    const { folder, args } = train('scratch', '--epochs', '1', '--quiet');
    expectGone(await onTerminal(args, [], { env: data.env }), 0);
    const hook = path.join(root, 'test/support/sayWhenCaught.js');
    const evaluate = await onTerminal(['evaluate', folder], [{ until: 'caught', after: 0.2, type: CTRL_C }], {
      command: [process.execPath, '--import', hook, program],
    });
    expectGone(evaluate, 130);
    const silent = inWork('bin');
    await mkdir(silent);
    writeFileSync(path.join(silent, 'nvidia-smi'), '#!/bin/sh\nsleep 100\n');
    await chmod(path.join(silent, 'nvidia-smi'), 0o755);
    const env = { PATH: `${silent}:${process.env['PATH'] ?? ''}`, CUDA_VISIBLE_DEVICES: undefined };
    const doctor = await onTerminal(['doctor'], [{ until: 'caught', after: 1, type: CTRL_C }], {
      env,
      command: [process.execPath, '--import', hook, program],
    });
    expectGone(doctor, 130);
    expect(doctor.seconds).toBeLessThan(SOON);
  });
});

describe('a window', () => {
  it.each<{ step: Step; same: boolean | null }>([
    { step: { until: '\\[█', signal: 'SIGTERM' }, same: true },
    { step: { until: '\\[█', signal: 'SIGHUP' }, same: true },
    { step: { until: '\\[█', hangup: true }, same: null },
  ])('that is closed, or a process that is told so, keeps the run: $step', async ({ step, same }) => {
    const { folder, args } = train('none', ...ENDLESS);
    const { ended, same: found, left } = await onTerminal(args, [step], { env: data.env });
    expect({ ended, found, left }).toEqual({ ended: { code: 130 }, found: same, left: [] });
    expect(readdirSync(path.join(folder, 'checkpoint'))).not.toEqual([]);
    expect(existsSync(path.join(folder, 'run.lock'))).toBe(false);
  });

  it('has the bar in a line of its own after Ctrl-Z and fg', async () => {
    const shown = await onTerminal(
      train('none', '--batch-size', '1', ...ENDLESS).args,
      [
        { until: '\\[█', type: '\u001a' },
        { until: 'stopped', after: 0.5, continue: true },
        { until: '\\$ fg.*\\n.*█', after: 0.5, type: CTRL_C },
      ],
      { env: data.env },
    );
    expectGone(shown, 130);
    // Where the job was stopped stays as it was.
    expect(shown.lines.filter((line) => line.endsWith('^Z') || line === '$ fg')).toHaveLength(2);
  });

  it('that is narrow gets a chart as narrow', async () => {
    const { args } = train('none', '--epochs', '30', '--seed', '1');
    const shown = await onTerminal(args, [], { env: data.env, columns: 30 });
    expectGone(shown, 0);
    const chart = shown.lines.slice(shown.lines.findIndex((line) => line.includes('┤')));
    const end = chart.findIndex((line) => line.includes('o test acc'));
    expect(end).toBeGreaterThan(11);
    for (const line of chart.slice(0, end + 1)) expect(line.length).toBeLessThanOrEqual(30);
  });
});
