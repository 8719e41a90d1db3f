import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshMachine } from '../runtime/index.js';
import { ALL } from '../support/amount.js';
import { program, root, runProgram, start, startProgram, type Result } from '../support/program.js';
import { writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-cli-'));
const run = (args: string[], cwd = work) => runProgram(args, { cwd });
const inWork = (name: string) => path.join(work, name);

afterAll(() => rm(work, { recursive: true }));

describe('wrong usage exits 2 with words', () => {
  it.each([
    { args: ['scratch', '--lr', '0'], words: 'Expected a number above 0, got 0.' },
    { args: ['scratch', '--lr', ''], words: 'Expected a number above 0, got nothing.' },
    {
      args: ['scratch', '--lr', '1,0'],
      words: 'Expected a number above 0, got 1,0.\nhint: with a decimal point: 1.0\n',
    },
    { args: ['scratch', '-lr', '1'], words: "error: unknown option '-lr'\nhint: did you mean --lr?\n" },
    { args: ['scratch', '--learning-rate=1'], words: 'hint: did you mean --lr?\n' },
    { args: ['scratch', '--gpu'], words: 'hint: did you mean --device cuda?\n' },
    { args: ['setup', '--gpu'], words: 'hint: did you mean --cuda?\n' },
    { args: ['predict'], words: 'hint: what it takes: bn-train predict --help\n' },
    { args: ['train'], words: 'hint: scratch, builtin and none train; all commands: bn-train --help\n' },
    {
      args: ['--seed', '1', 'scratch'],
      words:
        'hint: the command comes first, then its options, as in bn-train scratch --seed 1; all commands: bn-train --help\n',
    },
    { args: ['scratch', '--lr', 'fast'], words: 'Expected a number above 0, got fast.' },
    { args: ['scratch', '--epochs', '1.5'], words: 'Expected a whole number from 1, got 1.5.' },
    { args: ['scratch', '--momentum', '2'], words: 'Expected a number from 0 to 1, got 2.' },
    { args: ['scratch', '--epsilon', '0'], words: 'Expected a number above 0, got 0.' },
    { args: ['scratch', '--seed', '-1'], words: 'Expected a whole number from 0 to 2147483647, got -1.' },
    {
      args: ['scratch', '--batch-size', '1'],
      words:
        'Cannot train with batch normalization: expected at least 2 examples in every batch, as one has no variance, got a batch size of 1\nhint: use another --batch-size, or train without: bn-train none',
    },
    { args: ['builtin', '--batch-size', '59999'], words: 'got a last batch of 1 (60000 examples in batches of 59999)' },
    { args: ['scratch', '--epoch', '3'], words: "error: unknown option '--epoch'\n(Did you mean --epochs?)" },
    { args: ['scratch', '--resume', ''], words: 'Expected a folder, got nothing.' },
    { args: ['evaluate', ''], words: 'Expected a folder, got nothing.' },
    { args: ['scrach'], words: "error: unknown command 'scrach'\n(Did you mean scratch?)" },
    { args: ['scratch', '--backend', 'gpu'], words: 'Allowed choices are auto, native, wasm, js.' },
    {
      args: ['scratch', '--device', 'tpu'],
      words:
        'Cannot open the backend: expected the device auto, cpu or cuda[:N], got tpu\nhint: the first GPU is --device cuda; where it is left out, the best is taken',
    },
    { args: ['scratch', '--steps-per-call', '0'], words: 'Expected a whole number from 1, got 0.' },
    {
      args: ['none', '--xla', '--eager'],
      words:
        'Cannot train with XLA: expected steps as graphs, on the native backend, got --eager\nhint: leave out --xla',
    },
    {
      args: ['none', '--eager', '--steps-per-call', '4'],
      words:
        'Cannot train 4 steps a call: expected steps as graphs, on the native backend, got --eager\nhint: leave out --steps-per-call\n',
    },
    {
      args: ['none', '--no-fuse', '--eager'],
      words: "error: option '--eager' cannot be used with option '--no-fuse'\n",
    },
    { args: ['compare', '--eager', '--no-fuse'], words: "option '--eager' cannot be used with option '--no-fuse'\n" },
    {
      args: ['builtin', '--run-dir', program],
      words: `Cannot use the run folder ${program}: expected a new or empty folder, got a file where a folder belongs\nhint: name another one with --run-dir\n`,
    },
    { args: ['none', '--steps-per-call', '4', '--backend', 'js'], words: 'native backend, got the js backend' },
    { args: ['none', '--xla', '--backend', 'wasm'], words: 'on the native backend, got the wasm backend' },
    { args: ['scratch', '--tensorflow', '2.9.1'], words: 'Allowed choices are 2.18.1, 2.21.0.' },
    { args: ['setup', '--tensorflow', '2.9.1'], words: 'Allowed choices are 2.18.1, 2.21.0.' },
    { args: ['inspect-gamma', '--layer', '0'], words: 'Expected a whole number from 1, or all, got 0.' },
  ])('$args', async ({ args, words }) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toContain(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

it('options that npm start took for its own are told, not trained without', async () => {
  const bin = path.join(root, 'bin/bn-train.js');
  const ours = { npm_lifecycle_event: 'start', npm_package_name: 'bn-train' };
  // As npm leaves them of `npm start scratch --seed 1 --lr=0.5 --no-fuse --json`.
  const env = { ...ours, npm_config_seed: 'true', npm_config_lr: '0.5', npm_config_fuse: '', npm_config_json: 'true' };
  expect(await start(process.execPath, [bin, 'scratch', '1'], { cwd: work, env }).result).toMatchObject({
    code: 2,
    stdout: '',
    stderr:
      'Cannot read the options: expected them after a --, got npm’s own --lr, --no-fuse, --seed\n' +
      'hint: npm start -- scratch --lr 0.5 --no-fuse --seed <n>\n',
  });
});

it.each([
  ['18.20.8', 1],
  ['20.0.0', 0],
])('Node %s ends with status %i, the older with words', async (version, code) => {
  const file = path.join(root, 'bin/node.js');
  const pretend = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '${version}' } })`;
  const { stderr, ...rest } = await start(process.execPath, ['--import', pretend, file]).result;
  expect(rest).toMatchObject({ code, stdout: '' });
  const words = `Cannot run: expected Node 20 or newer, got Node ${version}\nhint: install a newer one, from https://nodejs.org\n`;
  expect(stderr).toBe(code === 0 ? '' : words);
});

it('wrong usage is told before anything is installed', async () => {
  const env = await freshMachine('http://127.0.0.1:1');
  for (const flags of [
    ['--batch-size', '1'],
    ['--xla', '--eager'],
    ['--xla', '--backend', 'wasm'],
  ]) {
    const { code, stderr } = await runProgram(['scratch', '--backend', 'native', ...flags], { env, cwd: work });
    expect(stderr).toMatch(/^Cannot train with [^\n]*\nhint: [^\n]*\n$/);
    expect(code).toBe(2);
  }
});

describe('what cannot be done exits 1 with words and a hint', () => {
  it.each(['inspect-gamma', 'evaluate'])('no run to find: %s', async (command) => {
    const { code, stderr } = await run([command]);
    expect(stderr).toMatch(
      /^Cannot find a run: expected at least one run in .*runs, got none\nhint: name its folder, or train one: bn-train scratch\n$/,
    );
    expect(code).toBe(1);
  });

  it('a run that is not there', async () => {
    expect(await run(['inspect-gamma', 'nowhere'])).toMatchObject({
      code: 1,
      stderr:
        'Cannot read the run nowhere: expected a run folder with a config.json, got none\nhint: name a folder below ./runs, or train one: bn-train scratch\n',
    });
    expect(await run(['evaluate', 'nowhere'])).toMatchObject({
      code: 1,
      stderr:
        'Cannot read the run nowhere: expected a run folder with a config.json, got none\nhint: name a folder below ./runs, or train one: bn-train scratch\n',
    });
    expect((await run(['scratch', '--resume', 'nowhere'])).code).toBe(1);
  });

  it('a run folder that holds something, or that cannot be made', async () => {
    writeFileSync(inWork('file'), '');
    expect((await run(['scratch', '--run-dir', '.'])).stderr).toMatch(
      /^Cannot use the run folder \.: expected a new or empty folder, got one that holds .*\nhint: name another one with --run-dir\n$/,
    );
    const { code, stderr } = await run(['scratch', '--run-dir', 'file/below']);
    expect(stderr).toMatch(/^Cannot use the run folder file\/below: expected .*\nhint: .*\n$/);
    expect(code).toBe(2);
  });

  it.each([
    {
      what: 'where no folder can be made',
      place: () => '/proc/x',
      words: 'a folder that can be written, /proc/x, got no such file or folder\nhint: choose another folder\n',
    },
    {
      what: 'of a name that is too long',
      place: () => 'a'.repeat(300),
      words: 'a new or empty folder, got a name that is too long\nhint: name another one with --run-dir\n',
    },
    {
      what: 'behind a link to itself',
      place: () => {
        symlinkSync('self', inWork('self'));
        return 'self';
      },
      words: 'a new or empty folder, got links that lead to each other\nhint: name another one with --run-dir\n',
    },
  ])('a run folder $what', async ({ place, words }) => {
    const folder = place();
    const { code, stderr } = await run(['none', '--run-dir', folder]);
    expect(stderr).toBe(`Cannot use the run folder ${folder}: expected ${words}`);
    expect(code).toBe(1);
  });

  it('a run folder without permission', async () => {
    await mkdir(inWork('locked'));
    await chmod(inWork('locked'), 0o555);
    // Root may write anywhere, so the place is one that nobody may write to.
    const place = process.getuid?.() === 0 ? '/sys/run' : inWork('locked/run');
    const { code, stderr } = await run(['scratch', '--run-dir', place]);
    expect(stderr).toMatch(
      /^Cannot use the run folder .*: expected a folder that can be written, .*, got .*\nhint: choose another folder or change its permissions\n$/,
    );
    expect(code).toBe(1);
  });
});

describe('--help', () => {
  it.each([[], ['scratch'], ['inspect-gamma'], ['setup'], ['doctor'], ['data'], ['evaluate'], ['bench'], ['verify']])(
    'of %s',
    async (...command) => {
      const { code, stdout } = await run([...command, '--help']);
      expect(stdout).toContain('Usage: bn-train');
      expect(code).toBe(0);
    },
  );

  it('loads nothing heavy', async () => {
    const { stderr } = await runProgram(['scratch', '--help'], { env: { NODE_DEBUG: 'esm,module' }, cwd: work });
    expect(stderr).not.toMatch(/@tensorflow/);
  });
});

describe('a run', () => {
  let result: Result;
  beforeAll(async () => {
    const args = ['--epochs', '1', '--seed', '1', '--batch-size', '1024', '--steps-per-call', '8', '--run-dir', 'one'];
    result = await run(['scratch', ...args]);
  });

  it('prints the two known lines and the population line on stdout, the rest on stderr', () => {
    expect(result.stdout).toMatch(
      /^loss \d\.\d{3}, train acc 0\.\d{3}, test acc 0\.\d{3}\n[\d,]+\.\d examples\/sec on cpu\ntest acc 0\.\d{3} with population statistics, 0\.\d{3} with the moving average, .* \(60,000 images\)\n$/,
    );
    expect(result.stderr).toMatch(
      /^epoch 1\/1 {3}loss \d\.\d{3} {3}train acc 0\.\d{3} {3}[\d,]+ examples\/sec {3}.* s {3}test acc 0\.\d{3} moving avg, 0\.\d{3} population \(10,240 images\)$/m,
    );
    expect(result.stderr).toContain('        o test acc, moving average\n');
    expect(result.code).toBe(0);
  });

  it('leaves config, metrics, events, checkpoint, model, chart and evaluation', () => {
    expect(readdirSync(inWork('one')).sort()).toEqual([
      'chart.svg',
      'checkpoint',
      'config.json',
      'evaluation.json',
      'events.jsonl',
      'metrics.csv',
      'model',
    ]);
    const config = JSON.parse(readFileSync(inWork('one/config.json'), 'utf8')) as object;
    expect(config).toMatchObject({
      norm: 'scratch',
      learningRate: 1,
      epochs: 1,
      batchSize: 1024,
      seed: 1,
      momentum: 0.9,
      epsilon: 1e-5,
      backend: 'native',
      device: 'cpu',
      mode: 'fused',
      stepsPerCall: 8,
      xla: false,
    });
    expect(readFileSync(inWork('one/metrics.csv'), 'utf8')).toMatch(
      /^epoch,loss,trainAccuracy,testAccuracy,testAccuracyPopulation,populationImages,examplesPerSecond,seconds\n1,[\d.]+,0\.\d+,0\.\d+,0\.\d+,10240,.*\n$/,
    );
    expect(readFileSync(inWork('one/chart.svg'), 'utf8')).toMatch(/^<svg /);
  });

  it('shows its gamma and beta, all layers, and the moving statistics', async () => {
    const { stdout } = await run(['inspect-gamma', 'one']);
    expect(stdout).toMatch(
      /^one: scratch, seed 1, after epoch 1 of 1\nlayer 1 of 4, after convolution 5×5, 1→6: 6 channels\ngamma( +-?\d+\.\d{4}){6}\nbeta( +-?\d+\.\d{4}){6}\n$/,
    );
    const json = JSON.parse(
      (await run(['inspect-gamma', 'one', '--layer', 'all', '--moving', '--json'])).stdout,
    ) as Record<string, number[]>[];
    expect(json.map(({ gamma, movingVariance }) => [gamma?.length, movingVariance?.length])).toEqual([
      [6, 6],
      [16, 16],
      [120, 120],
      [84, 84],
    ]);
    expect(await run(['inspect-gamma', 'one', '--layer', '5'])).toMatchObject({
      code: 2,
      stderr: 'Cannot inspect one: expected a layer from 1 to 4, or all, got 5\nhint: choose another --layer\n',
    });
  });

  it('whose model/ is damaged says how it is written anew', async () => {
    expect((await run(['inspect-gamma', 'one'])).stderr).toBe('');
    const file = inWork('one/model/weights.bin');
    const weights = readFileSync(file);
    for (const [content, problem] of [
      [Buffer.alloc(weights.length), 'is damaged, or of another moment'],
      [undefined, 'is not whole'],
    ] as const) {
      if (content) writeFileSync(file, content);
      else rmSync(file);
      expect((await run(['inspect-gamma', 'one'])).stderr).toBe(
        `one/model, for other programs, ${problem}; the checkpoint is good, to write it anew: bn-train scratch --resume 'one'\n`,
      );
    }
    writeFileSync(file, weights);
  });

  it('is evaluated to the accuracies it ended with', async () => {
    const { stdout } = await run(['evaluate', 'one', '--json']);
    const end = JSON.parse(readFileSync(inWork('one/events.jsonl'), 'utf8').trim().split('\n').at(-1) ?? '') as Record<
      string,
      number
    >;
    const { testAccuracy, testAccuracyPopulation, populationImages } = JSON.parse(stdout) as Record<string, number>;
    expect({ testAccuracy, testAccuracyPopulation, populationImages }).toEqual({
      testAccuracy: end['testAccuracy'],
      testAccuracyPopulation: end['testAccuracyPopulation'],
      populationImages: 60_000,
    });
  });

  it('refuses to be resumed with contradicting options', async () => {
    expect(await run(['builtin', '--resume', 'one'])).toMatchObject({
      code: 2,
      stderr:
        "Cannot resume one: expected scratch, the command that it began with, got builtin\nhint: bn-train scratch --resume 'one'\n",
    });
    expect(await run(['scratch', '--resume', 'one', '--lr', '0.5'])).toMatchObject({
      code: 2,
      stderr: 'Cannot resume one: expected --lr 1, with which it began, got --lr 0.5\nhint: leave out --lr\n',
    });
  });

  it('prints one JSON object with --json, and nothing on stderr with --quiet', async () => {
    const few = await writeSmallData(inWork('few'), 100, 20);
    const how = ['--epochs', '1', '--seed', '1', '--json', '--quiet', '--deterministic', '--run-dir', inWork('json')];
    const { stdout, stderr } = await runProgram(['none', ...how, ...few.args], { env: few.env, cwd: work });
    expect(JSON.parse(readFileSync(inWork('json/config.json'), 'utf8'))).toMatchObject({ deterministic: true });
    const object = JSON.parse(stdout) as { epochs: object[]; final: object };
    const none = { testAccuracyPopulation: null, populationImages: null };
    expect([object.epochs[0], object.final]).toMatchObject([none, none]);
    expect(Object.keys(object)).toEqual([
      'norm',
      'backend',
      'device',
      'fallback',
      'mode',
      'seed',
      'epochs',
      'final',
      'runDirectory',
    ]);
    expect(Object.keys(object.epochs[0] ?? {})).toEqual([
      'epoch',
      'loss',
      'trainAccuracy',
      'testAccuracy',
      'testAccuracyPopulation',
      'populationImages',
      'examplesPerSecond',
      'seconds',
    ]);
    expect(Object.keys(object.final)).toEqual([
      'loss',
      'trainAccuracy',
      'testAccuracy',
      'testAccuracyPopulation',
      'populationImages',
      'examplesPerSecond',
    ]);
    expect(stderr).toBe('');
    expect((await run(['inspect-gamma', 'json'])).stderr).toBe(
      'Cannot inspect json: expected a model with batch normalization, got one without\nhint: train one: bn-train scratch\n',
    );
  });
});

describe('Ctrl-C', () => {
  const untilTraining = async (running: ReturnType<typeof startProgram>) => {
    while (!running.stderr().includes('run folder')) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 1500));
  };

  it.runIf(ALL)(
    'ends at a step’s end, keeps the run, exits 130, and the resumed run is bit for bit the one never stopped',
    async () => {
      const args = ['scratch', '--epochs', '1', '--seed', '3', '--batch-size', '1024', '--json'];
      const whole = JSON.parse((await run([...args, '--run-dir', 'whole'])).stdout) as {
        epochs: { loss: number }[];
        final: { testAccuracy: number };
      };
      const running = startProgram([...args, '--run-dir', 'stopped'], { cwd: work });
      await untilTraining(running);
      running.child.kill('SIGINT');
      const { code, stderr } = await running.result;
      expect(code).toBe(130);
      expect(stderr).toMatch(/interrupted in epoch 1 after \d+ of 59 batches/);
      expect(stderr).toContain("to go on: bn-train scratch --resume 'stopped'");
      const resumed = JSON.parse((await run(['scratch', '--resume', 'stopped', '--json'])).stdout) as typeof whole;
      expect([resumed.epochs[0]?.loss, resumed.final.testAccuracy]).toEqual([
        whole.epochs[0]?.loss,
        whole.final.testAccuracy,
      ]);
      const weights = (folder: string) => readFileSync(inWork(`${folder}/model/weights.bin`));
      expect(weights('stopped').equals(weights('whole'))).toBe(true);
    },
  );
});

