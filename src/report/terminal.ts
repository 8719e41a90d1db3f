/** The terminal: results on stdout; on stderr one bar at a time, notices above it, plain lines where there is no terminal. */
import { formatBytes, formatCount, formatMetric, formatSeconds, printable } from '../common/format.js';
import type { Listener, Progress } from '../common/listener.js';
import type { TrainEvent } from '../train/events.js';
import { epochLine, interruptedLine } from './lines.js';

export interface TerminalOptions {
  stream?: NodeJS.WriteStream;
  quiet?: boolean;
}

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
/** Columns left free behind a bar: two for the "^C" that the terminal shows, one so that no line is full. */
const MARGIN = 3;

/**
 * What is printed may hold names from outside, and is escaped here. The bar is a line that is written over: cursor, line
 * wrap and modes of the terminal are never changed, so that nothing has to be put back whatever ends the process.
 */
export class Terminal implements Listener {
  private readonly stream: NodeJS.WriteStream;
  private readonly quiet: boolean;
  private bar: { label: string; begun: number; drawn: number; line: string } | undefined;
  private epochs = 0;
  private batches = 0;

  constructor({ stream = process.stderr, quiet = false }: TerminalOptions = {}) {
    this.stream = stream;
    this.quiet = quiet;
  }

  /** Results, which go to stdout. */
  print(...lines: string[]): void {
    this.close();
    process.stdout.write(asText(lines));
  }

  /** What is said in any case: errors, and that something slower than the best is used. */
  warn = (...lines: string[]): void => {
    this.close();
    this.stream.write(asText(lines));
  };

  notice = (...lines: string[]): void => {
    if (!this.quiet) this.warn(...lines);
  };

  /** A bar with bytes and time. */
  progress = ({ label, done, total }: Progress): void => {
    this.draw(label, done / total, (seconds) => `${formatBytes(done)} of ${formatBytes(total)}, ${seconds}`);
    if (done >= total) this.close();
  };

  /** A bar within the epoch with live loss and speed, and a line for each finished one. */
  train(event: TrainEvent): void {
    if (event.type === 'start') {
      this.epochs = event.epochs;
      this.batches = event.batches;
    } else if (event.type === 'step') {
      const { batch, loss, examplesPerSecond } = event;
      const label = `epoch ${String(event.epoch).padStart(String(this.epochs).length)}/${this.epochs}`;
      const figures = `loss ${formatMetric(loss)}   ${formatCount(examplesPerSecond)} examples/sec`;
      this.draw(label, batch / this.batches, () => `${batch}/${this.batches}   ${figures}`);
    } else if (event.type === 'epoch') {
      this.notice(epochLine(event, this.epochs));
    } else if (event.type === 'evaluate' && event.of === 'population') {
      this.notice('population statistics: one pass over the training set');
    } else if (event.type === 'interrupted') {
      this.notice(interruptedLine(event.position, { epochs: this.epochs, batches: this.batches }));
    }
  }

  /** How long a line may be; 80 where there is no terminal. */
  columns(): number {
    return this.stream.columns || 80;
  }

  /** Takes the bar away, if there is one, and with `typed` the "^C" of a key; what is written next begins its line. */
  close({ typed = false } = {}): void {
    if (this.bar || (typed && this.stream.isTTY)) this.stream.write('\r\x1b[K');
    this.bar = undefined;
  }

  /** Draws the bar again, where something else may have been written in between. */
  redraw(): void {
    if (this.bar) this.stream.write(`\r${this.bar.line}\x1b[K`);
  }

  private draw(label: string, share: number, rest: (seconds: string) => string): void {
    if (this.quiet || !this.stream.isTTY) return;
    const now = performance.now();
    if (label !== this.bar?.label) this.bar = { label, begun: now, drawn: -Infinity, line: '' };
    if (now - this.bar.drawn < REDRAW_MS) return;
    const done = Math.round(BAR_WIDTH * Math.min(1, share));
    const drawn = `[${'█'.repeat(done)}${'░'.repeat(BAR_WIDTH - done)}]`;
    const line = printable(`${label} ${drawn} ${rest(formatSeconds((now - this.bar.begun) / 1000))}`);
    Object.assign(this.bar, { drawn: now, line: line.slice(0, this.columns() - MARGIN) });
    this.redraw();
  }
}

function asText(lines: string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}
