/** Layers of tfjs that draw on the host (dropouts, noises) draw in the graph while a step is recorded. */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { Generator, generator } from '../random.js';
import type { Exchange } from './host.js';

type Seed = number | string | null | undefined;
type Draw = (shape: number[], from?: number, to?: number, dtype?: tf.DataType, seed?: Seed) => tf.Tensor;
type NoiseShape = readonly (number | null)[] | null | undefined;

/** Where layers find tfjs's functions at each of their calls. */
const tfjs = createRequire(import.meta.url).resolve('@tensorflow/tfjs');
const core = createRequire(tfjs)('@tensorflow/tfjs-core') as { randomUniform: Draw; randomNormal: Draw };

/** What layers draw from while a step is recorded. */
export interface Draws {
  /** A variable of the step. */
  readonly state: tf.Variable;
  /** The generator, where it was made for this. */
  readonly own: Generator | undefined;
  exchange: (host: Exchange) => void;
}

export function drawsBy(seed?: number | Generator): Draws {
  const source = seed instanceof Generator ? seed : generator(seed);
  const own = source === seed ? undefined : source;
  return { state: source.state, own, exchange: (host) => exchangeDraws(host, source) };
}

/** A layer with a seed draws by that, and not the same at every step, as it does op by op. */
function exchangeDraws(host: Exchange, source: Generator): void {
  const by = (seed: Seed) => (seed == null ? source : source.withSeed(seed));
  const draws = (name: 'uniform' | 'normal', stock: Draw): Draw => {
    return (shape, from, to, dtype = 'float32', seed) =>
      dtype === 'float32' ? by(seed)[name](shape, from, to) : stock(shape, from, to, dtype, seed);
  };
  host.put(core, 'dropout', (x: tf.Tensor, rate: number, noiseShape: NoiseShape, seed: Seed) =>
    by(seed).dropout(
      x,
      rate,
      noiseShape?.map((size, i) => size ?? x.shape[i] ?? 1),
    ),
  );
  host.put(core, 'randomUniform', draws('uniform', core.randomUniform));
  host.put(core, 'randomNormal', draws('normal', core.randomNormal));
  host.put(tf.RNN.prototype, 'call', withOwnMasks(Reflect.get(tf.RNN.prototype, 'call')));
}

interface Cell {
  cells?: Cell[];
  dropoutMask?: unknown;
  recurrentDropoutMask?: unknown;
}

/** A cell keeps its masks for the next time step: here for those of one sequence, and what it had before is put back. */
function withOwnMasks(call: tf.RNN['call']): tf.RNN['call'] {
  return function (this: tf.RNN, ...given) {
    const cells = leaves(this.cell);
    const before = cells.map(({ dropoutMask, recurrentDropoutMask }) => ({ dropoutMask, recurrentDropoutMask }));
    for (const cell of cells) Object.assign(cell, { dropoutMask: null, recurrentDropoutMask: null });
    try {
      return call.apply(this, given);
    } finally {
      for (const [i, cell] of cells.entries()) Object.assign(cell, before[i]);
    }
  };
}

const leaves = (cell: Cell): Cell[] => cell.cells?.flatMap(leaves) ?? [cell];
