import { backend } from '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { assertAllPassed } from '../../src/cli/verifyCommand.js';
import { whyUnfused } from '../../src/cli/whyUnfused.js';
import { compileSteps } from '../../src/graph/compile.js';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { analysisOf, QUANTITIES, referenceOf } from '../../src/verify/apply.js';
import { hardCases, ordinaryCases } from '../../src/verify/cases.js';
import type { Check, Subject } from '../../src/verify/check.js';
import { stepChecks } from '../../src/verify/checks/steps.js';
import { CheckTable } from '../../src/report/checks.js';
import { allChecks, type CheckResult, verify } from '../../src/verify/verify.js';
import { broken, withKernel } from '../support/kernels.js';
import { runProgram } from '../support/program.js';
import { MUTANTS, PLAIN } from './mutants.js';

const own: Subject = { batchNorm, BatchNorm, compileSteps };
const checks = allChecks();
const steps = stepChecks();
const ofLayers = checks.filter(({ name }) => !steps.some((check) => check.name === name));
const names = checks.map(({ name }) => name);

async function resultsOf(subject: Subject, of: Check[] = checks): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for await (const result of verify(of, subject)) results.push(result);
  return results;
}

const failing = (results: CheckResult[]) => results.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name);

describe('the checks', () => {
  it('pass for this project’s layer, and leave nothing behind', async () => {
    const before = tf.memory().numTensors;
    const results = await resultsOf(own);
    expect(results.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(results.map(({ name }) => name)).toEqual(names);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('have names of their own', () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it('skip the compiled step where there is none, with words', async () => {
    const results = await resultsOf({ batchNorm, BatchNorm }, checks.slice(-29));
    const skipped = results.filter(({ verdict }) => verdict === 'not applicable');
    expect(skipped.map(({ name }) => name)).toEqual(names.filter((name) => /^(compiled|fused)/.test(name)));
    expect(results.length).toBeGreaterThan(skipped.length);
    for (const { reason } of skipped)
      expect(reason).toBe('only the native backend compiles steps; this one runs them op by op');
  });

  it('fail where the layer throws, with its words', async () => {
    const throwing = {
      ...own,
      batchNorm: () => {
        throw new Error('on purpose');
      },
    };
    const [result] = await resultsOf(throwing, checks.slice(0, 1));
    expect(result).toEqual({ name: names[0], verdict: 'fail', reason: 'on purpose' });
  });

  it('stop on a signal', async () => {
    const run = verify(checks, own, AbortSignal.abort());
    await expect(run.next()).rejects.toThrow('This operation was aborted');
  });
});

describe('a check', () => {
  const check = (expected: number[], got: number[], tolerance: number | number[]): Check => ({
    name: 'a check',
    run: () => [{ of: 'y', expected, got, tolerance }],
  });
  it.each([
    { what: 'is within', of: check([1, 2], [1, 2.5], [0, 0.5]), verdict: 'pass', worst: [2, 2.5, 0.5, 0.5] },
    { what: 'is beyond', of: check([1, 2], [1.5, 2.5], [0.2, 0.1]), verdict: 'fail', worst: [2, 2.5, 0.5, 0.1] },
    { what: 'is not a number', of: check([1, 2], [NaN, 2], 1), verdict: 'fail', worst: [1, NaN, NaN, 1] },
    { what: 'is infinite', of: check([1], [Infinity], 1), verdict: 'fail', worst: [1, Infinity, Infinity, 1] },
    { what: 'must be exact and is', of: check([1, 2], [1, 2], 0), verdict: 'pass', worst: [1, 1, 0, 0] },
    { what: 'must be exact and is not', of: check([1, 2], [1, 3], 0), verdict: 'fail', worst: [2, 3, 1, 0] },
    { what: 'is missing', of: check([1, 2], [1], 5), verdict: 'fail', worst: [2, 1, 1, 0] },
    { what: 'was never compared', of: { name: 'a check', run: () => [] }, verdict: 'fail', worst: [1, 0, 1, 0] },
  ])('says so where a number $what', async ({ of, verdict, worst }) => {
    const [result] = await resultsOf(own, [of]);
    const { expected, got, error, tolerance } = result?.worst ?? { expected: 0, got: 0, error: 0, tolerance: 0 };
    expect({ verdict: result?.verdict, worst: [expected, got, error, tolerance] }).toEqual({ verdict, worst });
  });
});

describe('the error analysis', () => {
  const cases = [...ordinaryCases(), ...hardCases()];
  it.each(cases.flatMap((example) => [true, false].map((training) => ({ name: example.name, example, training }))))(
    'is of the same function as the float64 reference: $name, training $training',
    ({ example, training }) => {
      const [expected, analysis] = [referenceOf(example, training), analysisOf(example, training)];
      const pairs = QUANTITIES.map((quantity) => [expected[quantity], analysis[quantity]] as const);
      for (const [values, bounded] of pairs)
        for (const [i, { value, error }] of bounded.entries())
          // Float64's own rounding is some 2⁻²⁹ of float32's.
          expect(Math.abs(value - (values[i] ?? NaN)), `${i}`).toBeLessThanOrEqual(1e-3 * error);
      for (const [values, bounded] of pairs)
        expect(Math.max(...bounded.map(({ error }) => error))).toBeLessThan(
          1e-3 * Math.max(1, ...values.map(Math.abs)),
        );
    },
  );
});

describe('a layer broken on purpose', () => {
  const caught = new Map<string, CheckResult[]>();
  let plain: string[] = [];
  beforeAll(async () => {
    plain = failing(await resultsOf(PLAIN, ofLayers));
    for (const [name, subject] of Object.entries(MUTANTS)) {
      const results = await resultsOf(subject, name.startsWith('compiled step') ? checks : ofLayers);
      caught.set(
        name,
        results.filter(({ verdict }) => verdict === 'fail'),
      );
    }
  });

  it('is not one that is right but written plainly: its gradient only underflows, r³ being below float32', () => {
    expect(plain).toEqual(['hard input: huge variances', 'compiled, hard inputs', 'fused, hard inputs']);
  });

  it.each([
    { mutant: 'unbiased variance', by: ['forward in training, rank 2', 'published: PyTorch #7028, statistics'] },
    { mutant: 'unbiased moving variance', by: ['moving statistics, rank 4', 'momentum 0: both modes agree, rank 2'] },
    { mutant: 'no epsilon', by: ['forward in inference, rank 4', 'hard input: denormal inputs'] },
    { mutant: 'epsilon outside of the root', by: ['forward in training, rank 2', 'hard input: tiny variances'] },
    { mutant: 'momentum swapped', by: ['moving statistics, rank 2', 'published: Keras, two training steps'] },
    { mutant: 'E[x²] − E[x]² without a shift', by: ['hard input: mean 1e6, deviation 1', 'hard input: batch of two'] },
    {
      mutant: 'two passes without a shift',
      by: ['hard input: mean 1e6, deviation 1', 'forward in training, rank 2'],
    },
    { mutant: 'gradient without the mean’s part', by: ['finite differences, rank 2', 'built-in layer: gradients'] },
    {
      mutant: 'gradient without the statistics’ part',
      by: ['finite differences, rank 4', 'built-in layer: 20 training steps'],
    },
    {
      mutant: 'gradient of γ a mean, not a sum',
      by: ['gradient in inference, rank 2', 'published: nnlib, gradients in training'],
    },
    {
      mutant: 'statistics of the batch in inference',
      by: ['forward in inference, rank 2', 'published: Keras 3, inference'],
    },
    { mutant: 'moving statistics move in inference', by: ['inference leaves the layer’s weights alone'] },
    { mutant: 'statistics of each position by itself', by: ['forward in training, rank 4', 'built-in layer: outputs'] },
    { mutant: 'configuration not saved', by: ['saved and loaded'], alone: true },
    { mutant: 'state that is no weight', by: ['stopped and resumed'] },
    {
      mutant: 'compiled step that keeps what it trained to itself',
      by: [
        ...['compiled', 'fused'].map((how) => `${how} against eager: 20 training steps`),
        ...steps.map(({ name }) => name),
      ],
      alone: true,
    },
    {
      mutant: 'compiled step with the precision of TF32',
      by: ['compiled', 'fused'].flatMap((how) => ['rank 2', 'rank 4', 'hard inputs'].map((what) => `${how}, ${what}`)),
    },
  ])('is caught, $mutant: $by', ({ mutant, by, alone }) => {
    const results = caught.get(mutant) ?? [];
    expect(failing(results)).toEqual(expect.arrayContaining(by));
    if (alone) expect(failing(results)).toEqual(by);
  });

  it('is caught by its numbers, every one of them, and not because it throws', () => {
    expect([...caught.keys()]).toEqual(Object.keys(MUTANTS));
    for (const [mutant, results] of caught) {
      expect(
        failing(results).filter((name) => !plain.includes(name)),
        mutant,
      ).not.toEqual([]);
      expect(
        results.filter(({ worst }) => worst === undefined),
        mutant,
      ).toEqual([]);
    }
  });

  it('is noticed by every check; those of the steps, which bring their own layers, notice a broken kernel', async () => {
    const noticed = await withKernel(['Sigmoid', 'tensorflow'], broken, () =>
      resultsOf({ batchNorm, BatchNorm }, steps),
    );
    const noticing = new Set([...caught.values(), noticed].flatMap(failing));
    expect(names.filter((name) => !noticing.has(name))).toEqual([]);
  });
});

describe('the table', () => {
  const table = new CheckTable(['short', 'a longer name']);
  const worst = { of: '∂x', expected: 1, got: 1.5, error: 0.5, tolerance: 0.25 };
  it.each([
    {
      row: { name: 'short', verdict: 'pass', worst },
      line: /^short {14}1\.0000000 {6}1\.5000000 +5\.0e-1 +2\.5e-1 {2}pass$/,
    },
    { row: { name: 'a longer name', verdict: 'fail', worst }, line: /^a longer name {6}1\.0000000.* {2}FAIL \(∂x\)$/ },
    {
      row: { name: 'short', verdict: 'fail', worst: { ...worst, got: NaN, error: NaN } },
      line: / NaN +NaN +2\.5e-1 {2}FAIL/,
    },
    { row: { name: 'short', verdict: 'fail', reason: 'on purpose' }, line: /^short {10}fail: on purpose$/ },
    {
      row: { name: 'short', verdict: 'not applicable', reason: 'of no use' },
      line: /^short {10}not applicable: of no use$/,
    },
  ] as const)('has a line for $row', ({ row, line }) => {
    expect(table.row(row)).toEqual([expect.stringMatching(line)]);
  });

  it('has two lines a check where the terminal is narrow, which have room in 60 columns', () => {
    const narrow = new CheckTable(['a name that is rather long, as those of checks are'], 60);
    const name = 'a name that is rather long, as those of checks are';
    const lines = narrow.row({ name, verdict: 'pass', worst: { ...worst, expected: -1.0766429 } });
    expect(lines).toEqual([name, '     -1.0766429       1.5000000      5.0e-1    2.5e-1  pass']);
    expect(narrow.header()[1]).toBe('       expected             got worst error tolerance  verdict');
    expect(narrow.row({ name: 'x', verdict: 'fail', reason: 'y' })).toEqual(['x  fail: y']);
  });

  it('has one line a check in 80 columns: of what passed, the error; of what failed, all in two', () => {
    const table = new CheckTable(names, 80);
    const last = 'published: Keras, two training steps';
    const lines = [...table.header(), ...table.row({ name: last, verdict: 'pass', worst })];
    expect(lines).toEqual([
      expect.stringMatching(/^check +worst error tolerance {2}verdict$/),
      expect.stringMatching(/^published: Keras, two training steps +5\.0e-1 {4}2\.5e-1 {2}pass$/),
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(table.row({ name: last, verdict: 'fail', worst })).toEqual([
      last,
      expect.stringMatching(/^ +1\.0000000 +1\.5000000 +5\.0e-1 +2\.5e-1 {2}FAIL \(∂x\)$/),
    ]);
  });
});

describe('bn-train verify', () => {
  it('prints a table and exits 0', async () => {
    const { code, stdout, stderr } = await runProgram(['verify', '--quiet']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^check +expected +got +worst error +tolerance {2}verdict$/);
    for (const [i, name] of names.entries())
      expect(lines[i + 1]?.split(name)).toEqual(['', expect.stringMatching(/^( +-?\d[\d.e+-]*){4} {2}pass$/)]);
    expect(lines.at(-1)).toMatch(
      new RegExp(
        `^${names.length} passed, 0 failed, 0 not applicable: native backend on cpu, TensorFlow ${backend.tensorflow}, .* s$`,
      ),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it.each(['js', 'wasm'])('passes on the %s backend, and prints one JSON object', async (name) => {
    const { code, stdout, stderr } = await runProgram(['verify', '--backend', name, '--json', '--quiet']);
    const { checks, ...rest } = JSON.parse(stdout) as {
      checks: { name: string; source?: string; verdict: string; got?: number }[];
    };
    expect(rest).toEqual({ backend: name, device: 'cpu', fallback: null, seconds: expect.any(Number) as number });
    expect(checks.map((check) => check.name)).toEqual(names);
    for (const check of checks) expect(check.source !== undefined).toBe(check.name.startsWith('published'));
    for (const check of checks) expect(check.verdict).toBe(check.got === undefined ? 'not applicable' : 'pass');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('exits 1 when a check fails, and says which', () => {
    const results: CheckResult[] = [
      { name: 'one', verdict: 'fail', reason: 'on purpose' },
      { name: 'two', verdict: 'fail', reason: 'on purpose' },
      { name: 'three', verdict: 'pass' },
    ];
    const assertion = (name: 'native' | 'js') => () => assertAllPassed(results, name);
    const message =
      'Cannot vouch for batch normalization: expected every check within its tolerance, got 2 beyond: one; two';
    expect(assertion('native')).toThrow(
      expect.objectContaining({
        message,
        exitCode: 1,
        hint: 'to see whether the backend is at fault: bn-train verify --backend js',
      }),
    );
    expect(assertion('js')).toThrow(
      expect.objectContaining({
        message,
        exitCode: 1,
        hint: 'to see whether the backend is at fault: bn-train verify --backend wasm',
      }),
    );
    expect(() => assertAllPassed(results.slice(2), 'native')).not.toThrow();
  });
});

it.each([
  [undefined, 'steps are fused for the CPU alone'],
  [{ reason: 'no space' }, 'no space'],
  [{ hash: '1', compiler: 'c++' }, undefined],
])('kernels %o: why steps are not fused is %s', async (fused, why) => {
  let isDisposed = false;
  const compile = (...given: Parameters<typeof compileSteps>) =>
    compileSteps(...given).then((steps) => {
      steps.dispose();
      return Object.create(steps, {
        fused: { value: fused },
        dispose: { value: () => (isDisposed = true) },
      }) as typeof steps;
    });
  expect(await whyUnfused(compile)).toBe(why);
  expect(isDisposed).toBe(true);
});
