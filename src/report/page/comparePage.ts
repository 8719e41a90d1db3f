/** The page of several runs: a table of what they came to, their curves over each other, and how far seeds differ. */
import * as path from 'node:path';
import { formatCount, formatMetric } from '../../common/format.js';
import { quoted } from '../../common/invocation.js';
import type { EpochResult } from '../../train/events.js';
import type { DotSpec } from '../live/spec.js';
import type { Page, Section } from './document.js';
import { renderChart, renderTable } from './figure.js';
import { Html, markup } from './markup.js';
import type { RunRecord } from './runRecord.js';
import { type Named, overlaid } from './sections/learningCurves.js';
import { commandLine } from './sections/provenance.js';
import type { Texts } from './texts/index.js';

/** More than this are told apart by their normalization alone. */
const APART = 6;
/** As they are shown, each in a tone of its own. */
const NORMS = ['none', 'scratch', 'builtin'] as const;

export function comparePage(records: RunRecord[], texts: Texts): Omit<Page, 'script' | 'foot'> {
  const { compare } = texts.run;
  const each = markup`<p>${compare.each}</p>
${records.map(({ folder }) => commandLine(`report ${quoted(folder)}`, texts.page))}`;
  return {
    texts,
    title: compare.title(records.length),
    head: markup`<p class="lead">${compare.lead}</p>`,
    sections: [
      { id: 'table', title: compare.table, body: tableOf(records, texts) },
      ...dotsSection(records, texts),
      curvesSection(records, texts),
      { id: 'each', title: compare.eachTitle, body: each },
    ],
  };
}

const lastOf = ({ final, history }: RunRecord) => final ?? history.at(-1);

/** What every run has in common is said below the table, so that the figures have room in it. */
function tableOf(records: RunRecord[], { run: { compare, result, shortNorms } }: Texts): Html {
  const epochsOf = ({ config: { epochs }, history }: RunRecord) =>
    history.length === epochs ? String(epochs) : `${history.length} / ${epochs}`;
  const settings: [name: string, of: (record: RunRecord) => string][] = [
    [compare.norm, ({ config }) => shortNorms[config.norm]],
    [compare.learningRate, ({ config }) => String(config.learningRate)],
    [compare.batchSize, ({ config }) => String(config.batchSize)],
    [compare.seed, ({ config }) => String(config.seed)],
    [compare.epochs, epochsOf],
  ];
  const isSame = (of: (record: RunRecord) => string) => new Set(records.map(of)).size === 1;
  const differing = settings.filter(([, of]) => !isSame(of));
  const same = settings
    .filter(([, of]) => isSame(of))
    .flatMap(([name, of]) => records.slice(0, 1).map((one) => ({ name, value: of(one) })));
  const isOneFolder = new Set(records.map(({ folder }) => path.dirname(folder))).size === 1;
  const columns = [
    ...[compare.run, ...differing.map(([name]) => name)],
    ...[result.loss, result.trainAccuracy, result.moving, result.population, result.speed],
  ];
  const rows = records.map((record, i) => {
    const last = lastOf(record);
    const metric = (value: number | null | undefined) => (value == null ? '–' : formatMetric(value));
    return [
      `${i + 1}: ${isOneFolder ? path.basename(record.folder) : record.folder}`,
      ...differing.map(([, of]) => of(record)),
      ...[metric(last?.loss), metric(last?.trainAccuracy), metric(last?.testAccuracy)],
      ...[metric(last?.testAccuracyPopulation), last ? formatCount(last.examplesPerSecond) : '–'],
    ];
  });
  const note = same.length === 0 ? {} : { note: compare.same(same) };
  return new Html(renderTable({ columns, rows, ...note }, compare.figures));
}

function curvesSection(records: RunRecord[], texts: Texts): Section {
  const { compare, curves, result, shortNorms } = texts.run;
  const runs = records.map(({ config: { norm, seed }, history }, i): Named => {
    if (records.length > APART) return { name: shortNorms[norm], tone: NORMS.indexOf(norm), history };
    return { name: `${i + 1}: ${shortNorms[norm]}, ${compare.seedName(seed)}`, tone: i, history };
  });
  const curve = (id: string, title: string, of: (epoch: EpochResult) => number | null, unit?: string) => {
    const axis = unit === undefined ? curves.accuracyAxis : curves.lossAxis;
    return overlaid(runs, of, { id, title, axis, ...(unit !== undefined && { unit }) }, texts);
  };
  const body = markup`<p>${curves.lead}</p>
${curve('loss', curves.loss, ({ loss }) => loss, curves.nats)}
${curve('train', result.trainAccuracy, ({ trainAccuracy }) => trainAccuracy)}
${curve('moving', result.moving, ({ testAccuracy }) => testAccuracy)}
${curve('population', result.population, (epoch) => epoch.testAccuracyPopulation)}`;
  return { id: 'curves', title: compare.curves, body };
}

/** Where there are several runs of one normalization. */
function dotsSection(records: RunRecord[], texts: Texts): Section[] {
  const { compare, curves, result, shortNorms } = texts.run;
  const groupsOf = (of: (last: NonNullable<ReturnType<typeof lastOf>>) => number | null) =>
    NORMS.flatMap((norm, tone) => {
      const own = records.filter(({ config }) => config.norm === norm).flatMap((record) => lastOf(record) ?? []);
      const values = own.map(of).filter((value) => value !== null);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.length === 0 ? [] : [{ name: shortNorms[norm], tone, values, mean }];
    });
  const moving = groupsOf(({ testAccuracy }) => testAccuracy);
  if (moving.every(({ values }) => values.length < 2)) return [];
  const chart = (id: string, title: string, groups: DotSpec['groups']) => {
    const spec: DotSpec = { kind: 'dots', y: { name: curves.accuracyAxis }, groups };
    return groups.length === 0 ? undefined : new Html(renderChart(spec, { id, title, texts: texts.page.figure }));
  };
  const body = markup`<p>${compare.dots.lead}</p>
${chart('dots-moving', result.moving, moving)}
${chart(
  'dots-population',
  result.population,
  groupsOf((last) => last.testAccuracyPopulation),
)}`;
  return [{ id: 'dots', title: compare.dots.title, body }];
}
