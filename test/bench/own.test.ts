import { describe, expect, it } from 'vitest';
import { type BenchMode, OwnProgram } from '../../src/bench/own.js';
import '../support/native.js';

/** Four whole batches of 256 and one of 76; dark images are of class 0, bright ones of class 1. */
const count = 1100;
const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
const images = Uint8Array.from({ length: count * 784 }, (_, i) => (Math.floor(i / 784) % 2) * 200 + (i % 50));
const train = { count, height: 28, width: 28, images, labels };
const data = { train, test: train, classes: 10 };

describe("this project's contestants", () => {
  const open = (modes?: BenchMode[]) =>
    new OwnProgram({ norms: ['scratch', 'none'], modes, batchSize: 256, data, versions: { node: '20' }, threads: 2 });

  it('meet the smaller last batch at once, then whole epochs, and learn', async () => {
    const own = open(['eager']);
    expect(own.hello).toEqual({
      program: 'bn-train',
      versions: { node: '20' },
      threads: 2,
      contestants: ['scratch/eager', 'none/eager'],
    });
    const first = await own.run('scratch/eager', 3);
    expect(first).toMatchObject({ steps: 3, examples: 256 + 256 + 76 });
    const second = await own.run('scratch/eager', 5);
    expect(second).toMatchObject({ steps: 5, examples: count });
    expect(second.loss).toBeLessThan(first.loss);
    expect(second.accuracy).toBeGreaterThan(0.9);
    expect(second.peakMemory).toBeGreaterThan(50e6);
    await own.close();
  });

  it('have all modes that there are when none is named', async () => {
    const own = open();
    expect(own.hello.contestants).toEqual(
      ['scratch', 'none'].flatMap((norm) => ['fused', 'graph', 'eager'].map((mode) => `${norm}/${mode}`)),
    );
    await own.close();
  });

  it('take the same steps in every mode that is a graph', async () => {
    const own = open(['graph', 'loop', 'xla', 'loop+xla']);
    const turn = async (mode: BenchMode) => (await own.run(`none/${mode}`, 4)).loss;
    const [graph, xla] = [await turn('graph'), await turn('xla')];
    expect(await turn('loop')).toBe(graph);
    expect(await turn('loop+xla')).toBe(xla);
    expect(Math.abs(xla / graph - 1)).toBeLessThan(1e-5);
    await own.close();
  });

  it('are the only ones that run', async () => {
    const own = open(['eager']);
    await expect(own.run('builtin/eager', 1)).rejects.toThrow(
      'Cannot measure: expected scratch/eager, none/eager, got builtin/eager',
    );
    await own.close();
  });
});
