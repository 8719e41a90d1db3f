/** The recorded and rewritten graph: against the float64 reference, and a training run in it against one op by op. */
import * as tf from '@tensorflow/tfjs';
import { agree } from './agreement.js';
import { evaluation, inputsOf, modeOf, type Numbers, numbersOf } from '../apply.js';
import { type Case, hardCases, ordinaryCases } from '../cases.js';
import type { Check, Comparison, CompileStep, Subject } from '../check.js';
import { twentySteps } from '../runs.js';
import { flatten, type State, trainee, trainEagerly, type TrainingRun } from '../trainingRun.js';

export function compiledChecks(): Check[] {
  const check = (name: string, run: (subject: Required<Subject>) => Promise<Comparison[]>): Check => ({
    name,
    notApplicable: ({ compileStep }) =>
      compileStep ? undefined : 'only the native backend compiles steps; this one runs them op by op',
    run: (subject) => run(subject as Required<Subject>),
  });
  const evaluateAll = (cases: Case[]) => async (subject: Required<Subject>) => {
    const comparisons: Comparison[] = [];
    for (const example of cases)
      for (const training of [true, false])
        comparisons.push(...agree(example, training, await evaluateCompiled(subject, example, training)));
    return comparisons;
  };
  return [
    ...ordinaryCases().map((example) => check(`compiled, ${example.name}`, evaluateAll([example]))),
    check('compiled, hard inputs', evaluateAll(hardCases())),
    check('compiled against eager: 20 training steps', trainBoth),
  ];
}

/** The function on a case as a graph. Its sums may run in another order, which the bounds of src/verify/bounds/analysis.ts cover. */
async function evaluateCompiled(
  { batchNorm, compileStep }: Required<Subject>,
  example: Case,
  training: boolean,
): Promise<Numbers> {
  const inputs = inputsOf(example);
  const compiled = await compileStep(evaluation(batchNorm, modeOf(example, training)), { inputs, variables: [] });
  try {
    const outputs = compiled.run(...inputs);
    return numbersOf(outputs);
  } finally {
    compiled.dispose();
  }
}

/**
 * Both runs compute the same formulas, the graph with sums in another order and some operations fused, which only leaves
 * roundings out: each is within its drift of the exact run, so they are within twice that of each other.
 */
async function trainBoth({ BatchNorm, compileStep }: Required<Subject>): Promise<Comparison[]> {
  const { run, own } = twentySteps();
  const layer = () => new BatchNorm({ epsilon: run.epsilon, momentum: run.momentum });
  const expected = flatten(trainEagerly(run, layer()));
  const got = flatten(await trainCompiled(run, layer(), compileStep));
  const tolerance = own.map((bound) => 2 * bound);
  return [{ of: 'weights and loss', expected, got, tolerance }];
}

async function trainCompiled(run: TrainingRun, layer: tf.layers.Layer, compileStep: CompileStep): Promise<State> {
  const { step, variables, input, target, state, dispose } = trainee(run, layer);
  const samples = run.batches.map((batch) => [input(batch.x), target(batch.target)] as const);
  const compiled = await compileStep((x, wanted) => [step(x, wanted)], {
    inputs: samples[0] ?? [],
    variables,
  });
  try {
    const losses = samples.map((sample) => compiled.run(...sample)[0]?.dataSync()[0] ?? NaN);
    compiled.read();
    return state(losses.at(-1) ?? NaN);
  } finally {
    compiled.dispose();
    dispose();
  }
}
