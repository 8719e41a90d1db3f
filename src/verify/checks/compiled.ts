/** The recorded graph, rewritten or fused: against the float64 reference, and a training run in it against one op by op. */
import type { StepFunction } from '../../graph/record/record.js';
import { agree } from './agreement.js';
import { evaluation, inputsOf, modeOf, numbersOf } from '../apply.js';
import { type Case, hardCases, ordinaryCases } from '../cases.js';
import { type Check, type Comparison, type Subject, within, withCompiled } from '../check.js';
import { twentySteps } from '../runs.js';
import { trainee, trainEagerly } from '../trainingRun.js';

export function compiledChecks(): Check[] {
  return [...checksOf('compiled', false), ...checksOf('fused', true)];
}

type Compiling = Required<Pick<Subject, 'batchNorm' | 'BatchNorm' | 'compileSteps'>>;

function checksOf(how: string, fuse: boolean): Check[] {
  const check = (name: string, run: (subject: Compiling, fuse: boolean) => Promise<Comparison[]>): Check => ({
    name: `${how}${name}`,
    notApplicable: ({ compileSteps, unfused }) => {
      if (!compileSteps) return 'only the native backend compiles steps; this one runs them op by op';
      return fuse ? unfused : undefined;
    },
    run: (subject) => run(subject as Compiling, fuse),
  });
  const evaluateAll = (cases: Case[]) => (subject: Compiling) => evaluateCompiled(subject, cases, fuse);
  return [
    ...ordinaryCases().map((example) => check(`, ${example.name}`, evaluateAll([example]))),
    check(', hard inputs', evaluateAll(hardCases())),
    check(' against eager: 20 training steps', trainBoth),
  ];
}

/**
 * The function on cases as graphs, compiled together. Their sums may run in another order, which the bounds of
 * src/verify/bounds/analysis.ts cover.
 */
function evaluateCompiled({ batchNorm, compileSteps }: Compiling, cases: Case[], fuse: boolean) {
  const all = cases.flatMap((example, i) =>
    [true, false].map((training) => ({ name: `${training ? 'train' : 'infer'}${i}`, example, training })),
  );
  const steps = all.map(({ name, example, training }) => {
    return [name, { step: evaluation(batchNorm, modeOf(example, training)), inputs: inputsOf(example) }] as const;
  });
  return withCompiled(compileSteps, [Object.fromEntries(steps), { variables: [], fuse }], (compiled) =>
    all.flatMap(({ name, example, training }) =>
      agree(example, training, numbersOf(compiled.run(name, ...inputsOf(example)))),
    ),
  );
}

/**
 * Both runs compute the same formulas, the graph with sums in another order and some operations fused, which only leaves
 * roundings out: each is within its drift of the exact run, so they are within twice that of each other.
 */
async function trainBoth({ BatchNorm, compileSteps }: Compiling, fuse: boolean): Promise<Comparison[]> {
  const { run, own } = twentySteps();
  const layer = () => new BatchNorm({ epsilon: run.epsilon, momentum: run.momentum });
  const expected = trainEagerly(run, layer());
  const { step, variables, sample, end, dispose } = trainee(run, layer());
  const samples = run.batches.map(sample);
  const train: StepFunction = (x, target) => [step(x, target)];
  const definition = { train: { step: train, inputs: samples[0] ?? [] } };
  const got = await withCompiled(compileSteps, [definition, { variables, fuse }], (compiled) => {
    const losses = samples.map((given) => compiled.run('train', ...given)[0]?.dataSync()[0] ?? NaN);
    return end(losses);
  }).finally(dispose);
  return [within('weights and loss', expected, got, own, own)];
}
