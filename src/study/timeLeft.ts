/** How much of a study is done, and how long the rest takes, by what its finished trials took here. */

export class TimeLeft {
  private readonly jobs: number;
  private doneCost = 0;
  /** Of trials that were computed here: what the table says they cost, and what they took, in seconds. */
  private readonly computed = { cost: 0, seconds: 0 };
  /** Costs of what is to be done. */
  private costs: readonly number[] = [];

  constructor(jobs: number) {
    this.jobs = jobs;
  }

  /** One of them is done; `seconds` are undefined where it was not computed here. */
  finish(cost: number, seconds: number | undefined): void {
    const at = this.costs.indexOf(cost);
    this.costs = this.costs.filter((_, i) => i !== at);
    this.doneCost += cost;
    if (seconds === undefined) return;
    this.computed.cost += cost;
    this.computed.seconds += seconds;
  }

  /** What is still to be done, as it is known now. */
  expect(costs: readonly number[]): void {
    this.costs = costs;
  }

  /** Of all cost, from 0 to 1. */
  share(): number {
    const all = this.doneCost + sum(this.costs);
    return all === 0 ? 1 : this.doneCost / all;
  }

  /** The table's seconds until a trial was computed here; then this machine's. */
  seconds(): number {
    const { cost, seconds } = this.computed;
    const pace = cost > 0 ? seconds / cost : 1;
    return pace * Math.max(sum(this.costs) / this.jobs, ...this.costs);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
