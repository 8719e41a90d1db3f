import '../support/native.js';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import type { Dataset } from '../../src/data/idx.js';
import { lenet } from '../../src/nn/lenet.js';
import { encodeEvaluation, parseEvaluation, readEvaluation } from '../../src/run/evaluation.js';
import { inOrder } from '../../src/train/evaluate.js';
import { imagesOf } from '../../src/train/predictions.js';
import { review } from '../../src/train/review.js';
import { ALL, firstOf } from '../support/amount.js';
import { runProgram } from '../support/program.js';
import { writeSmallData } from '../support/smallData.js';

const real = await loadFashionMnist();
const first = ({ height, width, images, labels }: Dataset, count: number): Dataset => ({
  ...{ count, height, width, labels: labels.subarray(0, count) },
  images: images.subarray(0, count * height * width),
});
const data = { train: first(real.train, 300), test: first(real.test, 260) };

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-evaluation-'));
afterAll(() => rm(work, { recursive: true }));

/** Not yet trained, with other γ, β and moving statistics in each channel. */
function modelOf(norm: 'scratch' | 'builtin' | 'none') {
  const model = lenet({ norm, seed: 3 });
  for (const [i, weight] of model.weights.entries())
    if (weight.shape.length === 1) weight.write(tf.randomUniform(weight.shape as number[], 0.5, 1.5, 'float32', i));
  return model;
}

const statisticsOf = (model: tf.Sequential) =>
  model.weights
    .filter(({ name }) => name.endsWith('moving_mean'))
    .map(({ shape }) => ({
      mean: Array<number>(shape[0] ?? 0).fill(0.25),
      variance: Array<number>(shape[0] ?? 0).fill(2),
    }));

const firstRow = (logits: tf.Tensor) => [...logits.slice([0, 0], [1, -1]).softmax().dataSync()];

describe.each(firstOf(['scratch', 'builtin'] as const, 1))('what a run of %s leaves', (norm) => {
  const model = modelOf(norm);
  const before = model.weights.map((weight) => weight.read().dataSync());
  const made = review(model, data, statisticsOf(model));

  it('has what the model says of each test image, by both kinds of statistics, and leaves the model alone', async () => {
    const { labels, inference, population } = await made;
    const logits = model.apply(imagesOf(data.test, inOrder(260))) as tf.Tensor;
    expect([...inference.classes]).toEqual([...logits.argMax(-1).dataSync()]);
    expect(
      tf.losses.absoluteDifference(logits.softmax().flatten(), inference.probabilities).dataSync()[0],
    ).toBeLessThan(1e-6);
    expect(labels).toEqual(data.test.labels);
    expect([...(population?.probabilities ?? [])]).not.toEqual([...inference.probabilities]);
    expect(model.weights.map((weight) => weight.read().dataSync())).toEqual(before);
  });

  it('has the most confident mistakes, the worst first, with their pixels', async () => {
    const { worst, population, labels, pictures } = await made;
    const confidence = (row: number) => Math.max(...(population?.probabilities.slice(row * 10, row * 10 + 10) ?? []));
    const wrong = [...labels.keys()].filter((row) => population?.classes[row] !== labels[row]);
    const least = Math.min(...worst.map(confidence));
    expect(worst).toHaveLength(24);
    expect(worst.map(confidence)).toEqual(worst.map(confidence).sort((a, b) => b - a));
    expect(wrong.filter((row) => confidence(row) > least).every((row) => worst.includes(row))).toBe(true);
    for (const { row, pixels } of pictures)
      expect([...pixels]).toEqual([...data.test.images.subarray(row * 784, row * 784 + 784)]);
  });

  it('has an image alone and among others as training would see it', async () => {
    const { companions } = await made;
    // The built-in layer moves its statistics in this.
    const other = modelOf(norm);
    expect(companions.map(({ row }) => row)).toContain(0);
    for (const { row, batches } of companions) {
      expect(batches.map(({ size, draws }) => [size, draws.length])).toEqual(
        [1, 2, 4, 8, 16, 32, 64, 128, 256].map((size) => [size, size === 1 ? 1 : 6]),
      );
      // Dense layers that normalize by a batch of one give β, whatever the image is.
      const alone = batches[0]?.draws[0];
      expect(alone?.predicted).toBe(companions[0]?.batches[0]?.draws[0]?.predicted);
      // With all of the others but a few, the draws are nearly what the whole set makes of it.
      const others = inOrder(260).filter((other) => other !== row);
      const whole = firstRow(
        other.apply(imagesOf(data.test, Int32Array.of(row, ...others)), { training: true }) as tf.Tensor,
      );
      for (const { probability } of batches.at(-1)?.draws ?? [])
        expect(Math.abs(probability - (whole[data.test.labels[row] ?? 0] ?? NaN))).toBeLessThan(0.02);
    }
  });

  it('has activations before and after each layer, and channels that carry the numbers between them', async () => {
    const { activations } = await made;
    expect(activations.images).toBe(256);
    expect(activations.layers.map(({ channels }) => channels?.length)).toEqual([6, 6, 6, 6]);
    for (const { before: x, after: y, channels = [] } of activations.layers) {
      for (const { counts, step } of [x, y].flatMap((each) => each ?? [])) {
        expect(step).toBeGreaterThan(0);
        expect(counts.length).toBeLessThan(61);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(20_000);
      }
      for (const { x: sample, mean, variance } of channels) {
        const sampled = sample.reduce((sum, value) => sum + value, 0) / sample.length;
        expect(Math.abs(sampled - mean)).toBeLessThan(0.02 * Math.sqrt(variance));
      }
    }
  });

  it('is read back as it was', async () => {
    const text = encodeEvaluation(await made);
    const found = parseEvaluation(text, 'e');
    const { inference, population, ...rest } = await made;
    expect(found).toMatchObject({ ...rest, labels: Uint8Array.from(rest.labels) });
    for (const [kept, own] of [
      [found.inference, inference],
      [found.population, population],
    ]) {
      expect(kept?.classes).toEqual(own?.classes);
      for (const [i, value] of kept?.probabilities.entries() ?? [])
        expect(Math.abs(value - (own?.probabilities[i] ?? NaN))).toBeLessThan(1 / 65535);
    }
  });
});

