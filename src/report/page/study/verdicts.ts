/** The verdicts before anything else: what was claimed, what was found, and by which rule. */
import type { ClaimResult, Part, StudyResult, Verdict } from '../../../study/result.js';
import { formatNumber, valueWithUnit } from '../../live/numbers.js';
import { type Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';
import { levelOf } from './pictures.js';

type Words = Texts['study'];

const MARKS: Record<Verdict, string> = { holds: '✓', 'does not hold': '✗', undecided: '?' };
const CLASSES: Record<Verdict, string> = { holds: 'holds', 'does not hold': 'fails', undecided: 'open' };

/** A verdict in a word, a mark and a color. */
export function badge(verdict: Verdict, words: Words): Html {
  return markup`<span class="badge ${CLASSES[verdict]}"><span aria-hidden="true">${MARKS[verdict]}</span> ${words.verdicts[verdict]}</span>`;
}

/** "1.9 times", "≥ 14.2 times", or a dash. */
export function effectOf({ effect, bound, unit }: Pick<Part, 'effect' | 'bound' | 'unit'>, words: Words): string {
  if (effect === null) return '–';
  return valueWithUnit(`${bound ? '≥ ' : ''}${formatNumber(effect)}`, words.phrase(unit));
}

export function intervalOf({ interval }: Pick<Part, 'interval'>): string {
  return interval ? `${formatNumber(interval.low)} … ${formatNumber(interval.high)} (${levelOf(interval)})` : '–';
}

export function verdictTable(study: StudyResult, words: Words): Html {
  const { headings } = words;
  const heads = [
    headings.claim,
    headings.verdict,
    headings.effect,
    headings.interval,
    headings.criterion,
    headings.literature,
  ];
  const rowOf = (claim: ClaimResult) => [
    markup`<a href="#${claim.claim}">${words.titles[claim.claim] ?? claim.claim}</a>`,
    badge(claim.verdict, words),
    effectOf({ ...claim, bound: claim.parts[0]?.bound === true }, words),
    intervalOf(claim),
    words.phrase(claim.criterion),
    markup`<span class="small">${words.said(claim).literature}</span>`,
  ];
  return markup`${cards(words.verdictsTitle, heads, study.claims.map(rowOf))}${study.left.map(
    ({ claim, why }) => markup`<p class="note">${words.leftOut(words.titles[claim] ?? claim, words.phrase(why))}</p>`,
  )}`;
}

/** A table whose rows are cards where there is no room for its columns, and a table to screen readers nonetheless. */
export function cards(name: string, heads: string[], rows: (string | Html)[][]): Html {
  const cell = (body: string | Html, i: number) =>
    i === 0
      ? markup`<th role="rowheader" scope="row">${body}</th>`
      : markup`<td role="cell" data-head="${heads[i]}"><div>${body}</div></td>`;
  return markup`<table class="cards" role="table" aria-label="${name}">
<thead role="rowgroup"><tr role="row">${heads.map((head) => markup`<th role="columnheader" scope="col">${head}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map((cells) => markup`<tr role="row">${cells.map(cell)}</tr>\n`)}</tbody>
</table>`;
}
