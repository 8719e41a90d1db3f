/** The page of several runs: a table of what they came to, and their curves over each other. */
import { formatCount, formatMetric } from '../../common/format.js';
import { quoted, toType } from '../../common/invocation.js';
import type { Page } from './document.js';
import { renderTable } from './figure.js';
import { Html, markup } from './markup.js';
import type { RunRecord } from './runRecord.js';
import { overlaid } from './sections/curves.js';
import { commandLine } from './sections/provenance.js';
import type { Texts } from './texts/index.js';

export function comparePage(records: RunRecord[], texts: Texts): Omit<Page, 'script' | 'foot'> {
  const { compare, curves, result } = texts.run;
  const runs = records.map((record, i) => ({ name: `${i + 1}: ${describe(record, texts)}`, history: record.history }));
  const curve = (id: string, title: string, axis: string, of: Parameters<typeof overlaid>[1], unit?: string) =>
    overlaid(runs, of, { id, title, axis, ...(unit !== undefined && { unit }) }, texts);
  return {
    texts,
    title: compare.title(records.length),
    head: markup`<p class="lead">${compare.lead}</p>`,
    sections: [
      { id: 'table', title: compare.table, body: tableOf(records, texts) },
      {
        id: 'curves',
        title: compare.curves,
        body: markup`<p>${curves.lead}</p>
${curve('loss', curves.loss, curves.lossAxis, ({ loss }) => loss, curves.nats)}
${curve('train', result.trainAccuracy, curves.accuracyAxis, ({ trainAccuracy }) => trainAccuracy)}
${curve('moving', result.moving, curves.accuracyAxis, ({ testAccuracy }) => testAccuracy)}
${curve('population', result.population, curves.accuracyAxis, (epoch) => epoch.testAccuracyPopulation)}`,
      },
      {
        id: 'each',
        title: compare.eachTitle,
        body: markup`<p>${compare.each}</p>
${records.map(({ folder }) => commandLine(toType(`report ${quoted(folder)}`), texts.page))}`,
      },
    ],
  };
}

function describe({ config: { norm, seed } }: RunRecord, { run: { shortNorms, provenance } }: Texts): string {
  return `${shortNorms[norm]}, ${provenance.seed} ${seed}`;
}

function tableOf(records: RunRecord[], { run: { compare, result, shortNorms } }: Texts): Html {
  const columns = [
    ...[compare.run, compare.norm, compare.learningRate, compare.batchSize, compare.seed, compare.epochs],
    ...[result.loss, result.trainAccuracy, result.moving, result.population, result.speed],
  ];
  const rows = records.map(({ folder, config, history, final }, i) => {
    const last = final ?? history.at(-1);
    const metric = (value: number | null | undefined) => (value == null ? '–' : formatMetric(value));
    return [
      `${i + 1}: ${folder}`,
      ...[shortNorms[config.norm], String(config.learningRate), String(config.batchSize), String(config.seed)],
      history.length === config.epochs ? String(config.epochs) : `${history.length} / ${config.epochs}`,
      ...[metric(last?.loss), metric(last?.trainAccuracy), metric(last?.testAccuracy)],
      ...[metric(last?.testAccuracyPopulation), last ? formatCount(last.examplesPerSecond) : '–'],
    ];
  });
  return new Html(renderTable({ columns, rows }, compare.table));
}
