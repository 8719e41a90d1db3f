/** The checks of the layer as a table: one row a check, in the order they were run. */
import type { CheckResult } from '../verify/verify.js';

const WIDTHS = { number: 15, error: 13, tolerance: 11 };

/** Makes rows for checks of these names, so that columns line up before the first result is there. */
export class CheckTable {
  private readonly width: number;

  constructor(names: string[]) {
    this.width = Math.max(...names.map((name) => name.length));
  }

  header(): string {
    return this.columns('check', 'expected', 'got', 'worst error', 'tolerance', 'verdict');
  }

  /** The pair of numbers with the worst error; a failure says of what. */
  row({ name, verdict, worst, reason }: CheckResult): string {
    if (!worst) return `${name.padEnd(this.width)}  ${verdict}: ${reason ?? ''}`;
    const { of, expected, got, error, tolerance } = worst;
    return this.columns(
      name,
      expected.toPrecision(8),
      got.toPrecision(8),
      error.toExponential(1),
      tolerance.toExponential(1),
      verdict === 'pass' ? 'pass' : `FAIL (${of})`,
    );
  }

  private columns(name: string, expected: string, got: string, error: string, tolerance: string, verdict: string) {
    const cells = [expected, got].map((text) => text.padStart(WIDTHS.number));
    return `${name.padEnd(this.width)}${cells.join('')}${error.padStart(WIDTHS.error)}${tolerance.padStart(WIDTHS.tolerance)}  ${verdict}`;
  }
}

/** "45 passed, 0 failed, 1 not applicable". */
export function checkSummary(results: CheckResult[]): string {
  const count = (verdict: CheckResult['verdict']) => results.filter((result) => result.verdict === verdict).length;
  return `${count('pass')} passed, ${count('fail')} failed, ${count('not applicable')} not applicable`;
}