it('without batch normalization an image does not depend on others, and layers have nothing before', async () => {
  const { companions, population, activations } = await review(modelOf('none'), data, undefined);
  expect({ companions, population }).toEqual({ companions: [], population: undefined });
  expect(activations.layers.map((layer) => Object.keys(layer))).toEqual(Array(4).fill(['after']));
});

it('a model that went to infinity in its last step still leaves a file that can be read', async () => {
  const model = modelOf('scratch');
  model.weights[0]?.write(tf.fill(model.weights[0].shape as number[], Infinity));
  const { activations, companions } = parseEvaluation(encodeEvaluation(await review(model, data, undefined)), 'e');
  expect(activations.layers[0]?.channels).toEqual([]);
  expect(companions[0]?.batches[0]?.draws).toEqual([{ probability: 0, predicted: 0 }]);
});

describe('evaluation.json', () => {
  const whole = review(modelOf('scratch'), data, undefined).then(
    (made) => JSON.parse(encodeEvaluation(made)) as Record<string, unknown>,
  );
  const base64 = (length: number) => Buffer.alloc(length).toString('base64');

  it.each<[string, (stored: Record<string, unknown>) => object, string]>([
    ['another version', () => ({ version: 2 }), 'expected version to be 1, the one that this program reads, got 2'],
    ['no base64', () => ({ labels: '<b>' }), 'expected labels to be base64, got "<b>"'],
    ['fewer labels', () => ({ labels: base64(9) }), 'expected inference.classes to have 9 bytes, got 260'],
    [
      'half a probability',
      () => ({ inference: { classes: base64(260), probabilities: base64(5201) } }),
      'expected inference.probabilities to have whole values of 2 bytes, got 5201',
    ],
    [
      'probabilities of nine and a half classes',
      () => ({ inference: { classes: base64(260), probabilities: base64(260 * 19) } }),
      'expected inference.probabilities to have one of each class for each image, got 2470 for 260 images',
    ],
    [
      'a row without a picture',
      () => ({ first: [259] }),
      'expected a picture of each row that it names, got none of 259',
    ],
    [
      'no layers',
      () => ({ activations: { images: 1 } }),
      'expected activations.layers to be a list of layers, got nothing',
    ],
  ])('with %s is refused', async (_, change, message) => {
    const stored = await whole;
    const content = JSON.stringify({ ...stored, ...change(stored) });
    expect(() => parseEvaluation(content, 'e')).toThrow(`Cannot read e: ${message}`);
  });

  it('that is not there is none, and one that cannot be read is an error', async () => {
    expect(await readEvaluation(path.join(work, 'nowhere'))).toBeUndefined();
    await expect(readEvaluation('/dev/null/x')).rejects.toThrow(
      "Cannot read /dev/null/x/evaluation.json: expected a run's evaluation, got a file where a folder belongs",
    );
  });

  it.runIf(ALL)(
    'is left by a run, the same bits again for the same seed, and anew where a finished run is resumed',
    async () => {
      const { args, env } = await writeSmallData(path.join(work, 'data'), 600, 300);
      const options = { cwd: work, env };
      const train = (...more: string[]) =>
        runProgram(['scratch', '--no-fuse', '--epochs', '1', '--seed', '1', ...args, ...more], options);
      const content = (run: string) => readFileSync(path.join(work, run, 'evaluation.json'), 'utf8');
      const results = await Promise.all([train('--run-dir', 'one'), train('--run-dir', 'two')]);
      expect(results.map(({ code }) => code)).toEqual([0, 0]);
      expect(content('two') === content('one')).toBe(true);
      const before = content('one');
      writeFileSync(path.join(work, 'one/evaluation.json'), '');
      expect((await runProgram(['scratch', '--resume', 'one', ...args], options)).code).toBe(0);
      expect(content('one') === before).toBe(true);
      const events = readFileSync(path.join(work, 'one/events.jsonl'), 'utf8').trim().split('\n');
      expect(events.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['epoch', 'start', 'end']);
    },
  );
});
