/** What a terminal of some width, colours and characters is given, and that lines are records where there is none. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pathWithGpus } from '../runtime/gpu.js';
import { freshMachine } from '../runtime/index.js';
import { firstOf } from '../support/amount.js';
import { root, runProgram } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';
import { onTerminal } from '../support/terminal.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-fit-'));
const inWork = (name: string) => path.join(work, name);
afterAll(() => rm(work, { recursive: true }));

let data: SmallData;
beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 500, 100);
});

let runs = 0;
const train = (norm: string, ...args: string[]) => {
  const folder = `run-${++runs}`;
  return { folder, args: [norm, '--run-dir', folder, ...data.args, '--seed', '1', '--batch-size', '64', ...args] };
};
const shownOn = (columns: number, args: string[], env: Record<string, string | undefined> = {}) =>
  onTerminal(args, [], { env: { ...data.env, ...env }, columns, cwd: work });

/** Lines that are too long, but for those whose words after the first are a command or a path. */
const tooLong = (lines: string[], columns: number) =>
  lines.filter((line) => line.length > columns && !/^\s*(bn-train |\S*\/)/.test(line));

describe.each(firstOf([60, 120], 1))('a terminal of %i columns', (columns) => {
  it('has room for each line of a run, of its parameters, of an error and of help', async () => {
    const { folder, args } = train('scratch', '--epochs', '3');
    const run = await shownOn(columns, args);
    expect(run.ended).toEqual({ code: 0 });
    expect(run.lines).toContainEqual(expect.stringMatching(/^epoch 3\/3 {3}loss \d\.\d{3} {3}train acc 0\.\d{3}/));
    for (const more of [
      ['inspect-gamma', folder, '--layer', 'all', '--moving'],
      ['recalibrate', folder, '--run-dir', `${folder}-recalibrated`, ...data.args],
      ['fold', folder, '--onnx', '--saved-model', ...data.args],
      ['fold', '--help'],
      ['scratch', '--run-dir', folder],
      ['scratch', '--help'],
    ]) {
      const { lines } = await shownOn(columns, more);
      expect(lines.length).toBeGreaterThan(2);
      run.lines.push(...lines);
    }
    expect(tooLong(run.lines, columns)).toEqual([]);
    expect(run.lines.filter((line) => line.length > 0.8 * columns)).not.toEqual([]);
  });

  it('has room for 45 epochs', async () => {
    const { lines } = await shownOn(columns, train('none', '--epochs', '45').args);
    expect(lines).toContainEqual(expect.stringMatching(/^epoch 45\/45 {3}loss /));
    expect(tooLong(lines, columns)).toEqual([]);
  });
});

