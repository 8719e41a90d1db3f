/** A study without its trainings: trials whose numbers are made up, judged as real ones are. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { sha256Of } from '../../src/common/files.js';
import { judge } from '../../src/study/judge.js';
import { firstStage, secondStage } from '../../src/study/plan.js';
import { CLAIM_IDS, parseRegistration } from '../../src/study/registration.js';
import type { StudyResult } from '../../src/study/result.js';
import type { LayerNorms, Trial, TrialEpoch, TrialRecord } from '../../src/study/trial.js';
import { root } from './program.js';

/** Numbers in [0, 1) that depend on the seed alone. */
function noiseOf(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

function madeUp(trial: Trial): TrialRecord {
  const random = noiseOf(trial.seed + Math.round(trial.learningRate * 1000));
  const { norm } = trial.model;
  const normalized = norm !== 'none';
  const steps = trial.epochs * Math.ceil(trial.examples / trial.batchSize);
  const best = normalized ? 1 : 0.7;
  const learns = trial.learningRate <= (normalized ? 10 : 1);
  const rate = learns ? (normalized ? 0.012 : 0.0018) * Math.min(trial.learningRate / best, 2) * (1 + random() / 4) : 0;
  const losses = Array.from({ length: steps }, (_, i) => 0.28 + 2.02 * Math.exp(-rate * i) + 0.12 * (random() - 0.5));
  const accuracies = losses.map((loss) => Math.max(0.1, Math.min(1, 0.98 - loss * 0.36)));
  const watches = (what: Trial['watch'][number]) => trial.watch.includes(what);
  const evaluated = Math.ceil(trial.epochs / (trial.watchEvery ?? 1));
  const epoch = (i: number): TrialEpoch => {
    const accuracy = 0.885 - 0.3 * Math.exp(-(i + 1) / 3);
    const lag = normalized ? 0.25 * random() ** 2 : 0;
    return {
      test: { accuracy: accuracy - lag, loss: 0.4 + 3 * lag },
      ...(norm === 'batch' || norm === 'noisy' ? { testPopulation: { accuracy, loss: 0.38 } } : {}),
      ...(watches('training-set') ? { trainingSet: { accuracy: accuracy + 0.02, loss: 1.5 / (i + 2) } } : {}),
      ...(watches('momenta')
        ? { momenta: [0.5, 0.9, 0.99].map((momentum) => ({ momentum, accuracy: 0.7 - lag, corrected: 0.75 - lag })) }
        : {}),
    };
  };
  return {
    trial,
    outcome: trial.learningRate >= 100 && !normalized ? 'diverged' : 'finished',
    losses,
    accuracies,
    epochs: watches('epochs') || watches('momenta') ? Array.from({ length: evaluated }, (_, i) => epoch(i)) : [],
    ...(watches('images')
      ? { images: Array.from({ length: 1000 }, () => (random() < (normalized ? 0.885 : 0.88) ? '1' : '0')).join('') }
      : {}),
    ...(watches('gradients')
      ? { gradients: [0, 1, 10].map((step) => ({ step, layers: layersOf(trial, random) })) }
      : {}),
    ...(watches('instability')
      ? { instability: losses.map(() => (norm === 'noisy' ? 0.9 : 0.3) * (0.8 + random())) }
      : {}),
    ...(watches('norms')
      ? {
          norms: losses.map((_, i) => ({
            weight: Math.sqrt(100 + i / 10),
            gradient: Math.sqrt(0.1) / trial.learningRate,
          })),
        }
      : {}),
    seconds: 12,
    trainingSeconds: 10,
  };
}

/** By 1.21 a layer or a half, from the output back. */
function layersOf({ model, weightScale = 1 }: Trial, random: () => number): LayerNorms[] {
  const depth = model.kind === 'mlp' ? model.depth : 5;
  const factor =
    model.kind === 'lenet' ? 1 : model.activation === 'relu' ? { none: 1, batch: 1.21 } : { none: 0.26, batch: 1.02 };
  const growth = typeof factor === 'number' ? factor : factor[model.norm === 'none' ? 'none' : 'batch'];
  return Array.from({ length: depth + 1 }, (_, i) => {
    const gradient = growth ** (depth - i) * (1 + 0.03 * (random() - 0.5));
    return { layer: i + 1, weight: 10 * weightScale, weightGradient: gradient / weightScale, outputGradient: gradient };
  });
}

/** All claims, or what a quick study leaves of them. */
export function madeUpStudy(quick: boolean): { study: StudyResult; records: TrialRecord[] } {
  const bytes = readFileSync(path.join(root, 'data/claims.json'));
  const registration = parseRegistration(bytes);
  const first = firstStage(registration, CLAIM_IDS, quick).map(madeUp);
  const records = [...first, ...secondStage(registration, CLAIM_IDS, quick, first).map(madeUp)];
  const nameOf = ({ model, learningRate, seed }: Trial) => `${model.kind}-${model.norm}-${learningRate}-${seed}`;
  const study = {
    registration: sha256Of(bytes),
    quick,
    ...judge(registration, CLAIM_IDS, quick, records, nameOf),
    machine: { platform: 'linux-x64', cpu: 'Made-up Processor 2.0 GHz', cores: 2, memory: 8e9 },
    versions: { 'bn-train': '0.1.0', node: '20.20.2', tensorflow: '2.18.1' },
    data: { name: 'Fashion-MNIST', sha256: 'c'.repeat(64) },
    seconds: records.reduce((sum, { seconds }) => sum + seconds, 0),
    finished: '2026-11-26T08:00:00.000Z',
  };
  // As it is read back from its file.
  return { study: JSON.parse(JSON.stringify(study)) as StudyResult, records };
}
