/** Section: accuracy and loss by epoch, of one run or of several. */
import type { RunConfig } from '../../../run/config.js';
import { isReferenceRecipe, REFERENCE_RUNS } from '../../../study/referenceRuns.js';
import type { EpochResult } from '../../../train/events.js';
import type { LineSeries, LineSpec, Reference } from '../../live/spec.js';
import type { Section } from '../document.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { RunRecord } from '../runRecord.js';
import type { Texts } from '../texts/index.js';

/** As the chapter shows them, and as it does not: the moving average against the population. */
export function curvesSection({ config, history }: RunRecord, { run: { curves }, page }: Texts): Section {
  const x = history.map(({ epoch }) => epoch);
  const line = (name: string, tone: number, y: (number | null)[]): LineSeries => ({ name, tone, x, y });
  const isNormalized = history.some((epoch) => epoch.testAccuracyPopulation !== null);
  const moving = history.map(({ testAccuracy }) => testAccuracy);
  const accuracy: LineSpec = {
    kind: 'lines',
    x: { name: curves.epoch },
    y: { name: curves.accuracyAxis },
    series: [
      line(isNormalized ? curves.moving : curves.test, 1, moving),
      ...(isNormalized
        ? [
            line(
              curves.population,
              0,
              history.map((epoch) => epoch.testAccuracyPopulation),
            ),
          ]
        : []),
      line(
        curves.train,
        5,
        history.map(({ trainAccuracy }) => trainAccuracy),
      ),
    ],
    references: referencesOf(config, curves),
  };
  const loss: LineSpec = {
    kind: 'lines',
    x: { name: curves.epoch },
    y: { name: curves.lossAxis, unit: curves.nats, min: 0 },
    series: [
      line(
        curves.lossAxis,
        2,
        history.map((epoch) => epoch.loss),
      ),
    ],
  };
  const body = markup`<p>${curves.lead}</p>
${new Html(renderChart(accuracy, { id: 'accuracy', title: curves.accuracy, texts: page.figure, height: 380 }))}
${isNormalized ? markup`<p>${curves.same}</p>` : undefined}
${new Html(renderChart(loss, { id: 'loss', title: curves.loss, texts: page.figure, height: 260 }))}`;
  return { id: 'curves', title: curves.title, body };
}

/** What was published with the recipe, for a run by the same one. */
function referencesOf(config: RunConfig, { published, test, train }: Texts['run']['curves']): Reference[] {
  if (config.norm === 'none' || !isReferenceRecipe(config)) return [];
  const { testAccuracy, trainAccuracy } = REFERENCE_RUNS[config.norm];
  return [
    { name: published(test, testAccuracy), y: testAccuracy },
    { name: published(train, trainAccuracy), y: trainAccuracy },
  ];
}

/** Runs of one name are shown and hidden together. */
export interface Named {
  name: string;
  tone: number;
  history: EpochResult[];
}

/** One measure of several runs in one chart; nothing where no run has it. */
export function overlaid(
  runs: Named[],
  of: (epoch: EpochResult) => number | null,
  about: { id: string; title: string; axis: string; unit?: string },
  { run: { curves }, page }: Texts,
): Html | undefined {
  const series = runs
    .map(({ name, tone, history }): LineSeries => ({
      name,
      tone,
      x: history.map(({ epoch }) => epoch),
      y: history.map(of),
    }))
    .filter(({ y }) => y.some((value) => value !== null));
  if (series.length === 0) return undefined;
  const y = { name: about.axis, ...(about.unit !== undefined && { unit: about.unit }) };
  const spec: LineSpec = { kind: 'lines', x: { name: curves.epoch }, y, series };
  return new Html(renderChart(spec, { id: about.id, title: about.title, texts: page.figure }));
}
