/** The page of a study: verdicts, then every claim, then the trainings themselves. */
import { packageVersion } from '../../../common/machine.js';
import { CLAIM_IDS } from '../../../study/registration.js';
import type { StudyResult, Verdict } from '../../../study/result.js';
import type { TrialRecord } from '../../../study/trial.js';
import { documentOf } from '../document.js';
import { type Html, markup } from '../markup.js';
import { commandLine } from '../sections/provenance.js';
import type { Texts } from '../texts/index.js';
import { claimSection } from './claimSection.js';
import { explorerSection } from './explorer.js';
import { levelOf } from './pictures.js';
import { verdictTable } from './verdicts.js';

/** The whole file, from a study's result and those of its trials that are at hand. */
export function studyPage(study: StudyResult, records: readonly TrialRecord[], texts: Texts, script: string): string {
  const words = texts.study;
  const explorer = explorerSection(records, texts);
  return documentOf({
    texts,
    title: words.title,
    head: headOf(study, texts),
    sections: [
      { id: 'verdicts', title: words.verdictsTitle, body: verdictsOf(study, texts) },
      ...study.claims.map((claim) => claimSection(claim, study, texts)),
      ...(explorer ? [explorer] : []),
    ],
    foot: markup`<p>${texts.page.madeBy(packageVersion())}</p>`,
    script,
  });
}

const VERDICTS: Verdict[] = ['holds', 'does not hold', 'undecided'];

function headOf({ claims, quick }: StudyResult, { study: words }: Texts): Html {
  const trials = new Set(claims.flatMap((claim) => claim.trials)).size;
  const counts = VERDICTS.map(
    (verdict) => [verdict, claims.filter((claim) => claim.verdict === verdict).length] as const,
  );
  return markup`<p class="lead">${words.lead(claims.length, trials)}</p>
<dl class="figures">${counts.map(([verdict, count]) => markup`<div><dt>${words.counts[verdict]}</dt><dd>${count}</dd></div>`)}</dl>
${quick ? markup`<p><strong>${words.quick}</strong></p>` : undefined}`;
}

function verdictsOf(study: StudyResult, { study: words, page }: Texts): Html {
  const level = study.claims.flatMap(({ parts }) => parts.flatMap(({ interval }) => interval ?? []))[0];
  const asked = [...study.claims, ...study.left].map(({ claim }) => claim);
  const named = asked.length < CLAIM_IDS.length ? ` ${asked.join(' ')}` : '';
  const command = `study${named}${study.quick ? ' --quick' : ''}`;
  const { facts } = words;
  return markup`${verdictTable(study, words)}
${level ? markup`<p class="note">${words.verdictsNote(levelOf(level))}</p>` : undefined}
<p>${facts.command}</p>
${commandLine(command, page)}
<dl class="facts"><dt>${facts.seconds}</dt><dd>${facts.secondsOf(study.seconds)}</dd><dt>${facts.finished}</dt><dd>${study.finished}</dd>
<dt>${facts.machine}</dt><dd>${facts.machineOf(study.machine)}</dd></dl>`;
}
