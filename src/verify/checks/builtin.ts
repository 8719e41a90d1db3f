/** The layer against tf.layers.batchNormalization with equal weights. */
import * as tf from '@tensorflow/tfjs';
import { analysisOf, layerForward, layerGradients } from '../apply.js';
import { type Bounded, exact } from '../bounds/bounded.js';
import { type Case, ordinaryCases } from '../cases.js';
import type { Check, Comparison, Subject } from '../check.js';
import { twentySteps } from '../runs.js';
import { flatten, trainEagerly } from '../trainingRun.js';

export function builtinChecks(): Check[] {
  const cases = ordinaryCases();
  const each = (compare: (subject: Subject, example: Case) => Comparison[]) => (subject: Subject) =>
    cases.flatMap((example) => compare(subject, example));
  return [
    { name: 'built-in layer: outputs', run: each(outputs) },
    { name: 'built-in layer: moving statistics', run: each(moving) },
    { name: 'built-in layer: gradients', run: each(gradients) },
    { name: 'built-in layer: 20 training steps', run: trainingRun },
  ];
}

const layersFor = ({ BatchNorm }: Subject, { epsilon, momentum }: { epsilon: number; momentum: number }) => ({
  own: new BatchNorm({ epsilon, momentum }),
  builtin: tf.layers.batchNormalization({ epsilon, momentum }),
});

/**
 * Both round, so they may differ by the sum of their bounds. The built-in layer works on the data unshifted: the mean,
 * the mean of (x − mean)², and their derivatives op by op. None of its sums is over larger terms than those of the
 * analysis without a shift, whose bound therefore covers it; on ordinary data the difference is small.
 */
function apart(of: string, expected: Float32Array, got: Float32Array, bounds: [Bounded[], Bounded[]]): Comparison {
  const [own, builtin] = bounds;
  return { of, expected, got, tolerance: own.map(({ error }, i) => error + (builtin[i]?.error ?? NaN)) };
}

function analyses(example: Case, training: boolean) {
  return [analysisOf(example, training), analysisOf(example, training, 'none')] as const;
}

function outputs(subject: Subject, example: Case): Comparison[] {
  return [true, false].map((training) => {
    const { own, builtin } = layersFor(subject, example);
    const [expected, got] = [layerForward(builtin, example, training).y, layerForward(own, example, training).y];
    const [ours, theirs] = analyses(example, training);
    return apart(training ? 'y in training' : 'y in inference', expected, got, [ours.y, theirs.y]);
  });
}

function moving(subject: Subject, example: Case): Comparison[] {
  const { own, builtin } = layersFor(subject, example);
  const [expected, got] = [layerForward(builtin, example, true), layerForward(own, example, true)];
  const [ours, theirs] = analyses(example, true);
  return (['movingMean', 'movingVariance'] as const).map((part) => {
    const name = part === 'movingMean' ? 'moving mean' : 'moving variance';
    return apart(name, expected[part], got[part], [ours[part], theirs[part]]);
  });
}

function gradients(subject: Subject, example: Case): Comparison[] {
  const { own, builtin } = layersFor(subject, example);
  const [expected, got] = [layerGradients(builtin, example), layerGradients(own, example)];
  const [ours, theirs] = analyses(example, true).map((analysis) => analysis.gradient(example.dy.map(exact)));
  return (['x', 'gamma', 'beta'] as const).map((part) =>
    apart({ x: '∂x', gamma: '∂γ', beta: '∂β' }[part], expected[part], got[part], [
      ours?.[part] ?? [],
      theirs?.[part] ?? [],
    ]),
  );
}

function trainingRun(subject: Subject): Comparison[] {
  const { run, own: ours, unshifted } = twentySteps();
  const { own, builtin } = layersFor(subject, run);
  const [expected, got] = [trainEagerly(run, builtin), trainEagerly(run, own)];
  const tolerance = ours.map((bound, i) => bound + (unshifted[i] ?? NaN));
  return [{ of: 'weights and loss', expected: flatten(expected), got: flatten(got), tolerance }];
}
