/** The checks of the layer as a table: one row a check, in the order they were run. */
import type { CheckResult } from '../verify/verify.js';

/** Of the columns after a check's name. */
const WIDTHS = [15, 15, 13, 11];
/** Of the same where they stand in a line of their own. */
const NARROW = [15, 16, 12, 10];
const VERDICT = 'not applicable'.length;

/** Makes rows for checks of these names, so that columns line up before the first result is there. */
export class CheckTable {
  private readonly width: number;
  private readonly isNarrow: boolean;
  /** A passed check's numbers that are left out, so that it has one line. */
  private readonly left: number;

  /** In a terminal that is too narrow for all of a check in a line, each has two, or what passed has its error alone. */
  constructor(names: string[], columns = Infinity) {
    this.width = Math.max(...names.map((name) => name.length));
    const isOver = (widths: number[], verdict: number) =>
      widths.reduce((sum, width) => sum + width, this.width + verdict) > columns;
    this.isNarrow = isOver(WIDTHS, VERDICT);
    this.left = this.isNarrow && !isOver(NARROW.slice(2), '  verdict'.length) ? 2 : 0;
  }

  header(): string[] {
    const names = ['expected', 'got', 'worst error', 'tolerance'];
    return this.left > 0 ? [this.line('check', names, 'verdict')] : this.columns('check', names, 'verdict');
  }

  /** The pair of numbers with the worst error; a failure says of what. */
  row({ name, verdict, worst, reason }: CheckResult): string[] {
    if (!worst) return [`${name.padEnd(this.isNarrow ? 0 : this.width)}  ${verdict}: ${reason ?? ''}`];
    const { of, expected, got, error, tolerance } = worst;
    const numbers = [expected.toPrecision(8), got.toPrecision(8), error.toExponential(1), tolerance.toExponential(1)];
    if (verdict !== 'pass') return this.columns(name, numbers, `FAIL (${of})`);
    return this.left > 0 ? [this.line(name, numbers, 'pass')] : this.columns(name, numbers, 'pass');
  }

  private line(name: string, numbers: string[], verdict: string): string {
    const widths = this.left > 0 ? NARROW : WIDTHS;
    const cells = numbers.map((text, i) => text.padStart(widths[i] ?? 0)).slice(this.left);
    return `${name.padEnd(this.width)}${cells.join('')}  ${verdict}`;
  }

  private columns(name: string, numbers: string[], verdict: string): string[] {
    if (!this.isNarrow) return [this.line(name, numbers, verdict)];
    return [name, `${numbers.map((text, i) => text.padStart(NARROW[i] ?? 0)).join('')}  ${verdict}`];
  }
}

/** "45 passed, 0 failed, 1 not applicable". */
export function checkSummary(results: CheckResult[]): string {
  const count = (verdict: CheckResult['verdict']) => results.filter((result) => result.verdict === verdict).length;
  return `${count('pass')} passed, ${count('fail')} failed, ${count('not applicable')} not applicable`;
}