it('what comes after a window has got another size has that, and no bar stays behind', async () => {
  const { args } = train('none', '--epochs', '100000');
  const steps = [
    { until: 'epoch +2/', resize: 60 },
    { until: 'epoch +9/', after: 0.3, type: '\u0003' },
  ];
  // One that does not flow its lines anew, as the model of it here.
  const env = { ...data.env, XTERM_VERSION: 'XTerm(390)' };
  const { ended, lines, left } = await onTerminal(args, steps, { env, columns: 120, cwd: work });
  expect({ ended, left }).toEqual({ ended: { code: 130 }, left: [] });
  const epochs = lines.filter((line) => /^epoch +\d+\/100000 {3}loss/.test(line));
  expect(Math.max(...epochs.slice(0, 1).map((line) => line.length))).toBeGreaterThan(60);
  const later = lines.slice(lines.findIndex((line) => /^epoch +9\//.test(line)));
  expect(later.length).toBeGreaterThan(3);
  expect(tooLong(later, 60)).toEqual([]);
  expect(lines.filter((line) => /[░█]/.test(line))).toEqual([]);
});

it('a bar that a narrower window has broken in two is taken away line by line, so that none of it goes into a history', async () => {
  const script = `
    import { Terminal } from ${JSON.stringify(path.join(root, 'dist/report/terminal.js'))};
    const terminal = new Terminal();
    terminal.progress({ label: 'what has a rather long name', done: 11, total: 99, figures: '11 of 99, and others' });
    process.stderr.on('resize', () => terminal.print('that was all'));`;
  const command = [process.execPath, '--input-type=module', '-e', script];
  const steps = [{ until: 'and others', resize: 60 }];
  const env = { XTERM_VERSION: undefined };
  const { ended, output } = await onTerminal([], steps, { command, columns: 120, env });
  expect(ended).toEqual({ code: 0 });
  expect(output).toContain('\r\u001b[2K\u001b[1A\u001b[2K\u001b7');
  expect(output).not.toContain('\u001b[J');
});

describe('colours', () => {
  const wrong = ['evaluate', 'nowhere'];
  const COLOUR = '\u001b[31mCannot\u001b[39m';
  it.each([
    { env: { NO_COLOR: undefined, TERM: 'xterm' }, coloured: true },
    { env: { NO_COLOR: '1', TERM: 'xterm' }, coloured: false },
    { env: { NO_COLOR: undefined, TERM: 'dumb' }, coloured: false },
  ])('are there where a terminal has them and nobody refuses them: $env', async ({ env, coloured }) => {
    // Node takes a terminal of CI for one without colours.
    const { output } = await shownOn(80, wrong, { CI: undefined, ...env });
    expect(output.includes(COLOUR)).toBe(coloured);
    expect(output.includes('\u001b')).toBe(coloured);
  });

  it('are in no pipe, unless they are asked for', async () => {
    const piped = (env: Record<string, string | undefined>) => runProgram(wrong, { cwd: work, env });
    expect((await piped({ NO_COLOR: undefined })).stderr).not.toContain('\u001b');
    expect((await piped({ NO_COLOR: undefined, FORCE_COLOR: '1' })).stderr).toContain(COLOUR);
  });
});

it.each([{ LC_ALL: 'C' }, { TERM: 'linux' }])('with %o all is ASCII', async (env) => {
  const { output, lines, ended } = await shownOn(80, train('scratch', '--epochs', '2').args, env);
  expect(ended).toEqual({ code: 0 });
  // eslint-disable-next-line no-control-regex
  expect(output).toMatch(/^[\x00-\x7f]*$/);
  expect(output).toContain('#');
  expect(lines).toContainEqual(expect.stringMatching(/^ *\d\.\d\d \|.*o/));
});

it('where there is no terminal each record is a line, and the model none sends nobody to look at its gamma', async () => {
  const { args } = train('none', '--epochs', '2');
  const { code, stderr, stdout } = await runProgram(args, { cwd: work, env: data.env });
  expect(
    stderr.match(/^epoch \d\/2 {3}loss .* {3}train acc .* {3}.* examples\/sec {3}.* s {3}test acc 0\.\d{3}$/gm),
  ).toHaveLength(2);
  expect(stderr).not.toContain('inspect-gamma');
  expect(stdout).toMatch(/^loss [^\n]*\n[^\n]* examples\/sec on cpu\n$/);
  expect(code).toBe(0);
});

describe('the download for a GPU', () => {
  const QUESTION =
    /TensorFlow 2\.18\.1 for CUDA is a download of 2\.4 GB \(4\.0 GB on disk\)\. Fetch it now\? \[y\/N\]/;
  const NO = /Cannot install TensorFlow for CUDA: expected a yes to a download of 2\.4 GB, got no/;
  const machine = async () => ({
    ...(await freshMachine('http://127.0.0.1:1')),
    ...{ PIP_RETRIES: '0', PATH: await pathWithGpus({}), CUDA_VISIBLE_DEVICES: undefined, CI: undefined },
  });
  const setup = ['setup'];

  it.each([
    { type: 'n\n', words: NO },
    { type: '\n', words: NO },
    { type: 'y\n', words: /Cannot install TensorFlow: expected tensorflow\S* 2\.18\.1 in the package index/ },
  ])('is asked for at a terminal: $type', async ({ type, words }) => {
    const steps = [{ until: '\\[y/N\\]', type }];
    const { ended, output, left } = await onTerminal(setup, steps, { env: await machine() });
    expect({ ended, left }).toEqual({ ended: { code: 1 }, left: [] });
    expect(output).toMatch(QUESTION);
    expect(output).toMatch(words);
    expect(NO.test(output)).toBe(words === NO);
  });

  it('ends at Ctrl-C, and at the end of the input is none', async () => {
    const stop = [{ until: '\\[y/N\\]', after: 0.2, type: '\u0003' }];
    const stopped = await onTerminal(setup, stop, { env: await machine() });
    expect(stopped.ended).toEqual({ code: 130 });
    expect(stopped.seconds).toBeLessThan(5);
    const closed = await onTerminal(setup, [{ until: '\\[y/N\\]', after: 0.2, type: '\u0004' }], {
      env: await machine(),
    });
    expect(closed.output).toMatch(NO);
  });

  it('goes on, with a line, where the answer is known or nobody is there', async () => {
    const env = await machine();
    const line = /TensorFlow 2\.18\.1 for CUDA: downloading 2\.4 GB with pip; takes 4\.0 GB on disk/;
    const ways = [
      () => onTerminal(['setup', '--yes'], [], { env }),
      () => onTerminal(setup, [], { env: { ...env, CI: 'true' } }),
      () => onTerminal(['setup', '--cuda'], [], { env }),
      async () => ({ output: (await runProgram(setup, { env })).stderr }),
    ];
    for (const way of firstOf(ways, 2)) {
      const { output } = await way();
      expect(output).not.toMatch(QUESTION);
      expect(output).toMatch(line);
    }
  });
});
