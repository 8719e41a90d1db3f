/** Values from the tests of TensorFlow.js, most of which it has from Keras and TensorFlow in Python. */
import { ALL_DIGITS, type Published } from './publishedCase.js';

const TFJS = 'tensorflow/tfjs@0fc04d95';
const TFJS_LAYERS = `${TFJS} tfjs-layers/src/layers/normalization_test.ts`;
const TFJS_CORE = `${TFJS} tfjs-core/src/ops/batchnorm_test.ts`;

/** tfjs-core/src/test_util.ts, TEST_EPSILON_FLOAT32; the values have three decimals. */
const TFJS_EPSILON = 1e-3;

export const TENSORFLOW_JS: Published[] = [
  {
    name: 'Keras, rank 2 batch',
    source: `${TFJS_LAYERS}, normalizeBatchInTraining, 2D, no broadcasting`,
    training: true,
    shape: [3, 4],
    x: [1, 2, 3, 4, 2, 4, 6, 8, 12, 11, 10, 9],
    epsilon: 1e-3,
    states: [
      {
        of: 'y',
        values: [
          -0.805371, -0.9502233, -1.1624058, -1.3885813, -0.6040282, -0.4319197, -0.11624074, 0.46286058, 1.4093992,
          1.3821429, 1.2786462, 0.92572117,
        ],
        within: ALL_DIGITS,
      },
      { of: 'movingMean', values: [5.0, 5.6666665, 6.3333335, 7.0], within: ALL_DIGITS },
      { of: 'movingVariance', values: [24.666666, 14.888889, 8.222222, 4.6666665], within: ALL_DIGITS },
    ],
  },
  {
    name: 'Keras, rank 3 batch',
    source: `${TFJS_LAYERS}, normalizeBatchInTraining, 3D, no broadcasting`,
    training: true,
    shape: [3, 1, 2, 2],
    x: [1, 2, 3, 4, 2, 4, 6, 8, 12, 11, 10, 9],
    epsilon: 1e-3,
    states: [
      {
        of: 'y',
        values: [
          -1.1355163, -1.3552775, -0.6488664, -0.7297648, -0.8921913, -0.7297648, 0.08110833, 0.5212605, 1.5410578,
          1.4595294, 1.0544081, 0.8340168,
        ],
        within: ALL_DIGITS,
      },
      { of: 'movingMean', values: [5.6666665, 6.3333335], within: ALL_DIGITS },
      { of: 'movingVariance', values: [16.88889, 10.222222], within: ALL_DIGITS },
    ],
  },
  {
    name: 'TensorFlow.js, inference',
    source: `${TFJS_LAYERS}, batchNormalization, 2D, no broadcast, no gamma, no beta, custom epsilon`,
    training: false,
    shape: [2, 2],
    x: [30, 30, 60, 60],
    movingVariance: [7, 7],
    epsilon: 2,
    exact: true,
    states: [{ of: 'y', values: [10, 10, 20, 20], within: 0 }],
  },
  {
    name: 'TensorFlow, rank 2 inference',
    source: `${TFJS_CORE}, batchnorm2D matches tensorflow, 3x3`,
    training: false,
    shape: [3, 3],
    x: [0.3136892, 0.92389025, 0.594782, 0.05021042, 0.67545404, 0.93910035, 0.13277993, 0.96474269, 0.88608916],
    gamma: [0.62186907, 0.85673736, 0.19201061],
    beta: [0.43098484, 0.77712237, 0.47916298],
    movingMean: [0.19526312, 0.74857256, 0.45166398],
    movingVariance: [0.22963001, 0.61521992, 0.46623685],
    epsilon: 1e-3,
    states: [
      {
        of: 'y',
        values: [
          0.58433646, 0.96846228, 0.51936529, 0.24315402, 0.69732157, 0.61608542, 0.35007446, 1.01304821, 0.60119441,
        ],
        within: 5e-9,
      },
    ],
  },
  {
    name: 'TensorFlow, rank 3 inference',
    source: `${TFJS_CORE}, batchnorm matches tensorflow, 2x3x3`,
    training: false,
    shape: [2, 1, 3, 3],
    x: [
      0.49955603, 0.04158615, -1.09440524, 2.03854165, -0.61578344, 2.87533573, 1.18105987, 0.807462, 1.87888837,
      2.26563962, -0.37040935, 1.35848753, -0.75347094, 0.15683117, 0.91925946, 0.34121279, 0.92717143, 1.89683965,
    ],
    gamma: [-0.5607271, 0.9878457, 0.25181573],
    beta: [0.69398749, -1.29056387, 0.9429723],
    movingMean: [0.39745062, -0.48062894, 0.4847822],
    movingVariance: [0.32375343, 0.67117643, 1.08334653],
    epsilon: 1e-3,
    states: [
      {
        of: 'y',
        values: [
          0.59352049, -0.66135202, 0.5610874, -0.92077015, -1.45341019, 1.52106473, -0.07704776, 0.26144429, 1.28010017,
          -1.14422404, -1.15776136, 1.15425493, 1.82644104, -0.52249442, 1.04803919, 0.74932291, 0.40568101, 1.2844412,
        ],
        within: 5e-9,
      },
    ],
  },
  {
    name: 'TensorFlow.js, gradients in inference',
    source: `${TFJS_CORE}, simple batchnorm2D gradients, 2x2`,
    training: false,
    shape: [2, 2],
    x: [2, 4, 9, 23],
    gamma: [2, 5],
    beta: [3, 4],
    movingMean: [1, 2],
    movingVariance: [2, 3],
    epsilon: 1e-3,
    exact: true,
    dy: [1, 1, 1, 1],
    states: [
      { of: '∂x', values: [1.414, 2.887, 1.414, 2.887], within: TFJS_EPSILON },
      { of: '∂γ', values: [6.362, 13.277], within: TFJS_EPSILON },
      { of: '∂β', values: [2, 2], within: 0 },
    ],
  },
];

/** A layer alone, trained by gradient descent on the mean squared distance from 0 by Keras. */
export const KERAS_FIT = {
  name: 'Keras, two training steps',
  source: `${TFJS_LAYERS}, Fit: 2D, BatchNorm Layer Only`,
  shape: [3, 4],
  x: [1, 2, 3, 4, 2, 4, 6, 8, 12, 11, 10, 9],
  steps: 2,
  // Keras's defaults for 'sgd' and for the layer.
  learningRate: 0.01,
  epsilon: 1e-3,
  momentum: 0.99,
  end: {
    kernel: [],
    gamma: [0.9900254, 0.9900257, 0.9900262, 0.9900271],
    beta: [2.9802322e-10, 1.4901161e-10, 9.1269614e-10, -7.4505802e-10],
    movingMean: [0.09949999, 0.11276666, 0.12603334, 0.13929999],
    movingVariance: [1.4709667, 1.2763889, 1.1437222, 1.0729666],
    loss: [0.9899163246154785],
  },
};
