/** The terminal: one bar at a time on stderr, notices above it, plain lines where there is no terminal. */
import { type Options, SingleBar } from 'cli-progress';
import { formatBytes, formatCount, formatMetric, formatSeconds } from '../common/format.js';
import type { Listener, Progress } from '../common/listener.js';
import type { TrainEvent } from '../train/events.js';
import { epochLine } from './lines.js';

export interface TerminalOptions {
  stream?: NodeJS.WriteStream;
  quiet?: boolean;
}

/** Draws progress and training on stderr; nothing of it goes to stdout. */
export class Terminal implements Listener {
  private readonly stream: NodeJS.WriteStream;
  private readonly quiet: boolean;
  private bar: SingleBar | undefined;
  private label = '';
  private epochs = 0;
  private batches = 0;

  constructor({ stream = process.stderr, quiet = false }: TerminalOptions = {}) {
    this.stream = stream;
    this.quiet = quiet;
  }

  notice = (line: string): void => {
    if (!this.quiet) this.warning(line);
  };

  warning = (line: string): void => {
    this.close();
    this.stream.write(`${line}\n`);
  };

  /** A bar with bytes and time. */
  progress = ({ label, done, total }: Progress): void => {
    const payload = { done: formatBytes(done), all: formatBytes(total) };
    this.draw(label, done, total, '{label} [{bar}] {done} of {all}, {duration_formatted}', payload);
    if (done >= total) this.close();
  };

  /** A bar within the epoch with live loss and speed, and a line for each finished one. */
  train(event: TrainEvent): void {
    if (event.type === 'start') {
      this.epochs = event.epochs;
      this.batches = event.batches;
    } else if (event.type === 'step') {
      const payload = { loss: formatMetric(event.loss), rate: formatCount(event.examplesPerSecond) };
      const label = `epoch ${String(event.epoch).padStart(String(this.epochs).length)}/${this.epochs}`;
      this.draw(
        label,
        event.batch,
        this.batches,
        '{label} [{bar}] {value}/{total}   loss {loss}   {rate} examples/sec',
        payload,
      );
    } else if (event.type === 'epoch') {
      this.notice(epochLine(event, this.epochs));
    } else if (event.type === 'evaluate' && event.of === 'population') {
      this.notice('population statistics: one pass over the training set');
    } else if (event.type === 'interrupted') {
      const { epoch, batch, seconds } = event.position;
      this.notice(
        epoch > this.epochs
          ? `interrupted after epoch ${this.epochs}, the last, before its result`
          : `interrupted in epoch ${epoch} after ${batch} of ${this.batches} batches (${formatSeconds(seconds)})`,
      );
    }
  }

  /** Takes the bar away, if there is one. */
  close(): void {
    this.bar?.stop();
    this.bar = undefined;
    this.label = '';
  }

  private draw(label: string, done: number, total: number, format: string, payload: Record<string, string>): void {
    if (this.quiet || !this.stream.isTTY) return;
    if (label !== this.label) {
      this.close();
      const options: Options = {
        format,
        stream: this.stream,
        clearOnComplete: true,
        hideCursor: true,
        barsize: 24,
        stopOnComplete: false,
      };
      this.bar = new SingleBar({ ...options, barCompleteChar: '█', barIncompleteChar: '░', gracefulExit: false });
      this.bar.start(total, 0, { label, ...payload });
      this.label = label;
    }
    this.bar?.update(done, { label, ...payload });
  }
}
