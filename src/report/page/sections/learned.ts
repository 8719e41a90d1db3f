/** Sections: what γ and β have become in each layer, and what the first layer's filters look like. */
import type { SavedWeight } from '../../../run/checkpoint.js';
import type { LayerParameters } from '../../../run/parameters.js';
import { binsOver, countsIn } from '../../../common/bins.js';
import { histogramSpec } from '../../live/histogram.js';
import { formatNumber } from '../../live/numbers.js';
import type { BarSpec } from '../../live/spec.js';
import type { Section } from '../document.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';

/** More channels than this are shown as a histogram. */
const READABLE = 32;
const BINS = 30;

export function learnedSection(
  parameters: LayerParameters[],
  names: string[],
  { run: { learned: texts }, page }: Texts,
): Section {
  const charts = parameters.map(({ gamma = [], beta = [] }, i) => {
    const name = names[i] ?? '';
    const isWide = gamma.length > READABLE;
    const title = isWide ? texts.spread(name, gamma.length) : texts.figure(name);
    const spec = isWide ? spread({ gamma, beta }, texts) : byChannel({ gamma, beta }, texts);
    return new Html(renderChart(spec, { id: `learned-${i + 1}`, title, texts: page.figure, height: 260 }));
  });
  return { id: 'learned', title: texts.title, body: markup`<p>${texts.lead}</p>\n${charts}` };
}

interface Learned {
  gamma: number[];
  beta: number[];
}

type Words = Texts['run']['learned'];

function byChannel({ gamma, beta }: Learned, { channel, value }: Words): BarSpec {
  return {
    kind: 'bars',
    x: { name: channel },
    y: { name: value },
    categories: gamma.map((_, i) => String(i + 1)),
    series: [
      { name: 'γ', tone: 0, values: gamma },
      { name: 'β', tone: 1, values: beta },
    ],
  };
}

/** How many channels have which γ and β, in the same bins. */
function spread({ gamma, beta }: Learned, { value, count }: Words): BarSpec {
  const all = [...gamma, ...beta].filter(Number.isFinite);
  const bins = binsOver(Math.min(...all), Math.max(...all), BINS);
  const series = [
    { name: 'γ', tone: 0, values: countsIn(bins, gamma.filter(Number.isFinite)) },
    { name: 'β', tone: 1, values: countsIn(bins, beta.filter(Number.isFinite)) },
  ];
  return histogramSpec(bins, series, { value, share: count });
}

/** The first kernel [height, width, 1, filters], each filter on a scale from its largest weight, either way. */
export function filtersSection(weights: SavedWeight[], { run: { filters: texts } }: Texts): Section | undefined {
  const kernel = weights.find(({ name, shape }) => name.endsWith('/kernel') && shape.length === 4);
  const [height = 0, width = 0, inputs = 0, count = 0] = kernel?.shape ?? [];
  if (!kernel || inputs !== 1) return undefined;
  const body = markup`<p>${texts.lead}</p>
<ul class="filters">${Array.from({ length: count }, (_, filter) => {
    const values = [...kernel.values].filter((_value, i) => i % count === filter);
    return markup`<li>${filterOf(values, { height, width, filter }, texts)}${texts.name(filter + 1)}</li>`;
  })}</ul>`;
  return { id: 'filters', title: texts.title, body };
}

function filterOf(
  values: number[],
  { height, width, filter }: { height: number; width: number; filter: number },
  texts: Texts['run']['filters'],
): Html {
  const most = Math.max(...values.map(Math.abs)) || 1;
  const label = texts.alt(filter + 1, formatNumber(Math.min(...values)), formatNumber(Math.max(...values)));
  const squares = values.map((value, i) => {
    const tone = value < 0 ? 'var(--tone-1)' : 'var(--tone-0)';
    const opacity = Math.min(1, Math.abs(value) / most).toFixed(2);
    return markup`<rect x="${i % width}" y="${Math.floor(i / width)}" width="1" height="1" fill="${tone}" fill-opacity="${opacity}"/>`;
  });
  return markup`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}" shape-rendering="crispEdges">${squares}</svg>`;
}