describe('what is printed', () => {
  const shell = (script: string) => start('bash', ['-c', script, process.execPath, program], { cwd: work }).result;

  it.each(['--help', 'scratch --help', 'inspect-gamma one'])('and finds no room is an error: %s', async (words) => {
    expect(await shell(`"$0" "$1" ${words} >/dev/full`)).toMatchObject({
      code: 1,
      stderr:
        'Cannot print the result: expected room where stdout goes, got no space left on the device\nhint: free some space there, or send it elsewhere\n',
    });
  });

  it('and that nobody reads to its end is fine, and an error stays one', async () => {
    const verify = await shell('"$0" "$1" verify --backend js --quiet | head -n 1; exit ${PIPESTATUS[0]}');
    expect(verify).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^check .*\n$/) as string });
    expect((await shell('"$0" "$1" evaluate nowhere | true; exit ${PIPESTATUS[0]}')).code).toBe(1);
  });

  it('on a stderr that is closed does not end the work', async () => {
    const { args, env } = await writeSmallData(inWork('few'), 100, 20);
    const script = `{ "$0" "$1" none --epochs 1 --run-dir deaf ${args.join(' ')} 2>&1 >result | true; echo \${PIPESTATUS[0]}; cat result; }`;
    const { code, stdout } = await start('bash', ['-c', script, process.execPath, program], { env, cwd: work }).result;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^0\nloss \d/);
  });

  it('has no character in it that a terminal would obey', async () => {
    const name = '\u001b[2J\u202e';
    await mkdir(inWork(name));
    writeFileSync(path.join(inWork(name), 'config.json'), '{}');
    const written = '\\u001b[2J\\u202e';
    expect((await run(['scratch', '--resume', name])).stderr).toContain(`Cannot read ${written}/config.json: expected`);
    expect((await run(['scratch', '--run-dir', name])).stderr).toContain(`with --resume '${written}'\n`);
    expect((await run([name])).stderr.split('\n')[0]).toBe(`error: unknown command '${written}'`);
  });

  it('of an error has its causes and its stack with --verbose', async () => {
    const message = 'Cannot read the run nowhere: expected a run folder with a config.json, got none\nhint: ';
    const { stderr, code } = await run(['evaluate', 'nowhere', '--verbose']);
    expect(stderr.startsWith(message)).toBe(true);
    expect(stderr).toMatch(
      /\n {4}at .*\n(.*\n)* *\[cause\]: Error: ENOENT: no such file or directory, open 'nowhere\/config.json'\n/,
    );
    expect(code).toBe(1);
  });
});

