import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { accuracyCriterion, criterionLines, fastest, speedCriteria } from '../../bench/gpu/criteria.js';
import type { Recording, Step } from '../../bench/gpu/recorded.js';
import { gpuReport, type GpuReport } from '../../bench/gpu/report.js';
import { utilizationOf } from '../../bench/gpu/utilization.js';
import type { Speed } from '../../src/bench/figures.js';
import { summarize } from '../../src/bench/statistics.js';
import { root, start } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-gpu-'));
afterAll(() => rm(work, { recursive: true }));

function speed(program: string, name: string, turns: number[]): Speed {
  return { program, name, examplesPerSecond: summarize(turns), millisecondsPerStep: summarize([1]), turns };
}

const SPEEDS = [
  speed('bn-train', 'scratch/graph', [300e3, 310e3, 320e3]),
  speed('bn-train', 'scratch/loop', [400e3, 390e3, 410e3]),
  speed('bn-train', 'scratch/eager', [900e3, 900e3, 900e3]),
  speed('bn-train', 'builtin/loop', [200e3, 390e3, 205e3]),
  speed('bn-train', 'none/loop', [800e3, 800e3, 800e3]),
  speed('pytorch', 'scratch/eager', [50e3, 60e3, 70e3]),
  speed('pytorch', 'builtin/loop', [500e3, 390e3, 820e3]),
  speed('pytorch', 'none/loop', [2e6, 2e6, 2e6]),
];

describe('what the figures must show', () => {
  it('the fastest compiled scratch is held against the target, against PyTorch turn by turn, and against builtin', () => {
    expect(criterionLines(speedCriteria(SPEEDS, 'cuda:0'))).toEqual([
      'met: compiled scratch trains 323000 examples a second: bn-train scratch loop 400,000, expected at least 323000',
      "NOT met: compiled scratch is as fast as PyTorch's fastest with batch normalization: bn-train scratch loop / pytorch builtin loop 0.800, expected at least 1",
      'met: compiled scratch is as fast as compiled builtin: bn-train scratch loop / bn-train builtin loop 2.000, expected at least 1',
    ]);
  });

  it('on the CPU there is no target; without PyTorch, or without a compiled scratch, no claim on it', () => {
    const own = SPEEDS.filter(({ program }) => program === 'bn-train');
    expect(speedCriteria(own, 'cpu').map(({ to }) => to?.name)).toEqual(['builtin/loop']);
    expect(speedCriteria(own.slice(2), 'cuda:0')).toEqual([]);
    expect(fastest([])).toBeUndefined();
  });

  it.each([
    { trainAccuracy: 0.895, met: true },
    { trainAccuracy: 0.909, met: true },
    { trainAccuracy: 0.88, met: false },
  ])('a training accuracy of $trainAccuracy against 0.902 on the CPU: $met', ({ trainAccuracy, met }) => {
    expect(accuracyCriterion({ trainAccuracy }, { trainAccuracy: 0.902 })).toMatchObject({
      required: { most: 0.01 },
      met,
    });
  });
});

describe('utilization', () => {
  it('is summed up between the first epoch and the last, over samples that are whole', () => {
    const samples = ['-1, 0, 500, 70, 300', ', 9, 9, 9, 9', '1, 90, 900, 200, 1900', '2, 70, 900, 180, 1980'];
    const rest = ['2, [N/A], 900, 180, 1980', '2, ', '3, 5, 900, 80, 1980', ''];
    expect(utilizationOf([...samples, ...rest].join('\n'), 3)).toEqual({
      samples: 2,
      utilization: { median: 80, min: 70, max: 90 },
      memoryUsed: { median: 900, min: 900, max: 900 },
      power: { median: 190, min: 180, max: 200 },
      clock: { median: 1940, min: 1900, max: 1980 },
    });
    expect(utilizationOf(samples.slice(0, 2).join('\n'), 3)).toBeUndefined();
  });
});

