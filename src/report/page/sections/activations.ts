/** Section: how the values of each layer are spread before and after batch normalization. */
import type { Histogram } from '../../../train/activations.js';
import type { Review } from '../../../train/review.js';
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
    new Html(renderChart(barsOf(histogram, tone, title, texts), { id, title, texts: page.figure, height: 220 }));
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

function barsOf({ low, high, counts }: Histogram, tone: number, name: string, texts: { value: string; share: string }): BarSpec {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  const width = (high - low) / counts.length;
  return {
    kind: 'bars',
    x: { name: texts.value },
    y: { name: texts.share },
    categories: counts.map((_, i) => (low + (i + 0.5) * width).toFixed(2)),
    series: [{ name, tone, values: counts.map((count) => count / total) }],
  };
}
