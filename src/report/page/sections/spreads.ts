/** Section: how the values of each layer are spread before and after batch normalization. */
import type { Histogram, LayerActivations } from '../../../train/activations.js';
import type { Review } from '../../../train/review.js';
import { histogramSpec, type HistogramTexts, sharesOf } from '../../live/histogram.js';
import type { BarSpec } from '../../live/spec.js';
import type { Section } from '../document.js';
import { renderChart } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';

export function activationsSection(
  { activations: { images, layers } }: Review,
  names: string[],
  { run: { activations: texts }, page }: Texts,
): Section {
  const drawn = (id: string, title: string, tone: number, histogram: Histogram) =>
    new Html(renderChart(specOf(histogram, tone, title, texts), { id, title, texts: page.figure, height: 220 }));
  const alone = layers.every(({ before }) => !before);
  const of = ({ before, after }: LayerActivations, i: number) => {
    const [id, name] = [`activations-${i + 1}`, names[i] ?? ''];
    if (!before) return drawn(id, `${name}: ${texts.none}`, 0, after);
    return markup`<h3>${name}</h3>
<div class="pair">
${drawn(`${id}-before`, texts.before, 5, before)}
${drawn(`${id}-after`, texts.after, 0, after)}
</div>
`;
  };
  const charts = layers.map(of);
  const body = markup`<p>${texts.lead(images)}</p>
${alone ? markup`<div class="pair">${charts}</div>` : charts}`;
  return { id: 'activations', title: texts.title, body };
}

function specOf({ low, step, counts }: Histogram, tone: number, name: string, texts: HistogramTexts): BarSpec {
  return histogramSpec({ low, step, count: counts.length }, [{ name, tone, values: sharesOf(counts) }], texts);
}
