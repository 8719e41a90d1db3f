/** The terminal: results on stdout; on stderr one bar at a time, notices above it, plain lines where there is no terminal. */
import { createRequire } from 'node:module';
import type { Options, Params, SingleBar } from 'cli-progress';
import { formatBytes, formatCount, formatMetric, formatSeconds, printable } from '../common/format.js';
import type { Listener, Progress } from '../common/listener.js';
import type { TrainEvent } from '../train/events.js';
import { epochLine, interruptedLine } from './lines.js';
import { inAscii, looksOf, typeset } from './typeset.js';

export interface TerminalOptions {
  stream?: NodeJS.WriteStream;
  quiet?: boolean;
  /** Whether every question is answered already. */
  yes?: boolean;
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
  private readonly yes: boolean;
  private bar: SingleBar | undefined;
  private label = '';
  /** The bar's line as it stands there. */
  private drawn = '';
  private epochs = 0;
  private batches = 0;

  constructor({ stream = process.stderr, quiet = false, yes = false }: TerminalOptions = {}) {
    this.stream = stream;
    this.quiet = quiet;
    this.yes = yes;
  }

  /** Results, which go to stdout. */
  print(...lines: string[]): void {
    this.close();
    process.stdout.write(asText(lines, process.stdout));
  }

  /** A result for programs: one line, whatever the terminal. */
  printJson(value: object): void {
    this.close();
    process.stdout.write(`${printable(JSON.stringify(value))}\n`);
  }

  /** What is said in any case: errors, and that something slower than the best is used. */
  warn = (...lines: string[]): void => {
    this.close();
    this.stream.write(asText(lines, this.stream));
  };

  notice = (...lines: string[]): void => {
    if (!this.quiet) this.warn(...lines);
  };

  /** Asks who sits at the terminal; the answer is a line, so that Ctrl-C stays a signal. */
  confirm = async (question: string): Promise<boolean> => {
    const isAttended = process.stdin.isTTY && this.stream.isTTY && (process.env['CI'] ?? '') === '';
    if (this.yes || this.quiet || !isAttended) return true;
    this.close();
    const { createInterface } = await import('node:readline/promises');
    const lines = createInterface({ input: process.stdin, terminal: false });
    this.stream.write(asText([`${question} [y/N]`], this.stream).replace(/\n$/, ' '));
    try {
      const { value = '' } = (await lines[Symbol.asyncIterator]().next()) as { value?: string };
      return /^y(es)?$/i.test(value.trim());
    } finally {
      lines.close();
    }
  };

  /** A bar with bytes and time, or what else is counted. */
  progress = ({ label, done, total, figures }: Progress): void => {
    const bytes = (seconds: string) => `${formatBytes(done)} of ${formatBytes(total)}, ${seconds}`;
    this.draw(label, done, total, figures === undefined ? bytes : () => figures);
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
    return looksOf(this.stream).columns ?? 80;
  }

  /** How long a result's may be; undefined where there is no terminal, and a record is a line. */
  resultColumns(): number | undefined {
    return looksOf(process.stdout).columns;
  }

  /** Takes the bar away, if there is one, and with `typed` the "^C" of a key; what is written next begins its line. */
  close({ typed = false } = {}): void {
    this.bar?.stop();
    if (typed && this.canErase()) this.stream.write('\r\x1b[K');
  }

  /** Draws the bar again, where something else may have been written in between. */
  redraw(): void {
    if (!this.bar?.isActive) return;
    // The cursor's place was kept when the bar began, and taking the bar away goes there: it would be another line.
    this.stream.write('\x1b7');
    this.bar.render();
  }

  /** Most terminals flow their lines anew when the width changes, so that the bar stands in as many as it takes now; xterm does not. */
  private readonly onResize = (): void => {
    const { stream, bar } = this;
    if (!bar?.isActive) return;
    const rows = process.env['XTERM_VERSION'] === undefined ? Math.ceil(this.drawn.length / this.columns()) : 1;
    // Line by line: what is cleared from a screen's first place to its end goes into tmux's history.
    stream.write(`\r\x1b[2K${'\x1b[1A\x1b[2K'.repeat(Math.max(0, rows - 1))}`);
    this.redraw();
  };

  private canErase(): boolean {
    return this.stream.isTTY && process.env['TERM'] !== 'dumb';
  }

  /** Loaded when the first bar is drawn, as most commands draw none. It keeps its process alive until it is stopped. */
  private makeBar(): SingleBar {
    const { stream } = this;
    const { Format, Presets, SingleBar } = require('cli-progress') as typeof import('cli-progress');
    const format = (options: Options, params: Params, payload: Payload) => {
      const line = barLine(Format, options, params, payload);
      return (this.drawn = looksOf(stream).unicode ? line : inAscii(line));
    };
    const form = { format, barsize: LONGEST_BAR, clearOnComplete: true, forceRedraw: true };
    // Signals are the session's; true leaves the terminal's line wrap as it is, which null does not.
    const untouched = { gracefulExit: false, hideCursor: false, linewrap: true };
    stream.on('resize', this.onResize);
    return new SingleBar({ stream, ...form, ...untouched }, Presets.shades_classic);
  }

  private draw(label: string, done: number, total: number, figures: Figures): void {
    if (this.quiet || !this.canErase()) return;
    this.bar ??= this.makeBar();
    if (this.bar.isActive && label === this.label) return this.bar.update(done, { figures });
    this.close();
    this.label = label;
    this.bar.start(total, done, { label, figures });
  }
}

/** What stands behind the bar, given how long it has been there. */
type Figures = (seconds: string) => string;

interface Payload {
  label: string;
  figures: Figures;
}

/** The bar's line, of at most `columns` less the margin. The figures matter more than the bar, which takes what they leave. */
function barLine(
  { BarFormat }: typeof import('cli-progress').Format,
  options: Options,
  params: Params,
  payload: Payload,
): string {
  const { label, figures } = payload;
  const text = figures(formatSeconds((Date.now() - params.startTime) / 1000));
  const room = params.maxWidth - MARGIN;
  const barsize = Math.min(LONGEST_BAR, room - `${label} [] ${text}`.length);
  const bar = barsize < SHORTEST_BAR ? '' : `[${BarFormat(params.progress, { ...options, barsize })}] `;
  return printable(`${label} ${bar}${text}`).slice(0, room);
}

function asText(lines: string[], stream: NodeJS.WriteStream): string {
  return lines.map((line) => typeset(line, looksOf(stream))).join('');
}
