/** The function against the float64 reference: outputs, moving statistics and gradients, on ordinary and hard inputs. */
import { analysisOf, evaluate, type Forward, type Gradients, modeOf, type Numbers } from '../apply.js';
import { exact } from '../bounds/bounded.js';
import { type Case, hardCases, ordinaryCases } from '../cases.js';
import { type Check, type Comparison, type Subject, within } from '../check.js';
import { reference, referenceGradient } from '../reference.js';

export function agreementChecks(): Check[] {
  return [
    ...ordinaryCases().flatMap((example) => {
      const check = (name: string, compare: (in_: (training: boolean) => Numbers) => Comparison[]): Check => ({
        name: `${name}, ${example.name}`,
        run: ({ batchNorm }) => compare((training) => evaluate(batchNorm, example, training)),
      });
      return [
        check('forward in training', (numbers) => [outputs(example, true, numbers(true))]),
        check('forward in inference', (numbers) => [outputs(example, false, numbers(false))]),
        check('moving statistics', (numbers) => [true, false].flatMap((mode) => moving(example, mode, numbers(mode)))),
        check('gradient in training', (numbers) => gradient(example, true, numbers(true).gradient)),
        check('gradient in inference', (numbers) => gradient(example, false, numbers(false).gradient)),
      ];
    }),
    ...hardCases().map((example) => ({
      name: `hard input: ${example.name}`,
      run: ({ batchNorm }: Subject) =>
        [true, false].flatMap((training) => agree(example, training, evaluate(batchNorm, example, training))),
    })),
  ];
}

/**
 * All that was computed for a case, against the reference. Tolerances are the bounds of src/verify/bounds/analysis.ts for the very
 * numbers of the case; nothing else is allowed for.
 */
export function agree(example: Case, training: boolean, numbers: Numbers): Comparison[] {
  return [
    outputs(example, training, numbers),
    ...moving(example, training, numbers),
    ...gradient(example, training, numbers.gradient),
  ];
}

function expectedOf(example: Case, training: boolean) {
  return reference(example.x, example.shape.at(-1) ?? 0, example.vectors, modeOf(example, training));
}

function outputs(example: Case, training: boolean, got: Forward): Comparison {
  return within('y', expectedOf(example, training).y, got.y, analysisOf(example, training).y);
}

/** In training the averages move as the reference's do; in inference they come back as they were, bit for bit. */
function moving(example: Case, training: boolean, got: Forward): Comparison[] {
  if (!training)
    return [
      { of: 'moving mean in inference', expected: example.vectors.movingMean, got: got.movingMean, tolerance: 0 },
      {
        of: 'moving variance in inference',
        expected: example.vectors.movingVariance,
        got: got.movingVariance,
        tolerance: 0,
      },
    ];
  const expected = expectedOf(example, true);
  const bounds = analysisOf(example, true);
  return [
    within('moving mean', expected.movingMean, got.movingMean, bounds.movingMean),
    within('moving variance', expected.movingVariance, got.movingVariance, bounds.movingVariance),
  ];
}

function gradient(example: Case, training: boolean, got: Gradients): Comparison[] {
  const { x, dy, shape, vectors } = example;
  const expected = referenceGradient(x, shape.at(-1) ?? 0, vectors, dy, modeOf(example, training));
  const bounds = analysisOf(example, training).gradient(dy.map(exact));
  return [
    within('∂x', expected.x, got.x, bounds.x),
    within('∂γ', expected.gamma, got.gamma, bounds.gamma),
    within('∂β', expected.beta, got.beta, bounds.beta),
  ];
}
