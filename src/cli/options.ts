/** Flags that several commands share, and what their values must be. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type BackendName, BACKENDS } from '../common/backends.js';
import type { RunOptions } from '../run/config.js';
import { VERSIONS } from '../runtime/install/pins.js';

/** A parser of a flag's text, which `read` turns into undefined where it is not what was expected. */
export function parser<T>(expected: string, read: (text: string) => T | undefined): (text: string) => T {
  return (text) => {
    const value = read(text);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`Expected ${expected}, got ${text || 'nothing'}.`);
  };
}

/** The whole number that digits stand for, if it lies in the range. */
export function readWhole(text: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined;
}

/** A whole number in digits. */
export function wholeNumber(least: number, most?: number): (text: string) => number {
  const range = `a whole number from ${least}${most === undefined ? '' : ` to ${most}`}`;
  return parser(range, (text) => readWhole(text, least, most));
}

/** A number in decimal or scientific notation for which `holds`. */
export function numberThat(expected: string, holds: (value: number) => boolean): (text: string) => number {
  return parser(expected, (text) => {
    const value = Number(text);
    const isDecimal = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(value);
    return isDecimal && holds(value) ? value : undefined;
  });
}

/** Words of a list, with commas between them. */
export function wordsOf<T extends string>(choices: readonly T[]): (text: string) => T[] {
  return parser(`some of ${choices.join(',')}`, (text) => {
    const words = text.split(',');
    const known = words.filter((word): word is T => (choices as readonly string[]).includes(word));
    return known.length === words.length && new Set(words).size === words.length ? known : undefined;
  });
}

/** A folder's name; an unset shell variable would otherwise name the working directory. */
export function folder(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('Expected a folder, got nothing.');
}

/** One more folder, where several may be named. */
export function addFolder(text: string, before: string[] = []): string[] {
  return [...before, folder(text)];
}

/** How much is said. */
export interface SessionFlags {
  quiet?: boolean;
  verbose?: boolean;
  /** To what would be asked. */
  yes?: boolean;
}

/** Where to compute. */
export interface BackendOptions extends SessionFlags {
  backend: BackendName;
  device: string;
  deterministic?: boolean;
  tensorflow?: string;
  runtimeDir?: string;
}

/** With which data. */
export interface DataOptions {
  dataDir?: string;
  anyData?: boolean;
}

/** Where to compute, and with which data. */
export interface PlaceOptions extends BackendOptions, DataOptions {}

/** How to train; what was not given is undefined, as a run that is resumed has its own. */
export interface RecipeFlags extends PlaceOptions {
  lr?: number;
  epochs?: number;
  batchSize?: number;
  momentum?: number;
  epsilon?: number;
  /** False where it was asked to be left out. */
  population?: boolean;
  eager?: boolean;
  fuse: boolean;
  xla?: boolean;
  stepsPerCall?: number;
  tensorboard?: boolean;
}

/** What `scratch`, `builtin` and `none` take. */
export interface TrainFlags extends RecipeFlags {
  seed?: number;
  checkpointSteps?: number;
  runDir?: string;
  resume?: string;
  json?: boolean;
}

const RECIPE = { learningRate: 1, epochs: 10, batchSize: 256, momentum: 0.9, epsilon: 1e-5 };
const above0 = numberThat('a number above 0', (value) => value > 0);
const share = numberThat('a number from 0 to 1', (value) => value >= 0 && value <= 1);

/** For commands that train. */
export function addRecipeOptions(command: Command): Command {
  return command
    .option('--lr <rate>', `learning rate of SGD (default: ${RECIPE.learningRate})`, above0)
    .option('--epochs <n>', `passes over the training set (default: ${RECIPE.epochs})`, wholeNumber(1))
    .option(
      '--batch-size <n>',
      `examples a step; the smaller last batch is kept (default: ${RECIPE.batchSize})`,
      wholeNumber(1),
    )
    .option('--momentum <share>', `of the old moving average that is kept (default: ${RECIPE.momentum})`, share)
    .option('--epsilon <value>', `added to the variance (default: ${RECIPE.epsilon})`, above0)
    .option('--no-population', 'leave out test accuracy under population statistics, after each epoch and at the end')
    .addOption(new Option('--eager', 'run every op by itself instead of each step as one graph').conflicts('fuse'))
    .option('--no-fuse', "run the graph with TensorFlow's own ops alone, not with code made for it on this CPU")
    .option(
      '--steps-per-call <n>',
      'training steps a call into TensorFlow (default: 64 on a GPU, 1 elsewhere)',
      wholeNumber(1),
    )
    .option('--xla', 'have XLA compile the graphs; slower on the CPU')
    .option('--tensorboard', "write TensorBoard's event files into the run folder, too");
}

/** What the flags of a run that begins make of the recipe. */
export function recipeFrom(flags: RecipeFlags): Omit<RunOptions, 'norm' | 'seed'> {
  const { lr: learningRate = RECIPE.learningRate, epochs = RECIPE.epochs, batchSize = RECIPE.batchSize } = flags;
  const { momentum = RECIPE.momentum, epsilon = RECIPE.epsilon } = flags;
  const { xla = false, deterministic, population, stepsPerCall, tensorboard } = flags;
  const recipe = { learningRate, epochs, batchSize, momentum, epsilon };
  return { ...recipe, stepsPerCall, xla, deterministic, population, tensorboard };
}

/** For commands that compute with the data set. */
export function addPlaceOptions(command: Command): Command {
  return addDataOptions(addBackendOptions(command));
}

export function addDataOptions(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'the data set: the four IDX files, unpacked or .gz', folder)
    .option('--any-data', 'take the images and labels in --data-dir as they are, whichever data set they are');
}

/** For commands that compute. */
export function addBackendOptions(command: Command): Command {
  return command
    .addOption(new Option('--backend <name>', 'where to compute').choices(['auto', ...BACKENDS]).default('auto'))
    .option('--device <name>', 'auto, cpu or cuda[:N]', 'auto')
    .option('--deterministic', 'on a GPU, the same bits from the same seed every time; on the CPU that is always so')
    .addOption(tensorflowOption())
    .addOption(runtimeDirOption())
    .addOption(yesOption())
    .option('--quiet', 'print results and errors only');
}

export function yesOption(): Option {
  return new Option('--yes', 'fetch what a GPU needs (2.4 GB) without being asked');
}

export function tensorflowOption(): Option {
  const which = `TensorFlow's version (default: one that is installed, else ${VERSIONS[0] ?? ''})`;
  return new Option('--tensorflow <version>', which).choices(VERSIONS);
}

export function runtimeDirOption(): Option {
  return new Option('--runtime-dir <folder>', "TensorFlow's libraries and headers, as in its wheel").argParser(folder);
}

/** For commands that look at what a run has learned. */
export function midEpochOption(): Option {
  return new Option('--mid-epoch', 'take the newest checkpoint, though it stands in the middle of an epoch');
}
