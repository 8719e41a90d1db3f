/** Values from the tests and issues of Keras 3, Caffe, PyTorch and nnlib. */
import { ALL_DIGITS, type Published } from './publishedCase.js';

const KERAS = 'keras-team/keras@3422977a';

export const OTHERS: Published[] = [
  {
    name: 'Keras 3, inference',
    source: `${KERAS} keras/src/ops/nn_test.py, test_batch_normalization`,
    training: false,
    shape: [2, 3],
    x: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    gamma: [10, 20, 30],
    beta: [5, 10, 15],
    movingMean: [0.2, 0.3, 0.4],
    movingVariance: [4, 16, 64],
    epsilon: 1e-7,
    exact: true,
    // keras/src/testing/test_case.py allows 1e-6 and 1e-6 of the value besides.
    states: [{ of: 'y', values: [4.5, 9.5, 14.625, 6, 11, 15.75], within: 1e-6 }],
  },
  {
    name: 'Keras 3, constant batch',
    source: `${KERAS} keras/src/layers/normalization/batch_normalization_test.py, test_masked_broadcast_normalization`,
    training: true,
    shape: [1, 2, 3, 4],
    x: Array<number>(24).fill(1),
    epsilon: 1e-3,
    exact: true,
    states: [
      { of: 'y', values: Array<number>(24).fill(0), within: 1e-6 },
      { of: 'movingMean', values: [1, 1, 1, 1], within: 1e-6 },
      { of: 'movingVariance', values: [0, 0, 0, 0], within: 1e-6 },
    ],
  },
  {
    name: 'Caffe #3963, constant image',
    // Caffe gave −0.00483: its mean was 100.000015.
    source: 'BVLC/caffe issue 3963, BatchNorm numerical instability',
    training: true,
    shape: [1, 3, 3, 1],
    x: Array<number>(9).fill(100),
    epsilon: 1e-5,
    exact: true,
    states: [{ of: 'y', values: Array<number>(9).fill(0), within: 0 }],
  },
  {
    name: 'PyTorch #60528, sequences',
    source: 'pytorch/pytorch issue 60528, torch.nn.BatchNormxd use biased var or unbiased var?',
    training: true,
    shape: [4, 1, 4, 3],
    x: [0, 1, 2, 3].flatMap((n) => [1, 2, 3, 4].flatMap((l) => [n + l, n + l + 4, n + l + 8])),
    epsilon: 1e-5,
    momentum: 0.9,
    states: [
      {
        of: 'y',
        values: [0, 1, 2, 3].flatMap((n) =>
          [0, 1, 2, 3].flatMap((l) =>
            Array<number>(3).fill([-1.8974, -1.2649, -0.6325, 0, 0.6325, 1.2649, 1.8974][n + l] ?? NaN),
          ),
        ),
        within: 5e-5,
      },
      { of: 'unbiasedMovingVariance', values: [1.1667, 1.1667, 1.1667], within: 5e-5 },
    ],
  },
  {
    name: 'PyTorch #7028, statistics',
    source: "pytorch/pytorch issue 7028, Batchnorm's running_var is wrong",
    training: true,
    shape: [3, 4],
    x: [2, 15, 2, 1, 2, 17, 2, 1, -4, -2, -2, -1],
    epsilon: 1e-5,
    states: [
      { of: 'movingMean', values: [0, 10, 0.6666667, 0.33333334], within: ALL_DIGITS },
      // The squares of NumPy's deviations: half of their last digit counts twice the deviation.
      { of: 'movingVariance', values: [2.828427, 8.524474, 1.8856181, 0.94280905].map((d) => d * d), within: 9e-6 },
      { of: 'unbiasedMovingVariance', values: [12, 109, 5.3333, 1.3333], within: 5e-5 },
    ],
  },
  {
    name: 'PyTorch #106366, variances',
    source: 'pytorch/pytorch issue 106366, RunningVar of Batch Norm comes from biased or unbiased estimator?',
    training: true,
    shape: [16, 3, 3, 2],
    x: Array.from({ length: 288 }, (_, i) => 1 + Math.floor(i / 72)),
    epsilon: 1e-5,
    momentum: 0.9,
    states: [
      { of: 'movingVariance', values: [1.025, 1.025], within: 5e-5 },
      { of: 'unbiasedMovingVariance', values: [1.0259, 1.0259], within: 5e-5 },
    ],
  },
  {
    name: 'nnlib, gradients in training',
    source: 'thelukester92/nnlib@00f7cd15 test/nn/detail/test_batchnorm.cpp, TestBatchNorm',
    training: true,
    shape: [3, 3],
    x: [3, 6, 9, -1, 5, 4, 12, 5, 11],
    dy: [2, 3, 4, -2, 0, 4, 10, 2, 4],
    epsilon: 1e-12,
    exact: true,
    states: [
      {
        of: '∂x',
        values: [0.03596, 0, 0, -0.02489, -2.12132, 0, -0.01106, 2.12132, 0],
        within: 5e-6,
      },
      { of: '∂γ', values: [14.9606, 2.82843, 0], within: 5e-5 },
      { of: '∂β', values: [10, 5, 12], within: 0 },
    ],
  },
];
