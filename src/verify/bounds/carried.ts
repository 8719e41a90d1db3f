/** How far the roundings of all kernels of a piece of work may lead what comes out of it astray. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../../common/errors.js';
import { fromTidy } from '../apply.js';
import { type Attributes, type Call, tensorOf, type Value } from '../steps/kernelCalls.js';

/** Weights for the numbers of some values; what is bounded is the weighted sum of all. */
export type Weights = Map<Value['id'], Float32Array>;

/**
 * By how much the weighted sum may be off when every kernel's output may be off by its entry of `roundings`: to first
 * order by Σ |∂sum/∂output|·rounding, over all numbers of all outputs. The derivatives come from one pass backwards through
 * the calls (reverse accumulation; Linnainmaa 1976, Taylor expansion of the accumulated rounding error). Errors are some
 * 1e-6, and what the first order leaves out their square.
 */
export function carried(calls: readonly Call[], roundings: readonly ArrayLike<number>[], weights: Weights): number {
  const adjoints: Weights = new Map(weights);
  const made = new Set(calls.flatMap((call) => (isView(call) ? [] : call.outputs.map(({ id }) => id))));
  let total = 0;
  for (const [i, call] of [...calls.entries()].reverse()) {
    const [output] = call.outputs;
    const adjoint = output && adjoints.get(output.id);
    if (!adjoint || isView(call)) continue;
    total += adjoint.reduce((sum, slope, j) => sum + Math.abs(slope) * (roundings[i]?.[j] ?? NaN), 0);
    for (const [name, gradient] of gradients(call, { ...output, numbers: adjoint }, made)) {
      const { id } = call.inputs[name] as Value;
      const before = adjoints.get(id);
      adjoints.set(id, before ? gradient.map((slope, j) => slope + (before[j] ?? NaN)) : gradient);
    }
  }
  return total;
}

/** Whether the output shares its input's numbers, and so their derivatives, too. */
function isView({ inputs, outputs }: Call): boolean {
  return Object.values(inputs).some(({ id }) => id === outputs[0]?.id);
}

/** For each input of a call that is made by one of the calls: Σ ∂output/∂input·dy. */
function gradients(call: Call, dy: Value, made: Set<Value['id']>): [string, Float32Array][] {
  return fromTidy(() => {
    const derivative = DERIVATIVES[call.kernel] ?? stockDerivative(call);
    const tensors = Object.entries(call.inputs).map(([name, value]) => [name, tensorOf(value)]);
    const inputs = Object.fromEntries(tensors) as Inputs;
    const found = Object.entries(derivative(tensorOf(dy), inputs, call.attributes));
    return found
      .filter(([name]) => made.has(call.inputs[name]?.id ?? call))
      .map(([name, gradient]) => [name, gradient().dataSync<'float32'>()]);
  });
}

type Inputs = tf.NamedTensorMap & Record<'x' | 'dy' | 'filter' | 'a' | 'b', tf.Tensor>;
type Derivative = (dy: tf.Tensor, inputs: Inputs, attributes: Attributes) => Record<string, () => tf.Tensor>;

/** As training differentiates it; nothing for what has no slope, such as comparisons. */
function stockDerivative({ kernel, outputs: [output] }: Call): Derivative {
  const config = tf.getGradient(kernel) as tf.GradConfig | undefined;
  if (!config && output?.dtype !== 'float32') return () => ({});
  if (!config) throw cannot('bound a step', { expected: 'kernels whose derivative is known', got: kernel });
  return (dy, inputs, attributes) => {
    const saved = [
      ...(config.inputsToSave ?? []).map((name) => inputs[name] as tf.Tensor),
      ...(config.outputsToSave?.[0] ? [tensorOf(output as Value)] : []),
    ];
    return config.gradFunc(dy, saved, attributes ?? {});
  };
}

const run = (kernel: string, inputs: tf.NamedTensorMap, attributes: Attributes) =>
  tf.engine().runKernel<tf.Tensor>(kernel, inputs, attributes);

/** Of kernels that training only meets behind another name or last in its chain; each is linear in each of its inputs. */
const DERIVATIVES: Record<string, Derivative> = {
  FusedConv2D: (dy, { x, filter }, attributes) => ({
    x: () => run('Conv2DBackpropInput', { dy, filter }, { ...attributes, inputShape: x.shape }),
    filter: () => run('Conv2DBackpropFilter', { x, dy }, { ...attributes, filterShape: filter.shape }),
    bias: () => dy.sum([0, 1, 2]),
  }),
  Conv2DBackpropFilter: (dFilter, { x, dy }, attributes) => ({
    x: () => run('Conv2DBackpropInput', { dy, filter: dFilter }, { ...attributes, inputShape: x.shape }),
    dy: () => run('Conv2D', { x, filter: dFilter }, { ...attributes, dilations: 1 }),
  }),
  AvgPoolGrad: (dInput, _, attributes) => ({ dy: () => run('AvgPool', { x: dInput }, attributes) }),
  _FusedMatMul: (dy, { a, b }) => ({
    a: () => dy.matMul(b, false, true),
    b: () => a.matMul(dy, true),
    bias: () => dy.sum([0, 1]),
  }),
};
