/** Networks that people build of layers and of ops, each trained ten steps op by op and compiled. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { it } from 'vitest';
import { sampleOf } from '../support/amount.js';
import { expectSameTraining, minimizing, normal, type Training, trainableOf, weightsOf } from './training.js';

const BATCH = 4;
const { layers } = tf;

type Ids = tf.Tensor1D;

let seed = 0;
const glorot = () => tf.initializers.glorotNormal({ seed: ++seed });
const weights = (...shape: number[]) => tf.variable(normal(shape, ++seed).mul(1 / Math.sqrt(shape.at(-2) ?? 1)));
const zeros = (...shape: number[]) => tf.variable(tf.zeros(shape));
const ones = (...shape: number[]) => tf.variable(tf.ones(shape));
const whole = (shape: number[], below: number, step: number) =>
  tf
    .randomUniform(shape, 0, below, 'float32', 400 + step)
    .floor()
    .toInt();

const dense = (units: number, more: object = {}) => layers.dense({ units, kernelInitializer: glorot(), ...more });
const conv = (filters: number, more: object = {}) =>
  layers.conv2d({ filters, kernelSize: 3, padding: 'same', kernelInitializer: glorot(), ...more });
const recurrent = (units = 3) => ({ units, kernelInitializer: glorot(), recurrentInitializer: glorot() });

type Symbolic = tf.SymbolicTensor;
const then = (layer: tf.layers.Layer, ...inputs: Symbolic[]) =>
  layer.apply(inputs.length === 1 ? (inputs[0] as Symbolic) : inputs) as Symbolic;
const chain = (start: Symbolic, ...all: tf.layers.Layer[]) => all.reduce((output, layer) => then(layer, output), start);

/** Of a model, by the mean squared error of all of its outputs. */
function ofModel(model: tf.LayersModel, inputs?: (step: number) => tf.Tensor[]): Training {
  const given = (step: number) =>
    model.inputs.map(({ shape }, i) => normal([BATCH, ...(shape.slice(1) as number[])], step + 50 * i));
  const wanted = (step: number) =>
    model.outputs.map(({ shape }, i) => normal([BATCH, ...(shape.slice(1) as number[])], 1000 + step + 50 * i));
  const loss = (...all: tf.Tensor[]) => {
    const [x, y] = [all.slice(0, model.inputs.length), all.slice(model.inputs.length)];
    const outputs = [model.apply(x.length === 1 ? (x[0] as tf.Tensor) : x, { training: true })].flat() as tf.Tensor[];
    const errors = outputs.map((output, i) =>
      tf.losses.meanSquaredError<tf.Tensor, tf.Scalar>(y[i] as tf.Tensor, output),
    );
    return tf.addN([...errors, model.calculateLosses()].flat());
  };
  return minimizing(loss, {
    variables: weightsOf(model),
    trainable: trainableOf(model),
    inputs: (step) => [...(inputs ?? given)(step), ...wanted(step)],
  });
}

function sequence(shape: number[], ...all: tf.layers.Layer[]): Training {
  const inputs = tf.input({ shape });
  return ofModel(tf.model({ inputs, outputs: chain(inputs, ...all) }));
}

/** Of ops on inputs and variables alone: their mean square. */
function ofOps(
  variables: tf.Variable[],
  network: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: (step: number) => tf.Tensor[],
): Training {
  return minimizing(
    ((...given: tf.Tensor[]) =>
      network(...given)
        .square()
        .mean()) as never,
    { variables, inputs },
  );
}

const image = (step: number) => normal<tf.Rank.R4>([BATCH, 6, 6, 4], step);
const words = (step: number) => normal<tf.Rank.R3>([BATCH, 5, 4], step);
const rows = (step: number) => normal<tf.Rank.R2>([BATCH, 6], step);

class Scaled extends tf.layers.Layer {
  static className = 'ScaledForTest';
  private scale: tf.LayerVariable | undefined;
  override build(shape: tf.Shape): void {
    this.scale = this.addWeight('scale', [shape.at(-1) as number], 'float32', tf.initializers.ones());
    super.build(shape);
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return ([inputs].flat()[0] as tf.Tensor).mul((this.scale as tf.LayerVariable).read()).tanh();
  }
}

