/** What the figures of a GPU must show, and whether they do. */
import { modeOf, type Named, nameOf, normOf, type Speed } from '../../dist/bench/figures.js';
import { type Summary, summarizeRatios } from '../../dist/bench/statistics.js';
import { formatCount } from '../../dist/common/format.js';
import { label } from '../../dist/report/speedTable.js';

/** Ten times the 32,293.9 examples/sec that the recipe's authors report of batch normalization from scratch, on one GPU. */
const TARGET = 323_000;
/** Between two devices: their rounding differs, and at learning rate 1.0 training makes the most of it. */
const SAME_ACCURACY = 0.01;

export interface Criterion {
  claim: string;
  of?: Named;
  to?: Named;
  measured: number;
  /** Turn by turn, where it is a ratio. */
  spread?: Summary;
  required: { least: number } | { most: number };
  met: boolean;
}

const isOwn = ({ program }: Named) => program === 'bn-train';
const isCompiled = (speed: Speed) => isOwn(speed) && modeOf(speed) !== 'eager';

/** The one with the highest median, or undefined of none. */
export function fastest(speeds: Speed[]): Speed | undefined {
  return speeds.reduce<Speed | undefined>(
    (best, speed) => (best && best.examplesPerSecond.median >= speed.examplesPerSecond.median ? best : speed),
    undefined,
  );
}

/** The claims on speed; those that need PyTorch or a GPU only where they were there. */
export function speedCriteria(speeds: Speed[], device: string): Criterion[] {
  const scratch = fastest(speeds.filter((speed) => isCompiled(speed) && normOf(speed) === 'scratch'));
  if (!scratch) return [];
  const builtin = fastest(speeds.filter((speed) => isCompiled(speed) && normOf(speed) === 'builtin'));
  const pytorch = fastest(speeds.filter((speed) => !isOwn(speed) && normOf(speed) !== 'none'));
  const over = (claim: string, other: Speed | undefined) =>
    other ? [atLeast(1, claim, summarizeRatios(scratch.turns, other.turns), { of: scratch, to: other })] : [];
  const target = `compiled scratch trains ${TARGET} examples a second`;
  return [
    ...(device === 'cpu' ? [] : [atLeast(TARGET, target, scratch.examplesPerSecond, { of: scratch })]),
    ...over("compiled scratch is as fast as PyTorch's fastest with batch normalization", pytorch),
    ...over('compiled scratch is as fast as compiled builtin', builtin),
  ];
}

function atLeast(least: number, claim: string, spread: Summary, { of, to }: { of: Named; to?: Named }): Criterion {
  const names = { of: nameOf(of), ...(to && { to: nameOf(to) }) };
  return { claim, ...names, measured: spread.median, spread, required: { least }, met: spread.median >= least };
}

/** Two runs that differ in the device alone; accuracies in [0, 1]. */
export function accuracyCriterion(onDevice: { trainAccuracy: number }, onCpu: { trainAccuracy: number }): Criterion {
  const measured = Math.abs(onDevice.trainAccuracy - onCpu.trainAccuracy);
  const claim = 'the training accuracy is that of the CPU';
  return { claim, measured, required: { most: SAME_ACCURACY }, met: measured <= SAME_ACCURACY };
}

/** "met: compiled scratch is as fast as compiled builtin: bn-train scratch graph / bn-train builtin graph 1.41, expected at least 1". */
export function criterionLines(criteria: Criterion[]): string[] {
  return criteria.map(({ claim, of, to, measured, required, met }) => {
    const whose = [of, to].flatMap((named) => (named ? [label(named)] : [])).join(' / ');
    const bound = 'least' in required ? `at least ${required.least}` : `at most ${required.most}`;
    const figure = measured >= 100 ? formatCount(measured) : measured.toFixed(3);
    return `${met ? 'met' : 'NOT met'}: ${claim}: ${[whose, figure].filter(Boolean).join(' ')}, expected ${bound}`;
  });
}
