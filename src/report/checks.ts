/** The checks of the layer as a table: one row a check, in the order they were run. */
import type { CheckResult } from '../verify/verify.js';

/** Of the columns after a check's name. */
const WIDTHS = [15, 15, 13, 11];
/** Of the same where they stand in a line of their own. */
const NARROW = [13, 13, 13, 11];
const VERDICT = 'not applicable'.length;

/** Makes rows for checks of these names, so that columns line up before the first result is there. */
export class CheckTable {
  private readonly width: number;
  private readonly isNarrow: boolean;

  /** In a terminal that is too narrow for a check a line, each has two. */
  constructor(names: string[], columns = Infinity) {
    this.width = Math.max(...names.map((name) => name.length));
    this.isNarrow = this.width + WIDTHS.reduce((sum, width) => sum + width, VERDICT) > columns;
  }

  header(): string[] {
    return this.columns('check', ['expected', 'got', 'worst error', 'tolerance'], 'verdict');
  }

  /** The pair of numbers with the worst error; a failure says of what. */
  row({ name, verdict, worst, reason }: CheckResult): string[] {
    if (!worst) return [`${name.padEnd(this.isNarrow ? 0 : this.width)}  ${verdict}: ${reason ?? ''}`];
    const { of, expected, got, error, tolerance } = worst;
    const numbers = [expected.toPrecision(8), got.toPrecision(8), error.toExponential(1), tolerance.toExponential(1)];
    return this.columns(name, numbers, verdict === 'pass' ? 'pass' : `FAIL (${of})`);
  }

  private columns(name: string, numbers: string[], verdict: string): string[] {
    const widths = this.isNarrow ? NARROW : WIDTHS;
    const cells = `${numbers.map((text, i) => text.padStart(widths[i] ?? 0)).join('')}  ${verdict}`;
    return this.isNarrow ? [name, cells] : [`${name.padEnd(this.width)}${cells}`];
  }
}

/** "45 passed, 0 failed, 1 not applicable". */
export function checkSummary(results: CheckResult[]): string {
  const count = (verdict: CheckResult['verdict']) => results.filter((result) => result.verdict === verdict).length;
  return `${count('pass')} passed, ${count('fail')} failed, ${count('not applicable')} not applicable`;
}
