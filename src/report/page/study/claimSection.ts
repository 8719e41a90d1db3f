/** One claim: its question, its pictures, its numbers, the rule it was judged by, and where all of that comes from. */
import type { ClaimResult, StudyResult } from '../../../study/result.js';
import { formatNumber, valueWithUnit } from '../../live/numbers.js';
import type { Section } from '../document.js';
import { type Figure, renderChart, renderTable } from '../figure.js';
import { Html, markup } from '../markup.js';
import type { Texts } from '../texts/index.js';
import { effectSpec, specOf } from './pictures.js';
import { commandLine } from '../sections/provenance.js';
import { badge, cards, effectOf, intervalOf } from './verdicts.js';

export function claimSection(claim: ClaimResult, study: StudyResult, texts: Texts): Section {
  const words = texts.study;
  const said = words.said(claim);
  const title = words.titles[claim.claim] ?? claim.claim;
  return {
    id: claim.claim,
    title,
    body: markup`<p class="lead">${said.question}</p>
<p><strong>${words.claimed}</strong>${texts.page.sentences([said.text, said.hypothesis])}</p>
<p class="verdict">${badge(claim.verdict, words)} ${study.quick ? markup`<span class="note">${words.quickLook}</span>` : ''}</p>
${figuresOf(claim, texts)}
<h3>${words.numbers}</h3>
${partsTable(claim, words, title)}
${secondaryOf(claim, texts, title)}
<p><strong>${words.literature}</strong>${said.literature} <cite>${claim.literature.source}</cite></p>
${claim.remarks.map((remark) => markup`<p class="note">${words.phrase(remark)}</p>`)}
<details class="provenance"><summary>${words.provenance}</summary>
${provenance(claim, study, texts)}
</details>`,
  };
}

function figuresOf(claim: ClaimResult, texts: Texts): Html[] {
  const { study: words, page } = texts;
  const figure = (id: string, title: string, more: Partial<Figure> = {}): Figure => ({
    ...{ id: `${claim.claim}-${id}`, title, texts: page.figure, ...more },
  });
  const effects = claim.parts.flatMap((part, i) => {
    if (part.seeds.length === 0) return [];
    const spec = effectSpec(part, i === 0 ? claim.literature.value : null, words);
    const title = capitalized(words.phrase(part.measure));
    const height = 120 + 16 * (spec.references?.length ?? 0);
    return renderChart(spec, figure(`effect-${i}`, title, { height, label: words.effectLabel(title) }));
  });
  const pictures = claim.pictures.map((picture, i) =>
    renderChart(
      specOf(picture, words),
      figure(`picture-${i}`, capitalized(words.phrase(picture.name)), heightOf(picture)),
    ),
  );
  return [...effects, ...pictures].map((html) => new Html(html));
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function heightOf(picture: ClaimResult['pictures'][number]): { height?: number } {
  if (picture.kind === 'heat') return { height: 80 + 60 * picture.rows.length };
  return picture.kind === 'dots' && picture.groups.length === 1 ? { height: 152 } : {};
}

function partsTable({ parts }: ClaimResult, words: Texts['study'], title: string): Html {
  const { measure, effect, interval, interval95, criterion, verdict } = words.headings;
  const rows = parts.map((part) => [
    words.phrase(part.measure),
    effectOf(part, words),
    intervalOf(part),
    intervalOf({ interval: part.interval95 }),
    words.phrase(part.criterion),
    badge(part.verdict, words),
  ]);
  return cards(words.numbersOf(title), [measure, effect, interval, interval95, criterion, verdict], rows);
}

function secondaryOf({ secondary }: ClaimResult, { study: words }: Texts, title: string): Html | '' {
  if (secondary.length === 0) return '';
  const { headings } = words;
  const rows = secondary.map(({ name, value, unit, interval }) => [
    words.phrase(name),
    value === null ? '–' : valueWithUnit(formatNumber(value), words.phrase(unit)),
    intervalOf({ interval }),
  ]);
  const table = { columns: [headings.also, headings.value, headings.interval], rows };
  return markup`<h3>${words.secondary}</h3>
<div class="numbers">${new Html(renderTable(table, words.secondaryOf(title)))}</div>`;
}

function provenance(claim: ClaimResult, study: StudyResult, { study: words, page }: Texts): Html {
  const seeds = [...new Set(claim.parts.flatMap((part) => part.seeds.map(({ seed }) => seed)))].sort((a, b) => a - b);
  const facts: [string, string][] = [
    [words.facts.seeds, seeds.join(', ')],
    [words.facts.trials, words.facts.trialsOf(claim.trials.length)],
    [words.facts.registration, `SHA-256 ${study.registration}`],
    [words.facts.data, `${study.data.name}, SHA-256 ${study.data.sha256}`],
    [words.facts.machine, words.facts.machineOf(study.machine)],
    [words.facts.versions, page.list(Object.entries(study.versions).map((pair) => pair.join(' ')))],
  ];
  return markup`${commandLine(`study ${claim.claim}${study.quick ? ' --quick' : ''}`, page)}
<dl class="facts">${facts.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
