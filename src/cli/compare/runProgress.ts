/** How far a comparison is: a bar for the run under way, and how long the rest will take by what was measured. */
import { formatCount, formatMetric, formatSeconds } from '../../common/format.js';
import type { Progress } from '../../common/listener.js';
import type { Norm } from '../../nn/lenet.js';
import { secondsLeft } from '../../study/pace.js';
import type { TrainEvent } from '../../train/events.js';

interface Done {
  kind: string;
  seconds: number;
}

/** The run under way, with those before it and after it. */
export class RunProgress {
  private batches = 0;
  private epochs = 0;
  private from: number | undefined;
  private started = performance.now();

  constructor(
    private readonly label: string,
    private readonly kind: Norm,
    private readonly done: readonly Done[],
    private readonly left: readonly Norm[],
    private readonly draw: (progress: Progress) => void,
  ) {}

  /** To be told of each event of the run. */
  hear(event: TrainEvent): void {
    if (event.type === 'start') {
      [this.batches, this.epochs] = [event.batches, event.epochs];
      this.started = performance.now();
      this.from = this.batchesTo(event.position);
    }
    if (event.type !== 'step') return;
    const total = this.batches * this.epochs;
    const done = this.batchesTo(event);
    const { epoch, loss, examplesPerSecond } = event;
    const figures = [
      ...this.timeLeft(done / total),
      `epoch ${epoch}/${this.epochs}`,
      `loss ${formatMetric(loss)}`,
      `${formatCount(examplesPerSecond)} examples/sec`,
    ];
    this.draw({ label: this.label, done, total, figures: figures.join('   ') });
  }

  private batchesTo({ epoch, batch }: { epoch: number; batch: number }): number {
    return (epoch - 1) * this.batches + batch;
  }

  private timeLeft(share: number): string[] {
    const from = (this.from ?? 0) / (this.batches * this.epochs);
    const current = { kind: this.kind, from, share, seconds: (performance.now() - this.started) / 1000 };
    const seconds = secondsLeft({ done: this.done, current, left: this.left });
    return seconds === undefined ? [] : [leftWords(seconds)];
  }
}

/** "about 3 min 20 s left", "about 14 s left". */
export function leftWords(seconds: number): string {
  const whole = Math.round(seconds);
  return `about ${whole < 60 ? `${whole} s` : formatSeconds(whole)} left`;
}
