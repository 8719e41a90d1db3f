/** The steps of src/train/step.ts on the backend in use, held against the JS backend: op by op, and from end to end. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../../graph/record/record.js';
import { isBatchNorm } from '../../nn/population.js';
import { DeviceDataset, evaluationStep, momentsStep, trainingStep } from '../../train/step.js';
import { carried } from '../bounds/carried.js';
import { roundingOf } from '../bounds/kernels.js';
import { random } from '../cases.js';
import { type CompileSteps, type Comparison, type Subject, withCompiled } from '../check.js';
import { recordKernels, rerun, type Value, valueOf } from './kernelCalls.js';

export interface Steps {
  /** Makes the same weights at every call, on the backend that is then in use. */
  model: () => tf.Sequential;
  /** All of it is one batch. */
  data: ConstructorParameters<typeof DeviceDataset>[0];
}

/** The JS backend's name in tfjs. */
export const REFERENCE = 'cpu';

/**
 * Evaluation, moments and a training step, whose learning rate is 1, so that the weights move by the gradients themselves.
 *
 * Each kernel that the JS backend ran for them is run on the backend in use with the very same inputs; each side may be
 * off by the kernel's rounding (src/verify/bounds/kernels.ts). Then the steps are run there from the start, op by op and,
 * where graphs are compiled, as one graph, plain and fused, whose fused operations only leave roundings out. Of each tensor that comes out,
 * a sum with random signs is compared: it may be off by the roundings of all kernels, on both sides, as they are carried
 * on to it (src/verify/bounds/carried.ts). Counts of correct answers are whole, and agree unless two logits lie within that.
 */
export async function compareSteps(
  steps: Steps,
  { compileSteps, unfused }: Pick<Subject, 'compileSteps' | 'unfused'> = {},
): Promise<Comparison[]> {
  const outcomes: [how: string, Outcome][] = [['op by op', await outcomeOf(steps, runEagerly)]];
  if (compileSteps) outcomes.push(['compiled', await outcomeOf(steps, runCompiled(compileSteps, false))]);
  if (compileSteps && unfused === undefined)
    outcomes.push(['fused', await outcomeOf(steps, runCompiled(compileSteps, true))]);
  const { calls, outcome, roundings, tolerances } = await onReference(() => reference(steps));
  const wholes = ([how, got]: (typeof outcomes)[number]) =>
    outcome.map(({ name, value }, i): Comparison => ({
      of: `${name}, ${how}`,
      expected: [signedSum(value, i)],
      got: [signedSum(got[i]?.value, i)],
      tolerance: tolerances[i] ?? NaN,
    }));
  return [
    ...calls.map((call, i): Comparison => ({
      of: `${call.kernel} of [${Object.values(call.inputs)
        .map(({ shape }) => shape.join('×'))
        .join('], [')}]`,
      expected: call.outputs[0]?.numbers ?? [],
      got: rerun(call),
      tolerance: Float64Array.from(roundings[i] ?? [], (rounding) => 2 * rounding),
    })),
    ...outcomes.flatMap(wholes),
  ];
}

type Outcome = { name: string; value: Value }[];
type Run = (step: StepFunction, inputs: tf.Tensor[], variables: tf.Variable[]) => Promise<tf.Tensor[]>;

/** What the steps give, and the weights that they leave. */
async function outcomeOf({ model: build, data: dataset }: Steps, run: Run): Promise<Outcome> {
  const [model, data] = [build(), new DeviceDataset(dataset)];
  const steps = [evaluationStep(model, data), momentsStep(model, data), trainingStep(model, data)];
  const weights = model.weights.map((weight) => weight.read() as tf.Variable);
  const inputs = [tf.range(0, data.count, 1, 'int32'), tf.scalar(1)];
  const outputs = await run((...given) => steps.flatMap((step) => step(...given)), inputs, [
    ...weights,
    ...data.variables,
  ]);
  const layers = model.layers.filter(isBatchNorm);
  const moments = layers.flatMap(({ name }) => [`mean before ${name}`, `variance before ${name}`]);
  const names = ['correct in inference', ...moments, 'loss', 'correct'];
  const outcome = [
    ...outputs.map((output, i) => ({ name: names[i] ?? '', value: valueOf(output) })),
    ...weights.map((weight, i) => ({ name: model.weights[i]?.originalName ?? '', value: valueOf(weight) })),
  ];
  tf.dispose([...outputs, ...inputs]);
  data.dispose();
  model.dispose();
  return outcome;
}

const runEagerly: Run = (step, inputs) => Promise.resolve(tf.tidy(() => step(...inputs)));

const runCompiled =
  (compileSteps: CompileSteps, fuse: boolean): Run =>
  (step, inputs, variables) =>
    withCompiled(compileSteps, [{ all: { step, inputs } }, { variables, fuse }], (compiled) =>
      compiled.run('all', ...inputs),
    );

/** The steps on the JS backend, the rounding of each of its kernels, and how far all of them may lead each result astray. */
async function reference(steps: Steps) {
  let calls: ReturnType<typeof recordKernels>['calls'] = [];
  const outcome = await outcomeOf(steps, (step, inputs) => {
    const recorded = recordKernels(() => tf.tidy(() => step(...inputs)));
    calls = recorded.calls;
    return Promise.resolve(recorded.result);
  });
  const roundings = calls.map(roundingOf);
  const tolerances = outcome.map(
    ({ value }, i) => 2 * carried(calls, roundings, new Map([[value.id, signs(value, i)]])),
  );
  return { calls, outcome, roundings, tolerances };
}

async function onReference<T>(work: () => Promise<T>): Promise<T> {
  const backend = tf.getBackend();
  // It would advise Node's users at its first tensor to install what they may be using.
  Object.assign(tf.findBackend(REFERENCE), { firstUse: false });
  await tf.setBackend(REFERENCE);
  try {
    return await work();
  } finally {
    await tf.setBackend(backend);
  }
}

function signs({ numbers }: Value, i: number): Float32Array {
  return Float32Array.from(random(numbers.length, 0, 1, 1 + i), Math.sign);
}

function signedSum(value: Value | undefined, i: number): number {
  if (!value) return NaN;
  const weights = signs(value, i);
  return [...value.numbers].reduce((sum, number, j) => sum + number * (weights[j] ?? NaN), 0);
}
