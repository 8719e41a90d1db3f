/** The gradient against central differences of the function's own outputs: no formula of a gradient takes part. */
import { analysisOf, evaluate, referenceOf } from '../apply.js';
import { type Case, smallCases } from '../cases.js';
import type { Check, Comparison, Subject } from '../check.js';

const GRADIENT = { x: '∂x', gamma: '∂γ', beta: '∂β' } as const;
type Input = keyof typeof GRADIENT;

// Rounding falls and curvature grows with the step; around u^⅓ of the inputs' size the two meet.
const STEP = 2 ** -6;
const TINY_STEP = 2 ** -20;

export function differenceChecks(): Check[] {
  return smallCases().map((example) => ({
    name: `finite differences, ${example.name}`,
    run: ({ batchNorm }: Subject) =>
      (['x', 'gamma', 'beta'] as const).map((input) => differences(batchNorm, example, input)),
  }));
}

/**
 * For L = Σ dy·y and a step h, (L(x + h) − L(x − h))/2h is off by what rounding does to L, at most Σ |dy|·error(y) at
 * each end over 2h, and by what the curve does between the ends. The second part is the same difference taken in float64
 * less the one of a step so small that no curve is left. The gradient adds its own rounding. L is summed in float64.
 */
function differences(batchNorm: Subject['batchNorm'], example: Case, input: Input): Comparison {
  const got = evaluate(batchNorm, example, true)[GRADIENT[input]];
  const rounding = analysisOf(example, true)[GRADIENT[input]];
  const own = (moved: Case) => loss(moved, evaluate(batchNorm, moved, true).y);
  const float64 = (moved: Case) => loss(moved, referenceOf(moved, true).y);
  const expected: number[] = [];
  const tolerance: number[] = [];
  for (const [i, value] of valuesOf(example, input).entries()) {
    const slope = (f: (moved: Case) => number, below: number, above: number) =>
      (f(move(example, input, i, above)) - f(move(example, input, i, below))) / (above - below);
    const [below, above] = [Math.fround(value - STEP), Math.fround(value + STEP)];
    const ofLoss = [below, above].reduce((total, end) => total + lossError(move(example, input, i, end)), 0);
    const curve = slope(float64, below, above) - slope(float64, value - TINY_STEP, value + TINY_STEP);
    expected.push(slope(own, below, above));
    tolerance.push(ofLoss / (above - below) + Math.abs(curve) + (rounding[i]?.error ?? NaN));
  }
  return { of: GRADIENT[input], expected, got, tolerance };
}

const loss = ({ dy }: Case, y: ArrayLike<number>) => dy.reduce((total, weight, i) => total + weight * (y[i] ?? NaN), 0);

function lossError(example: Case): number {
  const { y } = analysisOf(example, true);
  return example.dy.reduce((total, weight, i) => total + Math.abs(weight) * (y[i]?.error ?? NaN), 0);
}

const valuesOf = (example: Case, input: Input) => (input === 'x' ? example.x : example.vectors[input]);

function move(example: Case, input: Input, i: number, value: number): Case {
  const values = valuesOf(example, input).map((old, j) => (j === i ? value : old));
  return input === 'x' ? { ...example, x: values } : { ...example, vectors: { ...example.vectors, [input]: values } };
}