describe('the report', () => {
  const step = (stdout: string, code = 0, stderr = ''): Step => ({
    command: 'x --json',
    code,
    seconds: 1,
    stdout,
    stderr,
  });

  it('of nothing says what there is not', () => {
    expect(gpuReport({ recording: {}, samples: '', device: 'cpu', finished: false })).toEqual({
      finished: false,
      device: 'cpu',
      gpu: { absent: 'not asked for' },
      doctor: { facts: {} },
      verify: undefined,
      pytorch: { absent: 'not looked for yet' },
      bench: undefined,
      training: {},
      utilization: { absent: 'no sample of nvidia-smi' },
      criteria: [],
      errors: [],
      steps: {},
    });
  });

  it('keeps the checks that failed, and takes output that is no JSON for an error', () => {
    const failed = { name: 'the gradient', verdict: 'fail', error: 1 };
    const checks = [failed, { name: 'the mean', verdict: 'pass' }, { name: 'x', verdict: 'not applicable' }];
    const recording: Recording = {
      gpu: step('', 127, 'nvidia-smi: not found'),
      verify: step(JSON.stringify({ device: 'cuda:0', checks }), 1, 'Cannot vouch\nhint: js'),
      bench: step('Killed'),
      pytorch: step('', 1, "a\nb\nc\nd\nModuleNotFoundError: No module named 'torch'\n"),
    };
    const report = gpuReport({ recording, samples: '', device: 'cuda:0', finished: true });
    expect(report).toMatchObject({
      gpu: { absent: 'nvidia-smi: not found' },
      verify: { device: 'cuda:0', passed: 1, failed: [failed], notApplicable: [{ name: 'x' }] },
      pytorch: { absent: "b\nc\nd\nModuleNotFoundError: No module named 'torch'" },
      bench: undefined,
    });
    expect(report.errors).toEqual([
      { step: 'gpu', command: 'x --json', code: 127, said: 'nvidia-smi: not found' },
      { step: 'verify', command: 'x --json', code: 1, said: 'Cannot vouch\nhint: js' },
      { step: 'bench', command: 'x --json', code: 0, said: 'no JSON on stdout: Killed' },
    ]);
  });
});

/** A folder as unpack.sh makes it, whose bn-train only says what one would say, and a PATH with nvidia-smi and a Python. */
function fakeMachine(name: string, bnTrain: string): { folder: string; env: Record<string, string> } {
  const folder = path.join(work, name);
  mkdirSync(path.join(folder, 'bin'), { recursive: true });
  cpSync(path.join(root, 'bench'), path.join(folder, 'bench'), { recursive: true });
  symlinkSync(path.join(root, 'dist'), path.join(folder, 'dist'));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const executable = (file: string, script: string) =>
    writeFileSync(path.join(folder, file), `#!/bin/bash\necho "$0 $*" >>'${folder}/log'\n${script}`, { mode: 0o755 });
  executable('bn-train', bnTrain);
  executable(
    'bin/nvidia-smi',
    'case $* in *name*) echo "NVIDIA H100 80GB HBM3, 580.1, 81559, 9.0" ;; *) echo 97, 2048, 250.5, 1980 ;; esac',
  );
  executable(
    'bin/python3',
    `case $* in *"import numpy"*) echo 2.13.0 ;; *--modes' 'cudagraphs*) echo 'no Triton' >&2; exit 1 ;; esac`,
  );
  return { folder, env: { PATH: `${folder}/bin:${process.env['PATH'] ?? ''}` } };
}

const final = {
  loss: 0.27,
  trainAccuracy: 0.9,
  testAccuracy: 0.8,
  testAccuracyPopulation: 0.88,
  populationImages: 60_000,
  examplesPerSecond: 4e5,
};
const said = (value: object) => `echo '${JSON.stringify(value).replaceAll("'", String.raw`'\''`)}'`;

