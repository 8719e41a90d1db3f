/** The terminal: results on stdout; on stderr one bar at a time, notices above it, plain lines where there is no terminal. */
import { createRequire } from 'node:module';
import type { Options, Params, SingleBar } from 'cli-progress';
import { formatBytes, formatCount, formatMetric, formatSeconds, printable } from '../common/format.js';
import type { Listener, Progress } from '../common/listener.js';
import type { TrainEvent } from '../train/events.js';
import { epochLine, interruptedLine } from './lines.js';

export interface TerminalOptions {
  stream?: NodeJS.WriteStream;
  quiet?: boolean;
}

/** Columns left free behind a bar: two for the "^C" that the terminal shows, one so that no line is full. */
const MARGIN = 3;
const [SHORTEST_BAR, LONGEST_BAR] = [4, 24];

const require = createRequire(import.meta.url);

/**
 * What is printed may hold names from outside, and is escaped here. The bar is a line that is written over: line wrap, the
 * cursor's looks and modes of the terminal are never changed, so that nothing has to be put back whatever ends the process.
 */
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
    this.draw(label, done, total, (seconds) => `${formatBytes(done)} of ${formatBytes(total)}, ${seconds}`);
    if (done >= total) this.close();
  };

  /** A bar within the epoch with live loss and speed, and a line for each finished one. */
  train(event: TrainEvent): void {
    if (event.type === 'start') {
      this.epochs = event.epochs;
      this.batches = event.batches;
      if (event.kernels && 'reason' in event.kernels)
        this.warn(`training without fused kernels, which is slower: ${event.kernels.reason}`);
    } else if (event.type === 'step') {
      const { batch, loss, examplesPerSecond } = event;
      const label = `epoch ${String(event.epoch).padStart(String(this.epochs).length)}/${this.epochs}`;
      const figures = `loss ${formatMetric(loss)}   ${formatCount(examplesPerSecond)} examples/sec`;
      this.draw(label, batch, this.batches, () => `${batch}/${this.batches}   ${figures}`);
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
    this.bar?.stop();
    if (typed && this.stream.isTTY) this.stream.write('\r\x1b[K');
  }

  /** Draws the bar again, where something else may have been written in between. */
  redraw(): void {
    if (!this.bar?.isActive) return;
    // The cursor's place was kept when the bar began, and taking the bar away goes there: it would be another line.
    this.stream.write('\x1b7');
    this.bar.render();
  }

  private draw(label: string, done: number, total: number, figures: Figures): void {
    if (this.quiet || !this.stream.isTTY) return;
    this.bar ??= barOn(this.stream);
    if (this.bar.isActive && label === this.label) return this.bar.update(done, { figures });
    this.close();
    this.label = label;
    this.bar.start(total, done, { label, figures });
  }
}

/** What stands behind the bar, given how long it has been there. */
type Figures = (seconds: string) => string;

/** Loaded when the first bar is drawn, as most commands draw none. It keeps its process alive until it is stopped. */
function barOn(stream: NodeJS.WriteStream): SingleBar {
  const { Format, Presets, SingleBar } = require('cli-progress') as typeof import('cli-progress');
  const format = (options: Options, params: Params, { label, figures }: { label: string; figures: Figures }) => {
    const text = figures(formatSeconds((Date.now() - params.startTime) / 1000));
    const room = params.maxWidth - MARGIN;
    // The figures matter more than the bar, which takes what they leave.
    const barsize = Math.min(LONGEST_BAR, room - `${label} [] ${text}`.length);
    const bar = barsize < SHORTEST_BAR ? '' : `[${Format.BarFormat(params.progress, { ...options, barsize })}] `;
    return printable(`${label} ${bar}${text}`).slice(0, room);
  };
  const form = { format, barsize: LONGEST_BAR, clearOnComplete: true, forceRedraw: true };
  // Signals are the session's; true leaves the terminal's line wrap as it is, which null does not.
  const untouched = { gracefulExit: false, hideCursor: false, linewrap: true };
  return new SingleBar({ stream, ...form, ...untouched }, Presets.shades_classic);
}

function asText(lines: string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}
