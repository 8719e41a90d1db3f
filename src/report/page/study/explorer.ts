/** A grid of trainings that were already run, learning rate by network: a cell is picked, and its seeds' curves are shown. */
import type { TrialModel, TrialRecord } from '../../../study/trial.js';
import { type Cell, type Cells, evenly, specOfCell } from '../../live/explore.js';
import { shadeOf } from '../../live/heat.js';
import { formatNumber } from '../../live/numbers.js';
import type { Section } from '../document.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';
import { toneOf } from './pictures.js';

type Norm = Extract<TrialModel, { kind: 'lenet' }>['norm'];
type Words = Texts['study']['explorer'];

interface Place {
  norm: Norm;
  rate: number;
  records: TrialRecord[];
}

/** Of how many batches at the end accuracy and loss are the mean. */
const LAST = 100;
/** Points of a seed's curve. */
const POINTS = 150;
const ORDER: Norm[] = ['none', 'batch', 'builtin', 'noisy', 'group'];

/** Undefined where no two learning rates were run alike. */
export function explorerSection(records: readonly TrialRecord[], texts: Texts): Section | undefined {
  const words = texts.study.explorer;
  const places = largestGrid(records);
  const [first] = places;
  if (first?.records[0] === undefined) return undefined;
  const { epochs, batchSize, examples } = first.records[0].trial;
  const cells: Cells = {
    ...{ x: words.step, y: { name: words.loss, unit: words.nats }, guessing: words.guessing },
    cells: places.map((place) => cellOf(place, words)),
  };
  const picked = Math.max(
    0,
    places.findIndex(({ norm, rate }) => norm === 'batch' && rate === 1),
  );
  const cell = cells.cells[picked] ?? cellOf(first, words);
  const chart = renderChart(specOfCell(cell, cells), {
    ...{ id: 'explorer-curves', title: cell.title, texts: { ...texts.page.figure, table: words.table } },
    table: { columns: words.columns, rows: places.flatMap((place) => rowsOf(place, words)) },
  });
  return {
    id: 'explorer',
    title: words.title,
    body: markup`<p>${texts.page.sentences([words.lead, words.recipe(epochs, batchSize, examples)])}</p>
${gridOf(places, picked, words)}
${new Html(chart)}
<script type="application/json" id="explorer-cells">${new Html(JSON.stringify(cells).replaceAll('<', '\\u003c'))}</script>`,
  };
}

/** The trainings of LeNet that differ in learning rate, network and seed alone: where these make the most cells. */
function largestGrid(records: readonly TrialRecord[]): Place[] {
  const kinds = new Map<string, Map<string, Place>>();
  for (const record of records) {
    const { model, learningRate: rate, batchSize, examples, epochs, decayAt, weightScale } = record.trial;
    if (model.kind !== 'lenet' || record.losses.length === 0) continue;
    const kind = JSON.stringify([batchSize, examples, epochs, decayAt, weightScale]);
    const places = kinds.get(kind) ?? new Map<string, Place>();
    const place = places.get(`${model.norm} ${rate}`) ?? { norm: model.norm, rate, records: [] };
    place.records.push(record);
    kinds.set(kind, places.set(`${model.norm} ${rate}`, place));
  }
  const [largest] = [...kinds.values()].sort((a, b) => b.size - a.size);
  const places = [...(largest?.values() ?? [])];
  if (new Set(places.map(({ rate }) => rate)).size < 2) return [];
  for (const place of places) place.records.sort((a, b) => a.trial.seed - b.trial.seed);
  return places.sort((a, b) => a.rate - b.rate || ORDER.indexOf(a.norm) - ORDER.indexOf(b.norm));
}

function lastOf(values: readonly number[]): number {
  const last = values.slice(-LAST);
  return last.reduce((sum, value) => sum + value, 0) / last.length;
}

/** A network that diverged has learned nothing. */
function accuracyOf({ outcome, accuracies }: TrialRecord): number {
  return outcome === 'diverged' ? 0 : lastOf(accuracies);
}

/** The mean over seeds. */
function meanAccuracy({ records }: Place): number {
  return records.reduce((sum, record) => sum + accuracyOf(record), 0) / records.length;
}

function cellOf({ norm, rate, records }: Place, words: Words): Cell {
  return {
    title: words.curves(words.norms[norm], formatNumber(rate)),
    name: words.norms[norm],
    tone: toneOf(norm, norm === 'batch' ? 0 : ORDER.indexOf(norm)),
    seeds: records.map(({ losses }) => {
      const kept = evenly(losses.length, POINTS);
      return { batches: losses.length, y: kept.map((at) => Number((losses[at] ?? NaN).toPrecision(4))) };
    }),
  };
}

function rowsOf({ norm, rate, records }: Place, words: Words): string[][] {
  return records.map((record) => [
    words.norms[norm],
    formatNumber(rate),
    String(record.trial.seed),
    formatNumber(accuracyOf(record)),
    formatNumber(lastOf(record.losses)),
    words.outcomes[record.outcome],
  ]);
}

/** Buttons in a table, colored by accuracy; without a script they only show it. */
function gridOf(places: Place[], picked: number, words: Words): Html {
  const norms = ORDER.filter((norm) => places.some((place) => place.norm === norm));
  const rates = [...new Set(places.map(({ rate }) => rate))];
  const button = (norm: Norm, rate: number) => {
    const index = places.findIndex((place) => place.norm === norm && place.rate === rate);
    const place = places[index];
    if (place === undefined) return markup`<td>–</td>`;
    const accuracy = meanAccuracy(place);
    const said = accuracy.toFixed(2);
    const diverged = place.records.filter(({ outcome }) => outcome === 'diverged').length;
    const label = words.cell(words.norms[norm], formatNumber(rate), said);
    return markup`<td><button type="button" class="shade-${shadeOf(accuracy, 0, 1)}" value="${index}" aria-pressed="${String(index === picked)}" aria-label="${label}" disabled>${said}${diverged > 0 ? markup` <small>${words.diverged(diverged)}</small>` : ''}</button></td>`;
  };
  return markup`<div class="scroll explorer" role="region" tabindex="0" aria-label="${words.title}"><table>
<thead><tr><th scope="col">${words.corner}</th>${norms.map((norm) => markup`<th scope="col">${words.norms[norm]}</th>`)}</tr></thead>
<tbody>${rates.map((rate) => markup`<tr><th scope="row">${formatNumber(rate)}</th>${norms.map((norm) => button(norm, rate))}</tr>\n`)}</tbody>
</table></div>
<p class="note">${words.play}</p>`;
}