const ARCHITECTURES: Record<string, () => Training> = {
  'a residual block with batch normalization': () => {
    const inputs = tf.input({ shape: [6, 6, 4] });
    const inner = chain(
      inputs,
      conv(4),
      layers.batchNormalization(),
      layers.reLU(),
      conv(4),
      layers.batchNormalization(),
    );
    return ofModel(
      tf.model({
        inputs,
        outputs: chain(then(layers.add(), inputs, inner), layers.reLU(), layers.globalAveragePooling2d({}), dense(3)),
      }),
    );
  },
  'blocks that are concatenated densely': () => {
    const inputs = tf.input({ shape: [6, 6, 2] });
    const first = then(layers.concatenate(), inputs, chain(inputs, conv(3, { activation: 'relu' })));
    const second = then(layers.concatenate(), first, chain(first, conv(3, { activation: 'relu' })));
    return ofModel(
      tf.model({
        inputs,
        outputs: chain(second, layers.averagePooling2d({ poolSize: 2 }), layers.flatten(), dense(3)),
      }),
    );
  },
  'an inception block': () => {
    const inputs = tf.input({ shape: [6, 6, 2] });
    const branches = [
      conv(2, { kernelSize: 1 }),
      conv(2),
      conv(2, { kernelSize: 5 }),
      layers.maxPooling2d({ poolSize: 3, strides: 1, padding: 'same' }),
    ];
    return ofModel(
      tf.model({
        inputs,
        outputs: chain(
          then(layers.concatenate(), ...branches.map((branch) => then(branch, inputs))),
          layers.globalMaxPooling2d({}),
          dense(2),
        ),
      }),
    );
  },
  'an inverted residual with a depthwise convolution and relu6': () => {
    const inputs = tf.input({ shape: [6, 6, 4] });
    const depthwise = layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthwiseInitializer: glorot() });
    const inner = chain(
      inputs,
      conv(8, { kernelSize: 1 }),
      layers.reLU({ maxValue: 6 }),
      depthwise,
      layers.reLU({ maxValue: 6 }),
      conv(4, { kernelSize: 1 }),
    );
    return ofModel(tf.model({ inputs, outputs: chain(then(layers.add(), inputs, inner), layers.flatten(), dense(2)) }));
  },
  'squeeze and excitation': () => {
    const inputs = tf.input({ shape: [6, 6, 4] });
    const gates = chain(
      inputs,
      layers.globalAveragePooling2d({}),
      dense(2, { activation: 'relu' }),
      dense(4, { activation: 'sigmoid' }),
      layers.reshape({ targetShape: [1, 1, 4] }),
    );
    return ofModel(
      tf.model({ inputs, outputs: chain(then(layers.multiply(), inputs, gates), layers.flatten(), dense(2)) }),
    );
  },
  'a U-net': () => {
    const inputs = tf.input({ shape: [8, 8, 2] });
    const down = chain(inputs, conv(4, { activation: 'relu' }));
    const bottom = chain(down, layers.maxPooling2d({ poolSize: 2 }), conv(6, { activation: 'relu' }));
    const up = chain(
      bottom,
      layers.conv2dTranspose({ filters: 4, kernelSize: 2, strides: 2, kernelInitializer: glorot() }),
    );
    return ofModel(
      tf.model({
        inputs,
        outputs: chain(
          then(layers.concatenate(), down, up),
          conv(2),
          conv(1, { kernelSize: 1, activation: 'sigmoid' }),
        ),
      }),
    );
  },
  'an autoencoder that upsamples': () =>
    sequence(
      [6, 6, 2],
      conv(4, { strides: 2, activation: 'elu' }),
      layers.upSampling2d({ size: [2, 2] }),
      conv(2),
      layers.zeroPadding2d({ padding: 1 }),
      layers.cropping2D({
        cropping: [
          [1, 1],
          [1, 1],
        ],
      }),
    ),
  'strided and separable convolutions': () =>
    sequence(
      [8, 8, 2],
      conv(3, { strides: 2 }),
      layers.separableConv2d({
        filters: 4,
        kernelSize: 3,
        depthwiseInitializer: glorot(),
        pointwiseInitializer: glorot(),
      }),
      layers.flatten(),
      dense(2),
    ),
  'convolutions over a series': () =>
    sequence(
      [12, 3],
      layers.conv1d({ filters: 4, kernelSize: 3, padding: 'same', kernelInitializer: glorot() }),
      layers.maxPooling1d({ poolSize: 2 }),
      layers.conv1d({ filters: 2, kernelSize: 2, strides: 2, kernelInitializer: glorot() }),
      layers.globalMaxPooling1d({}),
      dense(2),
    ),
  'convolutions over a volume': () =>
    sequence(
      [4, 6, 6, 2],
      layers.conv3d({ filters: 3, kernelSize: 2, strides: 2, padding: 'same', kernelInitializer: glorot() }),
      layers.flatten(),
      dense(2),
    ),
  'stacked LSTMs and a dense layer for every step': () =>
    sequence(
      [5, 3],
      layers.lstm({ ...recurrent(), returnSequences: true }),
      layers.lstm({ ...recurrent(), returnSequences: true }),
      layers.timeDistributed({ layer: dense(2) }),
    ),
  'a GRU both ways, summed': () =>
    sequence(
      [5, 3],
      layers.bidirectional({ layer: layers.gru({ ...recurrent(), returnSequences: true }), mergeMode: 'sum' }),
      layers.globalAveragePooling1d({}),
      dense(2),
    ),
  'an LSTM over masked steps': () => {
    const inputs = tf.input({ shape: [5, 3] });
    const model = tf.model({
      inputs,
      outputs: chain(inputs, layers.masking({ maskValue: 0 }), layers.lstm(recurrent()), dense(2)),
    });
    return ofModel(model, (step) => [
      normal([BATCH, 5, 3], step).mul(tf.range(0, 5).less(3).toFloat().reshape([1, 5, 1])),
    ]);
  },
  'an encoder whose states start a decoder': () => {
    const [source, target] = [tf.input({ shape: [4, 3] }), tf.input({ shape: [3, 3] })];
    const [, ...states] = layers.lstm({ ...recurrent(), returnState: true }).apply(source) as Symbolic[];
    const decoded = layers
      .lstm({ ...recurrent(), returnSequences: true })
      .apply(target, { initialState: states }) as Symbolic;
    return ofModel(tf.model({ inputs: [source, target], outputs: then(dense(2), decoded) }));
  },
  'a recurrent layer that keeps its state from step to step': () => {
    const [kernel, inner] = [weights(3, 4), weights(4, 4)];
    const state = tf.variable(tf.zeros([BATCH, 4]), false);
    const training = ofOps(
      [kernel, inner],
      (x) => x.matMul(kernel).add(state.matMul(inner)).tanh(),
      (step) => [normal([BATCH, 3], step)],
    );
    const step: Training['step'] = (x) => {
      const [loss] = training.step(x) as [tf.Tensor];
      state.assign(x.matMul(kernel).add(state.matMul(inner)).tanh());
      return [loss];
    };
    return { ...training, variables: [...training.variables, state], step };
  },
  'two inputs and two outputs': () => {
    const inputs = [tf.input({ shape: [4] }), tf.input({ shape: [6, 6, 2] })];
    const merged = then(
      layers.concatenate(),
      chain(inputs[0] as Symbolic, dense(3)),
      chain(inputs[1] as Symbolic, conv(2), layers.flatten()),
    );
    return ofModel(
      tf.model({ inputs, outputs: [then(dense(2), merged), then(dense(1, { activation: 'sigmoid' }), merged)] }),
    );
  },
  'a model in a model, used twice with one set of weights': () => {
    const inner = tf.sequential({ layers: [dense(5, { inputShape: [4], activation: 'relu' }), dense(3)] });
    const inputs = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const apart = then(
      layers.dot({ axes: 1, normalize: true }),
      ...inputs.map((each) => inner.apply(each) as Symbolic),
    );
    return ofModel(tf.model({ inputs, outputs: apart }));
  },
  'layers that are frozen, and others that are regularized': () =>
    sequence(
      [6],
      dense(5, { trainable: false, activation: 'tanh' }),
      dense(4, { kernelRegularizer: tf.regularizers.l2({ l2: 0.1 }), biasRegularizer: 'l1l2' }),
      dense(2),
    ),
  'predictions of a model in batches, and their error': () => {
    const model = tf.sequential({ layers: [dense(3, { inputShape: [6], activation: 'relu' }), dense(2)] });
    return {
      variables: weightsOf(model),
      step: (x) => {
        const predicted = model.predict(x, { batchSize: 3 }) as tf.Tensor;
        return [predicted, predicted.square().mean()];
      },
      inputs: (step) => [rows(step)],
    };
  },
  "a layer of one's own": () => sequence([6], dense(5), new Scaled({}), dense(2)),
  'self-attention with several heads': () => {
    const [q, k, v, out] = [weights(4, 4), weights(4, 4), weights(4, 4), weights(4, 4)];
    const heads = (x: tf.Tensor, w: tf.Tensor) =>
      x
        .reshape([BATCH * 5, 4])
        .matMul(w)
        .reshape([BATCH, 5, 2, 2])
        .transpose([0, 2, 1, 3]);
    return ofOps(
      [q, k, v, out],
      (x) => {
        const scores = heads(x, q).matMul(heads(x, k), false, true).div(Math.SQRT2);
        const mask = tf.linalg
          .bandPart(tf.ones([5, 5]), -1, 0)
          .sub(1)
          .mul(1e9);
        const mixed = scores.add(mask).softmax().matMul(heads(x, v)).transpose([0, 2, 1, 3]);
        return x.add(
          mixed
            .reshape([BATCH * 5, 4])
            .matMul(out)
            .reshape([BATCH, 5, 4]),
        );
      },
      (step) => [words(step)],
    );
  },
  'attention written as einsum, which has no gradient': () => ({
    variables: [],
    step: (q, k, v) => [tf.einsum('bts,bso->bto', tf.einsum('bto,bso->bts', q, k).softmax(), v)],
    inputs: (step) => [words(step), words(50 + step), words(90 + step)],
  }),
  'a transformer block': () => {
    const [gains, offsets, w1, w2] = [ones(4), zeros(4), weights(4, 8), weights(8, 4)];
    const normalize = (x: tf.Tensor) => {
      const { mean, variance } = tf.moments(x, -1, true);
      return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(gains).add(offsets);
    };
    return ofOps(
      [gains, offsets, w1, w2],
      (x) => {
        const angles = tf
          .range(0, 5)
          .expandDims(1)
          .div(tf.tensor1d([1, 10, 100, 1000]));
        const placed = x.add(tf.where(tf.tensor1d([1, 0, 1, 0], 'bool'), angles.sin(), angles.cos()));
        const attended = placed.add(placed.matMul(placed, false, true).softmax().matMul(placed));
        const hidden = normalize(attended)
          .reshape([BATCH * 5, 4])
          .matMul(w1);
        const gelu = hidden.mul(0.5).mul(hidden.div(Math.SQRT2).erf().add(1));
        return attended.add(gelu.matMul(w2).reshape([BATCH, 5, 4]));
      },
      (step) => [words(step)],
    );
  },
  'words, places and a pooled mask': () => {
    const [table, places, head] = [weights(9, 4), weights(5, 4), weights(4, 2)];
    return ofOps(
      [table, places, head],
      (ids) => {
        const mask = ids.notEqual(0).toFloat().expandDims(-1);
        const embedded = table
          .gather(ids as Ids)
          .add(places.expandDims(0))
          .mul(mask);
        return embedded.sum(1).div(mask.sum(1).add(1)).matMul(head);
      },
      (step) => [whole([BATCH, 5], 9, step)],
    );
  },
  'normalization by groups and by instances': () => {
    const [gamma, beta] = [ones(4), zeros(4)];
    const by = (x: tf.Tensor, axes: number[]) => {
      const { mean, variance } = tf.moments(x, axes, true);
      return x.sub(mean).div(variance.add(1e-5).sqrt());
    };
    return ofOps(
      [gamma, beta],
      (x) => {
        const groups = by(x.reshape([BATCH, 6, 6, 2, 2]), [1, 2, 4]).reshape([BATCH, 6, 6, 4]);
        return groups
          .mul(gamma)
          .add(by(x, [1, 2]).mul(beta))
          .add(beta);
      },
      (step) => [image(step)],
    );
  },
  'a weight as direction and length': () => {
    const [direction, length] = [weights(6, 3), ones(3)];
    return ofOps(
      [direction, length],
      (x) => x.matMul(direction.div(direction.norm(2, 0)).mul(length)).sub(1),
      (step) => [rows(step)],
    );
  },
  'experts chosen by a gate': () => {
    const [gate, experts] = [weights(6, 3), weights(3, 6, 2)];
    return ofOps(
      [gate, experts],
      (x) => {
        const shares = x.matMul(gate).softmax();
        const best = shares.mul(shares.greaterEqual(0.3).toFloat()).add(1e-3);
        const all = x.expandDims(0).tile([3, 1, 1]).matMul(experts).transpose([1, 0, 2]);
        return best.div(best.sum(1, true)).expandDims(2).mul(all).sum(1).sub(1);
      },
      (step) => [rows(step)],
    );
  },
  'a convolution over a graph': () => {
    const [first, second] = [weights(4, 5), weights(5, 2)];
    return ofOps(
      [first, second],
      (x, edges) => {
        const joined = edges
          .add(edges.transpose([0, 2, 1]))
          .add(tf.eye(5))
          .clipByValue(0, 1);
        const degree = joined.sum(2, true).rsqrt();
        const spread = (values: tf.Tensor) =>
          joined
            .mul(degree)
            .mul(degree.transpose([0, 2, 1]))
            .matMul(values);
        const hidden = spread(x)
          .reshape([BATCH * 5, 4])
          .matMul(first)
          .relu()
          .reshape([BATCH, 5, 5]);
        return spread(hidden)
          .reshape([BATCH * 5, 5])
          .matMul(second)
          .sub(1);
      },
      (step) => [
        words(step),
        normal([BATCH, 5, 5], 90 + step)
          .greater(0.5)
          .toFloat(),
      ],
    );
  },
  'a differential equation by ten steps of Euler': () => {
    const [inner, outer] = [weights(6, 5), weights(5, 6)];
    return ofOps(
      [inner, outer],
      (x) => {
        let state = x;
        for (let i = 0; i < 10; i++) state = state.add(state.matMul(inner).tanh().matMul(outer).mul(0.1));
        return state;
      },
      (step) => [rows(step)],
    );
  },
  'gated linear units and a highway': () => {
    const [value, gate, carry] = [weights(6, 6), weights(6, 6), weights(6, 6)];
    return ofOps(
      [value, gate, carry],
      (x) => {
        const unit = x.matMul(value).mul(x.matMul(gate).sigmoid());
        const share = x.matMul(carry).sub(1).sigmoid();
        return unit.mul(share).add(x.mul(tf.sub(1, share)));
      },
      (step) => [rows(step)],
    );
  },
  'a spectrum as features': () => {
    const head = weights(5, 2);
    return ofOps(
      [head],
      (x) => {
        const spectrum = tf.spectral.rfft(x.reshape([BATCH * 3, 8]));
        return tf
          .log1p(tf.real(spectrum).square().add(tf.imag(spectrum).square()))
          .matMul(head)
          .sub(1);
      },
      (step) => [normal([BATCH, 24], step)],
    );
  },
  'space to depth and back, by patches': () => {
    const kernel = weights(16, 16);
    return ofOps(
      [kernel],
      (x) => {
        const patches = tf
          .spaceToBatchND(
            x as tf.Tensor4D,
            [2, 2],
            [
              [0, 0],
              [0, 0],
            ],
          )
          .reshape([-1, 4]);
        const mixed = patches
          .reshape([-1, 16])
          .matMul(kernel)
          .reshape([BATCH * 4, 3, 3, 4]);
        return tf
          .batchToSpaceND(
            mixed,
            [2, 2],
            [
              [0, 0],
              [0, 0],
            ],
          )
          .sub(1);
      },
      (step) => [image(step)],
    );
  },
  'pixels shuffled to a larger image, which is resized': () => {
    const kernel = weights(3, 3, 4, 4);
    return ofOps(
      [kernel],
      (x) => {
        const shuffled = tf.depthToSpace(x as tf.Tensor4D, 2, 'NHWC').tile<tf.Tensor4D>([1, 1, 1, 4]);
        const hidden = tf.conv2d(shuffled, kernel as tf.Variable<tf.Rank.R4>, 1, 'same');
        return tf.image.resizeBilinear(hidden.relu<tf.Tensor4D>(), [7, 7], true).sub(1);
      },
      (step) => [image(step)],
    );
  },
  'cumulative sums, differences, reversed and strided': () => {
    const scale = ones(6);
    return ofOps(
      [scale],
      (x) => {
        const sums = x.mul(scale).cumsum(1);
        const steps = sums.slice([0, 1], [-1, 5]).sub(sums.slice([0, 0], [-1, 5]));
        return steps
          .reverse(1)
          .sub(x.stridedSlice([0, 0], [BATCH, 6], [1, 6]))
          .concat(tf.stack(tf.unstack(x.mul(scale), 1).slice(0, 2), 1), 1);
      },
      (step) => [rows(step)],
    );
  },
  'values at places, and places filled': () => {
    const table = weights(4, 3);
    return ofOps(
      [table],
      (at, rowsAt) => {
        const picked = table.gather(at as Ids).sub(1);
        const filled = tf.unsortedSegmentSum(picked, rowsAt as Ids, 4);
        return filled.mul(2).add(picked.sum());
      },
      (step) => [whole([5], 4, step), whole([5], 4, 50 + step)],
    );
  },
  'a dot product kernel by outer products and norms': () => {
    const [points, shares] = [weights(3, 6), weights(3, 2)];
    return ofOps(
      [points, shares],
      (x) => {
        const apart = x
          .square()
          .sum(1, true)
          .add(points.square().sum(1))
          .sub(x.matMul(points, false, true).mul(2));
        return apart.relu().mul(-0.1).exp().matMul(shares).sub(1);
      },
      (step) => [rows(step)],
    );
  },
};

const LATER = /^(words, places|values at places)/;
it.each(
  sampleOf(
    Object.entries(ARCHITECTURES).filter(([name]) => !LATER.test(name)),
    5,
  ),
)('%s', (_, make) => expectSameTraining(make()));
