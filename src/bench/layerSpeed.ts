/** Which of the two batch normalization layers trains faster: both in one process, turn by turn. */
import type { Datasets } from '../data/idx.js';
import { defaultStepsPerCall, type Mode } from '../train/step.js';
import { measure } from './measure.js';
import { type BenchMode, OwnProgram } from './own.js';
import { type Summary, summarizeRatios, summarize } from './statistics.js';

export interface LayerSpeed {
  turns: number;
  /** Of each turn. */
  steps: number;
  /** Examples per second. */
  scratch: Summary;
  builtin: Summary;
  /** Scratch over built-in, divided turn by turn. */
  ratio: Summary;
}

interface LayerSpeedOptions {
  data: Datasets;
  batchSize: number;
  mode: Mode;
  stepsPerCall?: number | undefined;
  xla?: boolean | undefined;
  turns: number;
  /** What training had, from which the length of a turn follows. */
  examplesPerSecond: number;
  signal: AbortSignal;
  /** Hears of each turn before it is taken; 0 is the warm-up. */
  onTurn: (turn: number) => void;
}

/** Long enough that starting and stopping the clock is not felt, in seconds. */
const TURN = 0.3;
const MOST_STEPS = 40;

/** Rejects on `signal`. */
export async function measureLayers(options: LayerSpeedOptions): Promise<LayerSpeed> {
  const { data, batchSize, turns, examplesPerSecond, signal, onTurn } = options;
  const steps = Math.min(MOST_STEPS, Math.max(1, Math.round((TURN * examplesPerSecond) / batchSize)));
  const modes = [benchMode(options)];
  const own = new OwnProgram({
    norms: ['scratch', 'builtin'],
    modes,
    batchSize,
    data,
    versions: {},
    threads: 1,
    signal,
  });
  try {
    const series = await measure([own], { steps, turns, signal, onTurn });
    const [scratch = [], builtin = []] = series.map((one) => one.turns.map((turn) => turn.examples / turn.seconds));
    const ratio = summarizeRatios(scratch, builtin);
    return { turns, steps, scratch: summarize(scratch), builtin: summarize(builtin), ratio };
  } finally {
    await own.close();
  }
}

function benchMode({ mode, stepsPerCall = defaultStepsPerCall(mode), xla = false }: LayerSpeedOptions): BenchMode {
  if (mode !== 'graph') return mode;
  const isLoop = stepsPerCall > 1;
  if (xla) return isLoop ? 'loop+xla' : 'xla';
  return isLoop ? 'loop' : 'graph';
}
