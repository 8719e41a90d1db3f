/** What must hold between the two modes. */
import { analysisOf, evaluate, evaluateLayer, modeOf } from '../apply.js';
import { analyse, vectorsOf } from '../bounds/analysis.js';
import { exact } from '../bounds/bounded.js';
import { type Case, ordinaryCases } from '../cases.js';
import { type Check, type Subject, within } from '../check.js';

export function modeChecks(): Check[] {
  const cases = ordinaryCases();
  return [
    ...cases.map((example) => ({
      name: `momentum 0: both modes agree, ${example.name}`,
      run: ({ batchNorm }: Subject) => bothModes(batchNorm, { ...example, momentum: 0 }),
    })),
    {
      name: 'inference leaves the layer’s weights alone',
      run: ({ BatchNorm }: Subject) =>
        cases.flatMap((example) => {
          const { movingMean, movingVariance } = evaluateLayer(new BatchNorm({}), example, false);
          return [
            { of: 'moving mean', expected: example.vectors.movingMean, got: movingMean, tolerance: 0 },
            { of: 'moving variance', expected: example.vectors.movingVariance, got: movingVariance, tolerance: 0 },
          ];
        }),
    },
  ];
}

/**
 * With momentum 0 the moving statistics are the batch's, so inference by them is training's output. The two round
 * differently: training by its own bound, inference by its bound for statistics that carry training's rounding.
 */
function bothModes(batchNorm: Subject['batchNorm'], example: Case) {
  const { y, movingMean, movingVariance } = evaluate(batchNorm, example, true);
  const vectors = { ...example.vectors, movingMean: [...movingMean], movingVariance: [...movingVariance] };
  const inferred = evaluate(batchNorm, { ...example, vectors }, false).y;
  const training = analysisOf(example, true);
  const inexact = { ...vectorsOf(vectors), movingMean: training.movingMean, movingVariance: training.movingVariance };
  const inference = analyse(example.x.map(exact), example.shape, inexact, modeOf(example, false));
  return [within('y', y, inferred, training.y, inference.y)];
}
