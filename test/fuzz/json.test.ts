/** Any text as config.json, manifest or checkpoint: exactly what it says where that is right, or an error with file and reason. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Manifest, parseManifest, type Source } from '../../src/data/manifest.js';
import { parseCheckpoint } from '../../src/run/checkpoint.js';
import { parseConfig, type RunConfig } from '../../src/run/config.js';
import { startOf } from '../../src/train/loop.js';
import { CASES, mutated, outcomeOf, Tally } from '../support/fuzz.js';
import { mutatedJson, parsed, says } from '../support/fuzzJson.js';

const sha256 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
const isObject = (value: unknown): value is Record<string, unknown> =>
  Object.prototype.toString.call(value) === '[object Object]';
const isWhole = (value: unknown, from: number, to: number) =>
  typeof value === 'number' && value >= from && value <= to && value % 1 === 0;
const isNumber = (value: unknown, from: number, to: number) =>
  typeof value === 'number' && value >= from && value <= to;
const isText = (value: unknown) => typeof value === 'string';

// 2^53 − 1, the last number whose neighbours are numbers too, and the largest number of all.
const [SAFE, LARGEST, LEAST] = [9_007_199_254_740_991, Number.MAX_VALUE, Number.MIN_VALUE];

const place = {
  device: fc.constantFrom('cpu', 'cuda:0'),
  versions: fc.constantFrom<Record<string, string>[]>({}, { 'bn-train': '0.1.0', node: '20.0.0' }),
  machine: fc.record({
    platform: fc.constant('linux-x64'),
    cpu: fc.string(),
    cores: fc.integer({ min: 1, max: 512 }),
    memory: fc.nat(),
  }),
};

const config: fc.Arbitrary<RunConfig> = fc.record({
  norm: fc.constantFrom('scratch', 'builtin', 'none'),
  learningRate: fc.double({ min: LEAST, max: 1e6, noNaN: true }),
  epochs: fc.integer({ min: 1, max: 2000 }),
  batchSize: fc.integer({ min: 1, max: 60_000 }),
  seed: fc.nat(),
  momentum: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs),
  epsilon: fc.double({ min: LEAST, max: 1, noNaN: true }),
  classes: fc.option(fc.integer({ min: 2, max: 256 }), { nil: undefined }),
  height: fc.option(fc.integer({ min: 1, max: 999 }), { nil: undefined }),
  width: fc.option(fc.integer({ min: 1, max: 999 }), { nil: undefined }),
  data: fc.option(fc.record({ name: fc.string(), sha256: fc.stringMatching(/^[0-9a-f]{64}$/) }), { nil: undefined }),
  backend: fc.constantFrom('native', 'wasm', 'js'),
  mode: fc.constantFrom('eager', 'graph'),
  ...place,
  started: fc.constant('2026-11-24T01:30:00.000Z'),
  checkpointSteps: fc.option(fc.integer({ min: 1, max: 999 }), { nil: undefined }),
  stepsPerCall: fc.option(fc.integer({ min: 1, max: 999 }), { nil: undefined }),
  xla: fc.option(fc.boolean(), { nil: undefined }),
  deterministic: fc.option(fc.boolean(), { nil: undefined }),
  resumed: fc.option(fc.array(fc.record({ ...place, at: fc.constant('2026-11-25T01:30:00.000Z') }), { maxLength: 2 }), {
    nil: undefined,
  }),
});

/** "cpu", "cuda" or "cuda:N". */
function isDevice(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [kind, number, ...more] = value.split(':');
  const isNumbered = number === undefined || (number !== '' && !/[^0-9]/.test(number));
  return more.length === 0 && ((kind === 'cpu' && number === undefined) || (kind === 'cuda' && isNumbered));
}

function isPlace({ device, versions, machine }: Record<string, unknown>): boolean {
  return (
    isDevice(device) &&
    isObject(versions) &&
    Object.values(versions).every(isText) &&
    isObject(machine) &&
    [machine['platform'], machine['cpu']].every(isText) &&
    [machine['cores'], machine['memory']].every((size) => isNumber(size, -LARGEST, LARGEST))
  );
}

