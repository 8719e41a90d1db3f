/** Section: how the values of each layer are spread before and after batch normalization. */
import type { Histogram } from '../../../train/activations.js';
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
  const body = markup`<p>${texts.lead(images)}</p>
${layers.map(({ before, after }, i) => {
  const [id, name] = [`activations-${i + 1}`, names[i] ?? ''];
  return markup`<h3>${name}</h3>
<div class="pair">
${before && drawn(`${id}-before`, texts.before, 5, before)}
${drawn(`${id}-after`, before ? texts.after : texts.none, 0, after)}
</div>
`;
})}`;
  return { id: 'activations', title: texts.title, body };
}

function specOf({ low, step, counts }: Histogram, tone: number, name: string, texts: HistogramTexts): BarSpec {
  return histogramSpec({ low, step, count: counts.length }, [{ name, tone, values: sharesOf(counts) }], texts);
}
