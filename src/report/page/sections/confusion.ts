/** Section: which classes are taken for which, by each kind of statistics. */
import type { Predictions } from '../../../train/predictions.js';
import type { Review } from '../../../train/review.js';
import { SHADES } from '../../live/heat.js';
import type { Section } from '../document.js';
import { type Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';

/** More classes than this are no table that anybody reads. */
const MOST = 30;

export function confusionSection(
  { labels, inference, population }: Review,
  classes: string[],
  { run: { confusion: texts } }: Texts,
  isNormalized: boolean,
): Section | undefined {
  if (classes.length > MOST) return undefined;
  const { moving, none } = texts.statistics;
  const matrix = (title: string, predictions: Predictions) =>
    matrixOf(title, countsOf(predictions, labels, classes), classes, texts);
  const body = markup`<p>${texts.lead}</p>
${population && matrix(texts.statistics.population, population)}
${matrix(isNormalized ? moving : none, inference)}`;
  return { id: 'confusion', title: texts.title, body };
}

/** [label][predicted]. */
function countsOf({ classes: predicted }: Predictions, labels: Uint8Array, classes: string[]): number[][] {
  const counts = classes.map(() => classes.map(() => 0));
  for (const [row, label] of labels.entries()) {
    const line = counts[label];
    const at = predicted[row] ?? 0;
    if (line) line[at] = (line[at] ?? 0) + 1;
  }
  return counts;
}

function matrixOf(title: string, counts: number[][], classes: string[], texts: Texts['run']['confusion']): Html {
  const all = counts.flat().reduce((sum, count) => sum + count, 0) || 1;
  const right = counts.reduce((sum, line, i) => sum + (line[i] ?? 0), 0);
  return markup`<h3>${title}</h3>
<p class="note">${texts.accuracy(`${((100 * right) / all).toFixed(1)} %`)}</p>
<div class="scroll matrix" role="region" tabindex="0" aria-label="${`${texts.title} ${title}`}">
<table><thead><tr><td><span class="note">${texts.is} \\ ${texts.called}</span></td>${classes.map((name) => markup`<th scope="col"><span>${name}</span></th>`)}</tr></thead>
<tbody>${counts.map((line, i) => {
    const sum = line.reduce((total, count) => total + count, 0) || 1;
    return markup`<tr><th scope="row">${classes[i]}</th>${line.map((count) => markup`<td class="${shade(count / sum)}">${count}</td>`)}</tr>
`;
  })}</tbody></table>
</div>`;
}

/** By the square root, so that a few mistakes are seen beside many right answers. */
function shade(share: number): string {
  return share === 0 ? 'shade-none' : `shade-${Math.min(SHADES - 1, Math.floor(Math.sqrt(share) * SHADES))}`;
}