function isData(value: unknown): boolean {
  const hash = isObject(value) ? value['sha256'] : undefined;
  return isObject(value) && isText(value['name']) && isText(hash) && hash.length === 64 && !/[^0-9a-f]/.test(hash);
}

function isConfig(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { norm, learningRate, epochs, batchSize, seed, momentum, epsilon, mode, resumed } = value;
  return (
    (norm === 'scratch' || norm === 'builtin' || norm === 'none') &&
    isNumber(learningRate, LEAST, LARGEST) &&
    isWhole(epochs, 1, SAFE) &&
    isWhole(batchSize, 1, SAFE) &&
    isWhole(seed, 0, 2_147_483_647) &&
    isNumber(momentum, 0, 1) &&
    isNumber(epsilon, LEAST, LARGEST) &&
    (mode === 'eager' || mode === 'graph') &&
    ['native', 'wasm', 'js'].some((name) => name === value['backend']) &&
    isText(value['started']) &&
    ['checkpointSteps', 'stepsPerCall'].every((key) => value[key] === undefined || isWhole(value[key], 1, SAFE)) &&
    (value['classes'] === undefined || isWhole(value['classes'], 2, SAFE)) &&
    ['height', 'width'].every((key) => value[key] === undefined || isWhole(value[key], 1, SAFE)) &&
    (value['data'] === undefined || isData(value['data'])) &&
    (value['xla'] === undefined || typeof value['xla'] === 'boolean') &&
    [undefined, true, false].includes(value['deterministic'] as boolean | undefined) &&
    isPlace(value) &&
    (resumed === undefined ||
      (Array.isArray(resumed) && resumed.every((one) => isObject(one) && isPlace(one) && isText(one['at']))))
  );
}

