/** Flags that several commands share, and what their values must be. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { VERSIONS } from '../runtime/install/pins.js';

/** A whole number from `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}, got ${text}.`);
  };
}

/** A number in decimal or scientific notation for which `holds`. */
export function numberThat(expected: string, holds: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(value) && holds(value)) return value;
    throw new InvalidArgumentError(`Expected ${expected}, got ${text}.`);
  };
}

/** Words of a list, with commas between them. */
export function wordsOf<T extends string>(choices: readonly T[]): (text: string) => T[] {
  return (text) => {
    const words = text.split(',');
    const known = words.filter((word): word is T => (choices as readonly string[]).includes(word));
    if (known.length === words.length && new Set(words).size === words.length) return known;
    throw new InvalidArgumentError(`Expected some of ${choices.join(',')}, got ${text}.`);
  };
}

/** A folder's name; an unset shell variable would otherwise name the working directory. */
export function folder(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('Expected a folder, got nothing.');
}

/** Where to compute. */
export interface BackendOptions {
  backend: 'auto' | 'native' | 'wasm' | 'js';
  device: string;
  deterministic?: boolean;
  tensorflow?: string;
  runtimeDir?: string;
  quiet?: boolean;
}

/** Where to compute, and with which data. */
export interface PlaceOptions extends BackendOptions {
  dataDir?: string;
}

/** What `scratch`, `builtin` and `none` take. */
export interface TrainFlags extends PlaceOptions {
  lr: number;
  epochs: number;
  batchSize: number;
  seed?: number;
  momentum: number;
  epsilon: number;
  eager?: boolean;
  xla?: boolean;
  stepsPerCall?: number;
  checkpointSteps?: number;
  runDir?: string;
  resume?: string;
  json?: boolean;
}

/** For commands that compute with the data set. */
export function addPlaceOptions(command: Command): Command {
  const data = 'the data set: the four IDX files, unpacked or .gz';
  return addBackendOptions(command).option('--data-dir <folder>', data, folder);
}

/** For commands that compute. */
export function addBackendOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--backend <name>', 'where to compute').choices(['auto', 'native', 'wasm', 'js']).default('auto'),
    )
    .option('--device <name>', 'auto, cpu or cuda[:N]', 'auto')
    .option('--deterministic', 'on a GPU, the same bits from the same seed every time; on the CPU that is always so')
    .addOption(tensorflowOption())
    .addOption(runtimeDirOption())
    .option('--quiet', 'print results and errors only');
}

export function tensorflowOption(): Option {
  const which = `TensorFlow's version (default: one that is installed, else ${VERSIONS[0] ?? ''})`;
  return new Option('--tensorflow <version>', which).choices(VERSIONS);
}

export function runtimeDirOption(): Option {
  return new Option('--runtime-dir <folder>', "TensorFlow's libraries and headers, as in its wheel").argParser(folder);
}
