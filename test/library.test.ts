import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, start } from './support/program.js';

/** The README's examples, in order: plain JavaScript, too, so that they run as they stand. */
const examples = [...readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/```[tj]s\n(.*?)```/gs)].map(
  ([, code]) => code ?? '',
);

/** The lines that a module prints, run beside the package; anything on stderr is a failure. */
async function run(code: string): Promise<string[]> {
  const {
    stdout,
    stderr,
    code: status,
  } = await start(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
  }).result;
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim().split('\n');
}

describe("import … from 'bn-train'", () => {
  it('gives the public names', async () => {
    const names = 'console.log(Object.keys(await import(name)).join(" "))';
    expect(await run(`const name = 'bn-train'; ${names}`)).toEqual([
      'BatchNorm BnTrainError GroupNorm MovingNoise batchNorm compileStep fold groupNorm lenet loadFashionMnist mlp openBackend populationStatistics recalibrate train withBatchNorm withStatistics',
    ]);
    expect(await run(`const name = 'bn-train/graph'; ${names}`)).toEqual([
      'accelerate compileStep compileSteps minimize optimizerVariables random',
    ]);
  });

  it('trains as the README shows', async () => {
    const [loss, accuracy, population] = (await run(examples[0] ?? ''))[0]?.split(' ').map(Number) ?? [];
    expect(loss).toBeLessThan(0.8);
    expect(accuracy).toBeGreaterThan(0.6);
    expect(population).toBeGreaterThan(0.6);
  });

  it('recalibrates and folds as the README shows', async () => {
    const [layers, difference] = (await run(examples[1] ?? ''))[0]?.split(' ').map(Number) ?? [];
    expect(layers).toBe(4);
    expect(difference).toBeLessThan(1e-4);
  });

  it('compiles as the README shows: an MLP with Adam', async () => {
    const [predicted, ...rest] = (await run(examples[2] ?? '')).map(Number).reverse();
    const losses = rest.reverse();
    expect(losses).toHaveLength(5);
    expect(Math.abs((predicted ?? NaN) - 8)).toBeLessThan(2);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 10);
  });

  it('draws as the README shows, after that', async () => {
    const shown = 'console.log(noisy.run(tf.ones([64, 8]))[0].shape.join(), dice.state.dataSync().join());';
    expect((await run([examples[2], examples[3], shown].join('\n'))).at(-1)).toBe('64,1 1,1');
  });
});