it('config.json', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(mutatedJson(config), ({ text }) => {
      const outcome = tally.add(outcomeOf('run/config.json', () => parseConfig(text, 'run/config.json')));
      assert.equal('value' in outcome, isConfig(parsed(text)), 'error' in outcome ? outcome.error.message : 'accepted');
      if ('value' in outcome) assert.ok(says(text, outcome.value));
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

const name = fc.stringMatching(/^[a-z][\w-]{0,20}$/);
const source: fc.Arbitrary<Source> = fc.oneof(
  fc.record({ kind: fc.constant('http' as const), url: fc.constantFrom('http://a.b/', 'https://a.b:8/c/') }),
  fc.record({
    kind: fc.constant('debian' as const),
    package: fc.constantFrom('a1', 'x-y.z+1'),
    folder: fc.constantFrom('usr', 'usr/share/x.y'),
  }),
);
const manifest: fc.Arbitrary<Manifest> = fc
  .record({
    names: fc.uniqueArray(name, { minLength: 4, maxLength: 4 }),
    size: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    sources: fc.array(source, { maxLength: 3 }),
    folders: fc.array(fc.constantFrom('~/x', '/usr/share', 'data'), { maxLength: 2 }),
  })
  .map(({ names, size, sha256, sources, folders }) => ({
    files: (['trainImages', 'trainLabels', 'testImages', 'testLabels'] as const).map((role, i) => ({
      role,
      name: names[i] ?? '',
      size,
      sha256,
    })),
    sources,
    folders,
  }));

/** What matters of an accepted manifest: it can neither lead out of a folder nor ask for what is no data set. */
function assertHarmless({ files, sources, folders }: Manifest): void {
  assert.deepEqual(files.map(({ role }) => role).sort(), ['testImages', 'testLabels', 'trainImages', 'trainLabels']);
  assert.equal(new Set(files.map((file) => file.name)).size, 4);
  for (const { name, size, sha256 } of files) {
    assert.ok(
      isText(name) && !/[^A-Za-z0-9_-]/.test(name) && name !== '' && path.dirname(path.join('/d', name)) === '/d',
    );
    assert.ok(isWhole(size, 1, 2 ** 31 - 1));
    assert.ok(isText(sha256) && sha256.length === 64 && !/[^0-9a-f]/.test(sha256));
  }
  for (const one of sources)
    if (one.kind === 'http') assert.match(new URL('x.gz', one.url).protocol, /^https?:$/);
    else {
      assert.ok(isText(one.package) && isText(one.folder) && !one.package.startsWith('-'));
      assert.ok(`${path.join('/cache', one.folder)}/`.startsWith('/cache/') && !one.folder.includes('\0'));
    }
  assert.ok(folders.every(isText));
}

it('the manifest', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(mutatedJson(manifest), ({ text }) => {
      const outcome = tally.add(outcomeOf('some/manifest', () => parseManifest(text, 'some/manifest')));
      if ('error' in outcome) return;
      assert.ok(says(text, outcome.value));
      assertHarmless(outcome.value);
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
  fc.assert(
    fc.property(
      manifest.map((valid) => JSON.stringify(valid)),
      (text) => {
        assert.equal(JSON.stringify(parseManifest(text, 'm')), text);
      },
    ),
  );
});

/** Weights of all ranks; the values are of any bits. */
const weights = fc
  .array(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }), { maxLength: 4 })
  .chain((shapes) => {
    const count = shapes.reduce((sum, shape) => sum + shape.reduce((product, n) => product * n, 1), 0);
    const specs = shapes.map((shape, i) => ({
      name: `layer_${i}/${i % 2 ? 'gamma' : 'moving_mean'}`,
      shape,
      dtype: 'float32',
    }));
    return fc.record({
      specs: fc.constant(specs),
      bytes: fc.uint8Array({ minLength: 4 * count, maxLength: 4 * count }),
    });
  });

const share = fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs);
/** Also as runs from before it was measured have it. */
const population = fc.option(
  fc
    .record({ accuracy: share, images: fc.integer({ min: 1, max: 60_000 }) })
    .map(({ accuracy, images }) => ({ testAccuracyPopulation: accuracy, populationImages: images })),
);
const checkpoint = fc
  .record({
    results: fc.array(fc.record({ loss: share, accuracy: share, population }), { maxLength: 3 }),
    batch: fc.nat({ max: 50 }),
    weights,
  })
  .map(({ results, batch, weights: { specs, bytes } }) => ({
    header: {
      position: {
        epoch: results.length + 1,
        batch,
        loss: batch * 0.5,
        correct: batch,
        examples: batch * 256,
        seconds: batch / 8,
      },
      history: results.map(({ loss, accuracy, population }, i) => ({
        epoch: i + 1,
        loss,
        trainAccuracy: accuracy,
        testAccuracy: accuracy,
        ...population,
        examplesPerSecond: 7812.5,
        seconds: 7.5,
      })),
      weights: specs,
    },
    bytes,
  }));

const start = startOf(1);
const RESULT = ['epoch', 'loss', 'trainAccuracy', 'testAccuracy', 'examplesPerSecond', 'seconds'];
const POPULATION = ['testAccuracyPopulation', 'populationImages'];
const only = (value: unknown, names: string[]) =>
  Object.fromEntries(names.map((key) => [key, (value as Record<string, unknown>)[key]]));

function isPosition(value: unknown, epochs: number): boolean {
  if (!isObject(value)) return false;
  const { epoch, batch, loss, correct, examples, seconds } = value;
  return (
    epoch === epochs + 1 &&
    isWhole(batch, 0, SAFE) &&
    isNumber(loss, -LARGEST, LARGEST) &&
    isWhole(examples, 0, SAFE) &&
    isWhole(correct, 0, examples as number) &&
    (batch === 0) === (examples === 0) &&
    isNumber(seconds, 0, LARGEST)
  );
}

const isOrNone = (value: unknown, holds: (value: unknown) => boolean) =>
  value === undefined || value === null || holds(value);

function isResult(value: unknown, i: number): boolean {
  return (
    isObject(value) &&
    value['epoch'] === i + 1 &&
    isNumber(value['loss'], -LARGEST, LARGEST) &&
    [value['trainAccuracy'], value['testAccuracy']].every((accuracy) => isNumber(accuracy, 0, 1)) &&
    isOrNone(value['testAccuracyPopulation'], (accuracy) => isNumber(accuracy, 0, 1)) &&
    isOrNone(value['populationImages'], (images) => isWhole(images, 1, SAFE)) &&
    [value['examplesPerSecond'], value['seconds']].every((time) => isNumber(time, 0, LARGEST))
  );
}

/** The number of values that specs promise, exactly; undefined where they are none. */
function promised(specs: unknown): bigint | undefined {
  if (!Array.isArray(specs)) return undefined;
  let values = 0n;
  for (const spec of specs as unknown[]) {
    if (!isObject(spec) || !isText(spec['name']) || spec['dtype'] !== 'float32') return undefined;
    const shape = spec['shape'];
    if (!Array.isArray(shape) || !shape.every((size) => isWhole(size, 0, SAFE))) return undefined;
    values += (shape as number[]).reduce((product, size) => product * BigInt(size), 1n);
  }
  return values;
}

/** The bits of weights, in one piece. */
function bitsOf(found: { values: Float32Array }[]): string {
  return found
    .map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex'))
    .join('');
}

it('a checkpoint with the right checksum, whatever it says', () => {
  const tally = new Tally();
  const example = checkpoint.chain(({ header, bytes }) =>
    fc.record({ said: mutatedJson(fc.constant(header)), bytes: fc.constant(bytes) }),
  );
  fc.assert(
    fc.property(example, ({ said, bytes }) => {
      const line = said.text.replaceAll('\n', ' ');
      const rest = Buffer.concat([Buffer.from(`${line}\n`), bytes]);
      const content = Buffer.concat([Buffer.from(`${sha256(rest)}\n`), rest]);
      const outcome = tally.add(outcomeOf('run/latest.ckpt', () => parseCheckpoint(content, 'run/latest.ckpt')));
      const header = parsed(line);
      const valid =
        isObject(header) &&
        Array.isArray(header['history']) &&
        header['history'].every(isResult) &&
        isPosition(header['position'], header['history'].length) &&
        promised(header['weights']) === BigInt(bytes.length) / 4n;
      assert.equal('value' in outcome, valid, 'error' in outcome ? outcome.error.message : 'accepted');
      if (!('value' in outcome) || !isObject(header)) return;
      const { position, history } = outcome.value;
      assert.deepEqual(position, only(header['position'], Object.keys(start)));
      assert.deepEqual(
        history,
        (header['history'] as Record<string, unknown>[]).map((result) => ({
          ...only(result, RESULT),
          ...Object.fromEntries(POPULATION.map((name) => [name, result[name] ?? null])),
        })),
      );
      assert.equal(bitsOf(outcome.value.weights), Buffer.from(bytes).toString('hex'));
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

it('a checkpoint with any byte changed, cut or added', () => {
  const whole = checkpoint.map(({ header, bytes }) => {
    const rest = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
    return Buffer.concat([Buffer.from(`${sha256(rest)}\n`), rest]);
  });
  const tally = new Tally();
  fc.assert(
    fc.property(mutated(whole), ({ original, bytes }) => {
      const outcome = tally.add(outcomeOf('run/latest.ckpt', () => parseCheckpoint(bytes, 'run/latest.ckpt')));
      assert.equal('value' in outcome, bytes.equals(original));
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

it('a checkpoint whose shapes no memory holds', () => {
  for (const shape of [
    [SAFE],
    [SAFE, SAFE],
    [2 ** 31, 2 ** 31],
    Array<number>(40).fill(SAFE),
    [...Array<number>(40).fill(SAFE), 0],
  ]) {
    const header = { position: start, history: [], weights: [{ name: 'w', shape, dtype: 'float32' }] };
    const rest = `${JSON.stringify(header)}\n1234`;
    expect(() => parseCheckpoint(Buffer.from(`${sha256(rest)}\n${rest}`), 'run/latest.ckpt')).toThrow(
      /^Cannot read run\/latest.ckpt: expected \S+ bytes of weights, got 4$/,
    );
  }
});
