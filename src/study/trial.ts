/** What a trial is, and what it leaves behind; plain data, ready for JSON. */

/** Lenet's norms: `batch` is this project's BatchNorm, `noisy` adds noise after it, `group` is GroupNorm (dense layers: LayerNorm). */
export type TrialModel =
  | { kind: 'lenet'; norm: 'none' | 'batch' | 'builtin' | 'noisy' | 'group' }
  | { kind: 'mlp'; depth: number; width: number; activation: 'sigmoid' | 'relu'; norm: 'none' | 'batch' };

/** What is recorded besides every batch's loss and accuracy; each costs time, so each is asked for. */
export type Watch =
  /** After each epoch, test accuracy and loss in inference (with batch normalization: by moving and by population statistics). */
  | 'epochs'
  /** The same of the training images. */
  | 'training-set'
  /** After each epoch, test accuracy by moving averages of other momenta along the same way of training. */
  | 'momenta'
  /** After the last epoch, which test images are classified correctly. */
  | 'images'
  /** At steps 0, 1 and 10, the norms of weights and gradients, layer by layer. */
  | 'gradients'
  /** At every step, how far the statistics of each layer's input moved. */
  | 'instability'
  /** At every step, the norm of the weights in front of batch normalization, and of their gradients. */
  | 'norms';

/** All that decides what is computed, except code, machine and data: a trial is run once, whoever asks for it. */
export interface Trial {
  model: TrialModel;
  learningRate: number;
  /** From this share of the steps on, the learning rate is a tenth. */
  decayAt?: number;
  batchSize: number;
  /** The first so many training images. */
  examples: number;
  /** May be 0: what is watched at initialization. A part of an epoch is given as fewer examples. */
  epochs: number;
  /** Of the initial weights and of the order of the images. */
  seed: number;
  /**
   * Multiplies the kernels in front of a normalization (and the same ones without) at the start, and the learning rate of
   * these kernels, but of nothing else, by its square: so a scale-invariant network trains the same. Default 1.
   */
  weightScale?: number;
  watch: Watch[];
  /** What is watched after epochs is watched after each so many, and after the last one. Default 1. */
  watchEvery?: number;
}

/** Accuracies in [0, 1], losses in nats; those by population statistics are undefined without batch normalization. */
export interface Evaluation {
  accuracy: number;
  loss: number;
}

export interface TrialEpoch {
  test: Evaluation;
  testPopulation?: Evaluation;
  /** Each batch normalized by itself. */
  testBatch?: Evaluation;
  /** In inference, by population statistics where there are some. */
  trainingSet?: Evaluation;
  /** `corrected` for its start at 0 and 1, as Adam's averages are. */
  momenta?: { momentum: number; accuracy: number; corrected: number }[];
}

/** One layer's norms (Frobenius); layers from the input on. */
export interface LayerNorms {
  layer: number;
  weight: number;
  /** Of the loss, with respect to the layer's kernel. */
  weightGradient: number;
  /** Of the loss, with respect to the layer's output after its activation, over the whole batch. */
  outputGradient: number;
}

export interface TrialRecord {
  trial: Trial;
  /** How its steps were run: it decides last bits. */
  mode?: 'fused' | 'graph' | 'eager';
  /** Diverged: a loss was not finite, and the trial ended with the batch before. An outcome, never a lost trial. */
  outcome: 'finished' | 'diverged';
  /** Mean softmax cross-entropy of each batch, in nats, before its update. */
  losses: number[];
  /** Share of each batch classified correctly, in training mode, before its update. */
  accuracies: number[];
  epochs: TrialEpoch[];
  /** One digit a test image: 1 is correct. By population statistics where there are some. */
  images?: string;
  gradients?: { step: number; layers: LayerNorms[] }[];
  /** Mean over channels of |Δ mean| + |Δ standard deviation| of the layers' inputs, from one step to the next. */
  instability?: number[];
  norms?: { weight: number; gradient: number }[];
  /** Wall time of the whole trial, and of its training steps. */
  seconds: number;
  trainingSeconds: number;
}
