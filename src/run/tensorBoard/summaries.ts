/** What event files say, as TensorFlow's Event messages: scalars, histograms, hyper-parameters. */
import { double, doubles, each, float, int, map, message, text, type Wire } from '../../common/wire.js';

/** A tag and its value at some step. */
export type Summary = Wire;

const toBytes = (wire: Wire) => Buffer.from(wire, 'latin1');

/** Seconds since 1970, as every event has it. */
const now = () => Date.now() / 1000;

/** What every file begins with. */
export function fileVersion(): Buffer {
  return toBytes(double(1, now()) + text(3, 'brain.Event:2'));
}

/** Tells a TensorBoard that looks on to forget what it has of this step and later ones. */
export function restartedAt(step: number): Buffer {
  const START = 1;
  return toBytes(double(1, now()) + int(2, step) + message(7, int(1, START)));
}

/** Values after so many steps. */
export function summaryEvent(step: number, summaries: readonly Summary[]): Buffer {
  return toBytes(
    double(1, now()) +
      int(2, step) +
      message(
        5,
        each(summaries, (value) => message(1, value)),
      ),
  );
}

export function scalar(tag: string, value: number): Summary {
  return text(1, tag) + float(2, value);
}

const [FLOAT, DOUBLE] = [1, 2];

function tensor(dtype: number, shape: readonly number[], values: Wire): Wire {
  return message(
    8,
    int(1, dtype) +
      message(
        2,
        each(shape, (size) => message(2, int(1, size))),
      ) +
      values,
  );
}

const metadata = (plugin: string, content: Wire = '') => message(9, message(1, text(1, plugin) + message(2, content)));

/** Buckets of equal width from the least to the largest value, as tf.summary.histogram has them. */
const BUCKETS = 30;

export function histogram(tag: string, values: Float32Array): Summary {
  const rows = bucketsOf([...values]);
  const content = message(4, doubles(rows.flat()));
  return text(1, tag) + tensor(DOUBLE, [rows.length, 3], content) + metadata('histograms');
}

/** [left, right, count] each. */
export function bucketsOf(values: readonly number[]): [number, number, number][] {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  if (min === max) return [[min - 0.5, max + 0.5, values.length]];
  const width = (max - min) / BUCKETS;
  const counts = Array.from({ length: BUCKETS }, () => 0);
  for (const value of values) {
    const bucket = Math.min(BUCKETS - 1, Math.floor((value - min) / width));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts.map((count, i) => [min + i * width, i === BUCKETS - 1 ? max : min + (i + 1) * width, count]);
}

/** For the hparams plugin, which finds the metrics by itself among the scalars. */
export function hyperParameters(values: Readonly<Record<string, string | number | boolean>>): Summary {
  const started = map(
    1,
    Object.entries(values).map(([name, value]) => [name, protobufValue(value)] as const),
  );
  return hparams('_hparams_/session_start_info', message(3, started + double(5, now())));
}

export function sessionEnd(): Summary {
  const SUCCESS = 1;
  return hparams('_hparams_/session_end_info', message(4, int(1, SUCCESS) + double(2, now())));
}

/** The plugin's data are in the metadata; of the value nothing is read. */
function hparams(tag: string, data: Wire): Summary {
  return text(1, tag) + tensor(FLOAT, [], float(5, 0)) + metadata('hparams', data);
}

/** google.protobuf.Value. */
function protobufValue(value: string | number | boolean): Wire {
  if (typeof value === 'number') return double(2, value);
  return typeof value === 'string' ? text(3, value) : int(4, value);
}

/** The step of an event as it is written here: behind the time, or 0 where there is none. */
export function stepOf(event: Buffer): number {
  const [TIME, STEP] = [9, 0x10];
  if (event[TIME] !== STEP) return 0;
  let step = 0;
  for (let i = TIME + 1, factor = 1; i < event.length; i++, factor *= 128) {
    const byte = event[i] ?? 0;
    step += (byte & 127) * factor;
    if (byte < 128) break;
  }
  return step;
}