it('a slower backend than the best is told under --quiet, and in --json', async () => {
  const data = await writeSmallData(inWork('few'), 100, 20);
  const env = { ...(await freshMachine('http://127.0.0.1:1')), PIP_RETRIES: '0', ...data.env };
  const args = ['none', '--epochs', '1', '--quiet', '--json', '--run-dir', inWork('slower'), ...data.args];
  const { code, stdout, stderr } = await runProgram(args, { env, cwd: work });
  const why = /Cannot install TensorFlow: expected tensorflow-cpu 2\.18\.1 in the package index, got [^\n]*/.source;
  expect(stderr).toMatch(
    new RegExp(`^using the wasm backend \\(${why}\\), which is many times slower than native; .*\n$`),
  );
  expect(JSON.parse(stdout)).toMatchObject({
    backend: 'wasm',
    fallback: expect.stringMatching(new RegExp(`^${why}$`)) as string,
  });
  const again = await runProgram(['evaluate', inWork('slower'), '--quiet', '--json', ...data.args], { env, cwd: work });
  expect(JSON.parse(again.stdout)).toMatchObject({
    backend: 'wasm',
    device: 'cpu',
    fallback: expect.any(String) as string,
  });
  expect(code).toBe(0);
});

it('--no-population leaves the statistics out of lines and files, also where the run goes on', async () => {
  const data = await writeSmallData(inWork('few'), 100, 20);
  const train = (...args: string[]) =>
    runProgram(['scratch', ...args, ...data.args], { env: { ...process.env, ...data.env }, cwd: work });
  const begun = await train('--no-population', '--epochs', '1', '--batch-size', '50', '--run-dir', 'without');
  expect(begun.stdout).toMatch(/^loss .*\n[\d,.]+ examples\/sec on cpu\n$/);
  expect(begun.stderr).toMatch(/^epoch 1\/1 .* test acc 0\.\d{3}$/m);
  expect(begun.stderr).not.toContain('population');
  const goneOn = await train('--resume', 'without', '--epochs', '2');
  expect(goneOn.stdout).not.toContain('population');
  expect(readFileSync(inWork('without/metrics.csv'), 'utf8')).toMatch(/\n1,([\d.]+,){3},,.*\n2,([\d.]+,){3},,.*\n$/);
  expect(readFileSync(inWork('without/chart.svg'), 'utf8')).not.toContain('population statistics');
});

describe('a start that fails', () => {
  it.each([
    ['--xla', '--eager'],
    ['--data-dir', '.'],
  ])('leaves no run folder: %s %s', async (...flags) => {
    const before = existsSync(inWork('runs')) ? readdirSync(inWork('runs')) : [];
    expect((await run(['none', ...flags])).code).toBe(2);
    expect(readdirSync(inWork('runs'))).toEqual(before);
    await mkdir(inWork('mine'), { recursive: true });
    expect((await run(['none', ...flags, '--run-dir', 'mine'])).code).toBe(2);
    expect(readdirSync(inWork('mine'))).toEqual([]);
  });
});
