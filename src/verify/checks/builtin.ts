/** The layer against tf.layers.batchNormalization with equal weights. */
import * as tf from '@tensorflow/tfjs';
import { analysisOf, evaluateLayer, type Quantity } from '../apply.js';
import { ordinaryCases } from '../cases.js';
import { type Check, type Comparison, type Subject, within } from '../check.js';
import { twentySteps } from '../runs.js';
import { trainEagerly } from '../trainingRun.js';

export function builtinChecks(): Check[] {
  const check = (name: string, modes: boolean[], quantities: Quantity[]): Check => ({
    name: `built-in layer: ${name}`,
    run: (subject) => modes.flatMap((training) => compare(subject, training, quantities)),
  });
  return [
    check('outputs', [true, false], ['y']),
    check('moving statistics', [true], ['movingMean', 'movingVariance']),
    check('gradients', [true], ['∂x', '∂γ', '∂β']),
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
function compare(subject: Subject, training: boolean, quantities: Quantity[]): Comparison[] {
  return ordinaryCases().flatMap((example) => {
    const { own, builtin } = layersFor(subject, example);
    const expected = evaluateLayer(builtin, example, training);
    const got = evaluateLayer(own, example, training);
    const [ours, theirs] = [analysisOf(example, training), analysisOf(example, training, 'none')];
    return quantities.map((of) => within(of, expected[of], got[of], ours[of], theirs[of]));
  });
}

function trainingRun(subject: Subject): Comparison[] {
  const { run, own: ours, unshifted } = twentySteps();
  const { own, builtin } = layersFor(subject, run);
  const [expected, got] = [trainEagerly(run, builtin), trainEagerly(run, own)];
  return [within('weights and loss', expected, got, ours, unshifted)];
}
