/** The recorded graph, rewritten or fused: against the float64 reference, and a training run in it against one op by op. */
import { agree } from './agreement.js';
import { evaluation, inputsOf, modeOf, numbersOf } from '../apply.js';
import { type Case, hardCases, ordinaryCases } from '../cases.js';
import { type Check, type Comparison, type Subject, within, withCompiled } from '../check.js';
import { twentySteps } from '../runs.js';
import { trainee, trainEagerly } from '../trainingRun.js';

export function compiledChecks(): Check[] {
  return [...checksOf('compiled', false), ...checksOf('fused', true)];
}

type Compiling = Required<Pick<Subject, 'batchNorm' | 'BatchNorm' | 'compileStep'>>;

function checksOf(how: string, fuse: boolean): Check[] {
  const check = (name: string, run: (subject: Compiling, fuse: boolean) => Promise<Comparison[]>): Check => ({
    name: `${how}${name}`,
    notApplicable: ({ compileStep, unfused }) => {
      if (!compileStep) return 'only the native backend compiles steps; this one runs them op by op';
      return fuse ? unfused : undefined;
    },
    run: (subject) => run(subject as Compiling, fuse),
  });
  const evaluateAll = (cases: Case[]) => async (subject: Compiling) => {
    const comparisons: Comparison[] = [];
    for (const example of cases)
      for (const training of [true, false])
        comparisons.push(...agree(example, training, await evaluateCompiled(subject, example, training, fuse)));
    return comparisons;
  };
  return [
    ...ordinaryCases().map((example) => check(`, ${example.name}`, evaluateAll([example]))),
    check(', hard inputs', evaluateAll(hardCases())),
    check(' against eager: 20 training steps', trainBoth),
  ];
}

/** The function on a case as a graph. Its sums may run in another order, which the bounds of src/verify/bounds/analysis.ts cover. */
function evaluateCompiled({ batchNorm, compileStep }: Compiling, example: Case, training: boolean, fuse: boolean) {
  const inputs = inputsOf(example);
  const step = evaluation(batchNorm, modeOf(example, training));
  return withCompiled(compileStep, [step, { inputs, variables: [], fuse }], ({ run }) => numbersOf(run(...inputs)));
}

/**
 * Both runs compute the same formulas, the graph with sums in another order and some operations fused, which only leaves
 * roundings out: each is within its drift of the exact run, so they are within twice that of each other.
 */
async function trainBoth({ BatchNorm, compileStep }: Compiling, fuse: boolean): Promise<Comparison[]> {
  const { run, own } = twentySteps();
  const layer = () => new BatchNorm({ epsilon: run.epsilon, momentum: run.momentum });
  const expected = trainEagerly(run, layer());
  const { step, variables, sample, end, dispose } = trainee(run, layer());
  const samples = run.batches.map(sample);
  const definition = { inputs: samples[0] ?? [], variables, fuse };
  const got = await withCompiled(compileStep, [(x, target) => [step(x, target)], definition], (compiled) => {
    const losses = samples.map((given) => compiled.run(...given)[0]?.dataSync()[0] ?? NaN);
    return end(losses);
  }).finally(dispose);
  return [within('weights and loss', expected, got, own, own)];
}
