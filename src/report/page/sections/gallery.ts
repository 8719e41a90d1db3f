/** Sections: test images with what the network says of them, as they come and at their worst. */
import { formatShare } from '../../../common/format.js';
import type { Predictions } from '../../../train/predictions.js';
import type { Review } from '../../../train/review.js';
import type { Section } from '../document.js';
import { Html, markup } from '../markup.js';
import { pngAddress } from '../png.js';
import type { Texts } from '../texts/index.js';
import { probabilityOf } from './batchCompany.js';

export function gallerySections(review: Review, classes: string[], { run: texts }: Texts): Section[] {
  const { first, worst } = review;
  const shown = (rows: number[]) => images(review, rows, classes, texts.gallery);
  return [
    {
      id: 'gallery',
      title: texts.gallery.title,
      body: markup`<p>${texts.gallery.lead(first.length)}</p>\n${shown(first)}`,
    },
    {
      id: 'mistakes',
      title: texts.mistakes.title,
      body:
        worst.length === 0
          ? markup`<p>${texts.mistakes.none}</p>`
          : markup`<p>${texts.mistakes.lead}</p>\n${shown(worst)}`,
    },
  ];
}

function images(review: Review, rows: number[], classes: string[], texts: Texts['run']['gallery']): Html {
  const best: Predictions = review.population ?? review.inference;
  return markup`<ul class="gallery">
${rows.map((row) => {
  const picture = review.pictures.find((each) => each.row === row);
  const [label, predicted] = [review.labels[row] ?? 0, best.classes[row] ?? 0];
  const nameOf = (each: number) => classes[each] ?? String(each);
  const isRight = label === predicted;
  const share = formatShare(probabilityOf(best, row, predicted));
  const image =
    picture &&
    markup`<img src="${pngAddress(picture.pixels, picture.width, picture.height)}" width="${picture.width}" height="${picture.height}" alt="${texts.alt(row, nameOf(label))}">`;
  const mark = markup`<span class="${isRight ? 'right' : 'wrong'}" role="img" aria-label="${isRight ? texts.right : texts.wrong}">${isRight ? '✓' : '✗'}</span>`;
  return markup`<li>${image}${mark} ${texts.says(nameOf(predicted))}<b>${share}</b>${isRight ? undefined : markup`<br>${texts.is(nameOf(label))}`}</li>
`;
})}</ul>`;
}
