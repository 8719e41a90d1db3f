/** One training step, run op by op: forward, loss, gradient, SGD, on rows of a data set that stays on the backend. */
import * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../data/fashionMnist.js';
import { byteTensor, gatherBytes } from '../graph/bytes.js';

export interface StepResult {
  /** Mean softmax cross-entropy of the batch, in nats, before the update. */
  loss: number;
  /** How many examples of the batch were classified correctly, before the update. */
  correct: number;
}

/** What the training loop runs; another way to run a step is another object of this shape. */
export interface Step {
  readonly mode: 'eager' | 'graph';
  /** Trains on the given rows of the training set. */
  run(rows: Int32Array): StepResult;
  /** Makes the model's weights those of the moment. The loop calls it before anything else may read them. */
  sync(): Promise<void>;
  dispose(): void;
}

/** A data set on the backend: bytes, uploaded once; `take` scales its rows to [0, 1]. */
export class DeviceDataset {
  readonly count: number;
  private readonly images: tf.Tensor;
  private readonly labels: tf.Tensor;

  constructor({ count, height, width, images, labels }: Dataset) {
    this.count = count;
    this.images = byteTensor(images, [count, height, width, 1]);
    this.labels = byteTensor(labels, [count]);
  }

  /** Images [rows, height, width, 1] in [0, 1] and labels [rows], int32. */
  take(rows: Int32Array): { x: tf.Tensor4D; labels: tf.Tensor1D } {
    return tf.tidy(() => {
      const index = tf.tensor1d(rows, 'int32');
      return {
        x: gatherBytes(this.images, index).div(255),
        labels: gatherBytes(this.labels, index).toInt() as tf.Tensor1D,
      };
    });
  }

  dispose(): void {
    tf.dispose([this.images, this.labels]);
  }
}

/** How many of the logits [batch, classes] have their largest value at the label [batch]; an int32 scalar. */
export function countCorrect(logits: tf.Tensor, labels: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => logits.argMax(-1).equal(labels).toInt().sum());
}

/** Plain SGD on softmax cross-entropy, each op run by itself. Does not own `data`. */
export function eagerStep(model: tf.Sequential, data: DeviceDataset, learningRate: number): Step {
  const optimizer = tf.train.sgd(learningRate);
  // Without this list tfjs would train every variable there is, frozen layers and other models included.
  const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  const run = (rows: Int32Array): StepResult => {
    const [loss, correct] = tf.tidy(() => {
      const { x, labels } = data.take(rows);
      const expected = tf.oneHot(labels, classes);
      let correct: tf.Scalar | undefined;
      const loss = optimizer.minimize(
        () => {
          const logits = model.apply(x, { training: true }) as tf.Tensor2D;
          correct = tf.keep(countCorrect(logits, labels));
          return tf.losses.softmaxCrossEntropy(expected, logits);
        },
        true,
        trainable,
      );
      return [loss, correct] as [tf.Scalar, tf.Scalar];
    });
    const result = { loss: loss.dataSync()[0] ?? NaN, correct: correct.dataSync()[0] ?? NaN };
    tf.dispose([loss, correct]);
    return result;
  };
  return { mode: 'eager', run, sync: () => Promise.resolve(), dispose: () => optimizer.dispose() };
}