async function measure({ folder, env }: ReturnType<typeof fakeMachine>, args: string[]) {
  const script = path.join(folder, 'bench/gpu.sh');
  const result = await start('bash', [script, ...args], { cwd: folder, env }).result;
  const log = readFileSync(path.join(folder, 'log'), 'utf8').replaceAll(`${folder}/`, '');
  return { ...result, log, report: JSON.parse(readFileSync(path.join(folder, 'gpu.json'), 'utf8')) as GpuReport };
}

describe('bench/gpu.sh', () => {
  it('takes every figure in one go, goes on after what fails, and says so', async () => {
    const machine = fakeMachine(
      'gpu',
      `case $* in
        doctor*) ${said({ facts: [{ label: 'data set', value: '/the data' }], gpus: [1] })} ;;
        verify*) ${said({ checks: [{ name: 'a', verdict: 'pass' }] })} ;;
        *--modes' 'xla*) echo 'Cannot compile: expected ptxas, got none' >&2; exit 1 ;;
        bench*) ${said({ speeds: SPEEDS })} ;;
        *--epochs' '100*)
          while [ "$1" != --run-dir ]; do shift; done
          mkdir "$2"; printf 'epoch\\n1\\n2\\n' >"$2/metrics.csv"; sleep 0.5
          ${said({ epochs: Array(100).fill({}), final })} ;;
        scratch*) ${said({ epochs: [{}], final })} ;;
      esac`,
    );
    const { code, stdout, log, report } = await measure(machine, ['--modes', 'loop,xla,graph', '--device', 'cuda:1']);
    expect(report).toMatchObject({
      finished: true,
      device: 'cuda:1',
      gpu: { name: 'NVIDIA H100 80GB HBM3', driver: '580.1', memory: '81559 MiB', computeCapability: '9.0' },
      doctor: { facts: { 'data set': '/the data' }, gpus: [1] },
      verify: { passed: 1, failed: [] },
      pytorch: { version: '2.13.0' },
      training: { training: { final }, 'training-cpu': { final } },
      utilization: { utilization: { median: 97 }, power: { median: 250.5 } },
    });
    expect(report.bench?.speeds).toEqual(SPEEDS);
    expect(report.criteria.map(({ met }) => met)).toEqual([true, false, true, true]);
    expect(report.errors.map(({ step, said }) => [step, said])).toEqual([
      ['probe-bn-train-xla', 'Cannot compile: expected ptxas, got none'],
      ['probe-pytorch-cudagraphs', 'no Triton'],
    ]);
    expect(log).toContain('nvidia-smi --id=1 --query-gpu=name');
    expect(log).toMatch(
      /^bn-train bench --json --steps 235 --turns 7 --modes loop,graph --peer python3 -B bench\/peers\/pytorch\.py --device cuda:1 --modes eager\\,compile\\,loop\\,loop\+compile {2}--device cuda:1$/m,
    );
    expect(log).toContain('--modes loop --norms scratch --data-dir /the data\n');
    expect(stdout).toMatch(
      /^NOT met: .*\nmet: .*\nmet: .*\nfailed: probe-bn-train-xla \(exit status 1\)\nCannot compile/m,
    );
    expect(code).toBe(1);
  });

  it('without PyTorch measures the rest, on the CPU without what only a GPU has, and all is well', async () => {
    const machine = fakeMachine(
      'cpu',
      `case $* in doctor*) ${said({ facts: [] })} ;; verify*) ${said({ checks: [] })} ;; bench*) ${said({ speeds: [] })} ;; *) ${said({ epochs: [], final })} ;; esac`,
    );
    writeFileSync(
      path.join(machine.folder, 'bin/python3'),
      '#!/bin/sh\necho "No module named \'torch\'" >&2; exit 1\n',
    );
    const { code, log, report } = await measure(machine, ['--device', 'cpu', '--modes', 'graph']);
    expect(report).toMatchObject({
      finished: true,
      gpu: { absent: 'not asked for' },
      pytorch: { absent: "No module named 'torch'" },
      utilization: { absent: 'no sample of nvidia-smi' },
      errors: [],
    });
    expect(Object.keys(report.steps)).toEqual([
      'doctor',
      'verify',
      'probe-bn-train-graph',
      'pytorch',
      'bench',
      'training',
    ]);
    expect(log).toContain('bench --json --steps 40 --turns 7 --modes graph --device cpu\n');
    expect(code).toBe(0);
  });

  it('goes on where it was ended', async () => {
    const machine = fakeMachine(
      'ended',
      `case $* in doctor*) ${said({ facts: [] })} ;; verify*) kill -TERM $(cat ended) && sleep 60 ;; *) ${said({ speeds: [], epochs: [], final })} ;; esac`,
    );
    const { folder } = machine;
    writeFileSync(path.join(folder, 'ended'), '');
    const args = ['--device', 'cpu', '--modes', 'graph', '--peer-modes', 'eager', '--work', 'kept'];
    const env = { ...machine.env, BASH_ENV: path.join(folder, 'pid.sh') };
    writeFileSync(env.BASH_ENV, `case $0 in */gpu.sh) echo $$ >'${folder}/ended' ;; esac\n`);
    const first = await measure({ ...machine, env }, args);
    expect(first).toMatchObject({ code: 130, report: { finished: false } });
    expect(Object.keys(first.report.steps)).toEqual(['doctor']);

    const executable = path.join(folder, 'bn-train');
    writeFileSync(
      executable,
      readFileSync(executable, 'utf8').replace('kill -TERM $(cat ended) && sleep 60', said({ checks: [] })),
    );
    const second = await measure(machine, args);
    expect(second).toMatchObject({ code: 0, report: { finished: true, errors: [] } });
    expect(second.log.match(/^bn-train doctor/gm)).toHaveLength(1);
    expect(second.log.match(/^bn-train verify/gm)).toHaveLength(2);
  });

  it('where nothing works, every failure is in the report; a step that hangs is one', async () => {
    const machine = fakeMachine(
      'broken',
      'case $1 in doctor) sleep 60 ;; esac\necho "Cannot open the backend" >&2; exit 3',
    );
    const { code, stderr, report } = await measure(machine, [
      '--modes',
      'graph',
      '--limit',
      '1',
      '--peer-modes',
      'eager',
    ]);
    expect(report.errors.map(({ step, code }) => [step, code])).toEqual([
      ['doctor', 124],
      ['verify', 3],
      ['probe-bn-train-graph', 3],
      ['bench', 3],
      ['bench-alone', 3],
      ['training', 3],
      ['training-cpu', 3],
      ['sampled', 3],
    ]);
    expect(stderr).toMatch(/^verify \(\d+ s\)\nCannot open the backend\nverify: exit status 3\n/m);
    expect(report.bench).toBeUndefined();
    expect(code).toBe(1);
  });

  it.each([
    { args: ['--fast'], words: /expected one of --device --out .*, got --fast/ },
    { args: ['--turns'], words: /expected a value after --turns, got nothing/ },
    { args: ['--turns', '0'], words: /expected whole numbers from 1, got 0/ },
    { args: ['--out', ''], words: /expected a file after --out, got nothing/ },
    { args: ['--device', 'cuda:x'], words: /expected --device cpu or cuda\[:N\], got cuda:x/ },
  ])('$args is wrong usage', async ({ args, words }) => {
    const { code, stderr } = await start('bash', [path.join(root, 'bench/gpu.sh'), ...args], { cwd: work }).result;
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/\nhint: bench\/gpu\.sh --device cuda:0 --out gpu\.json\n$/);
    expect(code).toBe(2);
  });

  it('needs the built program', async () => {
    const folder = path.join(work, 'bare');
    cpSync(path.join(root, 'bench'), path.join(folder, 'bench'), { recursive: true });
    const { code, stderr } = await start('bash', [path.join(folder, 'bench/gpu.sh')]).result;
    expect(stderr).toMatch(`expected a built checkout, or the folder that unpack.sh made, got ${folder}\n`);
    expect(code).toBe(2);
  });
});
