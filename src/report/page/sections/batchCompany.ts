/** Section: one image alone and in batches, which is the difference between inference and training. */
import type { Predictions } from '../../../train/predictions.js';
import type { Review } from '../../../train/review.js';
import type { LineSpec } from '../../live/spec.js';
import type { Section } from '../document.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';

export function companySection(
  review: Review,
  classes: string[],
  { run: { companions: texts }, page }: Texts,
): Section {
  const { companions, labels, inference, population } = review;
  const charts = companions.map(({ row, batches }, i) => {
    const label = labels[row] ?? 0;
    const dots = batches.flatMap(({ size, draws }) => draws.map(({ probability }) => ({ size, probability })));
    const alone = (name: string, predictions: Predictions | undefined) =>
      predictions ? [{ name, y: probabilityOf(predictions, row, label) }] : [];
    const spec: LineSpec = {
      kind: 'lines',
      x: { name: texts.size, logarithmic: true },
      y: { name: texts.probability, min: 0, max: 1 },
      series: [
        {
          name: texts.inBatch,
          tone: 0,
          x: dots.map(({ size }) => size),
          y: dots.map(({ probability }) => probability),
          scattered: true,
        },
        ...[...alone(texts.moving, inference), ...alone(texts.population, population)].map(({ name, y }, tone) => ({
          name,
          tone: tone + 1,
          x: [1, batches.at(-1)?.size ?? 1],
          y: [y, y],
        })),
      ],
    };
    const title = texts.figure(row, classes[label] ?? '');
    return new Html(renderChart(spec, { id: `company-${i + 1}`, title, texts: page.figure, height: 300 }));
  });
  const body =
    companions.length === 0
      ? markup`<p>${texts.none}</p>`
      : markup`<p>${texts.lead}</p>\n${charts}\n<p>${texts.one}</p>`;
  return { id: 'company', title: texts.title, body };
}

export function probabilityOf({ classes, probabilities }: Predictions, row: number, label: number): number {
  return probabilities[row * (probabilities.length / classes.length) + label] ?? 0;
}
