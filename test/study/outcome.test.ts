/** A study's result says of its trials where they were computed, be it on one machine or on several. */
import { expect, it } from 'vitest';
import { studyResult } from '../../src/study/outcome.js';
import type { TrialFile } from '../../src/study/trialFile.js';

const identity = { code: 'c', tensorflow: '2.18.1', device: 'cpu', addon: 'a', kernels: 'k', threads: 1, data: 'd' };
const fileOf = (cpu: string, node: string, seconds: number): TrialFile => ({
  ...{ identity, dataName: 'Fashion-MNIST', registration: 'r', digest: '' },
  machine: { platform: 'linux-x64', cpu, cores: cpu.length, memory: 10 * cpu.length },
  versions: { 'bn-train': '0.1.0', node },
  record: {
    trial: {
      model: { kind: 'lenet', norm: 'none' },
      ...{ learningRate: 1, batchSize: 256, examples: 1000, epochs: 1, seed: 1, watch: [] },
    },
    ...{ outcome: 'finished', losses: [], accuracies: [], epochs: [], seconds, trainingSeconds: 0 },
  },
});
const resultOf = (files: TrialFile[]) =>
  studyResult({
    ...{ files, identity, registration: 'r', quick: false, claims: [], left: [] },
    finished: new Date(0),
  });

it('one machine is told as it is', () => {
  expect(resultOf([fileOf('one', '20', 1), fileOf('one', '20', 2)])).toEqual({
    ...{ registration: 'r', quick: false, claims: [], left: [], seconds: 3, finished: '1970-01-01T00:00:00.000Z' },
    machine: { platform: 'linux-x64', cpu: 'one', cores: 3, memory: 30 },
    versions: { 'bn-train': '0.1.0', node: '20' },
    data: { name: 'Fashion-MNIST', sha256: 'd' },
  });
});

it('several are told together, in whatever order their trials are read', () => {
  const files = [fileOf('three', '22', 1), fileOf('one', '20', 2), fileOf('one', '22', 4)];
  const result = resultOf(files);
  expect(result).toMatchObject({
    machine: { cpu: 'one, three', cores: 5, memory: 50 },
    versions: { 'bn-train': '0.1.0', node: '20, 22' },
  });
  expect(resultOf(files.reverse())).toEqual(result);
});
