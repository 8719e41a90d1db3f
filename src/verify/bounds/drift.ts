/** How far rounding may lead a training run astray. */
import { analyse, at, type Shift, vectorsOf } from './analysis.js';
import { type Bounded, constant, exact, mul, rounded, sub, sum } from './bounded.js';
import { type Batch, flatten, PARTS, type State, type TrainingRun } from '../trainingRun.js';

type Step = (state: number[], batch: Batch) => Bounded[];

// For float64, around u^⅓.
const DIFFERENCE = 1e-5;

/**
 * The flat last state, and for each number of it by how much float32 may miss it.
 *
 * Step t may add an error of δₜ (src/verify/bounds/analysis.ts), and every later step carries it on as its derivative J says: to
 * first order the last state is off by at most Σₜ |J_T ⋯ Jₜ₊₁|·δₜ. J is taken in float64 by central differences. Errors
 * are some 1e-6, and what the first order leaves out their square.
 */
export function drift(run: TrainingRun, shift?: Shift): Bounded[] {
  let state = flatten(run.start);
  let errors: number[][] = [];
  const step: Step = (values, batch) => flatten(boundedStep(run, shapeLike(values, run.start), batch, shift));
  for (const batch of run.batches) {
    const next = step(state, batch);
    const columns = derivative(step, state, batch);
    errors = errors.map((error) =>
      next.map((_, i) => error.reduce((sum, e, j) => sum + e * (columns[j]?.[i] ?? NaN), 0)),
    );
    errors.push(...next.map(({ error }, i) => next.map((_, j) => (i === j ? error : 0))));
    state = next.map(({ value }) => value);
  }
  return state.map((value, i) => ({ value, error: errors.reduce((sum, error) => sum + Math.abs(error[i] ?? NaN), 0) }));
}

function shapeLike(values: number[], like: State): State {
  let offset = 0;
  const take = (part: (typeof PARTS)[number]) => values.slice(offset, (offset += like[part].length));
  return Object.fromEntries(PARTS.map((part) => [part, take(part)])) as unknown as State;
}

/** Column j holds what a change of number j of the state does to the next state. */
function derivative(step: Step, state: number[], batch: Batch): number[][] {
  return state.map((value, j) => {
    const h = DIFFERENCE * Math.max(1, Math.abs(value));
    const moved = (by: number) =>
      step(
        state.map((old, i) => (i === j ? old + by : old)),
        batch,
      );
    const [above, below] = [moved(h), moved(-h)];
    return above.map((end, i) => (end.value - at(below, i).value) / (2 * h));
  });
}

/** One step as src/verify/trainingRun.ts takes it, from a state that float32 holds as it is. */
function boundedStep(run: TrainingRun, state: State, { x, target }: Batch, shift?: Shift): State<Bounded> {
  const { shape, inputs, epsilon, momentum } = run;
  const channels = shape.at(-1) ?? 0;
  const size = target.length;
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  const input = (row: number, k: number) => exact(x[row * inputs + k] ?? NaN);
  const kernel = (k: number, c: number) => exact(state.kernel[k * channels + c] ?? NaN);
  const dense = (i: number) =>
    sum(range(inputs).map((k) => mul(input(Math.floor(i / channels), k), kernel(k, i % channels))));
  const hidden = inputs === 0 ? x.map(exact) : range(size).map(dense);
  const mode = { training: true, epsilon, momentum };
  const { y, movingMean, movingVariance, gradient } = analyse(hidden, shape, vectorsOf(state), mode, shift);
  const distance = y.map((value, i) => sub(value, exact(target[i] ?? NaN)));
  const upstream = gradient(distance.map((d) => divide({ value: 2 * d.value, error: 2 * d.error }, size)));
  const kernelGradient = (j: number) =>
    sum(
      range(size / channels).map((row) =>
        mul(input(row, Math.floor(j / channels)), at(upstream.x, row * channels + (j % channels))),
      ),
    );
  const descend = (values: number[], gradients: Bounded[]) =>
    values.map((value, i) => sub(exact(value), mul(constant(run.learningRate), at(gradients, i))));
  return {
    kernel: descend(state.kernel, range(state.kernel.length).map(kernelGradient)),
    gamma: descend(state.gamma, upstream.gamma),
    beta: descend(state.beta, upstream.beta),
    movingMean,
    movingVariance,
    loss: [divide(sum(distance.map((d) => mul(d, d))), size)],
  };
}

/** By division or by a product with 1/n, and once more rounded on the way. */
const divide = ({ value, error }: Bounded, n: number): Bounded => rounded(value / n, error / n, 3);
