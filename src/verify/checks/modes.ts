/** What must hold between the two modes. */
import { evaluate, evaluateLayer, modeOf } from '../apply.js';
import { analyse, vectorsOf } from '../bounds/analysis.js';
import { exact } from '../bounds/bounded.js';
import { ordinaryCases } from '../cases.js';
import type { Check, Subject } from '../check.js';

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
function bothModes(batchNorm: Subject['batchNorm'], example: ReturnType<typeof ordinaryCases>[number]) {
  const trained = evaluate(batchNorm, example, true);
  const { movingMean, movingVariance } = trained;
  const vectors = { ...example.vectors, movingMean: [...movingMean], movingVariance: [...movingVariance] };
  const inferred = evaluate(batchNorm, { ...example, vectors }, false).y;
  const [x, layout] = [example.x.map(exact), { shape: example.shape }];
  const training = analyse(x, layout, vectorsOf(example.vectors), modeOf(example, true));
  const inference = analyse(
    x,
    layout,
    { ...vectorsOf(vectors), movingMean: training.movingMean, movingVariance: training.movingVariance },
    modeOf(example, false),
  );
  const tolerance = training.y.map(({ error }, i) => error + (inference.y[i]?.error ?? NaN));
  return [{ of: 'y', expected: trained.y, got: inferred, tolerance }];
}
