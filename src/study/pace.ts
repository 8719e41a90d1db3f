/** How long what is left of some work will take, by what the same kinds of work took. */

interface Pace {
  /** Finished, each with its kind and wall time. */
  done: readonly { kind: string; seconds: number }[];
  /** Under way, if anything is: the share of it that is done, in the seconds since it began or went on. */
  current?: { kind: string; from: number; share: number; seconds: number };
  /** Kinds that have not begun. */
  left: readonly string[];
}

/** Below this share of the work under way, its own pace says little. */
const TELLING = 0.02;

/** In seconds; undefined as long as nothing has been measured. A kind that was never met counts as the mean of the others. */
export function secondsLeft({ done, current, left }: Pace): number | undefined {
  const whole = current && current.share - current.from;
  const projected =
    current && whole !== undefined && whole >= TELLING
      ? [{ kind: current.kind, seconds: current.seconds / whole }]
      : [];
  const known = [...done, ...projected];
  if (known.length === 0) return undefined;
  const costOf = (kind: string) => {
    const same = known.filter((work) => work.kind === kind);
    return mean((same.length > 0 ? same : known).map(({ seconds }) => seconds));
  };
  const rest = current ? costOf(current.kind) * (1 - current.share) : 0;
  return left.reduce((sum, kind) => sum + costOf(kind), rest);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
