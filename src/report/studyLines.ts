/** A study's claims as lines: what they cost, and what was found of each. */
import { formatCount, formatSeconds } from '../common/format.js';
import type { ClaimResult, Interval, StudyResult } from '../study/result.js';

/** How many trials a study or a claim needs, and for how long. */
export interface Cost {
  trials: number;
  seconds: number;
}

export interface Listed {
  claim: string;
  question: string;
  full: Cost;
  /** Null where a quick study leaves it out. */
  quick: Cost | null;
}

/** One line a claim, or in a narrower terminal two; trials that several share are counted with each, and once in all. */
export function listLines(
  claims: readonly Listed[],
  all: Omit<Listed, 'claim' | 'question'>,
  { jobs, columns = Infinity }: { jobs: number; columns?: number | undefined },
): string[] {
  const width = Math.max(...claims.map(({ claim }) => claim.length));
  const shared = `with ${jobs} at once; claims share trials`;
  const rows = [
    ...claims.map((listed) => ({ ...listed, about: listed.question })),
    { ...all, claim: 'in all', about: shared },
  ];
  const parts = rows.map(({ claim, full, quick, about }) => ({
    name: `${claim.padEnd(width)}   `,
    cost: `full ${costText(full)}   quick ${quick ? costText(quick) : 'left out'}`,
    about,
  }));
  const lines = parts.map(({ name, cost, about }) => `${name}${cost}   ${about}`);
  if (Math.max(...lines.map((line) => line.length)) <= columns) return lines;
  return parts.flatMap(({ name, cost, about }) => [`${name}${about}`, `${' '.repeat(name.length)}${cost}`]);
}

const costText = ({ trials, seconds }: Cost) => `${formatCount(trials)} trials, ${formatSeconds(Math.ceil(seconds))}`;

/** One line a claim, and what they were found with. */
export function studyLines(result: StudyResult): string[] {
  const { claims, left, quick, registration, machine, versions, data, seconds, finished } = result;
  const { platform, cpu, cores } = machine;
  return [
    ...claims.map((claim) => claimLine(claim, quick)),
    ...left.map(({ claim, why }) => `left out of a quick look   ${claim}   ${why}`),
    '',
    `registration   SHA-256 ${registration}`,
    `computed on   ${cpu}, ${cores} cores, ${platform}   ${versionText(versions)}   ${data.name}   ${formatSeconds(seconds)} in all trials together   ${finished}`,
  ];
}

const versionText = (versions: Record<string, string>) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

/** "holds   convergence   3.12 × (99.5 % interval 2.2 to 4.4)   criterion: …   literature: …". */
export function claimLine(result: ClaimResult, quick: boolean): string {
  const { claim, verdict, effect, interval, unit, criterion, parts, literature } = result;
  const bound = parts[0]?.bound === true ? '≥ ' : '';
  return [
    `${quick ? 'quick look: ' : ''}${verdict}`,
    claim,
    `${effect === null ? 'no effect measured' : `${bound}${withUnit(effect, unit)}`}${intervalText(interval)}`,
    `criterion: ${criterion}`,
    `literature: ${literature.text} (${literature.source})`,
  ].join('   ');
}

function intervalText(interval: Interval | null): string {
  if (!interval) return '';
  const { low, high, level } = interval;
  return ` (${significant(100 * level)} % interval ${significant(low)} to ${significant(high)})`;
}

const withUnit = (value: number, unit: string) => `${significant(value)}${unit === '' ? '' : ` ${unit}`}`;

/** Three significant digits; what is far from 1 by powers of ten. */
function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}
