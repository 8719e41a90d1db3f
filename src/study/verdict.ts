/** From one number a seed to a verdict: the interval held against margins that were fixed beforehand. */
import { geometricInterval, geometricMean, mean, meanInterval } from './intervals.js';
import type { RegisteredPart } from './registration.js';
import type { Interval, Part, Verdict } from './result.js';

/** What one seed says. `low` and `high` differ from the value where it is only known to lie between them, ±Infinity included. */
export interface SeedValue {
  seed: number;
  value: number;
  low: number;
  high: number;
}

/** The values of the seeds that have one, of so many. */
export interface Measured {
  asked: number;
  values: SeedValue[];
}

/** The verdict on one criterion; undecided unless every seed gave a number. */
export function judgePart(part: RegisteredPart, { asked, values }: Measured, level: number): Part {
  const numbers = values.map(({ value }) => value);
  const between = part.mean === 'geometric' ? geometricInterval : meanInterval;
  const closed = (at: number) => spanned(between, values, at);
  const complete = values.length === asked && asked > 0;
  return {
    measure: part.measure,
    unit: part.unit,
    effect: numbers.length === 0 ? null : part.mean === 'geometric' ? geometricMean(numbers) : mean(numbers),
    bound: values.some(isBound),
    interval: isIdentity(part) ? null : closed(level),
    interval95: isIdentity(part) ? null : closed(0.95),
    criterion: criterionOf(part),
    margins: part.margins,
    verdict: !complete
      ? 'undecided'
      : isIdentity(part)
        ? ofEach(part, values)
        : ofInterval(part, values, closed(level)),
    seeds: values.map((of) => ({ seed: of.seed, value: of.value, bound: isBound(of) })),
  };
}

/** All parts of a claim together; what only checks that it was put to the test can leave it undecided, no more. */
export function compound(parts: readonly { verdict: Verdict; check: boolean }[]): Verdict {
  if (parts.some(({ check, verdict }) => check && verdict !== 'holds')) return 'undecided';
  if (parts.some(({ verdict }) => verdict === 'does not hold')) return 'does not hold';
  return parts.every(({ verdict }) => verdict === 'holds') ? 'holds' : 'undecided';
}

/** A criterion in words. */
export function criterionOf({ rule, margins, unit }: RegisteredPart): string {
  const words = {
    above: 'interval wholly above',
    below: 'interval wholly below',
    inside: 'interval wholly between',
    'each-below': 'every seed below',
    'each-above': 'every seed above',
  };
  // A factor of 1 is still "times".
  const named = margins.length === 1 && margins[0] === 1 && unit !== 'times' ? unit.replace(/s$/, '') : unit;
  return `${words[rule]} ${margins.join(' and ')}${named === '' ? '' : ` ${named}`}`;
}

function isIdentity({ rule }: RegisteredPart): boolean {
  return rule === 'each-below' || rule === 'each-above';
}

function isBound({ low, high }: SeedValue): boolean {
  return high === Infinity && low !== -Infinity;
}

/** From the interval of what the values are at least, to that of what they are at most; where that is infinite, of the values. */
function spanned(between: typeof meanInterval, values: readonly SeedValue[], level: number): Interval | null {
  const low = between(
    values.map((of) => (Number.isFinite(of.low) ? of.low : of.value)),
    level,
  );
  const high = between(
    values.map((of) => (Number.isFinite(of.high) ? of.high : of.value)),
    level,
  );
  return low && high && { low: low.low, high: high.high, level };
}

function ofEach({ rule, margins: [margin = NaN] }: RegisteredPart, values: readonly SeedValue[]): Verdict {
  const all = values.every(({ low, high }) => (rule === 'each-below' ? high < margin : low > margin));
  return all ? 'holds' : 'does not hold';
}

function ofInterval({ rule, margins }: RegisteredPart, values: readonly SeedValue[], closed: Interval | null): Verdict {
  if (closed === null) return 'undecided';
  // An interval of bounds says nothing about the side on which they are open.
  const low = values.some((of) => of.low === -Infinity) ? -Infinity : closed.low;
  const high = values.some((of) => of.high === Infinity) ? Infinity : closed.high;
  const least = rule === 'below' ? -Infinity : (margins[0] ?? NaN);
  const most = rule === 'above' ? Infinity : (margins[rule === 'below' ? 0 : 1] ?? NaN);
  if ((low > least || least === -Infinity) && (high < most || most === Infinity)) return 'holds';
  return high < least || low > most ? 'does not hold' : 'undecided';
}
