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
  return markup`<table class="verdicts" role="table">
<thead role="rowgroup"><tr role="row">${heads.map((head) => markup`<th role="columnheader" scope="col">${head}</th>`)}</tr></thead>
<tbody role="rowgroup">${study.claims.map((claim) => rowOf(claim, words))}</tbody>
</table>${study.left.map(
    ({ claim, why }) => markup`<p class="note">${words.leftOut(words.titles[claim] ?? claim, words.phrase(why))}</p>`,
  )}`;
}

function rowOf(claim: ClaimResult, words: Words): Html {
  const { headings } = words;
  const bound = claim.parts[0]?.bound === true;
  const cell = (head: string, body: string | Html) => markup`<td role="cell" data-head="${head}">${body}</td>`;
  return markup`<tr role="row"><th role="rowheader" scope="row"><a href="#${claim.claim}">${words.titles[claim.claim] ?? claim.claim}</a></th>
${cell(headings.verdict, badge(claim.verdict, words))}${cell(headings.effect, effectOf({ ...claim, bound }, words))}${cell(headings.interval, intervalOf(claim))}${cell(
    headings.criterion,
    words.phrase(claim.criterion),
  )}${cell(headings.literature, words.said(claim).literature)}</tr>
`;
}
